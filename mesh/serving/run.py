"""A mesh of one's own: Ray or a place in a cluster, a controller, gateways on one port."""

import http.client
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from mesh.access.login_config import NO_LOGIN, LoginConfig
from mesh.clock import Clock, monotonic
from mesh.cluster.control import Control
from mesh.cluster.resources import NEEDS
from mesh.cluster.start import Session, connect, start_local
from mesh.control.status import DeploymentPhase, DeploymentStatus
from mesh.errors import Unavailable
from mesh.ports import free_port, require_free
from mesh.serving.application import Application
from mesh.serving.gateways import GRACE, GatewayProcess

POLL = 0.05
"""Seconds between two looks at what is not ready yet."""

_UP = (DeploymentPhase.RUNNING, DeploymentPhase.SCALED_TO_ZERO)

Progress = Callable[[str], None]
"""Told what is being done now, in a few words."""


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mesh runs and listens.

    `port` 0 takes one that is free; `control_port` None opens none. `address` is that of a Ray
    cluster to join; empty starts a Ray of one's own, with `num_cpus` and `num_gpus` logical
    devices (None: what the machine has). `logs` is the form of the logs: `json` or `text`.
    Pages of `web_origins` may call gRPC-Web besides the mesh's own, of any if `*` is among them.
    Calls have `grace` seconds to finish when the mesh is stopped. `store` is the URL of the
    database that keeps what is deployed (`sqlite:///PATH`, `postgresql://…`), empty for memory;
    the control API wants `token`, if there is one. Archives of releases are at `releases`, a folder
    or a URL such as `s3://bucket/prefix` (empty: beside the database). `login` says how people get
    in. Callers reach the gateways at `public_url` (empty: at `host` and `port`); a `*` in it stands
    for a deployment's name.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    gateways: int = 1
    address: str = ""
    num_cpus: int | None = None
    num_gpus: int | None = None
    logs: str = "json"
    log_level: str = "INFO"
    web_origins: tuple[str, ...] = ()
    grace: int = GRACE
    store: str = field(default="", repr=False)  # may hold a password
    token: str = field(default="", repr=False)
    releases: str = field(default="", repr=False)  # as store
    login: LoginConfig = NO_LOGIN
    public_url: str = ""


