"""Commands that show how to call a method."""

import ast
import shlex
from typing import Any

import pytest

from mesh.cli.example import curl, python, sample, simplest
from mesh.definition.spec import service_spec
from mesh.io.documents.schema import service_schema
from tests.contract.service import Types

ROUTES: list[dict[str, Any]] = service_schema("Types", "", service_spec(Types).methods.values())[
    "routes"
]
BY_NAME = {route["name"]: route for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route["name"])
def test_every_method_has_commands_that_can_be_read(route: dict[str, Any]) -> None:
    program, url, *_ = shlex.split(curl("http://h:1", route))
    assert (program, url) == ("curl", f"http://h:1{route['route']}")
    *_, code = shlex.split(python("h:1", route))
    ast.parse(code)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("image", "curl http://h:1/image -F x=@image.png"),
        ("files", "curl http://h:1/files -F x=@file.bin"),
        ("document", "curl http://h:1/document -F x.title=text -F x.scan=@file.bin"),
        ("root_text", "curl http://h:1/root_text -H 'content-type: text/plain' -d text"),
        (
            "root_file",
            (
                "curl http://h:1/root_file -H 'content-type: application/octet-stream'"
                " --data-binary @file.bin"
            ),
        ),
        ("whole", "curl http://h:1/whole -H 'content-type: application/json' -d '{\"x\": 1}'"),
    ],
)
def test_curl_sends_what_the_method_takes(name: str, expected: str) -> None:
    assert curl("http://h:1", BY_NAME[name]) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("image", 'Client("grpc://h:1").image(x=open("image.png", "rb"))'),
        ("root_model", 'Client("grpc://h:1").root_model({"a": 1})'),
        ("count", '*Client("grpc://h:1").count(n=1)'),
    ],
)
def test_python_calls_the_method_by_its_name(name: str, expected: str) -> None:
    assert f"print({expected})" in python("h:1", BY_NAME[name])


def test_a_name_that_clients_have_for_themselves_is_called_by_call() -> None:
    route = {"name": "close", "input": {"type": "object"}, "output": {}}
    assert 'Client("grpc://h:1").call("close")' in python("h:1", route)


def test_the_simplest_method_takes_no_files() -> None:
    assert simplest([BY_NAME["image"], BY_NAME["bounded"]])["name"] == "bounded"


def test_an_example_of_the_users_own_is_taken() -> None:
    assert sample(BY_NAME["described"]["input"]) == {"prompt": "hello"}
    assert sample({"type": "string", "examples": ["mine"]}) == "mine"
