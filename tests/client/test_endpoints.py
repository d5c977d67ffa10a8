"""The list of endpoints, as clients read it."""

import json

import pytest

from mesh.client.endpoints import EndpointListing, VersionListing, listing, of_json
from mesh.client.options import Options
from mesh.errors import Internal, NotFound, Unavailable
from tests.client.scripted import answer, scripted

DOCUMENT = {
    "endpoints": [
        {
            "name": "shop",
            "is_default": True,
            "deployments": [
                {
                    "name": "a",
                    "weight": 3,
                    "versions": [
                        {"name": "main", "entry": "Shop", "weight": 80, "replicas": 2},
                        {"name": "v2", "entry": "Shop", "weight": 20, "replicas": 1},
                    ],
                },
                {"name": "b", "weight": 1, "versions": []},
                {
                    "name": "c",
                    "weight": 0,
                    "versions": [{"name": "main", "entry": "New", "weight": 0, "replicas": 0}],
                },
            ],
        },
        {"name": "bare", "is_default": False, "deployments": []},
    ]
}


def test_each_version_has_its_share_of_the_endpoints_traffic() -> None:
    shop, bare = of_json(json.dumps(DOCUMENT).encode())
    assert bare == EndpointListing("bare", False, ())
    assert shop.is_default
    assert shop.versions == (
        VersionListing("a", "main", "Shop", pytest.approx(0.6), 2),
        VersionListing("a", "v2", "Shop", pytest.approx(0.15), 1),
        VersionListing("c", "main", "New", 0.0, 0),
    )


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"endpoints": [{}]}', b"\xff"])
def test_what_is_no_list_is_told(document: bytes) -> None:
    with pytest.raises(Internal, match="list of endpoints cannot be read"):
        of_json(document)


def test_a_gateway_is_asked_with_the_headers_given() -> None:
    with scripted(answer(json.dumps(DOCUMENT).encode())) as server:
        found = listing(f"{server.url}/", Options(headers={"x-user": "ada"}))
    assert [each.name for each in found] == ["shop", "bare"]
    assert (server.seen[0].path, server.seen[0].headers["x-user"]) == ("/endpoints.json", "ada")


def test_failures_are_errors_of_the_mesh() -> None:
    with (
        scripted(answer(b'{"error": "Not Found"}', "404 Not Found")) as server,
        pytest.raises(NotFound),
    ):
        listing(server.url, Options())
    with pytest.raises(Unavailable):
        listing("http://127.0.0.1:1", Options())
