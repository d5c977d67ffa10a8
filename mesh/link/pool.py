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
"""Seconds after the first failure to open a link; doubled with each further one."""
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
    """Keeps one link open to each replica that it was told to follow."""

    def __init__(self, connect: Connect, clock: Clock, rng: Random) -> None:
        self._connect = connect
        self._clock = clock
        self._rng = rng
        self._links: dict[str, CallerLink] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self.loads: Mapping[str, int] = Loads(self._links)

    def __repr__(self) -> str:
        return f"<Pool {len(self._links)} of {len(self._keepers)} links open>"

    def link(self, replica: str) -> CallerLink | None:
        """The link to the replica with this id, if it takes calls."""
        link = self._links.get(replica)
        return link if link is not None and link.is_usable else None

    def follow(self, replicas: Iterable[Replica]) -> None:
        """Opens links to the replicas that are new, and lets go of those that are not there.

        A link that is let go is closed when its last call is done.
        """
        wanted = {replica.id: replica for replica in replicas}
        for gone in self._keepers.keys() - wanted.keys():
            self._keepers.pop(gone).cancel()
        for replica in wanted.values():
            if replica.id not in self._keepers:
                self._keepers[replica.id] = asyncio.ensure_future(self._keep(replica))

    async def changed(self) -> None:
        """Returns when a link has been opened or has broken since the call."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _tell(self) -> None:
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
                pause = min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE)
                failures += 1
                # Callers that lost the same replica must not all come back at one moment.
                await asyncio.sleep(pause * (0.5 + self._rng.random()))
                continue
            failures = 0
            self._links[replica.id] = link
            self._tell()
            try:
                await asyncio.wait([link.closed])
            except asyncio.CancelledError:
                await self._retire(link)
                raise
            finally:
                del self._links[replica.id]
                self._tell()

    async def _retire(self, link: CallerLink) -> None:
        link.retire()
        await asyncio.wait([link.closed])

    async def close(self) -> None:
        """Closes all links at once; calls that are open fail."""
        keepers = list(self._keepers.values())
        links = list(self._links.values())
        self.follow(())
        await asyncio.gather(*(link.close() for link in links))
        await asyncio.gather(*keepers, return_exceptions=True)
