"""What tests of the gateway have in common."""

from collections.abc import Iterator

import pytest

from tests.gateway.asgi_client import REPEATS


@pytest.fixture(params=[True, False], ids=["envoy", "uvicorn"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tests of a module run on servers of either sort; see Exchange."""
    token = REPEATS.set(request.param)
    yield
    REPEATS.reset(token)
