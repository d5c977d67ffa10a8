"""Sessions of browsers, and codes of commands."""

import pytest

from mesh.access import codes, sessions
from mesh.access.codes import Codes
from mesh.access.sessions import Sessions
from mesh.errors import AlreadyExists, FailedPrecondition, NotFound, Overloaded


def test_a_session_lasts_its_time() -> None:
    found = Sessions()
    token = found.begin("ann", 10.0)
    assert found.user(token, 10.0) == "ann"
    assert found.user(token, 10.0 + sessions.LASTS) == ""
    assert found.user("other", 10.0) == ""
    assert found.user("", 10.0) == ""


def test_whoever_logs_out_is_out() -> None:
    found = Sessions()
    one, two, other = (found.begin(user, 0.0) for user in ("ann", "ann", "bob"))
    found.end_all("ann", but=two)
    assert [found.user(token, 1.0) for token in (one, two, other)] == ["", "ann", "bob"]
    found.end(two)
    assert found.user(two, 1.0) == ""


def test_the_oldest_session_ends_where_there_are_too_many() -> None:
    found = Sessions(most=2)
    first, *others = (found.begin("ann", 0.0) for _ in range(3))
    assert found.user(first, 0.0) == ""
    assert {found.user(token, 0.0) for token in others} == {"ann"}


def test_a_session_does_not_tell_its_token() -> None:
    found = Sessions()
    token = found.begin("ann", 0.0)
    assert token not in repr(vars(found))


def test_a_code_leads_once_to_what_is_bound_to_it() -> None:
    found: Codes[str] = Codes()
    code = found.make(0.0)
    with pytest.raises(FailedPrecondition, match="yet"):
        found.take(code, 1.0)
    assert found.waits(code, 1.0)
    found.bind(code, "token", 2.0)
    assert not found.waits(code, 2.0)
    with pytest.raises(AlreadyExists):
        found.bind(code, "another", 2.0)
    assert found.take(code, 3.0) == "token"
    with pytest.raises(NotFound):
        found.take(code, 3.0)


def test_a_code_is_good_for_a_while() -> None:
    found: Codes[str] = Codes()
    code = found.make(0.0)
    assert not found.waits(code, codes.LASTS)
    with pytest.raises(NotFound):
        found.bind(code, "token", codes.LASTS)
    other = found.make(1.0)
    found.bind(other, "token", 2.0)
    with pytest.raises(NotFound):
        found.take(other, 1.0 + codes.LASTS)


def test_codes_that_wait_are_so_many() -> None:
    found: Codes[str] = Codes(most=2)
    found.make(0.0)
    found.make(1.0)
    with pytest.raises(Overloaded):
        found.make(2.0)
    found.make(codes.LASTS)
