"""A pool keeps one link to each replica that it follows."""

import asyncio

import pytest

from mesh.call import CallHead
from mesh.errors import Unavailable
from mesh.link.pool import FIRST_PAUSE, LONGEST_PAUSE
from mesh.traffic.snapshot import Replica
from tests.link.replicas import Replicas
from tests.link.rig import run, until


async def echo(replicas: Replicas, name: str, body: bytes) -> bytes | None:
    link = replicas.pool.link(name)
    assert link is not None
    return await link.open(CallHead("echo"), body).message()


def test_a_link_is_opened_to_each_replica_that_is_followed() -> None:
    async def main() -> None:
        replicas = Replicas("a", "b")
        replicas.follow("a", "b")
        assert replicas.pool.link("a") is None
        await replicas.linked("a", "b")
        assert await echo(replicas, "b", b"ping") == b"ping"
        assert repr(replicas.pool) == "<Pool 2 of 2 links open>"
        assert replicas.tries == 2
        await replicas.close()

    run(main())


def test_following_the_same_replicas_again_changes_nothing() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.linked("a")
        link = replicas.pool.link("a")
        replicas.follow("a")
        await asyncio.sleep(0)
        assert replicas.pool.link("a") is link
        assert replicas.tries == 1
        await replicas.close()

    run(main())


def test_the_load_of_a_replica_is_the_number_of_calls_on_its_link() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.linked("a")
        link = replicas.pool.link("a")
        assert link is not None
        calls = [link.open(CallHead("hang")) for _ in range(3)]
        assert dict(replicas.pool.loads) == {"a": 3}
        assert len(replicas.pool.loads) == 1
        calls[0].cancel()
        assert replicas.pool.loads.get("a", 0) == 2
        assert replicas.pool.loads.get("b", 0) == 0
        await replicas.close()

    run(main())


def test_a_link_that_broke_is_opened_again_after_a_pause() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.linked("a")
        replicas.hosts["a"].break_links()
        await replicas.linked()
        await replicas.next_try()
        await replicas.linked("a")
        assert await echo(replicas, "a", b"ping") == b"ping"
        await replicas.close()

    run(main())


def test_pauses_double_with_each_failure_up_to_the_longest() -> None:
    async def main() -> None:
        replicas = Replicas()
        replicas.follow("a")
        for _ in range(12):
            await replicas.next_try()
        middles = [min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE) for failures in range(12)]
        for pause, middle in zip(replicas.pauses, middles, strict=False):
            assert 0.5 * middle <= pause <= 1.5 * middle
        assert len({round(p / m, 6) for p, m in zip(replicas.pauses, middles, strict=False)}) > 6
        await replicas.close()

    run(main())


def test_a_replica_that_is_away_for_hours_is_still_found_when_it_returns() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.hosts["a"].is_up = False
        replicas.follow("a")
        for _ in range(2000):
            await replicas.next_try()
        replicas.hosts["a"].is_up = True
        await replicas.next_try()
        await replicas.linked("a")
        await replicas.close()

    run(main())


def test_a_link_that_breaks_as_soon_as_it_opens_is_opened_ever_less_often() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        for _ in range(6):
            await replicas.linked("a")
            replicas.hosts["a"].break_links()
            await replicas.next_try()
        assert replicas.pauses[5] > 8 * replicas.pauses[0]
        replicas.now += 2 * LONGEST_PAUSE  # the link holds for a while
        await replicas.linked("a")
        replicas.hosts["a"].break_links()
        await replicas.next_try()
        assert replicas.pauses[6] < 2 * FIRST_PAUSE
        await replicas.close()

    run(main())


def test_a_replica_that_is_let_go_ends_its_calls_first() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.linked("a")
        link = replicas.pool.link("a")
        assert link is not None
        call = link.open(CallHead("wait"), b"ping")
        await until(lambda: replicas.hosts["a"].methods.started)
        replicas.follow()
        await replicas.linked()
        assert not link.closed.done()
        replicas.hosts["a"].methods.go_on.set()
        assert await call.message() == b"ping"
        await link.closed
        await until(lambda: not replicas.hosts["a"].links)
        await replicas.close()

    run(main())


def test_a_replica_that_is_followed_again_while_its_old_link_ends_has_a_new_link() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.linked("a")
        old = replicas.pool.link("a")
        assert old is not None
        call = old.open(CallHead("wait"), b"ping")
        replicas.follow()
        await replicas.linked()
        replicas.follow("a")
        await replicas.linked("a")
        new = replicas.pool.link("a")
        replicas.hosts["a"].methods.go_on.set()
        assert await call.message() == b"ping"
        await old.closed
        await until(lambda: len(replicas.hosts["a"].links) == 1)
        assert replicas.pool.link("a") is new
        assert await echo(replicas, "a", b"next") == b"next"
        await replicas.close()

    run(main())


def test_a_replica_that_moved_is_followed_to_its_new_address() -> None:
    async def main() -> None:
        replicas = Replicas("here", "there")
        replicas.pool.follow([Replica("a", "here")])
        await replicas.linked("a")
        replicas.pool.follow([Replica("a", "there")])
        await until(lambda: replicas.hosts["there"].links and not replicas.hosts["here"].links)
        await replicas.linked("a")
        assert await echo(replicas, "a", b"ping") == b"ping"
        assert replicas.hosts["there"].methods.started == ["echo"]
        await replicas.close()

    run(main())


def test_closing_a_pool_fails_its_calls_also_those_of_replicas_let_go() -> None:
    async def main() -> None:
        replicas = Replicas("a", "b")
        replicas.follow("a", "b")
        await replicas.linked("a", "b")
        links = [replicas.pool.link(name) for name in ("a", "b")]
        calls = [link.open(CallHead("hang")) for link in links if link is not None]
        replicas.follow("b")
        await replicas.linked("b")
        await replicas.close()
        for call in calls:
            with pytest.raises(Unavailable):
                await call.reply()

    run(main())


@pytest.mark.parametrize("steps", range(8))
def test_a_pool_can_be_closed_at_any_step(steps: int) -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a", "missing")
        for _ in range(steps):
            await asyncio.sleep(0)
        if steps % 2:
            replicas.follow("missing")
        await replicas.close()

    run(main())


def test_a_pool_can_be_closed_while_it_connects() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.gate.clear()
        replicas.follow("a")
        await until(lambda: replicas.tries)
        await replicas.close()

    run(main())


def test_who_waits_for_a_change_is_told_of_links_that_open_and_break() -> None:
    async def main() -> None:
        replicas = Replicas("a")
        replicas.follow("a")
        await replicas.pool.changed()
        assert replicas.pool.link("a") is not None
        replicas.hosts["a"].die()
        await replicas.pool.changed()
        assert replicas.pool.link("a") is None
        waiting = asyncio.ensure_future(replicas.pool.changed())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not replicas.pool._waiters
        await replicas.close()

    run(main())
