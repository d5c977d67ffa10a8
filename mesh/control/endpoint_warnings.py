"""What an endpoint names that is not there: a sentence each, for whoever looks at it. Pure."""

from collections.abc import Callable, Iterator

from mesh.config import MAIN
from mesh.control.records import Document, EndpointRecord

Versions = Callable[[str], frozenset[str] | None]
"""The names of the versions of a deployment; None if there is no such deployment."""


def versions_in(config: Document) -> frozenset[str]:
    """The names of the versions that the settings of a deployment have."""
    return frozenset((MAIN, *((config.get("canary") or {}).get("versions") or ())))


def warnings(record: EndpointRecord, versions: Versions) -> tuple[str, ...]:
    """What it leads to that there is not; each sentence begins with the key.

    `versions` are those of the organization's deployments.
    """
    return tuple(_missing(record.config, versions))


def _missing(config: Document, versions: Versions) -> Iterator[str]:
    for name in config.get("deployments") or {}:
        if versions(name) is None:
            yield f"deployments: there is no deployment {name!r} any more"
    mirror = config.get("mirror") or {}
    if mirror and versions(mirror["deployment"]) is None:
        yield f"mirror.deployment: there is no deployment {mirror['deployment']!r} any more"
    for place, rule in enumerate(config.get("rules") or ()):
        name, version = rule["deployment"], rule.get("version")
        there = versions(name)
        if there is None:
            yield f"rules.{place}.deployment: there is no deployment {name!r} any more"
        elif version and version not in there:
            yield f"rules.{place}.version: deployment {name!r} has no version {version!r}"
