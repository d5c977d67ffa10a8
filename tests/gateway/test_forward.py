"""What of a request's head goes on to services."""

import pytest

from gateway.forward import Request


def cookies(*fields: bytes) -> list[str | bytes]:
    scope = {
        "path": "/greet",
        "query_string": b"",
        "method": "POST",
        "headers": [(b"cookie", field) for field in fields],
    }
    return [value for name, value in Request.of(scope).metadata if name == "cookie"]


@pytest.mark.parametrize(
    ("field", "left"),
    [
        (b"mesh_session=secret", []),
        (b"a=1; mesh_session=secret; b=2", ["a=1; b=2"]),
        (b"a=1;mesh_session=secret", ["a=1"]),
        (b"mesh_session=one; mesh_session=two; b=2", ["b=2"]),
        (b"a=1; b=2", ["a=1; b=2"]),
        (b"not_mesh_session=1; my=mesh_session=2", ["not_mesh_session=1; my=mesh_session=2"]),
    ],
)
def test_who_is_logged_in_at_the_control_plane_is_none_of_a_service(
    field: bytes, left: list[str]
) -> None:
    assert cookies(field) == left
    assert cookies(b"c=3", field) == ["c=3", *left]
