"""Who follows the routing table, and how far each is: sent what, routes by what."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Watcher:
    """One that follows, as far as it told.

    `name` is its own word and need not be unique; `deployment` the only one that it follows
    (empty: all). `sent` is the number of the snapshot that it was last sent, 0 before the first.
    `applied` is the number of the one that it routes by, in this epoch; 0 means that it has not
    told of any.
    """

    name: str
    deployment: str = ""
    sent: int = 0
    applied: int = 0


class Watchers:
    """Those that follow now. For one event loop."""

    def __init__(self) -> None:
        self._now: set[Watcher] = set()
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Watchers {len(self._now)}, all route by {self.applied_by_all}>"

    def __len__(self) -> int:
        return len(self._now)

    def __iter__(self) -> Iterator[Watcher]:
        return iter(tuple(self._now))

    def add(self, name: str, deployment: str = "") -> Watcher:
        """Somebody begins to follow."""
        watcher = Watcher(name, deployment)
        self._now.add(watcher)
        self._tell()
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """Follows no more. May be told twice."""
        self._now.discard(watcher)
        self._tell()

    def applied(self, watcher: Watcher, number: int) -> None:
        """`watcher` routes by the snapshot with this number of this epoch."""
        watcher.applied = number
        self._tell()

    @property
    def of_all(self) -> tuple[Watcher, ...]:
        """Those that follow all deployments, which gateways do, by their names."""
        found = (watcher for watcher in self._now if not watcher.deployment)
        return tuple(sorted(found, key=lambda watcher: watcher.name))

    @property
    def applied_by_all(self) -> int | None:
        """The oldest number that one of `of_all` routes by; None if there are none of them."""
        return min((watcher.applied for watcher in self.of_all), default=None)

    def progress(self) -> dict[str, int]:
        """The number that each of `of_all` routes by; of those with one name the oldest."""
        found: dict[str, int] = {}
        for watcher in self.of_all:
            found[watcher.name] = min(watcher.applied, found.get(watcher.name, watcher.applied))
        return found

    async def reached(self, number: int) -> None:
        """Returns when each of `of_all` routes by the snapshot with this number or a later one."""
        while (oldest := self.applied_by_all) is not None and oldest < number:
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
