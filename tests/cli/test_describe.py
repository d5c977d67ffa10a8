"""`mesh describe`: what is where, as a table and as JSON."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from mesh.cli.describe import Found, heading, versions
from mesh.cli.main import app
from mesh.client.endpoints import EndpointListing, VersionListing
from tests.client.scripted import answer, scripted

MISSING = answer(b'{"error": "Not Found"}', "404 Not Found")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["describe", *arguments])


def version(deployment: str, name: str, share: float, replicas: int) -> VersionListing:
    return VersionListing(deployment, name, "Shop", share, replicas)


def test_a_server_without_a_list_is_described_by_its_own_schema() -> None:
    with scripted(MISSING) as server:
        result = run(server.url)
    assert result.exit_code == 0, result.output
    assert "Shop  What the scripted server says that it is." in result.output
    assert "page: File, /" in result.output


def test_a_url_may_come_without_its_scheme() -> None:
    with scripted(MISSING) as server:
        result = run(server.url.removeprefix("http://"), "--json")
    (only,) = json.loads(result.output)["services"]
    assert only["name"] == "Shop"
    assert only["methods"][0]["signature"] == "buy(n: int = 1) -> int"


def test_code_is_described_with_all_services_of_its_graph() -> None:
    result = run("tests.e2e.services:Shop", "--json")
    entry, other = json.loads(result.output)["services"]
    assert (entry["name"], other["name"]) == ("Shop", "Prices")


def test_where_nobody_answers_there_is_an_error_of_one_line() -> None:
    result = run("http://127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stdout == ""


def test_versions_are_told_with_their_share_and_replicas() -> None:
    one = EndpointListing("shop", True, (version("a", "main", 0.8, 2), version("a", "v2", 0.2, 1)))
    assert list(versions(one)) == ["main 80%, 2 replicas", "v2 20%, 1 replica"]
    two = EndpointListing(
        "shop", True, (version("a", "main", 0.5, 1), version("b", "main", 0.5, 0))
    )
    assert list(versions(two)) == ["a/main 50%, 1 replica", "b/main 50%, 0 replicas"]


@pytest.mark.parametrize("is_default", [True, False])
def test_an_endpoint_that_cannot_be_asked_says_why(is_default: bool) -> None:
    endpoint = EndpointListing("shop", is_default, ())
    said = heading(Found(None, endpoint, "version 'main' has no replica")).plain
    default = " (default)" if is_default else ""
    assert said == f"\nshop{default}  version 'main' has no replica\nno versions"
