"""Numbers of fields stay what they are once clients know them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mesh.errors import ConfigError
from mesh.io.rpc.numbers import Numbers, lock_path, lock_text, read_lock

names = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=12)


@given(st.lists(names, min_size=1, max_size=8))
def test_no_number_ever_means_two_names(history: list[list[str]]) -> None:
    """Whatever is inserted, taken away and brought back, in any order."""
    known: dict[str, Any] = {}
    ever: dict[int, str] = {}
    for fields in history:
        numbers = Numbers(known)
        found = numbers.assign("M", fields)
        assert list(found) == fields
        for name, number in found.items():
            assert ever.setdefault(number, name) == name
        assert not set(numbers.gone("M")) & set(found.values())
        known = json.loads(json.dumps(numbers.plain()))
    last = history[-1]
    again = Numbers(known).assign("M", last)
    assert again == Numbers(known).assign("M", list(reversed(last)))
    assert again == found


def test_without_a_lock_numbers_are_in_order() -> None:
    assert Numbers().assign("M", ["b", "a"]) == {"b": 1, "a": 2}


def test_a_name_that_comes_back_gets_a_new_number() -> None:
    first = Numbers({"M": {"fields": {"a": 1, "b": 2}}})
    assert first.assign("M", ["b"]) == {"b": 2}
    assert first.gone("M") == {1: "a"}
    second = Numbers(first.plain())
    assert second.assign("M", ["new", "a", "b"]) == {"new": 3, "a": 4, "b": 2}
    assert second.gone("M") == {1: "a"}, "which another a may have been"


def test_protobuf_s_own_numbers_are_passed_over() -> None:
    numbers = Numbers({"M": {"fields": {"a": 18_999}}})
    assert numbers.assign("M", ["a", "b"])["b"] == 20_000


def test_what_was_not_asked_for_is_kept() -> None:
    numbers = Numbers({"Old": {"fields": {"a": 4}}})
    numbers.assign("New", ["x"])
    assert numbers.plain() == {"New": {"fields": {"x": 1}}, "Old": {"fields": {"a": 4}}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"M": {}},
        {"M": 3},
        {"M": {"fields": {"a": 0}}},
        {"M": {"fields": {"a": "1"}}},
        {"M": {"fields": {"a": 19_500}}},
        {"M": {"fields": {"a": True}}},
        {"M": {"fields": {"a": 1, "b": 1}}},
        {"M": {"fields": {"a": 1}, "reserved": {"1": "b"}}},
        {"M": {"fields": {"a": 1}, "reserved": {"b": 2}}},
    ],
)
def test_numbers_that_are_none_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="'M'"):
        Numbers(wrong)


def test_a_lock_is_beside_its_module_and_reads_back(tmp_path: Path) -> None:
    path = lock_path(str(tmp_path / "app.py"))
    assert path.name == "app.proto.lock"
    assert read_lock(path) == {}
    services = {"S": {"M": {"fields": {"a": 1}}}}
    path.write_text(lock_text(services))
    assert read_lock(path) == services


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"services": 3}', '{"services": {"S": 3}}'])
def test_a_lock_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "app.proto.lock"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"app\.proto\.lock is no lock"):
        read_lock(path)
