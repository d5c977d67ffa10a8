"""How a client makes its calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict

from mesh.client.fields import FieldValue, as_text, checked, must_be_text

USER_AGENT = "serving-mesh"


class Changes(TypedDict, total=False):
    """What can be changed of a client's options."""

    timeout: float | None
    retries: int
    headers: Mapping[str, FieldValue]
    endpoint: str
    version: str
    token: str


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for every call of a client.

    `timeout` is in seconds for one call with all its tries (None: no limit), `retries` how many
    tries may follow the first. `headers` go with every request, as metadata over gRPC; a value is
    text, or bytes if its name ends in `-bin`.

    Raises ConfigError, naming it, for what a header field cannot carry.
    """

    timeout: float | None = 60.0
    retries: int = 2
    # Not shown: secrets are in these, and tracebacks end in logs.
    headers: Mapping[str, FieldValue] = field(default_factory=dict, repr=False)
    endpoint: str = ""
    version: str = ""
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        checked(self.headers)
        for what in ("endpoint", "version", "token"):
            must_be_text(what, getattr(self, what))

    def changed(self, changes: Changes) -> "Options":
        """These with some changed; headers are added.

        Raises TypeError for an unknown one, ConfigError for a value that cannot be sent.
        """
        more = changes.get("headers", {})
        return replace(replace(self, **changes), headers={**self.headers, **more})

    def is_same_service(self, other: "Options") -> bool:
        """Whether both call the same version of the same endpoint."""
        return (self.endpoint, self.version) == (other.endpoint, other.version)

    def fields(self) -> dict[str, str]:
        """The header fields that say all this over HTTP, binary ones in base64."""
        return {name: as_text(value) for name, value in self.metadata().items()}

    def metadata(self) -> dict[str, FieldValue]:
        """The metadata that says all this over gRPC."""
        own = {
            "x-mesh-endpoint": self.endpoint,
            "x-mesh-version": self.version,
            "authorization": f"Bearer {self.token}" if self.token else "",
        }
        said = {name: value for name, value in own.items() if value}
        return {"user-agent": USER_AGENT, **checked(self.headers), **said}
