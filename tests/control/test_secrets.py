"""What a secret may be."""

import pytest

from mesh.control.records import DeploymentRecord
from mesh.control.secrets import BYTES, HOME, ITEMS, Item, check_unused, content, names_in
from mesh.errors import ConfigError, FailedPrecondition


def test_values_are_in_no_document_and_no_repr() -> None:
    made = content("env", [Item("KEY", "s3cret")], "runtime", "")
    assert made.values() == {"KEY": "s3cret"}
    assert "s3cret" not in repr(made)
    assert "s3cret" not in str(made.document())


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("", HOME),
        ("$BENTOML_HOME", HOME),
        ("${BENTOML_HOME}/a//b/", f"{HOME}/a/b"),
        ("certs/./x", f"{HOME}/certs/x"),
    ],
)
def test_files_are_below_the_folder_of_replicas(path: str, folder: str) -> None:
    assert content("mountfile", [Item("a.pem", "x")], "all", path).path == folder


@pytest.mark.parametrize(
    "path", ["/etc", "~/x", "a/../b", "..", f"{HOME}/../x", "$HOME/..", f"{HOME}//../x", "a\0b"]
)
def test_files_are_nowhere_else(path: str) -> None:
    with pytest.raises(ConfigError, match=r"content\.path"):
        content("mountfile", [Item("a.pem", "x")], "all", path)
    with pytest.raises(ConfigError, match="sub_path"):
        content("mountfile", [Item("a.pem", "x", path)], "all", "")


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A=B", "A\n", "Ä", "A" * 256])
def test_keys_of_variables_are_names_that_shells_take(key: str) -> None:
    with pytest.raises(ConfigError, match="environment variable"):
        content("env", [Item(key, "s3cret")], "runtime", "")


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a\0b", "a" * 256])
def test_keys_of_files_are_names_of_files(key: str) -> None:
    with pytest.raises(ConfigError, match="name of a file"):
        content("mountfile", [Item(key, "s3cret")], "runtime", "")


def test_no_key_is_there_twice_and_neither_too_many_nor_too_large_ones() -> None:
    with pytest.raises(ConfigError, match="'A' is there more than once"):
        content("env", [Item("A", "1"), Item("A", "2")], "runtime", "")
    with pytest.raises(ConfigError, match="at least one"):
        content("env", [], "runtime", "")
    with pytest.raises(ConfigError, match=f"more than {ITEMS}"):
        content("env", [Item(f"A{i}", "") for i in range(ITEMS + 1)], "runtime", "")
    with pytest.raises(ConfigError, match=f"more than {BYTES}"):
        content("env", [Item("A", "x" * BYTES)], "runtime", "")
    with pytest.raises(ConfigError, match="the value of A has a NUL"):
        content("env", [Item("A", "s3cret\0")], "runtime", "")


def test_what_a_deployment_names_is_that_of_its_canaries_too() -> None:
    config = {"secrets": ["a"], "canary": {"versions": {"v2": {"secrets": ["b"]}}}}
    assert names_in(config) == {"a", "b"}
    assert names_in({}) == frozenset()


def test_a_secret_in_use_stays_and_its_users_are_named() -> None:
    check_unused("s", [])
    with pytest.raises(FailedPrecondition, match="'s' is used by d1, d2: terminate"):
        check_unused("s", [DeploymentRecord(name, "u", 0, 0, 1) for name in ("d2", "d1")])
