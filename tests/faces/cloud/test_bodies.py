"""How much a request of the cloud API may hold."""

from collections.abc import Iterator

import pytest

from mesh.faces.cloud.bodies import MOST, MOST_OF_ANYONE, MOST_OF_FILES, most
from tests.faces.cloud.rig import Rig

REPOSITORIES = "/api/v1/bento_repositories"


def pieces(size: int) -> Iterator[bytes]:
    """A body whose length is not said before."""
    yield b'{"name":"'
    for _ in range(0, size, 2**16):
        yield b"a" * 2**16
    yield b'"}'


@pytest.mark.parametrize("is_said", [True, False])
def test_what_is_too_large_is_refused_as_soon_as_it_is_known(rig: Rig, is_said: bool) -> None:
    content = b"".join(pieces(MOST)) if is_said else pieces(MOST)
    reply = rig.asked.post(REPOSITORIES, content=content)
    assert reply.status_code == 413
    assert reply.json() == {"error": "a request here holds at most 32 MiB"}
    assert rig.asked.get(REPOSITORIES).json()["total"] == 0


def test_archives_are_counted_where_they_are_taken(rig: Rig) -> None:
    version = f"{REPOSITORIES}/tiny/bentos/v1"
    assert most(f"{version}/upload") is most("/uploads/bento/x") is None
    assert most(f"{version}/start_upload") == MOST
    assert most("/api/v2/deployments/d/files") == MOST_OF_FILES
    assert most("/api/v1/auth/login") == MOST_OF_ANYONE
    assert rig.asked.put(f"{version}/upload", content=pieces(MOST)).status_code == 404
