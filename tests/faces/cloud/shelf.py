"""Releases that were never pushed, and a builder that is told what to find in them."""

import asyncio
import threading
from typing import Any

from mesh.control.plan import VersionDocument
from mesh.errors import FailedPrecondition, MeshError, NotFound
from mesh.launch import NO_SECRETS, Secrets
from mesh.releases.contract import Release


def document(name: str, digest: str, *services: str) -> dict[str, Any]:
    """What is in a release; its first service is its entry."""
    method = {"name": "predict", "route": "/predict", "kind": 1}
    return {
        "manifest": {
            "entry": services[0],
            "services": {
                each: {"name": each, "methods": [method], "config": {}, "schema_json": "{}"}
                for each in services
            },
        },
        "source": {"target": f"{name}:{services[0]}", "release": digest},
    }


class Shelf:
    """Releases and their builder. Builds wait while it is `held`; those in `broken` fail.

    Of those in `warnings` is told what they do not get.
    """

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.services: dict[str, tuple[str, ...]] = {}
        self.broken: dict[str, MeshError] = {}
        self.warnings: dict[str, tuple[str, ...]] = {}
        self.built: list[str] = []
        self.given: list[Secrets] = []
        self._free = threading.Event()
        self._free.set()

    def put(self, tag: str, *services: str) -> Release:
        """A release that was pushed, after all others."""
        name, _, version = tag.partition(":")
        services = services or ("Main",)
        digest = f"sha256:{len(self.releases):064x}"
        manifest = {
            "service": f"service:{services[0]}",
            "name": name,
            "version": version,
            "bentoml_version": "1.4.39",
            "size_bytes": 7,
            "entry_service": services[0],
            "services": [{"name": each, "service": each} for each in services],
            "envs": [],
            "schema": {"routes": []},
        }
        made = Release(name, version, f"uid-{tag}", digest, 7, manifest)
        self.releases[tag] = made
        self.services[tag] = services
        return made

    def hold(self) -> None:
        """Has builds wait."""
        self._free.clear()

    def free(self) -> None:
        """Has them go on."""
        self._free.set()

    async def release(self, tag: str, organization: str = "default") -> Release:
        """As of Releases."""
        name, _, version = tag.partition(":")
        if version in ("", "latest"):
            found = [each for each in self.releases.values() if each.name == name]
            if found:
                return found[-1]
        elif tag in self.releases:
            return self.releases[tag]
        raise NotFound(f"there is no release {tag!r}")

    async def is_there(self, release: Release, organization: str = "default") -> bool:
        """As of Releases."""
        return any(each.uid == release.uid for each in self.releases.values())

    async def describe(self, release: Release, build: Secrets = NO_SECRETS) -> VersionDocument:
        """As of Builder."""
        self.built.append(release.tag)
        self.given.append(build)
        while not self._free.is_set():  # noqa: ASYNC110  # freed in another thread
            await asyncio.sleep(0.01)
        if release.tag in self.broken:
            raise self.broken[release.tag]
        found = document(release.name, release.digest, *self.services[release.tag])
        told = {"warnings": self.warnings.get(release.tag, ())}
        return VersionDocument.model_validate(found | told)


NO_TORCH = FailedPrecondition("ModuleNotFoundError: No module named 'torch'")
