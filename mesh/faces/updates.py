"""The bytes that bring watchers from one snapshot to another, made once for all of them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from mesh.link.delta_wire import deployment_part, endpoint_part, gone, grants_part, head
from mesh.traffic.delta import difference, lean
from mesh.traffic.grants import Grant
from mesh.traffic.snapshot import Deployment, Snapshot

T = TypeVar("T")

_RECENT = 1024
"""Parts of recent changes that are kept, besides those of one whole table."""


class Updates:
    """Makes updates. Keeps the bytes of one whole table and of recent changes, each once."""

    def __init__(self) -> None:
        self._parts = _Recent(_RECENT)
        self._last: tuple[Snapshot, Snapshot, bytes] | None = None

    def __repr__(self) -> str:
        return f"<Updates of {len(self._parts)} parts>"

    def only(self, snapshot: Snapshot, deployment: str) -> Snapshot:
        """What watchers of one deployment get of `snapshot`."""
        found = snapshot.deployments.get(deployment)
        own = {} if found is None else {deployment: self._parts.get(lean, found)}
        return replace(snapshot, endpoints={}, deployments=own, default_endpoint="", grants={})

    def update(self, old: Snapshot | None, new: Snapshot) -> bytes:
        """A serialized update from `old` (None: from nothing) to `new`.

        Of snapshots of two epochs it is the whole of `new`.
        """
        if old is None or old.epoch != new.epoch:
            return self._whole(new)
        if len(new.deployments) < 2:  # which is less work than to keep it
            return self._difference(old, new)
        if self._last is None or self._last[0] is not old or self._last[1] is not new:
            self._last = old, new, self._difference(old, new)
        return self._last[2]

    def _whole(self, new: Snapshot) -> bytes:
        self._parts.limit = _RECENT + len(new.endpoints) + len(new.deployments)
        get = self._parts.get
        endpoints = [get(endpoint_part, each) for each in new.endpoints.values()]
        deployments = [get(_whole_part, each) for each in new.deployments.values()]
        grants = [get(_whole_grants, new.grants)] if new.grants else []
        return b"".join([head(new), *endpoints, *deployments, *grants])

    def _difference(self, old: Snapshot, new: Snapshot) -> bytes:
        delta = difference(old, new)
        parts = [self._parts.get(endpoint_part, each) for each in delta.endpoints.values()]
        parts += [
            self._parts.get(deployment_part, old.deployments.get(name), each)
            for name, each in delta.deployments.items()
        ]
        if delta.gone_endpoints or delta.gone_deployments:
            parts.append(gone(delta.gone_endpoints, delta.gone_deployments))
        if delta.grants or delta.gone_grants:
            parts.append(grants_part(delta.grants, delta.gone_grants))
        return b"".join([head(new, old.number), *parts])


def _whole_part(deployment: Deployment) -> bytes:
    return deployment_part(None, deployment)


def _whole_grants(grants: Mapping[bytes, Grant]) -> bytes:
    return grants_part(grants, ())


class _Recent:
    """What functions made of objects, for these very objects; the last `limit` that were used."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._made: OrderedDict[object, tuple[object, tuple[object, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, make: Callable[..., T], *things: object) -> T:
        """What `make` gives for `things`, which must never change."""
        key = (make, *map(id, things))
        found = self._made.get(key)
        if found is not None:
            self._made.move_to_end(key)
            return found[0]  # type: ignore[return-value]  # `make`, which is in the key, gave it
        # An id means an object only as long as that lives: the objects are kept with it.
        made = make(*things)
        self._made[key] = made, things
        while len(self._made) > self.limit:
            self._made.popitem(last=False)
        return made
