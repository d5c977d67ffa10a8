"""Questions that break off: which are asked again, for how long, and what is said of the rest."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mesh import ControlClient
from mesh.errors import DeadlineExceeded, NotFound, Unavailable
from tests.client.control.breaking import Between, Breaks, between
from tests.faces.cloud.rig import TOKEN, Rig, rigged

SHELF = "tests.client.control.shelf:BookShelf"
CANARY = {"versions": {"v2": {"target": SHELF, "weight": 20}}}
Doing = Callable[[ControlClient], Any]


class Time:
    """A clock that goes on when somebody pauses, and what the client said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def rig() -> Iterator[Rig]:
    with rigged() as made:
        yield made


@pytest.fixture
def server(rig: Rig) -> Iterator[Between]:
    with between(rig.url) as made:
        yield made


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def client(server: Between, time: Time) -> Iterator[ControlClient]:
    """With the deployment `a`, which has a canary, and the endpoint `front`."""
    with ControlClient(
        server.url, TOKEN, tell=time.said.append, clock=lambda: time.now, pause=time.pause
    ) as made:
        made.deploy(SHELF, name="a", canary=CANARY)
        made.endpoints.apply("front", {"deployments": {"a": 1}})
        server.asked.clear()
        yield made


def state(client: ControlClient) -> tuple[Any, ...]:
    """All that a change leaves behind: revisions, and events of changes."""
    revisions = client.deployments.revisions("a")
    changes = [each.reason for each in client.events() if each.kind == "change"]
    return [each.cause for each in revisions], changes


REPEATABLE: dict[str, Doing] = {
    "deploy": lambda client: client.deploy(SHELF, name="a", replicas=2),
    "rollback to a revision": lambda client: client.deployments.rollback("a", 1),
    "terminate": lambda client: client.deployments.terminate("a"),
    "start": lambda client: client.deployments.start("a"),
    "labels": lambda client: client.deployments.set_labels("a", {"team": "x"}),
    "weights": lambda client: client.canary.set("a", {"v2": 30}),
    "abort": lambda client: client.canary.abort("a"),
    "endpoint": lambda client: client.endpoints.apply("front", {"deployments": {"a": 2}}),
    "endpoint stops": lambda client: client.endpoints.terminate("front"),
}
UNREPEATABLE: dict[str, Doing] = {
    "restart": lambda client: client.deployments.restart("a"),
    "rollback": lambda client: client.deployments.rollback("a"),
    "promote": lambda client: client.canary.promote("a"),
    "token": lambda client: client.tokens.create("t"),
    "secret": lambda client: client.secrets.create("s", {"A": "1"}),
    "invitation": lambda client: client.users.invite("x@example.com"),
}


@pytest.mark.parametrize("breaks", Breaks)
@pytest.mark.parametrize("doing", REPEATABLE.values(), ids=REPEATABLE)
def test_a_change_that_breaks_off_is_made_once(
    client: ControlClient, server: Between, time: Time, doing: Doing, breaks: Breaks
) -> None:
    server.breaks = [breaks, breaks]
    doing(client)
    assert len(server.asked) == 3
    assert len(time.said) == 1
    assert f"the control API at {server.url} does not answer: Server disconn" in time.said[0]
    assert time.said[0].endswith("; waiting for it, 30 s at most")
    once = state(client)
    doing(client)
    assert state(client) == once


@pytest.mark.parametrize("breaks", Breaks)
def test_what_was_deleted_before_a_break_is_deleted(
    client: ControlClient, server: Between, breaks: Breaks
) -> None:
    server.breaks = [breaks]
    client.endpoints.delete("front")
    server.breaks = [breaks]
    client.deployments.delete("a")
    assert (client.endpoints.list(), client.deployments.list()) == ((), ())
    token = client.tokens.create("t")
    server.breaks = [breaks]
    assert client.tokens.revoke("t").uid == token.uid
    assert client.tokens.list() == ()
    with pytest.raises(NotFound):
        client.deployments.delete("a")


def test_what_was_refused_before_it_is_found_gone_was_not_deleted(
    client: ControlClient, server: Between
) -> None:
    server.refused = 1
    with pytest.raises(NotFound):
        client.deployments.delete("no-such")
    assert len(server.asked) == 2


@pytest.mark.parametrize("breaks", Breaks)
@pytest.mark.parametrize("doing", UNREPEATABLE.values(), ids=UNREPEATABLE)
def test_what_makes_something_new_each_time_is_not_asked_again(
    client: ControlClient, server: Between, time: Time, doing: Doing, breaks: Breaks
) -> None:
    server.breaks = [breaks]
    with pytest.raises(Unavailable, match="it may have been done: look before you do it again"):
        doing(client)
    assert len(server.asked) == 1
    assert time.now == 0


def test_a_controller_that_does_not_come_back_is_given_up(
    client: ControlClient, server: Between, time: Time
) -> None:
    server.breaks = [Breaks.AFTER] * 1000
    with pytest.raises(Unavailable, match="; waited 30 s for it; it is safe to do this again"):
        client.deployments.terminate("a")
    assert time.now == 30
    server.reads = True
    with pytest.raises(Unavailable, match="waited 30 s for it"):
        client.status()
    with ControlClient(server.url, TOKEN, patience=0) as hasty, pytest.raises(Unavailable):
        hasty.status()


def test_who_was_never_there_is_not_waited_for(time: Time) -> None:
    nowhere = ControlClient("http://127.0.0.1:1", pause=time.pause, tell=time.said.append)
    with nowhere, pytest.raises(Unavailable, match=r"/127.0.0.1:1 "):
        nowhere.deployments.terminate("a")
    assert (time.now, time.said) == (0, [])


def test_who_does_not_even_refuse_a_connection_does_not_answer() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        stack.enter_context(socket.create_connection(full.getsockname()))
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        client = stack.enter_context(ControlClient(url, timeout=0.1))
        with pytest.raises(Unavailable, match=f"the control API at {url} does not answer"):
            client.deployments.restart("a")


def bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


def test_what_was_never_sent_may_always_be_sent(rig: Rig, time: Time) -> None:
    """A restart, while nobody listens where somebody did."""
    with ExitStack() as stack:
        first = stack.enter_context(bound(0))
        second = stack.enter_context(bound(first.getsockname()[1]))  # keeps the port
        with between(rig.url, first) as before:

            def back(seconds: float) -> None:
                time.pause(seconds)
                time.said.append("back")
                stack.enter_context(between(rig.url, second))

            client = ControlClient(
                before.url, TOKEN, tell=time.said.append, clock=lambda: time.now, pause=back
            )
            stack.enter_context(client)
            client.deploy(SHELF, name="a")
        assert client.deployments.restart("a").revision == 2
    assert [each.rpartition("; ")[2] for each in time.said] == [
        "waiting for it, 30 s at most",
        "back",
    ]


def test_a_rollout_is_followed_through_a_break(client: ControlClient, server: Between) -> None:
    server.breaks, server.reads = [Breaks.BEFORE, Breaks.AFTER], True
    assert client.wait("a").name == "a"
    assert not server.breaks


def test_who_waits_for_a_rollout_waits_no_longer_for_the_controller(
    client: ControlClient, server: Between, time: Time
) -> None:
    server.breaks, server.reads = [Breaks.BEFORE] * 1000, True
    with pytest.raises(DeadlineExceeded, match="waited 5 s for it"):
        client.wait("a", timeout=5)
    assert time.now == 5
    with pytest.raises(DeadlineExceeded, match="waited 2 s for it"):
        list(client.building("a", timeout=2))
    assert time.now == 7
