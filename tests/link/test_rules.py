"""Peers that break the rules of a link."""

import pytest

from mesh.link.frames import CHUNK
from mesh.link.session import CallerSession, ProtocolError, ReplicaSession
from mesh.v1 import link_pb2
from tests.link.rig import BLOCK, HEAD, frozen


def batch(*frames: link_pb2.Frame) -> bytes:
    return link_pb2.Frames(frames=frames).SerializeToString()


def replica_session() -> ReplicaSession:
    return ReplicaSession(frozen, lambda: None, lambda _: None)


START = link_pb2.Start(method="echo")


def test_garbage_is_a_protocol_error_at_both_ends() -> None:
    for session in CallerSession(frozen, lambda: None), replica_session():
        with pytest.raises(ProtocolError, match=r"not a mesh\.v1\.Frames"):
            session.receive(b"\xff\xff\xff")


def test_a_call_that_is_started_twice_is_a_protocol_error() -> None:
    session = replica_session()
    session.receive(batch(link_pb2.Frame(call=1, start=START)))
    with pytest.raises(ProtocolError, match="started twice"):
        session.receive(batch(link_pb2.Frame(call=1, start=START)))


def test_call_0_cannot_be_started() -> None:
    with pytest.raises(ProtocolError):
        replica_session().receive(batch(link_pb2.Frame(start=START)))


def test_more_than_the_window_is_a_protocol_error_at_both_ends() -> None:
    too_much = [link_pb2.Frame(call=1, data=BLOCK[:CHUNK]) for _ in range(5)]
    session = replica_session()
    session.receive(batch(link_pb2.Frame(call=1, start=START)))
    with pytest.raises(ProtocolError, match="more than its window"):
        session.receive(batch(*too_much))
    caller = CallerSession(frozen, lambda: None)
    caller.open(HEAD)
    with pytest.raises(ProtocolError, match="more than its window"):
        caller.receive(batch(*too_much))


def test_frames_of_calls_that_are_not_known_are_ignored() -> None:
    strays = [
        link_pb2.Frame(call=7, data=b"x", message_end=True),
        link_pb2.Frame(call=7, credit=5),
        link_pb2.Frame(call=7, cancel=True),
        link_pb2.Frame(call=7, end=True),
        link_pb2.Frame(call=7, reply=link_pb2.Reply()),
        link_pb2.Frame(),
    ]
    caller, replica = CallerSession(frozen, lambda: None), replica_session()
    for session in caller, replica:
        session.receive(batch(*strays))
        assert not session.calls
    with pytest.raises(KeyError):
        caller.calls[7]


def test_a_header_value_that_is_no_text_spares_the_other_calls_of_the_link() -> None:
    arrived = []
    session = ReplicaSession(frozen, lambda: None, arrived.append)
    field = link_pb2.Metadata(name="x", value=b"\xff\xfe")
    raw = link_pb2.Metadata(name="x-bin", value=b"\xff\xfe")
    session.receive(
        batch(link_pb2.Frame(call=1, start=link_pb2.Start(method="echo", metadata=[field, raw])))
    )
    assert arrived[0].head.metadata == (("x", "\ufffd\ufffd"), ("x-bin", b"\xff\xfe"))
