"""What a gateway process is told by its environment, read once when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from gateway.drain import GRACE
from gateway.main import BODY_TIMEOUT, MAX_REQUEST_BYTES
from mesh.errors import ConfigError

TOKEN = "MESH_CONTROL_TOKEN"  # noqa: S105  # the name of a variable
"""Where the controller's token is: others on this machine can read a command line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one gateway process.

    `controller` is the `host:port` of the controller's gRPC face; `name` says who this gateway is
    in the controller's log; `max_request_bytes` bounds bodies of services that set no limit of
    their own; `log_json` and `log_level` are for the process's log; `parent` is the process whose
    end ends this one (0: none); `admin` is the file with the address of Envoy's administration
    port (empty: none), `folder` the one that is there for that file only (empty: none); `grace` is
    how many seconds calls have to finish when the gateway is told to end, `body_timeout` after how
    many without a byte a gRPC request of one message is given up. `token` is the controller's
    (empty: it has none).
    """

    controller: str
    name: str = "gateway"
    max_request_bytes: int = MAX_REQUEST_BYTES
    log_level: str = "INFO"
    log_json: bool = True
    parent: int = 0
    admin: str = ""
    folder: str = ""
    grace: int = GRACE
    body_timeout: int = BODY_TIMEOUT
    token: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Reads the variables that `to_env` writes. Raises ConfigError naming the wrong one."""
        controller = env.get("MESH_CONTROLLER", "")
        if not controller:
            raise ConfigError("MESH_CONTROLLER is not set: the controller's host:port")
        return cls(
            controller,
            env.get("MESH_GATEWAY_NAME", "gateway"),
            _whole(env, "MESH_MAX_REQUEST_BYTES", MAX_REQUEST_BYTES),
            env.get("MESH_LOG_LEVEL", "INFO"),
            env.get("MESH_LOG_FORMAT", "json") == "json",
            _whole(env, "MESH_PARENT", 0),
            env.get("MESH_ADMIN_PATH", ""),
            env.get("MESH_ADMIN_FOLDER", ""),
            _whole(env, "MESH_GRACE", GRACE),
            _whole(env, "MESH_BODY_TIMEOUT", BODY_TIMEOUT),
            env.get(TOKEN, ""),
        )

    def to_env(self) -> dict[str, str]:
        """The variables that `from_env` reads."""
        return {
            "MESH_CONTROLLER": self.controller,
            "MESH_GATEWAY_NAME": self.name,
            "MESH_MAX_REQUEST_BYTES": str(self.max_request_bytes),
            "MESH_LOG_LEVEL": self.log_level,
            "MESH_LOG_FORMAT": "json" if self.log_json else "text",
            "MESH_PARENT": str(self.parent),
            "MESH_ADMIN_PATH": self.admin,
            "MESH_ADMIN_FOLDER": self.folder,
            "MESH_GRACE": str(self.grace),
            "MESH_BODY_TIMEOUT": str(self.body_timeout),
            TOKEN: self.token,
        }


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, "")
    if value and not value.isdecimal():
        raise ConfigError(f"{name}={value!r} is not a whole number")
    return int(value) if value else default
