"""What all tests share: one Ray, started when a test first asks for it."""

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

from mesh.cluster.start import Session, start_local

# How long an example takes says more of the machine than of the code.
settings.register_profile("mesh", deadline=None)
settings.load_profile("mesh")
# So does whether a server answers in five seconds, httpx's own patience.
for _part in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, _part, 60.0)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector is not to look at it again.

    In a run of all tests that is so much that each full collection takes half a second.
    """
    gc.collect()
    gc.freeze()


END_TO_END = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Marks the tests that start a Ray, which has its processes and its own idea of the CPUs."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "ray_session" in fixtures or item.path.is_relative_to(END_TO_END):
            item.add_marker(pytest.mark.ray)


@pytest.fixture(scope="session")
def ray_session() -> Iterator[Session]:
    """A Ray of our own with 4 logical CPUs and 2 logical GPUs, for the whole run."""
    with start_local(num_cpus=4, num_gpus=2) as session:
        yield session
