"""How a client makes its calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field

USER_AGENT = "serving-mesh"


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for every call of a client.

    `timeout` is in seconds for one call with all its tries (None: no limit), `retries` how many
    tries may follow the first. `headers` go with every request, as metadata over gRPC.
    """

    timeout: float | None = 60.0
    retries: int = 2
    headers: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = ""
    version: str = ""
    token: str = ""

    def fields(self) -> dict[str, str]:
        """The header fields that say all this."""
        own = {
            "x-mesh-endpoint": self.endpoint,
            "x-mesh-version": self.version,
            "authorization": f"Bearer {self.token}" if self.token else "",
        }
        given = {name.lower(): value for name, value in self.headers.items()}
        return {"user-agent": USER_AGENT, **given, **{k: v for k, v in own.items() if v}}
