"""Lines of calls that wait: their order, their bound, what they leave."""

import asyncio

import pytest
from hypothesis import given, strategies as st

from mesh.errors import Cancelled, DeadlineExceeded, Overloaded
from mesh.link.waiting import FIRST_PAUSE, LONGEST_PAUSE, Key, Keys, Lines, Turn
from mesh.traffic.snapshot import Deployment, Service, Snapshot, Version
from tests.link.rig import run

KEY: Key = ("d", "main-1", "s")
OTHER: Key = ("d", "main-1", "other")


def test_turns_are_taken_in_the_order_in_which_they_were_given() -> None:
    lines = Lines()
    first, second, third = (lines.turn(at) for at in (1.0, 2.0, 3.0))
    assert lines.is_next(KEY, third)
    for turn in (second, third):
        lines.enter(KEY, turn, 10)
    assert lines.is_next(KEY, second)
    assert not lines.is_next(KEY, third)
    lines.enter(KEY, first, 10)  # a replica has refused it: it is back before those who came later
    assert lines.is_next(KEY, first)
    assert not lines.is_next(KEY, second)


@given(st.permutations(range(8)), st.integers(1, 8))
def test_whatever_comes_back_in_whatever_order_the_earliest_goes_first(
    entering: list[int], count: int
) -> None:
    lines = Lines()
    turns = [lines.turn(0.0) for _ in range(8)]
    for number in entering[:count]:
        lines.enter(KEY, turns[number], 8)
    for number in sorted(entering[:count]):
        assert [n for n in entering[:count] if lines.is_next(KEY, turns[n])][:1] == [
            n for n in entering[:count] if n <= number
        ][:1]
        assert lines.is_next(KEY, turns[number])
        lines.leave(KEY, turns[number])
    assert lines.counts() == {}


def test_one_too_many_is_refused_but_never_one_that_comes_back() -> None:
    lines = Lines()
    first, second, third = (lines.turn(0.0) for _ in range(3))
    lines.enter(KEY, first, 2)
    lines.enter(KEY, second, 2)
    with pytest.raises(Overloaded) as caught:
        lines.enter(KEY, third, 2)
    assert caught.value.retry_after
    lines.enter(OTHER, third, 2)
    lines.leave(KEY, first)
    lines.enter(KEY, lines.turn(0.0), 2)
    lines.enter(KEY, first, 2)
    assert lines.counts() == {KEY: 3, OTHER: 1}


def test_the_hook_is_told_of_the_first_call_of_each_service_only() -> None:
    told: list[int] = []
    lines = Lines()
    lines.on_wait = lambda: told.append(1)
    turns = [lines.turn(0.0) for _ in range(3)]
    lines.enter(KEY, turns[0], 9)
    lines.enter(KEY, turns[1], 9)
    assert len(told) == 1
    lines.enter(OTHER, turns[2], 9)
    assert len(told) == 2
    lines.leave(OTHER, turns[2])
    lines.enter(OTHER, turns[2], 9)
    assert len(told) == 3


def test_who_leaves_the_front_wakes_the_next_and_nobody_else() -> None:
    async def main() -> None:
        lines = Lines()
        turns = [lines.turn(0.0) for _ in range(3)]
        for turn in turns:
            lines.enter(KEY, turn, 9)
        resting = [asyncio.ensure_future(turn.rest()) for turn in turns[1:]]
        await asyncio.sleep(0)
        lines.leave(KEY, turns[0])
        await resting[0]
        assert not resting[1].done()
        lines.leave(KEY, turns[2])
        lines.leave(KEY, turns[1])
        assert lines.counts() == {}
        turns[2].wake()
        await resting[1]

    run(main())


def test_a_turn_that_is_cancelled_fails_now_or_when_it_comes_to_rest() -> None:
    async def main() -> None:
        turn = Turn(1, 0.0)
        resting = asyncio.ensure_future(turn.rest())
        await asyncio.sleep(0)
        turn.cancel()
        with pytest.raises(Cancelled):
            await resting
        late = Turn(2, 0.0)
        late.cancel(DeadlineExceeded("late"))
        with pytest.raises(DeadlineExceeded, match="late"):
            await late.rest()

    run(main())


def test_pauses_after_refusals_grow_up_to_a_bound() -> None:
    turn = Turn(1, 0.0)
    turn.refuse("a")
    assert turn.pause == FIRST_PAUSE
    turn.refuse("b")
    assert turn.pause == 2 * FIRST_PAUSE
    assert turn.refused_by == {"a", "b"}
    for _ in range(20):
        turn.refuse("a")
    assert turn.pause == LONGEST_PAUSE


def test_keys_are_those_of_the_very_service_in_the_newest_snapshot() -> None:
    one, other, third = Service("s"), Service("s"), Service("s")
    versions = (
        Version("main-1", "main", "s", {"s": one}),
        Version("v2-1", "v2", "s", {"s": other}),
    )
    table = Snapshot(1, 1, {}, {"d": Deployment("d", versions)})
    keys = Keys()
    assert keys.of(table, one, "s") == ("d", "main-1", "s")
    assert keys.of(table, other, "s") == ("d", "v2-1", "s")
    assert keys.of(table, third, "s") == ("", "", "s")
    assert keys.of(Snapshot(1, 2), one, "s") == ("", "", "s")
