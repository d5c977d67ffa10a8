"""What is known of a release that was pushed, and what describes it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mesh.control.plan import VersionDocument
from mesh.launch import NO_SECRETS, Secrets


@dataclass(frozen=True, slots=True)
class Release:
    """A release in the registry: `name:version`, and the digest of its archive.

    `manifest` is as its client sent it. `models` has the digest of the archive of each model that
    it names, by tag; models that are elsewhere (Hugging Face) are not in it. `digest` is empty of
    one that is being developed: deployments bring the archive along.
    """

    name: str
    version: str
    uid: str
    digest: str
    size: int
    manifest: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """`name:version`."""
        return f"{self.name}:{self.version}"


class Releases(Protocol):
    """The registry, for those who deploy what is in it."""

    async def release(self, tag: str, organization: str = "default") -> Release:
        """The release `name:version`; `name` and `name:latest` are the newest.

        Raises:
            NotFound: there is no such release.
            FailedPrecondition: it, or a model of it, was not uploaded as a whole.
        """
        ...

    async def is_there(self, release: Release, organization: str = "default") -> bool:
        """Whether a release that was found is still there, and its archive still of it.

        Quick: it looks into the catalogue only, not for archives.
        """
        ...


class Builder(Protocol):
    """Makes a release ready to run, on a node of the cluster."""

    async def describe(self, release: Release, build: Secrets = NO_SECRETS) -> VersionDocument:
        """Installs what the release needs, imports it, and says what is in it.

        Only the installation gets `build`, such as the password of an index.

        Raises MeshError with the line that says why it cannot run: FailedPrecondition for what is
        wrong with the release, Unavailable for what may pass.
        """
        ...


class Blobs(Protocol):
    """Archives by the digest of their content: `sha256:` and 64 hex digits."""

    async def put(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keeps content; returns its digest and size. Nothing is kept if it raises.

        Raises TooLarge beyond `limit` bytes.
        """
        ...

    async def size(self, digest: str) -> int | None:
        """Bytes of a content; None if it is not there."""
        ...

    async def read(self, digest: str, offset: int, limit: int) -> bytes:
        """A piece of a content; empty at its end. Raises NotFound."""
        ...

    async def delete(self, digest: str) -> None:
        """Forgets a content."""
        ...
