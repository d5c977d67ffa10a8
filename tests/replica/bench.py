"""A replica of one service, or of a graph of two, that a test calls over links in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mesh.call import JSON, CallHead, ReplyHead
from mesh.definition.depends import bind
from mesh.definition.spec import service_spec
from mesh.link.call import CallerCall
from mesh.link.dispatch import Dispatcher
from mesh.observe.tracing import OFF, Tracing
from mesh.replica.handle import Caller, Handle, Route
from mesh.traffic.snapshot import Service
from tests.link.rig import until
from tests.replica.rig import Links, Running, snapshot, version


class Bench:
    """Calls the entry of a graph; `instances` by service name."""

    def __init__(self, entry: type, links: Links, running: Mapping[str, Running]) -> None:
        self.links = links
        self.running = running
        self.instance: Any = running[service_spec(entry).name].instance
        self.handler = running[service_spec(entry).name].handler
        self._name = service_spec(entry).name

    @property
    def dispatcher(self) -> Dispatcher:
        return self.links.dispatcher

    def service(self) -> Service:
        return self.dispatcher.version("demo", "main-1").services[self._name]

    async def start(self, method: str, body: Mapping[str, Any] | None = None, **head: Any
    ) -> CallerCall:  # fmt: skip
        """A call with JSON whose reply has begun."""
        data = json.dumps(body or {}).encode()
        return await self.dispatcher.ask(self.service, CallHead(method, JSON, **head), data)

    def open(self, method: str, body: Mapping[str, Any] | None = None, **head: Any) -> CallerCall:
        """A call that has just been sent."""
        (link,) = [self.links.pool.link(r.id) for r in self.service().replicas]
        assert link is not None
        return link.open(CallHead(method, JSON, **head), json.dumps(body or {}).encode())

    async def ask(self, method: str, body: Mapping[str, Any] | None = None, **head: Any) -> Any:
        """The value of the reply to a call with JSON."""
        call = await self.start(method, body, **head)
        found = await call.message()
        assert found is not None
        return _decoded(call.head, found)

    async def items(self, method: str, body: Mapping[str, Any] | None = None, **head: Any
    ) -> list[Any]:  # fmt: skip
        call = await self.start(method, body, **head)
        found = []
        while (item := await call.message()) is not None:
            found.append(json.loads(item))
        return found

    async def settled(self) -> None:
        """Waits until no call is left anywhere; the test's patience is the limit."""
        await until(
            lambda: (
                all(each.is_idle() for each in self.running.values())
                and not any(self.links.pool.loads.values())
            )
        )


def _decoded(head: ReplyHead | None, body: bytes) -> Any:
    assert head is not None
    return body.decode() if head.media_type.startswith("text/plain") else json.loads(body)


@asynccontextmanager
async def bench(
    entry: type,
    *,
    tracing: Tracing = OFF,
    lag: Callable[[], float] = lambda: 0.0,
) -> AsyncIterator[Bench]:
    """One replica of each service of the graph; nothing may be left when the block ends."""
    dependencies = service_spec(entry).dependencies
    below = {service_spec(on).name: Running(on(), "below", tracing=tracing)
             for on in dependencies.values()}  # fmt: skip
    instance = entry.__new__(entry)
    names = {name: (each.name,) for name, each in below.items()}
    links = Links(*below.values())
    loop = asyncio.get_running_loop()
    handles = {
        attribute: Handle(
            Caller(links.dispatcher, loop, Route("demo", "main-1", service_spec(on)), tracing, lag)
        )
        for attribute, on in dependencies.items()
    }
    bind(instance, handles)
    instance.__init__()
    first = Running(instance, "first", tracing=tracing)
    links.replicas["first"] = first
    names[service_spec(entry).name] = ("first",)
    await links.follow(snapshot(version(entry, names)))
    made = Bench(entry, links, {service_spec(entry).name: first, **below})
    try:
        yield made
        await made.settled()
    finally:
        await links.close()
