"""`mesh.ControlClient`: a mesh under the hands of a Python program."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mesh.client.control.canaries import Canaries
from mesh.client.control.connection import Connection, path as path_of
from mesh.client.control.deployments import Deployments
from mesh.client.control.endpoints import Endpoints
from mesh.client.control.instance_types import InstanceTypes
from mesh.client.control.members import Members
from mesh.client.control.patience import AWAY, Patience
from mesh.client.control.quotas import Quotas
from mesh.client.control.releases import Releases
from mesh.client.control.rollout import Progress, progress
from mesh.client.control.secrets import Secrets
from mesh.client.control.standby import Standbys
from mesh.client.control.tokens import Tokens
from mesh.client.control.users import Users
from mesh.client.control.values import (
    BuildView,
    DeploymentView,
    EventView,
    LogLine,
    MeshView,
    ReplicaView,
)
from mesh.client.control.whereabouts import find
from mesh.clock import Clock, monotonic
from mesh.errors import (
    ConfigError,
    DeadlineExceeded,
    FailedPrecondition,
    NotFound,
    Unavailable,
)

if TYPE_CHECKING:
    from mesh.serving.application import Application

T = TypeVar("T", BuildView, DeploymentView)
POLL = 0.25
"""Seconds between two looks at a deployment that is not ready yet."""
_DESCRIBED = "mesh.serving.described:described"
"""Loaded by name: who only asks needs neither NumPy nor Ray."""


class ControlClient:
    """The control API of a mesh. A context manager; usable from several threads.

    Without `url` it is at `MESH_CONTROL_URL`, else where the mesh of the state folder `state`
    (else `MESH_HOME`, else `~/.mesh`) says; so is the token. `timeout` is in seconds, for each
    question. A controller that was there and is away is waited for, `patience` seconds at most, as
    far as what it was asked may be asked twice; `tell` is told so. Errors are those of the
    controller: NotFound, InvalidArgument, FailedPrecondition, …; Unauthenticated without the right
    token, Unavailable where nobody answers.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        state: str | Path | None = None,
        timeout: float = 60.0,
        patience: float = AWAY,
        tell: Callable[[str], None] = lambda _: None,
        clock: Clock = monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ConfigError for a URL of another scheme; nothing is asked yet."""
        where = find(url, token, os.environ, Path(state) if state else None)
        self._connection = Connection(where, timeout, Patience(patience, clock, pause, tell))
        self._clock = clock
        self._pause = pause
        self.deployments = Deployments(self._connection)
        self.endpoints = Endpoints(self._connection)
        self.canary = Canaries(self._connection)
        self.releases = Releases(self._connection)
        self.tokens = Tokens(self._connection)
        self.standbys = Standbys(self._connection)
        self.secrets = Secrets(self._connection)
        self.instance_types = InstanceTypes(self._connection)
        self.quotas = Quotas(self._connection)
        self.members = Members(self._connection)
        self.users = Users(self._connection)

    def __repr__(self) -> str:
        return f"<ControlClient {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the control API is."""
        return self._connection.url

    def close(self) -> None:
        """Closes its connections."""
        self._connection.close()

    def status(self) -> MeshView:
        """The mesh in numbers."""
        return self._connection.ask(MeshView, "GET", "/status")

    def replicas(self, name: str = "") -> tuple[ReplicaView, ...]:
        """What runs, of one deployment or of all."""
        if name:
            return self.deployments.replicas(name)
        return self._connection.ask(tuple[ReplicaView, ...], "GET", "/replicas")

    def events(self, *, start: int = 0, count: int = 100) -> tuple[EventView, ...]:
        """What happened, the newest first."""
        params = {"start": start, "count": count}
        return self._connection.ask(tuple[EventView, ...], "GET", "/events", params=params)

    def logs(self, name: str, *, replica: str = "", follow: bool = False) -> Iterator[LogLine]:
        """As `deployments.logs`."""
        return self.deployments.logs(name, replica=replica, follow=follow)

    def deploy(
        self,
        what: str | type,
        *,
        path: Sequence[str | Path] = (".",),
        cause: str = "",
        **settings: Any,
    ) -> DeploymentView:
        """Makes a deployment of `pkg.mod:Service`, or of a class in a module.

        The service is loaded here, from the folders `path`, to see what it takes and gives; the
        replicas load it from the same folders, which their nodes must have. `settings` are those
        of a deployment file: `name`, `replicas`, `envs`, `canary`, …. Returns when the change is
        kept; `wait` for it to run. `cause` is kept with the revision.

        Raises:
            ConfigError: the service cannot be loaded, or a setting is wrong.
            MeshError: as the controller says.
        """
        folders = [str(Path(folder).resolve()) for folder in path]
        return self.apply(resolve_name(_DESCRIBED)(what, settings, folders), cause=cause)

    def deploy_file(
        self,
        file: str | Path,
        *,
        path: Sequence[str | Path] = (".",),
        cause: str = "",
        **settings: Any,
    ) -> tuple[DeploymentView, ...]:
        """Makes all deployments of a deployment file, then its endpoints.

        `path`, `cause` and what is raised are as of `deploy`; `settings` go over those of a file
        with one deployment.
        """
        folders = [str(Path(folder).resolve()) for folder in path]
        found = resolve_name(f"{_DESCRIBED}_file")(Path(file), folders, settings)
        if found.releases:
            names = ", ".join(each["name"] for each in found.releases)
            raise ConfigError(f"{file}: {names}: deploy_release deploys what was pushed")
        views = tuple(self.apply(each, cause=cause) for each in found.applications)
        # An endpoint leads only to what is there.
        for name, config in found.endpoints.items():
            self.endpoints.apply(name, config)
        return views

    def apply(self, application: "Application", *, cause: str = "") -> DeploymentView:
        """Makes a deployment what an application says. Raises MeshError.

        Raises ConfigError for one with classes that have no module: code is not sent over HTTP.
        """
        if application.code:
            raise FailedPrecondition("code is not sent over HTTP: name a module's class")
        application.prepare()
        name = application.document["config"]["name"]
        params = {"cause": cause} if cause else {}
        return self._connection.ask(
            DeploymentView, "PUT", path_of("deployments", name), application.document, params
        )

    def deploy_release(self, config: Mapping[str, Any], *, cause: str = "") -> BuildView:
        """Makes a deployment of releases that were pushed; `config` is a DeploymentConfig.

        What a release needs is installed in the background: follow it with `building`. Raises
        InvalidArgument for what is not there, naming its key.
        """
        params = {"cause": cause} if cause else {}
        return self._connection.ask(BuildView, "POST", "/builds", dict(config), params, again=True)

    def builds(self) -> tuple[BuildView, ...]:
        """The deployments whose releases are not ready, by name."""
        return self._connection.ask(tuple[BuildView, ...], "GET", "/builds")

    def give_up(self, name: str) -> None:
        """Forgets what a deployment was to become; what it is goes on. Raises NotFound."""
        self._connection.raw("DELETE", path_of("builds", name))

    def building(self, name: str, timeout: float = 300.0) -> Iterator[BuildView]:
        """A deployment while its releases are made ready; it ends when that is done.

        Raises:
            FailedPrecondition: they cannot; the message says why.
            DeadlineExceeded: they are not after `timeout` seconds.
            Unavailable: nobody answers.
        """
        until = self._clock() + timeout
        while True:
            try:
                view = self._seen(BuildView, path_of("builds", name), until)
            except NotFound:
                return
            yield view
            if view.stage != "building":
                raise FailedPrecondition(f"{name!r} cannot be deployed: {view.reason}")
            if self._clock() > until:
                raise DeadlineExceeded(f"the release of {name!r} is not ready after {timeout:g} s")
            self._pause(POLL)

    def wait(self, name: str, timeout: float = 300.0, *, revision: int = 0) -> DeploymentView:
        """Returns when a deployment runs, at `revision` at least.

        Raises:
            FailedPrecondition: it cannot run; the message says why.
            DeadlineExceeded: it does not after `timeout` seconds.
            Unavailable: nobody answers.
        """
        for view in self.follow(name, timeout, revision=revision):
            found = view
        return found

    def follow(
        self, name: str, timeout: float = 300.0, *, revision: int = 0
    ) -> Iterator[DeploymentView]:
        """A deployment as it goes on, until it runs; raises as `wait`."""
        until = self._clock() + timeout
        while True:
            view = self._seen(DeploymentView, path_of("deployments", name), until)
            yield view
            match progress(view, revision):
                case Progress.DONE:
                    return
                case Progress.FAILED:
                    raise FailedPrecondition(f"{name!r} is {view.status}: {view.reason}")
            if self._clock() > until:
                why = f": {view.reason}" if view.reason else ""
                raise DeadlineExceeded(f"{name!r} is {view.status} after {timeout:g} s{why}")
            self._pause(POLL)

    def _seen(self, kind: type[T], path: str, until: float) -> T:
        """What there is at a path; who was away until then raises DeadlineExceeded."""
        try:
            return self._connection.ask(kind, "GET", path, within=until - self._clock())
        except Unavailable as error:
            if self._clock() < until:
                raise
            raise DeadlineExceeded(error.message) from error
