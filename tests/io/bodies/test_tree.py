"""Parts by dotted names and the whole that they go into."""

from typing import Any

import pytest

from mesh.errors import InvalidArgument
from mesh.io.bodies.tree import Tree


def tree(parts: dict[str, list[Any]]) -> Tree:
    made = Tree()
    for name, values in parts.items():
        made.at(name.split(".") if name else []).values.extend(values)
    return made


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ({"": [1]}, 1),
        ({"": [1, 2]}, [1, 2]),
        ({"a": [1], "b.c": [2]}, {"a": 1, "b": {"c": 2}}),
        ({"1": ["b"], "0": ["a"]}, ["a", "b"]),
        ({"1": ["b"], "2": ["c"]}, {"1": "b", "2": "c"}),
        ({"": [{"a": 1, "b": 2}], "b": [3]}, {"a": 1, "b": 3}),
        ({"": [["x"]], "1": ["y"]}, ["x", "y"]),
        ({"": [[{"a": 1}]], "0.b": [2]}, [{"a": 1, "b": 2}]),
        ({"": [None], "a": [1]}, {"a": 1}),
        ({"a": [1, 2]}, {"a": [1, 2]}),
    ],
)
def test_parts_and_wholes_are_put_together(parts: dict[str, list[Any]], value: Any) -> None:
    assert tree(parts).value() == value


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"": [5], "a": [1]}, ("x", "a")),
        ({"": [[]], "1": [1]}, ("x", "1")),
        ({"": [[]], "a": [1]}, ("x", "a")),
        ({"": [{"a": 5}], "a.b": [1]}, ("x", "a", "b")),
    ],
)
def test_a_part_without_a_place_is_named(
    parts: dict[str, list[Any]], path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidArgument) as failed:
        tree(parts).value("x")
    assert [each.path for each in failed.value.violations] == [path]
