"""A mesh on which no release can run."""

from mesh.control.plan import VersionDocument
from mesh.errors import FailedPrecondition
from mesh.launch import NO_SECRETS, Secrets
from mesh.releases.contract import Release


class NoBuilder:
    """See contract.Builder: it can make none ready."""

    async def describe(
        self,
        release: Release,
        build: Secrets = NO_SECRETS,  # noqa: ARG002  # as of Builder
    ) -> VersionDocument:
        """Raises FailedPrecondition."""
        raise FailedPrecondition(f"{release.tag} cannot be made ready here")
