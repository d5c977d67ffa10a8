"""The releases that a deployment names, and whether all that it needs is there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.config import MAIN, DeploymentConfig, Resources, VersionConfig
from mesh.config.instance_types import resources_of
from mesh.control.plan import VersionDocument
from mesh.control.store.catalogue import Catalogue, Kind
from mesh.control.verbs import Verbs
from mesh.errors import ConfigError, FailedPrecondition, InvalidArgument, MeshError, NotFound
from mesh.releases.codespace import code_of
from mesh.releases.contract import Release, Releases

BENTO = "bento"
"""The annotation that has what is shown of the release of a version."""
SLIM = (
    "service",
    "name",
    "version",
    "bentoml_version",
    "size_bytes",
    "entry_service",
    "spec",
    "dev",
)
"""What is kept with a deployment of the manifest of its release."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A config with the tags of its releases found out, and what each version is made from.

    `kept` has versions that run already, by name, for which there is no release (any more).
    """

    config: DeploymentConfig
    releases: Mapping[str, Release] = field(default_factory=dict)
    kept: Mapping[str, VersionDocument] = field(default_factory=dict)
    code: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def lacks_code(self) -> bool:
        """Whether a release is being developed whose files have not come yet."""
        return any(not release.digest for release in self.releases.values())


def versions(config: DeploymentConfig) -> dict[str, VersionConfig]:
    """Main and the canaries by name, as they are written."""
    return {MAIN: config, **config.canary.versions}


def where(version: str) -> str:
    """What stands before the keys of a version on the wire."""
    return "" if version == MAIN else f"canary.versions.{version}."


async def needed(
    config: DeploymentConfig, organization: str, releases: Releases, verbs: Verbs
) -> Needed:
    """Finds the releases of a deployment.

    Raises InvalidArgument (or what `Releases.release` raises besides NotFound), naming the key.
    """
    found: dict[str, Release] = {}
    kept: dict[str, VersionDocument] = {}
    code: dict[str, bytes] = {}
    for name, version in versions(config).items():
        try:
            if version.release:
                release = await releases.release(version.release, organization)
                found[name] = _with_code(release, name, config)
                continue
            missing = NotFound("it is not of a release")
        except NotFound as error:
            missing = error
        except MeshError as error:
            raise type(error)(f"{where(name)}bento: {error.message}") from None
        document, pickled = _kept(config.name, version, verbs)
        if document is None:
            raise InvalidArgument(f"{where(name)}bento: {missing.message}")
        kept[name], code[name] = document, pickled
    return Needed(_resolved(config, found), found, kept, {k: v for k, v in code.items() if v})


def _with_code(release: Release, name: str, config: DeploymentConfig) -> Release:
    """A release that is being developed, with the archive of its deployment if that has one."""
    if release.digest:
        return release
    if name != MAIN or not config.dev:
        raise FailedPrecondition(
            f"{release.tag} is being developed and has no archive: only main of a codespace runs it"
        )
    code = code_of(config.annotations, release.uid)
    return release if code is None else replace(release, digest=code[0], size=code[1])


def _kept(
    deployment: str, version: VersionConfig, verbs: Verbs
) -> tuple[VersionDocument | None, bytes]:
    """What the deployment has of the same release or target already."""
    try:
        application, code = verbs.kept(deployment)
    except MeshError:
        return None, b""
    for name, each in versions(application.config).items():
        if (each.target, each.release) == (version.target, version.release):
            return application.versions.get(name), code.get(name, b"")
    return None, b""


def _resolved(config: DeploymentConfig, releases: Mapping[str, Release]) -> DeploymentConfig:
    def of(name: str, version: VersionConfig) -> dict[str, Any]:
        if name not in releases:
            return {}
        release = releases[name]
        annotations = {**version.annotations, BENTO: shown(release)}
        return {"release": release.tag, "annotations": annotations}

    canaries = {
        name: each.model_copy(update=of(name, each))
        for name, each in config.canary.versions.items()
    }
    canary = config.canary.model_copy(update={"versions": canaries})
    return config.model_copy(update={**of(MAIN, config), "canary": canary})


def shown(release: Release) -> dict[str, Any]:
    """What is kept of a release with a deployment: it is shown even when the release is gone."""
    keys = release.manifest if release.manifest.get("dev") else SLIM  # clients compare all of that
    manifest = {key: release.manifest[key] for key in keys if key in release.manifest}
    return {"uid": release.uid, "manifest": manifest}


def check_services(needed: Needed) -> None:
    """Raises InvalidArgument if settings name a service that a release says it does not have."""
    for name, release in needed.releases.items():
        listed = release.manifest.get("services")
        if not isinstance(listed, list):
            continue
        known = {each.get("name") for each in listed if isinstance(each, Mapping)}
        unknown = sorted(versions(needed.config)[name].services.keys() - known)
        if known and unknown:
            there = ", ".join(sorted(map(str, known)))
            raise InvalidArgument(
                f"{where(name)}services.{unknown[0]}: {release.tag} has no such service;"
                f" it has {there}"
            )


async def check_secrets(config: DeploymentConfig, organization: str, catalogue: Catalogue) -> None:
    """Raises InvalidArgument naming a secret that there is not."""
    for name, version in versions(config).items():
        for secret in version.secrets:
            found = await catalogue.entry(Kind.SECRET, secret, organization=organization)
            if found is None:
                raise InvalidArgument(f"{where(name)}secrets: there is no secret {secret!r}")


def check_instance_types(
    config: DeploymentConfig, types: Mapping[str, Resources]
) -> dict[str, Resources]:
    """Those of `types` that the deployment names. Raises InvalidArgument for one not there."""
    used = {}
    for name, version in versions(config).items():
        for service, settings in version.services.items():
            kind = settings.instance_type
            if kind is None:
                continue
            try:
                resources_of(kind, types)
            except ConfigError as error:
                key = f"{where(name)}services.{service}.instance_type"
                raise InvalidArgument(f"{key}: {error.message}") from None
            if kind in types:
                used[kind] = types[kind]
    return used
