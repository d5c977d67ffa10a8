"""A failed reply: what was sent before the failure arrives before it."""

import pytest

from mesh.call import CallHead, ReplyHead
from mesh.errors import Internal
from mesh.link.call import ReplicaCall
from mesh.link.frames import WINDOW
from mesh.link.session import CallerSession, ReplicaSession


class Pair:
    """Two sessions whose batches are moved by hand."""

    def __init__(self) -> None:
        self.started: list[ReplicaCall] = []
        self.caller = CallerSession(lambda: 0.0, lambda: None)
        self.replica = ReplicaSession(lambda: 0.0, lambda: None, self.started.append)

    def pump(self) -> None:
        moved = True
        while moved:
            moved = False
            while (batch := self.caller.take()) is not None:
                self.replica.receive(batch)
                moved = True
            while (batch := self.replica.take()) is not None:
                self.caller.receive(batch)
                moved = True


@pytest.mark.parametrize("at_once", [False, True])
def test_items_that_wait_for_a_slow_reader_come_before_the_error_unless_it_is_sent_at_once(
    at_once: bool,
) -> None:
    pair = Pair()
    call = pair.caller.open(CallHead("m"))
    pair.pump()
    (held,) = pair.started
    item = b"x" * WINDOW
    held.start_reply(ReplyHead(stream=True), item, message_end=True)
    held.outgoing.put(None, item, message_end=True, end=False)
    pair.pump()
    held.fail(Internal("broken"), at_once=at_once)
    pair.pump()
    received = bytearray()
    while call.incoming:
        received += call.incoming.pop().data
        pair.pump()
    assert call.failure is not None
    assert call.failure.message == "broken"
    assert (len(received) == 2 * WINDOW) is not at_once
    assert not pair.caller.calls
    assert not pair.replica.calls
