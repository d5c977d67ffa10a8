"""What the cloud API works with: one value that every part of it is given."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from mesh.access.directory import Directory
from mesh.access.login_config import LoginConfig
from mesh.access.logins import Logins
from mesh.access.oidc_client import OidcClient
from mesh.access.oidc_logins import OidcLogins
from mesh.control.kept_standbys import KeptStandbys
from mesh.control.placement import Node
from mesh.control.store.catalogue import Catalogue, Journal
from mesh.control.verbs import Verbs
from mesh.errors import Unavailable
from mesh.faces.cloud.codespaces.coding import Coding
from mesh.releases.blobs import Vault
from mesh.releases.contract import Builder
from mesh.releases.deploying import Deploying
from mesh.releases.uploads import Uploads


async def _no_nodes() -> Sequence[Node]:
    return ()


async def _at_once() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Backing:
    """The controller and what is kept beside it. For one event loop.

    `granted` returns when gateways go by what tokens open now; `applied` has the number of the
    routing table that each gateway goes by.

    `gateway_url` is where callers reach the gateways, without a slash at its end; `wall` gives
    seconds since the Unix epoch. `blobs` are the archives of releases and `uploads` the way into
    their registry (None: there is none), `builder` makes releases ready to run (None: they cannot),
    and `deploying` deploys them (None: nothing is deployed); `coding` has the files of those that
    are being developed (None: there is none). `nodes` are those of the cluster;
    none where resources are not counted. `standbys` are kept there (None: there are none). `login`
    says how people get in. Whoever writes what they have read of the catalogue holds `changing`.
    """

    verbs: Verbs
    catalogue: Catalogue
    journal: Journal
    access: Directory
    blobs: Vault | None = None
    builder: Builder | None = None
    uploads: Uploads | None = None
    deploying: Deploying | None = None
    coding: Coding | None = None
    gateway_url: str = ""
    wall: Callable[[], float] = time.time
    nodes: Callable[[], Awaitable[Sequence[Node]]] = _no_nodes
    granted: Callable[[], Awaitable[None]] = _at_once
    applied: Callable[[], Mapping[str, int]] = dict
    new_uid: Callable[[], str] = field(default=lambda: uuid4().hex)
    standbys: KeptStandbys | None = None
    login: LoginConfig = field(default_factory=LoginConfig)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    logins: Logins = field(init=False)
    oidc: OidcLogins | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Who logs in is known as long as this is."""
        object.__setattr__(self, "logins", Logins(self.access, self.wall, self.login))
        if (config := self.login.oidc) is not None:
            client = OidcClient(config, self.wall)
            found = OidcLogins(self.access, self.wall, self.login, config, client)
            object.__setattr__(self, "oidc", found)

    @property
    def ready_deploying(self) -> Deploying:
        """What has releases made ready. Raises Unavailable if there is nothing such."""
        if self.deploying is None:
            raise Unavailable("nothing can be deployed here")
        return self.deploying

    @property
    def ready_coding(self) -> Coding:
        """What has the files of codespaces. Raises Unavailable if there is nothing such."""
        if self.coding is None:
            raise Unavailable("there are no codespaces here")
        return self.coding
