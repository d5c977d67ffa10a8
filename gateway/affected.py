"""Which endpoints lead elsewhere after a snapshot: what is known of all others still holds."""

from collections.abc import Set as AbstractSet

from mesh.traffic.delta import difference
from mesh.traffic.snapshot import EMPTY, Snapshot


class Affected:
    """Follows snapshots; `snapshot` is the last one that it was asked about.

    An update of one deployment then costs its endpoints, and not a look at all of them.
    """

    def __init__(self) -> None:
        self.snapshot = EMPTY
        self._endpoints: dict[str, set[str]] = {}  # by the deployment that they lead to

    def __repr__(self) -> str:
        return f"<Affected snapshot {self.snapshot.number}, {len(self._endpoints)} deployments>"

    def by(self, snapshot: Snapshot) -> AbstractSet[str]:
        """The names of endpoints which are not as in the snapshot before, or whose deployments.

        Those that are there no more are among them.
        """
        old, self.snapshot = self.snapshot, snapshot
        delta = difference(old, snapshot)
        found = {*delta.endpoints, *delta.gone_endpoints}
        for name in found:
            if name in old.endpoints:
                for deployment in old.endpoints[name].reachable:
                    self._part(name, deployment)
        for name, endpoint in delta.endpoints.items():
            for deployment in endpoint.reachable:
                self._endpoints.setdefault(deployment, set()).add(name)
        for deployment in (*delta.deployments, *delta.gone_deployments):
            found |= self._endpoints.get(deployment, set())
        return found

    def _part(self, endpoint: str, deployment: str) -> None:
        names = self._endpoints.get(deployment, set())
        names.discard(endpoint)
        if not names:
            self._endpoints.pop(deployment, None)
