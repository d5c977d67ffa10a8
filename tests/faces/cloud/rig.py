"""A whole control plane over nodes in memory, with its cloud API on a real socket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mesh.control.store.contract import Store
from mesh.control.store.memory import MemoryStore
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from tests.cluster.fake_cluster import FakeCluster, World
from tests.faces.cloud.asked import Asked

TOKEN = "owner-t0ken"


@dataclass
class Rig:
    """`url` is the control URL, `asked` its owner."""

    plane: ControlPlane
    world: World
    url: str
    asked: Asked

    def as_(self, token: str) -> Asked:
        """A client with another token."""
        return Asked(self.url, token)


@contextmanager
def rigged(
    store: Callable[[], Store] = MemoryStore, world: World | None = None, token: str = TOKEN
) -> Iterator[Rig]:
    """A control plane, while the block lasts."""
    made = world or World()
    config = PlaneConfig("127.0.0.1", 0, "127.0.0.1", 0, token=token)
    plane = ControlPlane(config, lambda: FakeCluster(made), store)
    url = f"http://{plane.start().http}"
    try:
        with Asked(url, token) as asked:
            yield Rig(plane, made, url, asked)
    finally:
        plane.stop()
