"""The life of a replica: from its class to an address, and to its end."""

import asyncio
import threading
from collections.abc import Iterator

import cloudpickle
import pytest

from mesh.call import JSON, CallHead
from mesh.clock import monotonic
from mesh.errors import ConfigError, Internal, MeshError, Unavailable
from mesh.launch import Launch, Source
from mesh.link.ends import CallerLink
from mesh.link.transport import GrpcCallerTransport
from mesh.replica.host import ReplicaHost
from tests.link.rig import run, until
from tests.replica.rig import launch_of
from tests.replica.services import Unmakeable, Work


@pytest.fixture
def host() -> Iterator[ReplicaHost]:
    made = ReplicaHost(launch_of(Work, "one"))
    yield made
    made.stop()


async def asked(address: str, method: str, body: bytes = b"") -> bytes | None:
    link = CallerLink(await GrpcCallerTransport.connect(address), monotonic)
    try:
        return await link.open(CallHead(method, JSON), body).message()
    finally:
        await link.close()


def test_a_started_replica_answers_at_its_address(host: ReplicaHost) -> None:
    address = host.start()
    host.check()
    assert run(asked(address, "double", b'{"x": 2}')) == b"4"


def test_a_replica_that_has_not_started_is_not_healthy(host: ReplicaHost) -> None:
    with pytest.raises(Unavailable):
        host.check()
    assert host.drain(1.0)


def test_a_replica_that_drains_finishes_what_it_has_and_refuses_the_rest(
    host: ReplicaHost,
) -> None:
    address = host.start()
    assert host._handler is not None
    work: Work = host._handler._methods["block"].func.__self__  # type: ignore[attr-defined]

    async def main() -> None:
        link = CallerLink(await GrpcCallerTransport.connect(address), monotonic)
        held = link.open(CallHead("block", JSON))
        await until(lambda: work.gate.entered)
        draining = asyncio.ensure_future(asyncio.to_thread(host.drain, 20.0))
        await until(lambda: not link.is_usable)
        with pytest.raises(Unavailable):
            link.open(CallHead("double", JSON))
        assert not draining.done()
        work.gate.opened.set()
        assert await held.message() == b"1"
        assert await draining is True
        await link.close()

    run(main())


def test_a_drain_that_takes_too_long_says_so_and_stop_breaks_off_what_runs(
    host: ReplicaHost,
) -> None:
    address = host.start()

    async def main() -> None:
        link = CallerLink(await GrpcCallerTransport.connect(address), monotonic)
        # A generator that has begun has no time limit.
        call = link.open(CallHead("drip", JSON), b'{"items": 1}')
        assert await call.message() == b"0"
        assert await asyncio.to_thread(host.drain, 0.05) is False
        await asyncio.to_thread(host.stop)
        with pytest.raises(MeshError) as failed:
            await call.message()
        assert failed.value.message in ("the replica is being stopped", "the replica is gone")
        await link.close()

    run(main())
    host.stop()  # may be called twice
    with pytest.raises(Unavailable):
        host.check()


def test_stopping_leaves_no_thread(host: ReplicaHost) -> None:
    host.start()
    assert any(each.name == "mesh-calls" for each in threading.enumerate())
    host.stop()
    assert not any(each.name == "mesh-calls" for each in threading.enumerate())


def test_a_class_that_fails_when_it_is_made_says_why(caplog: pytest.LogCaptureFixture) -> None:
    host = ReplicaHost(launch_of(Unmakeable, "one"))
    with pytest.raises(Internal) as failed:
        host.start()
    assert failed.value.message == "Unmakeable.__init__ failed: OSError: no model"
    assert "Traceback" in caplog.text
    assert not any(each.name == "mesh-calls" for each in threading.enumerate())


def launch(source: Source, service: str = "Work") -> Launch:
    return Launch("one", "demo", "main-1", "main", service, source)


def test_code_by_value_is_loaded() -> None:
    host = ReplicaHost(launch(Source(code=cloudpickle.dumps(Work))))
    try:
        assert run(asked(host.start(), "double", b'{"x": 2}')) == b"4"
    finally:
        host.stop()


@pytest.mark.parametrize(
    ("source", "service", "text"),
    [
        (Source("no_such:Thing"), "Thing", "cannot import 'no_such'"),
        (Source(code=b"garbage"), "Work", "cannot load the service: "),
        (Source(code=cloudpickle.dumps(1)), "Work", "the code holds no class"),
        (Source("tests.replica.services:Work"), "Other", "the graph has no service 'Other'"),
    ],
)
def test_code_that_cannot_be_loaded_is_a_config_error(
    source: Source, service: str, text: str
) -> None:
    with pytest.raises(ConfigError) as failed:
        ReplicaHost(launch(source, service)).start()
    assert text in failed.value.message
    assert "\n" not in failed.value.message
