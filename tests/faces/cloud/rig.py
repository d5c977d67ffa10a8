"""A whole control plane over nodes in memory, with its cloud API on a real socket."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mesh.access.directory import Directory
from mesh.access.principal import Role
from mesh.access.tokens import Wish
from mesh.access.users import NewUser
from mesh.control.store.contract import Store
from mesh.control.store.memory import MemoryStore
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from mesh.releases.contract import Builder
from tests.cluster.fake_cluster import FakeCluster, World
from tests.faces.cloud.asked import Asked
from tests.faces.cloud.shelf import Shelf

TOKEN = "owner-t0ken"
T = TypeVar("T")


@dataclass
class Rig:
    """`url` is the control URL, `asked` its owner."""

    plane: ControlPlane
    world: World
    url: str
    asked: Asked
    clients: ExitStack = field(default_factory=ExitStack)

    @property
    def access(self) -> Directory:
        """Its users and tokens, to be looked at."""
        _, running = self.plane._started()
        assert running._access is not None
        return running._access

    def wait(self, doing: Coroutine[Any, Any, T]) -> T:
        """Does something on the loop of the control plane."""
        thread, running = self.plane._started()
        thread.wait(running.controller.until_opened())
        thread.wait(self.access.until_opened())
        return thread.wait(doing)

    def member(
        self, name: str, role: Role | str, organization: str = "default", **wish: Any
    ) -> str:
        """Makes a user of that role, who is there from then on, and a token of theirs."""

        async def make() -> str:
            access = self.access
            if access.users.find(name) is None:
                await access.users.make(NewUser(name, f"{name}@example.com"))
            await access.members.add(organization, [name], Role(role), "owner")
            asker = access.principal(name, organization)
            _, text = await access.tokens.make(asker, Wish(**{"name": f"of-{name}", **wish}))
            return text

        return self.wait(make())

    def as_(self, token: str) -> Asked:
        """A client with another token, closed with the rig."""
        made = Asked(self.url, token)
        self.clients.callback(made.close)
        return made


@contextmanager
def rigged(
    store: Callable[[], Store] = MemoryStore,
    world: World | None = None,
    token: str = TOKEN,
    shelf: Shelf | None = None,
    builder: Builder | None = None,
    public_url: str = "http://gateway.test",
    releases: str = "",
) -> Iterator[Rig]:
    """A control plane, while the block lasts.

    With a `shelf` its releases are there; with a `builder` those that are pushed can be deployed.
    """
    made = world or World()
    config = PlaneConfig(
        "127.0.0.1", 0, "127.0.0.1", 0, token=token, public_url=public_url, releases=releases
    )
    maker = builder or shelf
    build = None if maker is None else lambda: maker
    plane = ControlPlane(config, lambda: FakeCluster(made), store, build, shelf)
    url = f"http://{plane.start().http}"
    try:
        with Asked(url, token) as asked:
            found = Rig(plane, made, url, asked)
            with found.clients:
                yield found
    finally:
        plane.stop()
