"""Errors and heads are the same at the other end of a link."""

import math

import pytest
from hypothesis import given, strategies as st

from mesh.call import NO_TRACE, CallHead, ReplyHead, Trace
from mesh.errors import Code, MeshError, Overloaded, Violation
from mesh.link import error_wire, head_wire
from mesh.v1 import errors_pb2, link_pb2

# Protobuf text is Unicode without surrogates.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
any_text = st.text(max_size=12)
steps = st.one_of(text, st.integers(-(2**63), 2**63 - 1))
violations = st.builds(Violation, st.lists(steps, max_size=3).map(tuple), text, text, text)
nanoseconds = st.integers(0, 10**15)
metadata = st.lists(
    st.tuples(text.filter(lambda name: not name.endswith("-bin")), text)
    | st.tuples(text.map(lambda name: name + "-bin"), st.binary(max_size=8)),
    max_size=4,
).map(tuple)
traces = st.just(NO_TRACE) | st.builds(Trace, text.filter(bool), text)
heads = st.builds(
    CallHead,
    text,
    text,
    text,
    st.none(),
    metadata,
    text,
    traces,
    text,
)
reply_heads = st.builds(
    ReplyHead, text, st.integers(0, 999), metadata, st.booleans(), st.integers(0, 2**63)
)


def over_the_wire(error: MeshError) -> MeshError:
    raw = error_wire.to_proto(error).SerializeToString()
    return error_wire.from_proto(errors_pb2.Error.FromString(raw))


@given(
    text,
    st.sampled_from(Code),
    st.lists(violations, max_size=3).map(tuple),
    st.none() | nanoseconds,
    st.none() | st.integers(100, 599),
)
def test_an_error_is_the_same_at_the_other_end(
    message: str,
    code: Code,
    faults: tuple[Violation, ...],
    wait: int | None,
    status: int | None,
) -> None:
    retry_after = None if wait is None else wait / 1e9
    error = MeshError(
        message, code=code, violations=faults, retry_after=retry_after, http_status=status
    )
    there = over_the_wire(error)
    assert (there.message, there.code, there.violations) == (message, code, faults)
    assert there.http_status == status
    assert there.status == error.status
    if retry_after is None:
        assert there.retry_after is None
    else:
        assert there.retry_after == pytest.approx(retry_after, abs=1e-9)


@given(
    any_text,
    st.builds(
        Violation,
        st.lists(any_text | st.integers(), max_size=3).map(tuple),
        any_text,
        any_text,
        any_text,
    ),
    st.floats(),
    st.integers(),
)
def test_every_error_can_be_told(
    message: str, fault: Violation, retry_after: float, status: int
) -> None:
    error = MeshError(message, violations=(fault,), retry_after=retry_after, http_status=status)
    there = over_the_wire(error)
    assert there.code is Code.INTERNAL
    assert len(there.violations[0].path) == len(fault.path)
    assert there.http_status is None or 100 <= there.http_status < 600
    assert there.retry_after is None or 0 <= there.retry_after <= 1e9


def test_the_code_of_an_error_class_travels_without_its_class() -> None:
    there = over_the_wire(Overloaded("full"))
    assert type(there) is MeshError
    assert there.code is Code.RESOURCE_EXHAUSTED
    assert there.status == 429


def test_a_code_that_is_not_known_here_is_unknown() -> None:
    raw = errors_pb2.Error(message="new").SerializeToString() + b"\x08\x63"
    assert error_wire.from_proto(errors_pb2.Error.FromString(raw)).code is Code.UNKNOWN


@given(heads, st.none() | st.floats(-10, 1e9))
def test_a_call_head_is_the_same_at_the_other_end(head: CallHead, left: float | None) -> None:
    now = 1000.0
    start = link_pb2.Start()
    sent = head._replace(deadline=None if left is None else now + left)
    head_wire.write_start(start, sent, now)
    there = head_wire.read_start(link_pb2.Start.FromString(start.SerializeToString()), 5.0)
    assert there._replace(deadline=None) == head
    if left is None:
        assert there.deadline is None
    else:
        # What has passed already is still a deadline, not the lack of one.
        assert there.deadline == pytest.approx(5.0 + max(left, 0.0), abs=1e-5)


@pytest.mark.parametrize("deadline", [math.inf, 1e300, 1e15])
def test_a_deadline_of_any_distance_can_be_told(deadline: float) -> None:
    start = link_pb2.Start()
    head_wire.write_start(start, CallHead("m", deadline=deadline), 0.0)
    there = head_wire.read_start(start, 0.0).deadline
    assert there is not None
    assert there > 1e11


@given(reply_heads)
def test_a_reply_head_is_the_same_at_the_other_end(head: ReplyHead) -> None:
    reply = link_pb2.Reply()
    head_wire.write_reply_head(reply, head)
    there = head_wire.read_reply_head(link_pb2.Reply.FromString(reply.SerializeToString()))
    assert there == head
