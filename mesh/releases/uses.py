"""Which deployments use which releases."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from mesh.control.records import DeploymentRecord, Document, RevisionRecord


class Deployed(Protocol):
    """The controller, as far as it says what is deployed."""

    def deployments(self) -> tuple[DeploymentRecord, ...]:
        """All deployments."""
        ...

    def current(self, name: str) -> RevisionRecord:
        """What a deployment is set to."""
        ...

    def unchanged(self) -> AbstractAsyncContextManager[None]:
        """While the block lasts, what deployments are set to stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Use:
    """A deployment by its name, and the releases that it is set to run."""

    deployment: str
    tags: frozenset[str]

    @property
    def repositories(self) -> frozenset[str]:
        """The names of these releases, without their versions."""
        return frozenset(tag.partition(":")[0] for tag in self.tags)


def uses(deployed: Deployed, organization: str) -> tuple[Use, ...]:
    """The deployments of an organization that run releases."""
    found = (
        Use(record.name, frozenset(release_tags(deployed.current(record.name).config)))
        for record in deployed.deployments()
        if record.organization == organization
    )
    return tuple(use for use in found if use.tags)


def release_tags(config: Document) -> Iterable[str]:
    """The releases that the config of a deployment names: of `main`, then of canaries."""
    canary = config.get("canary")
    versions = canary.get("versions") if isinstance(canary, Mapping) else None
    each: list[Any] = [config, *(versions.values() if isinstance(versions, Mapping) else ())]
    for version in each:
        tag = version.get("release") if isinstance(version, Mapping) else ""
        if isinstance(tag, str) and tag:
            yield tag