class RunningMesh:
    """A mesh that runs until `stop`. Its methods block.

    To be made in a thread that lives as long as the mesh shall, such as the main one: the system
    ends gateways and Ray with the thread that started them.
    """

    def __init__(
        self, place: Place, progress: Progress = _silent, session: Session | None = None
    ) -> None:
        """Starts it: in `session`, which outlives it, or in one of its own.

        Raises:
            ConfigError: a port is taken.
            MeshError: a part cannot be started; what had been started is stopped again.
        """
        self.place = place
        self.port = place.port or free_port(place.host)
        require_free(place.host, self.port, "--port")
        if place.control_port is not None:
            require_free(place.host, place.control_port, "--control-port")
        self._parts = ExitStack()
        self._gateways: list[GatewayProcess] = []
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.control = self._start_control(progress, session)
            progress("starting the gateway")
            self._parts.callback(self._stop_gateways)
            for number in range(place.gateways):
                self._gateways.append(self._gateway(number))
            undo.pop_all()

    def _start_control(self, progress: Progress, given: Session | None) -> Control:
        place = self.place
        session = given or self._start_session(progress)
        self._session = session
        self._grows = not session.local
        self.replica_logs = session.logs
        progress("starting the controller")
        control = session.start_controller(
            http_host=place.host,
            http_port=place.control_port,
            store=place.store,
            token=place.token,
            releases=place.releases,
            login=place.login,
            public_url=place.public_url or self.url,
        )
        if given is not None:
            self._parts.callback(control.close)
        return control

    def _start_session(self, progress: Progress) -> Session:
        place = self.place
        if place.address:
            progress(f"joining the Ray cluster at {place.address}")
            session = connect(place.address)
        else:
            progress("starting Ray")
            session = start_local(
                num_cpus=place.num_cpus,
                num_gpus=place.num_gpus,
                env={"MESH_LOG_LEVEL": place.log_level, "MESH_LOG_FORMAT": place.logs},
            )
        self._parts.callback(session.stop)
        return session

    def _gateway(self, number: int) -> GatewayProcess:
        return GatewayProcess(
            self.control.addresses.grpc,
            host=self.place.host,
            port=self.port,
            name=f"gateway/{number}",
            log_format=self.place.logs,
            log_level=self.place.log_level,
            web_origins=self.place.web_origins,
            grace=self.place.grace,
            token=self.control.addresses.token,
        )

    def _stop_gateways(self) -> None:
        for gateway in self._gateways:
            gateway.leave()  # all at once
        for gateway in self._gateways:
            gateway.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address of the HTTP face, without a slash at its end."""
        return f"http://{self.target}"

    @property
    def target(self) -> str:
        """`host:port` for clients on this machine, HTTP and gRPC alike."""
        host = "127.0.0.1" if self.place.host == "0.0.0.0" else self.place.host  # noqa: S104
        return f"{host}:{self.port}"

    @property
    def control_url(self) -> str:
        """The address of the control plane's HTTP face; empty if it has none."""
        address = self.control.addresses.http
        return f"http://{address.replace('0.0.0.0', '127.0.0.1')}" if address else ""  # noqa: S104

    @property
    def gateway_pids(self) -> list[int]:
        """The processes of the gateways."""
        return [gateway.process.pid for gateway in self._gateways]

    def deploy(
        self,
        application: Application,
        progress: Progress = _silent,
        *,
        limit: float = 300.0,
        clock: Clock = monotonic,
    ) -> DeploymentStatus:
        """Applies a deployment and waits, `limit` seconds at most, until clients can call it.

        Raises:
            ConfigError: the application is wrong.
            Unavailable: it cannot start, or takes too long; the message says what it waits for.
        """
        name = application.document["config"]["name"]
        until = clock() + limit
        application.prepare()
        if application.has_end:
            self._session.is_gentle = True
        revision = self.control.apply(application.document, application.code)
        while True:
            status = self.control.status(name)[0]
            if status.revision >= revision and status.phase in _UP:
                break
            if status.phase is DeploymentPhase.FAILED or self._lacks(status):
                raise Unavailable(f"deployment {name!r} cannot start: {status.reason}")
            if clock() > until:
                raise Unavailable(f"deployment {name!r} is not ready: {status.reason}")
            progress(_counted(status))
            time.sleep(POLL)
        self._wait_reachable(_endpoint_of(name, application), until, clock)
        return status

    def _lacks(self, status: DeploymentStatus) -> bool:
        """Whether a service needs what this machine does not have, and no other will join."""
        return not self._grows and any(
            service.reason.startswith(NEEDS)
            for version in status.versions
            for service in version.services
        )

    def wait_listening(self) -> None:
        """Returns when all gateways listen. Raises Unavailable if one does not."""
        for gateway in self._gateways:
            gateway.wait_listening()

    def _wait_reachable(self, endpoint: str, until: float, clock: Clock) -> None:
        self.wait_listening()
        while not _answers(self.target, f"/e/{endpoint}/schema.json"):
            if clock() > until:
                raise Unavailable(f"the gateway does not reach endpoint {endpoint!r}")
            time.sleep(POLL)

    def mend(self) -> list[str]:
        """Starts gateways anew that have ended; returns what was done, a sentence each."""
        done = []
        for number, gateway in enumerate(self._gateways):
            if not gateway.is_running:
                done.append(f"gateway {number} ended with code {gateway.process.returncode}")
                gateway.stop()
                self._gateways[number] = self._gateway(number)
        return done

    def hurry(self) -> None:
        """Ends gateways that are leaving without waiting for their calls; may interrupt `stop`."""
        for gateway in self._gateways:
            gateway.hurry()

    def stop(self) -> None:
        """Stops all that was started, gateways first. May be called twice."""
        self._parts.close()


def _endpoint_of(deployment: str, application: Application) -> str:
    """An endpoint that leads to the deployment: one of the application's, else its own."""
    endpoints = application.document["endpoints"].items()
    return next((name for name, end in endpoints if deployment in end["deployments"]), deployment)


def _counted(status: DeploymentStatus) -> str:
    services = [service for version in status.versions for service in version.services]
    ready = sum(service.ready for service in services)
    desired = sum(service.desired for service in services)
    waits = f": {status.reason}" if status.reason else ""
    return f"starting replicas, {ready} of {desired} ready{waits}"


def _answers(target: str, path: str) -> bool:
    connection = http.client.HTTPConnection(target, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
