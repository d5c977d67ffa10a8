"""All that the document of the cloud API allows, and some that it forbids, is asked of it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from mesh.access.directory import Directory
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.cloud.app import cloud_api
from mesh.faces.cloud.backing import Backing
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.faces.rest.memory import MemoryVerbs


def document() -> dict[str, Any]:
    """What the API says of itself."""
    kept = MemoryCatalogue()
    access = asyncio.run(Directory.opened(kept, TOKEN))
    return cloud_api(Backing(MemoryVerbs(), kept, kept, access)).openapi()


api = schemathesis.openapi.from_dict(document())


LENIENT = [
    checks.positive_data_acceptance,  # rules that hold between fields are told in replies
    checks.negative_data_rejection,  # clients send `0` for false, and numbers as texts
]
EXAMPLES = 5
"""Of each operation, besides those at the bounds of its schema."""


@pytest.fixture(scope="module")
def plane() -> Iterator[Rig]:
    with rigged() as made:
        yield made


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_what_is_asked_is_answered_as_said(case: schemathesis.Case, plane: Rig) -> None:
    case.call_and_validate(
        base_url=plane.url, headers={TOKEN_HEADER: TOKEN}, excluded_checks=LENIENT
    )
