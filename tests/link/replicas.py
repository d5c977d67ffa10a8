"""Replicas in memory that a pool connects to, and that a test can break."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from mesh.call import CallHead
from mesh.clock import monotonic
from mesh.errors import Unavailable
from mesh.link.dispatch import Dispatcher
from mesh.link.ends import ReplicaEnd
from mesh.link.pool import Pool
from mesh.link.transport import Transport, memory_pair
from mesh.traffic.snapshot import Replica, Service
from tests.link.rig import at_once, until
from tests.link.service import Methods


class Host:
    """One replica."""

    def __init__(self) -> None:
        self.methods = Methods()
        self.end = ReplicaEnd(monotonic, self.methods.take)
        self.links: dict[asyncio.Task[None], Transport] = {}
        self.is_up = True

    def serve(self, transport: Transport) -> None:
        link = asyncio.ensure_future(self.end.serve(transport))
        self.links[link] = transport
        link.add_done_callback(self.links.pop)

    def die(self) -> None:
        """Breaks all links and takes no more."""
        self.is_up = False
        self.break_links()

    def break_links(self) -> None:
        """Breaks all links; new ones can be opened."""
        for transport in self.links.values():
            at_once(transport.close())


class Replicas:
    """Replicas by address, and the pool that connects to them.

    The pool's pauses are noted and end when the test says so; `tries` counts connections.
    """

    def __init__(self, *up: str) -> None:
        self.hosts: dict[str, Host] = {name: Host() for name in up}
        self.now = 1000.0
        self.tries = 0
        self.pauses: list[float] = []
        self.gate = asyncio.Event()  # lets connections through
        self.gate.set()
        self._go_on = asyncio.Event()
        self.pool = Pool(self._connect, lambda: self.now, Random(1), self._pause)

    async def _connect(self, address: str) -> Transport:
        self.tries += 1
        await self.gate.wait()
        host = self.hosts.get(address)
        if host is None or not host.is_up:
            raise Unavailable(f"cannot reach the replica at {address}")
        near, far = memory_pair()
        host.serve(far)
        return near

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._go_on.clear()
        await self._go_on.wait()

    async def next_try(self) -> None:
        """Ends the pause that is on, or is about to be, and waits for the try that follows."""
        await until(lambda: self.pauses and not self._go_on.is_set())
        tries = self.tries
        self._go_on.set()
        await until(lambda: self.tries > tries)

    def follow(self, *names: str) -> None:
        """Tells the pool to follow the replicas with these names, which are ids and addresses."""
        self.pool.follow(Replica(name, name) for name in names)

    async def linked(self, *names: str) -> None:
        """Waits until the pool has these links and no other."""
        await until(
            lambda: {name for name in self.pool.loads if self.pool.link(name)} == set(names)
        )

    async def close(self) -> None:
        await self.pool.close()
        for host in self.hosts.values():
            host.break_links()
            await until(lambda host=host: not host.links and not host.methods.tasks)
            assert host.end.in_flight == 0
        assert not self.pool.loads
        assert not self.pool._running
        assert not self.pool._open


def service(
    *names: str, timeout: float | None = None, max_concurrency: int = 0, **more: Any
) -> Service:
    replicas = tuple(Replica(name, name) for name in names)
    return Service("s", {}, replicas, timeout, max_concurrency, **more)


class Rig:
    """A dispatcher of replicas in memory, by a clock that the test moves."""

    def __init__(self, *up: str) -> None:
        self.replicas = Replicas(*up)
        self.hosts = self.replicas.hosts
        self.dispatcher = Dispatcher(self.replicas.pool, lambda: self.replicas.now, Random(1))

    async def link(self, *names: str) -> None:
        self.replicas.follow(*names)
        await self.replicas.linked(*names)

    async def ask(
        self, found: Service | Callable[[], Service], method: str = "echo", **how: Any
    ) -> bytes | None:
        """The reply to a call with the body `ping`."""
        find = found if callable(found) else lambda: found
        deadline = how.pop("deadline", None)
        call = await self.dispatcher.ask(find, CallHead(method, deadline=deadline), b"ping", **how)
        return await call.message()

    def started(self) -> int:
        """How many methods were started on all replicas."""
        return sum(len(host.methods.started) for host in self.hosts.values())

    async def asked(self, found: Service, method: str, **how: Any) -> "asyncio.Task[bytes | None]":
        """A call that one replica has started."""
        task = asyncio.ensure_future(self.ask(found, method, **how))
        await until(self.started)
        return task

    def holder(self) -> str:
        """The replica that has started the last call."""
        (name,) = (name for name, host in self.hosts.items() if host.methods.tasks)
        return name

    async def close(self) -> None:
        await self.replicas.close()
