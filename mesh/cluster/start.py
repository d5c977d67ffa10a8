"""Where a mesh runs: a Ray of its own on this machine, or a cluster that is there."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import psutil
import ray
import ray.exceptions
import ray.util

from mesh.access.login_config import NO_LOGIN, LoginConfig
from mesh.cluster import embedded
from mesh.cluster.control import Control, start_controller
from mesh.cluster.ray_actors import HOST, NAMESPACE
from mesh.cluster.ray_calls import first_line
from mesh.cluster.ray_nodes import rather_on
from mesh.errors import FailedPrecondition, MeshError, Unavailable
from mesh.faces.addresses import PlaneConfig
from mesh.ports import free_port

_log = logging.getLogger(__name__)

LOCALHOST = "127.0.0.1"
OBJECT_STORE = 128 * 2**20
"""Bytes of Ray's object store: it carries code and launches, never a request."""


class Session:
    """This process's membership in a Ray cluster. Ends with `stop`, or as a context manager.

    `local` says that the cluster is its own; `roots` are the processes of it that this one has
    started; `logs` is the folder into which replicas on this node write what they log. With
    `is_gentle` what runs in a local cluster is ended in order before the cluster is. `key` is the
    secret key that controllers get, for in a local cluster they inherit none.
    """

    def __init__(
        self,
        *,
        local: bool,
        roots: Sequence[psutil.Process] = (),
        logs: str = "",
        key: bytes | None = None,
    ) -> None:
        self.local = local
        self.logs = logs
        self.is_gentle = not local
        self._roots = roots
        self._key = key
        self._controls: list[Control] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_controller(
        self,
        *,
        http_host: str = LOCALHOST,
        http_port: int | None = None,
        port: int = 0,
        replica_host: str = HOST,
        store: str = "",
        token: str = "",
        releases: str = "",
        login: LoginConfig = NO_LOGIN,
        public_url: str = "",
    ) -> Control:
        """Starts a controller on this node, or joins the one that the cluster has.

        `port` is that of its gRPC face; 0 means any that is free, and it stays the same when the
        controller is restarted. `replica_host` names what replicas run in. `store` is the URL of
        the controller's database, empty for its memory; its control API wants `token`, if there is
        one. `releases` is where archives are, empty for beside the database; `login` says how
        people get in, and callers reach the gateways at `public_url`.

        Raises:
            Unavailable: it can't listen on its addresses, or can't start.
        """
        here = LOCALHOST if self.local else ray.util.get_node_ip_address()
        config = PlaneConfig(
            here,
            port or free_port(here),
            http_host,
            http_port,
            store=store,
            token=token,
            releases=releases,
            login=login,
            public_url=public_url,
        )
        control = start_controller(
            config,
            bind_host=LOCALHOST if self.local else "",
            host=replica_host,
            detached=not self.local,
            # Its addresses are this node's.
            place=rather_on(ray.get_runtime_context().get_node_id()),
            key=self._key,
        )
        self._controls.append(control)
        self.is_gentle = self.is_gentle or bool(store)
        return control

    def stop(self) -> None:
        """Leaves the cluster, having ended what was started through here. May be called twice.

        Of a local cluster no process is left.
        """
        controls, self._controls = self._controls, []
        for control in controls if self.is_gentle else ():
            try:
                control.close()
            except MeshError as error:
                _log.warning("not all could be ended: %s", error.message)
        # Looked up now: once their parents have ended, nobody knows whose children they were.
        family = embedded.families(self._roots)
        ray.shutdown()
        embedded.wait_gone(family)


def start_local(
    *,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
    lean: bool = True,
) -> Session:
    """Starts a Ray of its own, which dies with this process whatever happens to it.

    Should the process be killed, Ray's two agents notice it within a minute, the rest at once.
    To be called from a thread that lives as long as the cluster shall, such as the main one.
    `num_cpus` and `num_gpus` are logical, None means what the machine has, but at least 2 CPUs.
    `env` is added to the environment of all that it starts, and `embedded.SECRETS` are not in it;
    the controller gets the secret key all the same. `lean` leaves out processes that a
    mesh does not need (see `embedded.OPTIONAL`).

    Raises:
        FailedPrecondition: this process is in a Ray cluster already.
        Unavailable: Ray cannot be started.
    """
    before = embedded.children()
    embedded.own_token()
    with embedded.environment(env):
        logs = _init(
            "local",
            num_cpus=max(2, os.cpu_count() or 2) if num_cpus is None else num_cpus,
            num_gpus=num_gpus,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
        )
    if lean:
        embedded.drop_optional()
    roots = [process for process in embedded.children() if process not in before]
    return Session(local=True, roots=roots, logs=logs, key=os.environb.get(embedded.KEY.encode()))


def connect(address: str) -> Session:
    """Joins the Ray cluster at `address` (`host:port`, or `auto`), of which this machine is a node.

    Raises:
        FailedPrecondition: this process is in a Ray cluster already.
        Unavailable: nobody answers there, or it wants a token that Ray was not given.
    """
    return Session(local=False, logs=_init(address))


def _init(address: str, **options: Any) -> str:
    """Enters a cluster; returns the folder of this node's logs."""
    if ray.is_initialized():
        raise FailedPrecondition("this process is in a Ray cluster already")
    try:
        context = ray.init(
            address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **options,
        )
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        if _wants_token(error):
            raise Unavailable(
                f"the Ray cluster at {address} wants its token: set RAY_AUTH_MODE=token and "
                "RAY_AUTH_TOKEN_PATH, as Ray's page on token authentication says"
            ) from error
        raise Unavailable(f"cannot {_verb(address)}: {first_line(error)}") from error
    return str(Path(context.address_info["session_dir"], "logs"))


def _wants_token(error: BaseException | None) -> bool:
    """Whether the cause of `error` is a missing or wrong token; Ray buries that in texts."""
    while error is not None:
        if "AuthenticationError" in f"{type(error).__name__}: {error}":
            return True
        error = error.__cause__ or error.__context__
    return False


def _verb(address: str) -> str:
    return "start Ray" if address == "local" else f"join the Ray cluster at {address}"
