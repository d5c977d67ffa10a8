"""Passwords as they are kept, and how often they may be tried."""

import pytest
from hypothesis import given, settings, strategies as st

from mesh.access.passwords import Cost, acceptable, is_it, kept_form
from mesh.access.throttle import FORGOTTEN, FREE, LONGEST, Throttle, Tries, wait
from mesh.errors import InvalidArgument, Overloaded

QUICK = Cost(log_n=4, r=1, p=1)


def test_a_password_is_known_again_and_no_other() -> None:
    kept = kept_form("open sesame")
    assert "sesame" not in kept
    assert kept.startswith("$scrypt$ln=14,r=8,p=5$")
    assert is_it("open sesame", kept)
    assert not is_it("open Sesame", kept)


def test_two_users_with_one_password_have_nothing_in_common() -> None:
    one, other = kept_form("open sesame", QUICK), kept_form("open sesame", QUICK)
    assert one != other
    assert is_it("open sesame", one)
    assert is_it("open sesame", other)


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_text_is_a_password(text: str) -> None:
    kept = kept_form(text, QUICK)
    assert is_it(text, kept)
    assert not is_it(text + "x", kept)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "open sesame",
        "$scrypt$ln=14,r=8,p=1$$",
        "$scrypt$ln=99,r=8,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=0,r=8,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=4,r=1,p=1$c2FsdA$a",
    ],
)
def test_what_is_kept_of_nobody_is_no_password_and_costs_as_much(kept: str) -> None:
    costs = []

    def derive(password: str, salt: bytes, cost: Cost, length: int) -> bytes:
        costs.append((password, cost, len(salt), length))
        return bytes(length)

    assert not is_it("open sesame", kept, QUICK, derive)
    assert costs == [("open sesame", QUICK, 16, 32)]


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_a_password_that_is_none_is_not_told_again(password: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        acceptable(password)
    assert caught.value.message == "a password has 8 to 1024 characters"


def test_tries_wait_longer_the_more_have_failed() -> None:
    waits = [wait(Tries(count, 100.0), 100.0) for count in range(FREE + 12)]
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE : FREE + 4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST
    assert wait(Tries(10**6, 100.0), 100.0 + LONGEST) == 0.0


def test_many_tries_at_once_are_as_many() -> None:
    throttle = Throttle()
    for _ in range(FREE):
        throttle.begin(1.0, "ann", "10.0.0.1")
    with pytest.raises(Overloaded) as caught:
        throttle.begin(1.5, "ann", "10.0.0.1")
    assert caught.value.retry_after == 0.5
    throttle.begin(1.5, "ann", "10.0.0.2")
    throttle.begin(1.5, "bob", "10.0.0.1")


def test_a_good_try_makes_up_for_those_before_it() -> None:
    throttle = Throttle()
    for _ in range(3 * FREE):
        throttle.begin(1.0, "ann")
        throttle.succeeded("ann")


def test_failures_are_forgotten_in_time_and_beyond_a_number() -> None:
    throttle = Throttle(most=2)
    for _ in range(FREE):
        throttle.begin(1.0, "ann")
    throttle.begin(2.0 + FORGOTTEN, "ann")
    throttle.begin(2.0 + FORGOTTEN, "bob")
    throttle.begin(2.0 + FORGOTTEN, "cid")
    assert repr(throttle) == "<Throttle of 2>"
