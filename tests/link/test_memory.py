"""What a finished call leaves in memory: nothing that only a garbage collection finds."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mesh.call import CallHead
from mesh.errors import MeshError
from mesh.link.call import CallEnd
from mesh.link.frames import Incoming, Outgoing
from tests.link.replicas import Replicas, Rig, service
from tests.link.rig import BLOCK, run, until
from tests.link.service import Methods, serving

COUNT = 50


def ends_alive() -> int:
    # isinstance would ask the things themselves, and a deprecated one of torch answers a warning.
    kinds = (CallEnd, Incoming, Outgoing)
    return sum(issubclass(type(thing), kinds) for thing in gc.get_objects())


@contextmanager
def no_collection() -> Iterator[None]:
    """Only reference counts free memory here."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_unary_calls_leave_no_reference_cycles() -> None:
    async def main() -> None:
        methods = Methods()
        async with serving("memory", methods) as (link, _):
            with no_collection():
                for number in range(COUNT):
                    call = link.open(CallHead("echo"), BLOCK[: number * 10_000])
                    await call.reply()
                    await call.message()
                    assert await call.message() is None
                    del call
                await until(lambda: not methods.tasks)
                assert ends_alive() == 0
                assert gc.collect() == 0

    run(main())


def test_dispatched_calls_leave_no_reference_cycles() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        both = service("a", "b", timeout=60, max_concurrency=10)
        with no_collection():
            for _ in range(COUNT):
                assert await rig.ask(both, deadline=rig.replicas.now + 30) == b"ping"
            await until(lambda: not any(h.methods.tasks for h in rig.hosts.values()))
            assert ends_alive() == 0
            assert gc.collect() == 0
        await rig.close()

    run(main())


def test_refused_calls_leave_no_reference_cycles() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        await rig.link("a", "b")
        for host in rig.hosts.values():
            host.methods.refuses = True
        with no_collection():
            for _ in range(COUNT):
                with suppress(MeshError):
                    await rig.ask(service("a", "b"))
            assert ends_alive() == 0
            assert gc.collect() == 0
        await rig.close()

    run(main())


def test_calls_that_fail_leave_nothing_behind_after_a_collection() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.linked("a")
        link = replicas.pool.link("a")
        assert link is not None
        for method in "fail", "hang", "pour":
            call = link.open(CallHead(method), b"ping")
            await until(lambda: replicas.hosts["a"].methods.started)
            call.cancel()
            del call
        await until(lambda: not replicas.hosts["a"].methods.tasks)
        gc.collect()
        assert ends_alive() == 0
        await replicas.close()

    run(main())
