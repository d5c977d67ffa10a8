"""What users configure of an endpoint: a public name over deployments and what is outside."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from mesh.config.deployment import Seconds
from mesh.config.names import Name, NameOrNone
from mesh.config.parsed import Settings

Said = Annotated[str, Field(max_length=253)]
SCHEMES = ("http", "https", "grpc", "grpcs")
"""How an upstream may be called: HTTP or gRPC, each also over TLS."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError(f"expected {', '.join(SCHEMES)} and a host, such as https://host/path")
    if parts.username or parts.password:
        raise ValueError("a key goes into api_key, not into the address")
    if parts.port == 0:  # of one that is no port, `port` itself says so
        raise ValueError("0 is no port to call")
    if parts.scheme.startswith("grpc") and parts.path.strip("/"):
        raise ValueError("a gRPC address has no path, the call has one")
    return url


def _sendable(key: SecretStr) -> SecretStr:
    # Told without the key: what is wrong with one is shown to whoever made the request.
    if not re.fullmatch(r"[!-~]*", key.get_secret_value()):
        raise ValueError("a key is of ASCII letters, digits and signs, without spaces")
    return key


class Upstream(Settings):
    """A server outside the mesh that takes a share of an endpoint's requests.

    `url` is `http(s)://host[:port][/path]` or `grpc(s)://host:port`; requests get its path in
    front of theirs. `weight` counts as that of a deployment does. `api_key` is sent as
    `Authorization: Bearer`; it is kept encrypted and never shown. `model` names what the server
    calls its model, for people.
    """

    url: Annotated[str, AfterValidator(_address)]
    weight: Annotated[int, Field(ge=0)] = 1
    api_key: Annotated[SecretStr, AfterValidator(_sendable)] = SecretStr("")
    model: str = ""


class Mirror(Settings):
    """A copy of `percent` of the requests goes to `deployment` too; its replies are dropped."""

    deployment: Name
    percent: Annotated[float, Field(ge=0, le=100)] = 100.0


class HeaderMatch(Settings):
    """What a header field's value must be. Exactly one of these."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None
    present: bool | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [key for key, value in self if value is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of exact, prefix, regex, present")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex: {error}") from None
        return self


class Rule(Settings):
    """Requests whose header fields all match go to `deployment` (and `version` of it, if given).

    Rules go before weights; the first that matches decides.
    """

    headers: Annotated[dict[str, HeaderMatch], Field(min_length=1)]
    deployment: Name
    version: NameOrNone = ""


class Session(Settings):
    """What keeps requests of one client on one deployment and version.

    By the value of the header field `header`, or by a `cookie` that the gateway sets with the
    first reply, for `ttl` seconds (0: until the browser ends).
    """

    header: str = ""
    cookie: str = ""
    ttl: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.header) == bool(self.cookie):
            raise ValueError("give header or cookie")
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", self.header or self.cookie):
            raise ValueError("header and cookie are names of RFC 9110: letters, digits, hyphens")
        return self


class EndpointConfig(Settings):
    """A public name over deployments, with the weight of each, and what is outside the mesh.

    `load_balance`: `weighted` by the weights; `overflow` fills the deployments in their order,
    each up to its `concurrency`, before the next gets a request; `capacity` in proportion to free
    places. `default` makes it the endpoint of requests that name none; of several the last that
    was set is. A lower deployment without replicas is started when those above it have been full
    for `overflow_scale_out_delay` seconds. `domain`, `protocol` and `strategy` are kept for clients
    of the cloud API, and decide nothing.
    """

    deployments: dict[Name, Annotated[int, Field(ge=0)]] = {}
    default: bool = False
    load_balance: Literal["weighted", "overflow", "capacity"] = "weighted"
    overflow_scale_out_delay: Seconds = 0.0
    upstreams: tuple[Upstream, ...] = ()
    mirror: Mirror | None = None
    rules: tuple[Rule, ...] = ()
    session: Session | None = None
    domain: Said = ""
    protocol: Said = ""
    strategy: Said = ""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if not self.deployments and not self.upstreams:
            raise ValueError("deployments: an endpoint needs one at least, or upstreams")
        return self

    def named_deployments(self) -> set[str]:
        """Every deployment that is named anywhere in it."""
        mirrored = {self.mirror.deployment} if self.mirror else set[str]()
        return {*self.deployments, *mirrored, *(rule.deployment for rule in self.rules)}
