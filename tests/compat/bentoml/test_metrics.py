"""The page of metrics of an adapted service, from the replicas that a gateway asks."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import bentoml
from prometheus_client import Counter, Gauge

from mesh.compat.bentoml.services import adapt
from tests.gateway.rig import World, world
from tests.link.rig import run
from tests.replica.rig import Running, snapshot, version

SEEN = Counter("compat_test_seen", "What was seen.")
HERE = Gauge("compat_test_here", "Who is here.", multiprocess_mode="sum")
# Clashes with what a gateway says itself.
CLASH = Counter("mesh_requests", "Not the mesh's.")
RELEASE = threading.Event()


@bentoml.service
class Counting:
    @bentoml.api
    def hold(self) -> None:
        RELEASE.wait()


@bentoml.service
class Editing:
    broken = False

    def __metrics__(self, text: str) -> str:
        if self.broken:
            raise RuntimeError("a secret")
        return text.upper()

    @bentoml.api
    def echo(self, x: int) -> int:
        return x


@asynccontextmanager
async def served(service: object, *names: str) -> AsyncIterator[World]:
    cls = adapt(service)
    replicas = [Running(cls(), name) for name in names]
    async with world(*replicas, table=snapshot(version(cls, {cls.__name__: names}))) as made:
        yield made


def test_metrics_of_all_replicas_are_on_one_page() -> None:
    async def main() -> None:
        SEEN.inc()
        HERE.set(2)
        async with served(Counting, "one", "two") as made:
            text = (await made.get("/metrics")).body.decode()
        # Both replicas are of this process, so each has what the other has.
        assert f"compat_test_seen_total {2 * SEEN._value.get()}" in text
        assert "compat_test_here 4.0" in text
        assert "Not the mesh's." not in text
        assert "python_info" not in text

    run(main())


def test_a_replica_that_cannot_be_reached_is_left_out() -> None:
    async def main() -> None:
        async with served(Counting, "one", "two") as made:
            await made.links.replicas["two"].die()
            page = await made.get("/metrics")
        assert page.status == 200
        assert f"compat_test_seen_total {SEEN._value.get()}" in page.body.decode()

    run(main())


def test_methods_that_hold_all_threads_do_not_hold_the_page() -> None:
    async def main() -> None:
        RELEASE.clear()
        async with served(Counting, "one") as made:
            held = asyncio.ensure_future(made.post("/hold", {}))
            assert (await made.get("/metrics")).status == 200
            RELEASE.set()
            await held

    run(main())


def test_a_service_has_the_last_word_on_its_page() -> None:
    async def main() -> None:
        async with served(Editing, "one") as made:
            assert b"COMPAT_TEST_SEEN" in (await made.get("/metrics")).body
            made.links.replicas["one"].instance.broken = True
            page = await made.get("/metrics")
            assert (page.status, page.body) == (500, b"Internal Server Error")

    run(main())
