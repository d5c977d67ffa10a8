"""Where a control plane listens. Apart from the plane, so that who only names it stays light."""

from dataclasses import dataclass, field

from mesh.access.login_config import LoginConfig


@dataclass(frozen=True, slots=True)
class PlaneConfig:
    """Where the control plane listens.

    `host` is where callers and replicas reach it; gRPC listens there at `port`. HTTP listens on
    `http_host` at `http_port` (None: no HTTP). Port 0 means any that is free. `store` is where
    the controller keeps what it must not forget (see `mesh.control.store`; empty: in memory),
    `releases` where archives of releases are (a folder or URL; empty: beside the store), and
    `token` what clients of the control API and gateways have to show (empty: nothing).
    `public_url` is where callers reach the gateways; a `*` in it stands for a deployment's name.
    `token` what clients of the control API and gateways have to show (empty: nothing). `login` says
    how people get in.
    """

    host: str = "127.0.0.1"
    port: int = 0
    http_host: str = "127.0.0.1"
    http_port: int | None = None
    store: str = field(default="", repr=False)  # may hold a password
    token: str = field(default="", repr=False)
    releases: str = field(default="", repr=False)  # as store
    public_url: str = ""
    login: LoginConfig = field(default_factory=LoginConfig)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a control plane listens, for those who may ask its actor.

    `host:port` of its gRPC face, and of its HTTP face (empty: it has none). `token` is what both
    want to be shown (empty: nothing).
    """

    grpc: str
    http: str = ""
    token: str = field(default="", repr=False)
