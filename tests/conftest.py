"""What all tests share: one Ray, started when a test first asks for it."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from mesh.cluster.start import Session, start_local

# How long an example takes says more of the machine than of the code.
settings.register_profile("mesh", deadline=None)
settings.load_profile("mesh")


@pytest.fixture(scope="session")
def ray_session() -> Iterator[Session]:
    """A Ray of our own with 4 logical CPUs and 2 logical GPUs, for the whole run."""
    with start_local(num_cpus=4, num_gpus=2) as session:
        yield session
