"""The life of an adapted service in its replica: hooks, probes, what BentoML tells about itself."""

import logging
from collections.abc import Iterator

import bentoml
import pytest

from mesh.call import JSON, CallHead
from mesh.clock import monotonic
from mesh.compat.bentoml.services import adapt
from mesh.edge import ALIVE, READY
from mesh.errors import Internal, MeshError
from mesh.launch import Launch, Source
from mesh.link.ends import CallerLink
from mesh.link.transport import GrpcCallerTransport
from mesh.replica.host import ReplicaHost
from tests.link.rig import run

EVENTS: list[str] = []


@bentoml.service
class Lively:
    def __init__(self) -> None:
        EVENTS[:] = ["init"]
        self.is_well = True

    @bentoml.on_startup
    async def second(self) -> None:
        EVENTS.append("second")

    @bentoml.on_startup
    def first(self) -> None:
        EVENTS.append("first")

    @bentoml.on_shutdown
    async def over(self) -> None:
        EVENTS.append("over")

    async def __is_ready__(self) -> bool:
        return False

    def __is_alive__(self) -> bool:
        return self.is_well

    @bentoml.api
    def current(self) -> bool:
        context = bentoml.server_context
        return bentoml.get_current_service() is self and context.service_name == "Lively"

    @bentoml.api
    async def own(self, x: int) -> int:
        return await self.to_async.twice(x)

    @bentoml.api
    def twice(self, x: int) -> int:
        return 2 * x


@bentoml.service
class Failing:
    @bentoml.on_startup
    def prepare(self) -> None:
        raise RuntimeError("no disk")

    @bentoml.api
    def echo(self, x: int) -> int:
        return x


def hosted(service: str) -> ReplicaHost:
    adapt(globals()[service])
    source = Source(f"{__name__}:{service}")
    return ReplicaHost(Launch("one", "demo", "main-1", "main", service, source, max_concurrency=1))


@pytest.fixture
def lively() -> Iterator[ReplicaHost]:
    host = hosted("Lively")
    yield host
    host.stop()


async def asked(address: str, method: str, body: bytes = b"") -> bytes | None:
    link = CallerLink(await GrpcCallerTransport.connect(address), monotonic)
    try:
        return await link.open(CallHead(method, JSON), body).message()
    finally:
        await link.close()


def test_hooks_run_in_the_order_of_their_names_around_the_life_of_the_instance(
    lively: ReplicaHost,
) -> None:
    lively.start()
    assert EVENTS == ["init", "first", "second"]
    lively.stop()
    assert EVENTS[3:] == ["over"]


def test_the_instance_is_the_current_service(lively: ReplicaHost) -> None:
    assert run(asked(lively.start(), "current")) == b"true"


def test_an_instance_has_its_own_methods_in_both_forms(lively: ReplicaHost) -> None:
    assert run(asked(lively.start(), "own", b'{"x": 2}')) == b"4"


def test_a_service_answers_for_its_health_itself(lively: ReplicaHost) -> None:
    address = lively.start()
    assert run(asked(address, READY)) == b"false"
    assert run(asked(address, ALIVE)) == b"true"


def test_hooks_and_other_functions_cannot_be_called(lively: ReplicaHost) -> None:
    address = lively.start()
    with pytest.raises(MeshError, match="no method 'first'"):
        run(asked(address, "first"))


def test_a_startup_hook_that_fails_stops_the_start(caplog: pytest.LogCaptureFixture) -> None:
    host = hosted("Failing")
    with caplog.at_level(logging.CRITICAL), pytest.raises(Internal, match="no disk"):
        host.start()
