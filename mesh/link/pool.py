"""A caller's links to the replicas of its snapshot: opened ahead, opened again when broken."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from random import Random

from mesh.clock import Clock
from mesh.errors import MeshError
from mesh.link.ends import CallerLink
from mesh.link.transport import Transport
from mesh.traffic.snapshot import Replica

FIRST_PAUSE = 0.05
"""Seconds after a link broke or could not be opened; doubled with each failure in a row."""
LONGEST_PAUSE = 2.0
"""Seconds between two tries at most."""

Connect = Callable[[str], Awaitable[Transport]]
"""Opens a transport to an address."""


class Loads(Mapping[str, int]):
    """Calls in flight on each replica that has a link, by replica id."""

    def __init__(self, links: Mapping[str, CallerLink]) -> None:
        self._links = links

    def __getitem__(self, replica: str) -> int:
        return self._links[replica].in_flight

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)


class Pool:
    """Keeps one link open to each replica that it was told to follow.

    `rng` spreads reconnections, which wait with `pause`.
    """

    def __init__(
        self,
        connect: Connect,
        clock: Clock,
        rng: Random,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._rng = rng
        self._pause = pause
        self._links: dict[str, CallerLink] = {}
        self._keepers: dict[Replica, asyncio.Task[None]] = {}
        # With those that were let go and whose calls go on.
        self._open: set[CallerLink] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._waiters: set[asyncio.Future[None]] = set()
        self.loads: Mapping[str, int] = Loads(self._links)
        self.on_change: Callable[[], None] | None = None  # told when `changed` returns

    def __repr__(self) -> str:
        return f"<Pool {len(self._links)} of {len(self._keepers)} links open>"

    def link(self, replica: str) -> CallerLink | None:
        """The link to the replica with this id, if it takes calls."""
        link = self._links.get(replica)
        return link if link is not None and link.is_usable else None

    def when_room(self, replicas: Iterable[str], tell: Callable[[], None]) -> None:
        """Calls `tell`, and nobody else, whenever one of the replicas may have a place again."""
        for replica in replicas:
            if (link := self._links.get(replica)) is not None:
                link.when_room(tell)

    def follow(self, replicas: Iterable[Replica]) -> None:
        """Opens links to the replicas that are new, and lets go of those that are not there.

        A link that is let go is closed when its last call is done.
        """
        wanted = dict.fromkeys(replicas)
        self.change(gone=self._keepers.keys() - wanted.keys(), wanted=wanted)

    def change(self, *, gone: Iterable[Replica], wanted: Iterable[Replica]) -> None:
        """As `follow`, where all that is in neither of the two stays as it is."""
        for replica in gone:
            keeper = self._keepers.pop(replica, None)
            if keeper is not None:
                keeper.cancel()
        for replica in wanted:
            if replica not in self._keepers:
                keeper = asyncio.ensure_future(self._keep(replica))
                self._keepers[replica] = keeper
                self._running.add(keeper)
                keeper.add_done_callback(self._running.discard)
        self._tell()

    async def changed(self) -> None:
        """Returns when there was a change since the call: replicas to follow, or a link."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()
        self.wake()

    def wake(self) -> None:
        """Has all calls of `changed` return."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _keep(self, replica: Replica) -> None:
        """Keeps a link to `replica` open until cancelled."""
        failures = 0
        while True:
            try:
                link = CallerLink(await self._connect(replica.address), self._clock)
            except MeshError:
                failures += 1
            else:
                opened = self._clock()
                await self._hold(replica.id, link)
                # A link that breaks as soon as it is open is a failure like one that never opens.
                is_fresh = self._clock() - opened < LONGEST_PAUSE
                failures = failures + 1 if is_fresh else 1
            # Callers that lost the same replica must not all come back at one moment.
            await self._pause(_delay(failures) * (0.5 + self._rng.random()))

    async def _hold(self, replica: str, link: CallerLink) -> None:
        """Returns when `link` has broken; if cancelled, when its calls are done."""
        self._links[replica] = link
        self._open.add(link)
        link.when_going_away(self._tell)
        self._tell()
        try:
            await asyncio.wait([link.closed])
        except asyncio.CancelledError:
            link.retire()
            await asyncio.wait([link.closed])
            raise
        finally:
            self._open.discard(link)
            # Another link may be there: the replica is followed again, or at another address.
            if self._links.get(replica) is link:
                del self._links[replica]
            self._tell()

    async def close(self) -> None:
        """Closes all links at once; calls that are open fail."""
        self.follow(())
        keepers = list(self._running)
        await asyncio.gather(*(link.close() for link in list(self._open)))
        await asyncio.gather(*keepers, return_exceptions=True)


def _delay(failures: int) -> float:
    """Seconds to wait after so many failures in a row, before chance spreads them."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), LONGEST_PAUSE)
