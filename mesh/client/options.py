"""How a client makes its calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict

USER_AGENT = "serving-mesh"


class Changes(TypedDict, total=False):
    """What can be changed of a client's options."""

    timeout: float | None
    retries: int
    headers: Mapping[str, str]
    endpoint: str
    version: str
    token: str


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for every call of a client.

    `timeout` is in seconds for one call with all its tries (None: no limit), `retries` how many
    tries may follow the first. `headers` go with every request, as metadata over gRPC.
    """

    timeout: float | None = 60.0
    retries: int = 2
    # Not shown: secrets are in these, and tracebacks end in logs.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    endpoint: str = ""
    version: str = ""
    token: str = field(default="", repr=False)

    def changed(self, changes: Changes) -> "Options":
        """These with some changed; headers are added. Raises TypeError for an unknown one."""
        more = changes.get("headers", {})
        return replace(replace(self, **changes), headers={**self.headers, **more})

    def is_same_service(self, other: "Options") -> bool:
        """Whether both call the same version of the same endpoint."""
        return (self.endpoint, self.version) == (other.endpoint, other.version)

    def fields(self) -> dict[str, str]:
        """The header fields that say all this."""
        own = {
            "x-mesh-endpoint": self.endpoint,
            "x-mesh-version": self.version,
            "authorization": f"Bearer {self.token}" if self.token else "",
        }
        given = {name.lower(): value for name, value in self.headers.items()}
        return {"user-agent": USER_AGENT, **given, **{k: v for k, v in own.items() if v}}
