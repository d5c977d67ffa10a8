"""What the tests of the cloud API share."""

from collections.abc import Iterator

import pytest

from tests.faces.cloud.rig import Rig, rigged


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A control plane of its own."""
    with rigged() as made:
        yield made
