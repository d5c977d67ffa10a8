"""What of their secrets replicas get."""

import asyncio
from typing import Any

import pytest

from mesh.control.injected import injected, secrets_of
from mesh.control.store.catalogue import Entry, Kind
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import FailedPrecondition, NotFound


def entry(name: str, values: dict[str, str], **document: Any) -> Entry:
    items = document.pop("items", [{"key": key, "sub_path": None} for key in values])
    whole = {"type": "env", "stage": "runtime", "path": None, "items": items, **document}
    return Entry(Kind.SECRET, name, name, 0.0, 0.0, document=whole, secret=values)


def files(path: str | None, key: str = "ca.pem", sub_path: str | None = None) -> list[str]:
    one = entry(
        "certs",
        {key: "text"},
        type="mountfile",
        path=path,
        items=[{"key": key, "sub_path": sub_path}],
    )
    found = secrets_of([one]).files
    assert list(found.values()) == [b"text"]
    return list(found)


def refusal(*entries: Entry) -> str:
    with pytest.raises(FailedPrecondition) as caught:
        secrets_of(entries)
    return caught.value.message


def test_variables_and_files_of_all_secrets_come_together() -> None:
    found = secrets_of(
        [
            entry("db", {"USER": "ada", "PASSWORD": "s3same"}),
            entry("certs", {"ca.pem": "text"}, type="mountfile", path="$BENTOML_HOME"),
        ]
    )
    assert found.envs == {"USER": "ada", "PASSWORD": "s3same"}
    assert found.files == {"ca.pem": b"text"}
    assert "s3same" not in repr(found)


@pytest.mark.parametrize(
    ("stage", "is_there"), [("runtime", 1), ("all", 1), (None, 1), ("build", 0)]
)
def test_a_secret_is_there_in_its_stage(stage: str | None, is_there: int) -> None:
    assert len(secrets_of([entry("db", {"USER": "ada"}, stage=stage)]).envs) == is_there


@pytest.mark.parametrize("path", [None, "", "$BENTOML_HOME", "$BENTOML_HOME/", "${BENTOML_HOME}"])
def test_files_are_in_the_home_where_nobody_says(path: str | None) -> None:
    assert files(path) == ["ca.pem"]


def test_files_are_below_the_home_where_the_secret_says() -> None:
    assert files("$BENTOML_HOME/etc/certs") == ["etc/certs/ca.pem"]
    assert files("etc", sub_path="certs") == ["etc/certs/ca.pem"]
    assert files("$BENTOML_HOME//etc/", sub_path="./a/b") == ["etc/a/b/ca.pem"]


@pytest.mark.parametrize(
    ("path", "key", "sub_path"),
    [
        ("/etc", "ca.pem", None),
        ("$HOME", "ca.pem", None),
        ("$BENTOML_HOMES", "ca.pem", None),
        ("$BENTOML_HOME/../x", "ca.pem", None),
        ("x", "ca.pem", "../../y"),
        ("x", "ca.pem", "/y"),
        ("x", "../ca.pem", None),
        ("x", "..", None),
        ("x", "", None),
        ("x", "a/b", None),
        ("models", "ca.pem", None),
        ("$BENTOML_HOME/models/tiny", "ca.pem", None),
    ],
)
def test_a_file_elsewhere_is_refused(path: str, key: str, sub_path: str | None) -> None:
    items = [{"key": key, "sub_path": sub_path}]
    told = refusal(entry("certs", {key: "s3same"}, type="mountfile", path=path, items=items))
    assert told.startswith("secret 'certs'")
    assert "s3same" not in told


def test_two_secrets_about_one_thing_are_refused() -> None:
    told = refusal(entry("a", {"KEY": "s3same"}), entry("b", {"KEY": "s3same"}))
    assert told == "the secrets 'a' and 'b' both set the variable KEY"
    one = entry("a", {"x": "1"}, type="mountfile")
    other = entry("b", {"x": "2"}, type="mountfile", path="$BENTOML_HOME")
    assert refusal(one, other) == "the secrets 'a' and 'b' both set the file x"
    within = entry("b", {"y": "2"}, type="mountfile", path="x")
    assert refusal(one, within) == "the secrets 'a' and 'b' both set the file x"
    same = [{"key": "x"}, {"key": "x"}]
    told = refusal(entry("a", {"x": "1"}, items=same))
    assert told == "two items of secret 'a' set the variable x"


@pytest.mark.parametrize("key", ["", "A=B", "A\0"])
def test_a_name_that_no_variable_can_have_is_refused(key: str) -> None:
    assert "is no name of a variable" in refusal(entry("a", {key: "x"}))


def test_a_value_that_no_variable_can_have_is_refused() -> None:
    assert refusal(entry("a", {"KEY": "s3\0same"})) == (
        "secret 'a': a variable cannot hold what KEY is"
    )


def test_a_key_without_value_is_refused() -> None:
    assert refusal(entry("a", {}, items=[{"key": "KEY"}])) == "secret 'a' has no value for 'KEY'"


def test_secrets_that_are_not_there_are_all_named() -> None:
    async def main() -> None:
        with pytest.raises(NotFound, match="there is no secret 'a', 'b'"):
            await injected(MemoryCatalogue(), ("b", "a"))

    asyncio.run(main())
