"""The Ray actors: thin shells around plain classes, which they find by name.

By name, so that a process loads only what it hosts: whoever creates actors needs neither the
replica's libraries nor the controller's.
"""

import os
import pkgutil
import sys
import threading
from dataclasses import replace
from typing import Any, Protocol

from mesh.cluster.answers import Refused, answer
from mesh.cluster.contract import Failed, Started
from mesh.errors import MeshError
from mesh.launch import Launch
from mesh.memory import settle
from mesh.observe import logs

CHECK_EVERY = 5.0
"""Seconds between two looks at a replica's health, from inside its process."""
RETRY_EVERY = 1.0
"""Seconds between two tries of a controller to get its addresses."""


class Host(Protocol):
    """What holds a replica's instance and listens for its links. Its methods block."""

    def start(self) -> str:
        """Makes the instance and listens; returns `host:port`. Raises MeshError."""
        ...

    def check(self) -> None:
        """Raises MeshError if the replica is not fit to go on."""
        ...

    def drain(self, timeout: float) -> bool:
        """Finishes the calls that run; False if `timeout` seconds were not enough."""
        ...

    def stop(self) -> None:
        """Ends everything."""
        ...


class ReplicaActor:
    """Hosts one replica. Errors leave it as values, never as pickled exceptions.

    `host` names a class as `pkg.mod:Class`, made with a launch and the address to listen on. With
    `own_process` the process is there for this replica alone, and logs as its environment says.
    """

    def __init__(
        self, launch: Launch, host: str, bind_host: str, *, own_process: bool = False
    ) -> None:
        if own_process:
            fields = {"service": launch.service, "replica": launch.replica_id}
            logs.configure_from_env(os.environ, stream=sys.stderr, fields=fields)
        self._launch = launch
        self._host: Host = pkgutil.resolve_name(host)(launch, bind_host)
        self._starting = threading.Lock()
        self._outcome: Started | Failed | None = None
        self._news = threading.Condition()
        self._watcher = 0
        self._stopped = False
        self._draining = False

    def launch(self) -> Launch:
        """What this replica was started with."""
        return self._launch

    def start(self) -> Started | Failed:
        """Starts the replica, once; later calls give the first one's result."""
        with self._starting:
            if self._outcome is None:
                self._outcome = self._start()
            return self._as_of_now(self._outcome)

    def outcome(self) -> Started | Failed | None:
        """What `start` would return; None while that is not known. Waits for nothing."""
        found = self._outcome
        return None if found is None else self._as_of_now(found)

    def _as_of_now(self, outcome: Started | Failed) -> Started | Failed:
        if isinstance(outcome, Started) and self._draining:
            return replace(outcome, draining=True)
        return outcome

    def _start(self) -> Started | Failed:
        try:
            return Started(self._host.start())
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever user code raises is the reason
            return Failed(reason_of(error))

    def watch(self) -> str:
        """Blocks until the replica is unhealthy or stopped, and says which.

        A later watcher, such as a new controller's, sends the earlier one home.
        """
        with self._news:
            self._watcher += 1
            me = self._watcher
            self._news.notify_all()
        while self._goes_on(me):
            try:
                self._host.check()
            except Exception as error:  # noqa: BLE001  # whatever the check raises is the reason
                return f"unhealthy: {reason_of(error)}"
        return "stopped"

    def _goes_on(self, watcher: int) -> bool:
        """Waits for the next look; False if there is none for this watcher."""

        def over() -> bool:
            return self._stopped or watcher != self._watcher

        with self._news:
            return not self._news.wait_for(over, CHECK_EVERY)

    def drain(self, timeout_s: float) -> bool:
        """Finishes the calls that run; False if `timeout_s` seconds were not enough."""
        self._draining = True
        return self._host.drain(timeout_s)

    def stop(self) -> None:
        """Ends the replica; the actor can be killed."""
        self._host.stop()
        with self._news:
            self._stopped = True
            self._news.notify_all()


def reason_of(error: BaseException) -> str:
    """An error in one line: ours by its message, others with their type."""
    if isinstance(error, MeshError):
        return " ".join(error.message.split())
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class ControllerActor:
    """Hosts the control plane. Its methods answer with values (see `answers`).

    `plane` names what makes it as `pkg.mod:function`, called with the keyword arguments
    `settings`. The actor starts by itself: Ray makes it anew when its process dies, and then
    nobody is there to tell it.
    """

    def __init__(self, plane: str, settings: dict[str, Any], *, own_process: bool = False) -> None:
        if own_process:
            logs.configure_from_env(os.environ, stream=sys.stderr)
        self._plane = pkgutil.resolve_name(plane)(**settings)
        self._own_process = own_process
        self._stopped = threading.Event()
        threading.Thread(target=self._begin, name="begin", daemon=True).start()

    def _begin(self) -> None:
        """Tries until it can listen: a process that is still dying may hold the addresses."""
        while not self._stopped.is_set() and isinstance(self.start(), Refused):
            self._stopped.wait(RETRY_EVERY)
        if self._own_process:
            settle()

    def start(self) -> Any:
        """Its `mesh.faces.addresses.Addresses`; starts the control plane if need be."""
        return answer(self._plane.start)

    def apply(self, document: bytes, code: dict[str, bytes]) -> Any:
        """Applies a deployment: an application in JSON, and the pickled classes of its versions."""
        return answer(lambda: self._plane.apply(document, code))

    def blob(self, digest: str, offset: int, limit: int) -> Any:
        """A piece of an archive, for nodes that prepare a release."""
        return answer(lambda: self._plane.blob(digest, offset, limit))

    def delete(self, name: str) -> Any:
        """Stops and forgets a deployment."""
        return answer(lambda: self._plane.delete(name))

    def end(self) -> Any:
        """Ends all replicas in order, and keeps what is wanted."""
        return answer(self._plane.end)

    def status(self, name: str = "") -> Any:
        """How far the deployment `name` is, or all."""
        return answer(lambda: self._plane.status(name))

    def stop(self) -> None:
        """Stops to listen; the actor can be killed."""
        self._stopped.set()
        self._plane.stop()
