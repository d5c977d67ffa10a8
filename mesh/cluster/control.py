"""The controller's actor, seen from whoever started it."""

import json
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import ray
import ray.exceptions

from mesh.clock import Clock, monotonic
from mesh.cluster.actors import ControllerActor
from mesh.cluster.answers import accept
from mesh.cluster.ray_actors import CONTROLLER, HOST, NAMESPACE
from mesh.cluster.ray_calls import ANSWER, death
from mesh.control.status import DeploymentStatus
from mesh.errors import MeshError, NotFound, Unavailable
from mesh.faces.addresses import Addresses, PlaneConfig

PLANE = "mesh.cluster.ray_plane:ray_plane"
"""What the controller's actor hosts."""
START_WAIT = 60.0
"""Seconds in which a controller has to answer for the first time."""
END_WAIT = 45.0
"""Seconds that deployments have to drain and stop."""
POLL = 0.1
"""Seconds between two looks at what still runs."""
ANYWHERE: Mapping[str, Any] = MappingProxyType({})


class Control:
    """A controller that runs in an actor. Blocking; all errors are MeshErrors."""

    def __init__(
        self, actor: Any, addresses: Addresses, *, owned: bool, keeps: bool, detached: bool
    ) -> None:
        self._actor = actor
        self._owned = owned
        self._keeps = keeps
        self._detached = detached
        self._applied: set[str] = set()
        self.addresses = addresses

    def __repr__(self) -> str:
        return f"<Control {self.addresses}>"

    def apply(self, application: Mapping[str, Any], code: Mapping[str, bytes] | None = None) -> int:
        """Applies a deployment; returns its revision.

        `application` has the form of `mesh.control.plan.Application` in plain JSON values; `code`
        the pickled entry classes, by version, of versions whose source has no target.

        Raises:
            ConfigError: the application is wrong.
            Unavailable: the controller does not answer.
        """
        document = json.dumps(application).encode()
        revision: int = self._ask(self._actor.apply.remote(document, dict(code or {})))
        self._applied.add(application["config"]["name"])
        return revision

    def status(self, name: str = "") -> tuple[DeploymentStatus, ...]:
        """How far the deployment `name` is, or all. Raises NotFound, Unavailable."""
        found: tuple[DeploymentStatus, ...] = self._ask(self._actor.status.remote(name))
        return found

    def delete(self, name: str) -> None:
        """Stops and forgets a deployment. Raises NotFound, Unavailable."""
        self._applied.discard(name)
        self._ask(self._actor.delete.remote(name))

    def close(self, clock: Clock = monotonic) -> None:
        """Ends what was begun through here: the deployments, and the controller if it was started.

        A controller with a store keeps what is deployed: its replicas end with a cluster of one's
        own, to be started again by the next controller, and run on in another. May be called twice.

        Raises:
            Unavailable: the controller does not answer, or the deployments take too long.
        """
        if not self._keeps:
            self._delete_all(clock)
        elif self._owned and not self._detached:
            _get(self._actor.end.remote(), END_WAIT)
        owned, self._owned = self._owned, False
        if owned:
            self._ask(self._actor.stop.remote())
            ray.kill(self._actor)

    def _delete_all(self, clock: Clock) -> None:
        for name in tuple(self._applied):
            try:
                self.delete(name)
            except NotFound:
                continue
            self._wait_gone(name, clock() + END_WAIT, clock)

    def _wait_gone(self, name: str, until: float, clock: Clock) -> None:
        while clock() < until:
            try:
                self.status(name)
            except NotFound:
                return
            time.sleep(POLL)
        raise Unavailable(f"deployment {name!r} still runs after {END_WAIT:g} s")

    def _ask(self, ref: Any) -> Any:
        return _get(ref, ANSWER)


def start_controller(
    config: PlaneConfig,
    *,
    bind_host: str = "",
    host: str = HOST,
    detached: bool = False,
    place: Mapping[str, Any] = ANYWHERE,
    key: bytes | None = None,
) -> Control:
    """Starts a controller on the Ray cluster this process belongs to, or finds the one there is.

    `bind_host` and `host` are those of `RayCluster`, `place` are Ray's options that say where the
    actor goes. A detached one outlives this process. `key` is its secret key (None: what its own
    environment says).

    Raises:
        Unavailable: it can't listen on its addresses, or can't start.
    """
    try:
        actor, owned = ray.get_actor(CONTROLLER, namespace=NAMESPACE), False
    except ValueError:
        actor, owned = _create(config, bind_host, host, detached, place, key), True
    try:
        addresses = _get(actor.start.remote(), START_WAIT)
        keeps = bool(config.store)
        return Control(actor, addresses, owned=owned, keeps=keeps, detached=detached)
    except MeshError:
        if owned:
            ray.kill(actor)
        raise


def _create(
    config: PlaneConfig,
    bind_host: str,
    host: str,
    detached: bool,
    place: Mapping[str, Any],
    key: bytes | None,
) -> Any:
    options = {
        "name": CONTROLLER,
        "namespace": NAMESPACE,
        "lifetime": "detached" if detached else None,
        "max_concurrency": 16,
        "max_restarts": -1,
        "num_cpus": 0,
        **place,
    }
    settings = {"config": config, "bind_host": bind_host, "host": host, "key": key}
    return ray.remote(ControllerActor).options(**options).remote(PLANE, settings, own_process=True)


def _get(ref: Any, limit: float) -> Any:
    try:
        answered = ray.get(ref, timeout=limit)
    except ray.exceptions.GetTimeoutError:
        raise Unavailable(f"the controller does not answer within {limit:g} s") from None
    except ray.exceptions.RayError as error:
        raise Unavailable(f"the controller does not answer: {death(error)}") from None
    return accept(answered)
