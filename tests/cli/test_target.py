"""What is called, and where."""

import pytest

from mesh.cli.failure import WrongUsage
from mesh.cli.target import Target, url_over
from mesh.client.description import ServiceDescription
from tests.cli.services import Talk
from tests.client.scripted import schema_of

TALK = ServiceDescription.of_json(schema_of(Talk))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("total", Target("", "", "total")),
        ("talk.total", Target("talk", "", "total")),
        ("talk.Talk.total", Target("talk", "Talk", "total")),
    ],
)
def test_a_target_names_endpoint_service_and_method(text: str, expected: Target) -> None:
    assert Target.of(text) == expected
    assert expected.method_of(TALK).name == "total"


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c.d"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"give method, endpoint\.method"):
        Target.of(text)


def test_another_service_than_the_entry_is_refused_by_name() -> None:
    with pytest.raises(WrongUsage, match="talk serves Talk: calls enter there, not at Other"):
        Target.of("talk.Other.total").method_of(TALK)


def test_who_names_no_method_is_told_those_that_there_are() -> None:
    with pytest.raises(WrongUsage, match="Talk has no method 'sum'") as caught:
        Target.of("sum").method_of(TALK)
    assert caught.value.hint == "methods: double, forever, size, total, waits"


@pytest.mark.parametrize("typed", ["Total", "Totl"])
def test_a_method_that_is_nearly_one_is_suggested(typed: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        Target.of(typed).method_of(TALK)
    assert caught.value.hint.startswith("did you mean total? methods: ")


def test_the_path_of_a_typed_rpc_is_answered_with_what_to_type() -> None:
    with pytest.raises(WrongUsage, match="is the path of a typed rpc") as caught:
        Target.of("iris.v1.IrisService/ClassifyAll")
    assert caught.value.hint.startswith("such as classify_all, or ENDPOINT.classify_all;")


@pytest.mark.parametrize(
    ("url", "is_grpc", "expected"),
    [
        ("http://h:1", None, "http://h:1"),
        ("http://h:1", False, "http://h:1"),
        ("http://h:1/e/a", True, "grpc://h:1/e/a"),
        ("https://h", True, "grpcs://h"),
        ("grpc://h:1", True, "grpc://h:1"),
        ("grpcs://h:1", False, "https://h:1"),
        ("h:1", None, "http://h:1"),
        ("h:1", True, "grpc://h:1"),
        ("ftp://h", True, "ftp://h"),
    ],
)
def test_the_protocol_can_be_another_than_the_urls(
    url: str, is_grpc: bool | None, expected: str
) -> None:
    assert url_over(url, is_grpc=is_grpc) == expected
