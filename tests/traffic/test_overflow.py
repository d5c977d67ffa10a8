"""Deployments in their order, each filled before the next gets a request."""

from hypothesis import given, strategies as st

from mesh.traffic.overflow import NOT_FULL, FullSince, Level, spill

FREE, FULL, ASLEEP, GONE = Level
DELAY = 10.0


def spilled(
    *levels: Level, now: float = 0.0, since: FullSince = NOT_FULL
) -> tuple[str | None, FullSince]:
    ranked = [(f"d{rank}", level) for rank, level in enumerate(levels)]
    return spill(ranked, since, now=now, delay=DELAY)


def test_the_first_with_a_free_place_takes_the_request() -> None:
    assert spilled(FREE, FREE)[0] == "d0"
    assert spilled(FULL, FREE, FREE)[0] == "d1"
    assert spilled(GONE, FULL, FREE)[0] == "d2"


def test_if_all_are_full_the_first_of_them_takes_it() -> None:
    assert spilled(GONE, FULL, FULL)[0] == "d1"


def test_if_none_takes_requests_there_is_none() -> None:
    assert spilled(GONE, GONE)[0] is None
    assert spilled()[0] is None


def test_one_that_sleeps_waits_until_those_above_have_been_full_for_the_delay() -> None:
    name, since = spilled(FULL, ASLEEP, now=100.0)
    assert name == "d0"
    name, since = spilled(FULL, ASLEEP, now=109.9, since=since)
    assert name == "d0"
    name, since = spilled(FULL, ASLEEP, now=110.0, since=since)
    assert name == "d1"


def test_one_free_place_above_begins_the_delay_anew() -> None:
    _, since = spilled(FULL, ASLEEP, now=100.0)
    name, since = spilled(FREE, ASLEEP, now=105.0, since=since)
    assert (name, since) == ("d0", {})
    name, since = spilled(FULL, ASLEEP, now=111.0, since=since)
    assert name == "d0"
    assert spilled(FULL, ASLEEP, now=121.0, since=since)[0] == "d1"


def test_all_above_must_have_been_full_together() -> None:
    _, since = spilled(FULL, FREE, ASLEEP, now=100.0)
    _, since = spilled(FULL, FULL, ASLEEP, now=108.0, since=since)
    assert spilled(FULL, FULL, ASLEEP, now=112.0, since=since)[0] == "d0"
    assert spilled(FULL, FULL, ASLEEP, now=118.0, since=since)[0] == "d2"


def test_one_below_that_is_awake_takes_what_a_sleeping_one_does_not_yet() -> None:
    name, since = spilled(FULL, ASLEEP, FREE, now=100.0)
    assert name == "d2"
    assert spilled(FULL, ASLEEP, FREE, now=110.0, since=since)[0] == "d1"


def test_one_that_sleeps_at_the_top_is_started_at_once() -> None:
    assert spilled(ASLEEP, FREE)[0] == "d0"
    assert spilled(GONE, ASLEEP, FREE)[0] == "d1"


@given(
    st.lists(st.lists(st.sampled_from(Level), min_size=3, max_size=3), max_size=30),
    st.lists(st.floats(0, 4), min_size=30, max_size=30),
)
def test_a_sleeping_one_is_started_only_if_all_decisions_of_the_delay_found_those_above_full(
    steps: list[list[Level]], pauses: list[float]
) -> None:
    now, since = 0.0, NOT_FULL
    history: list[tuple[float, list[Level]]] = []
    for levels, pause in zip(steps, pauses, strict=False):
        now += pause
        history.append((now, levels))
        name, since = spilled(*levels, now=now, since=since)
        if name is None or levels[int(name[1:])] is not ASLEEP:
            continue
        above = levels[: int(name[1:])]
        full = [rank for rank, level in enumerate(above) if level is FULL]
        if not full:
            continue
        assert FREE not in above
        assert history[0][0] <= now - DELAY
        lately = [past for at, past in history if at >= now - DELAY]
        assert all(past[rank] is FULL for past in lately for rank in full[-1:])


@given(st.lists(st.sampled_from(Level), max_size=6), st.floats(0, 100))
def test_whoever_takes_the_request_can(levels: list[Level], now: float) -> None:
    name, _ = spilled(*levels, now=now)
    if name is None:
        assert set(levels) <= {GONE}
    else:
        assert levels[int(name[1:])] is not GONE
