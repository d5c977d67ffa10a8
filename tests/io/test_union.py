"""Unions with arrays and files in them: arguments from left to right, results by what they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typing_extensions

import mesh
from mesh.call import CALL, JSON
from mesh.errors import DefinitionError
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.file import File
from mesh.io.types.kind import WIRE

Nested = typing_extensions.TypeAliasType("Nested", "list[Nested] | np.ndarray")  # type: ignore[misc]  # recursive


class Box(mesh.IODescriptor):
    data: np.ndarray


class Owner:
    pass


def spec_of(annotation: Any) -> MethodSpec:
    def f(self, x): ...

    f.__annotations__ = {"x": annotation, "return": annotation}
    return method_spec(Owner, f, name="f", route="/f")


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (bytes | str, "a", b"a"),
        (str | bytes, "a", "a"),
        (int | np.ndarray, 3, 3),
        (int | np.ndarray, [3], [3]),
        (Box | int, 3, 3),
        (Path | int | None, None, None),
        (Path | int | None, 3, 3),
        (dict[str, int] | Box, {"data": 3}, {"data": 3}),
    ],
)
def test_an_argument_is_the_first_arm_that_it_fits(annotation, given, expected):
    body = json.dumps({"x": given}).encode()
    value = spec_of(annotation).decode_arguments(JSON, body)[0].kwargs["x"]
    assert value.tolist() == expected if isinstance(value, np.ndarray) else value == expected


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Path | str, "hello"),
        (str | Path, "hello"),
        (bytes | str | int, b"\xff"),
        (bytes | str | int, "a"),
        (bytes | str | int, 3),
        (np.ndarray | str, "a"),
        (Box | Path | int, 3),
        (Path | None, None),
    ],
)
def test_a_result_is_the_arm_that_it_is_of(annotation, value):
    adapter = spec_of(annotation).result.adapter
    assert adapter.dump_python(adapter.validate_python(value)) == value


def test_a_text_that_names_a_file_is_a_text(tmp_path):
    path = tmp_path / "secret"
    path.write_text("s")
    adapter = spec_of(Path | str).result.adapter
    assert adapter.dump_python(adapter.validate_python(str(path))) == str(path)
    file = adapter.dump_python(adapter.validate_python(path), context=WIRE)
    assert isinstance(file, File)
    assert file.path == path


def test_arrays_and_models_in_a_union_are_written_as_what_they_are():
    spec = spec_of(Box | dict[str, np.ndarray] | np.ndarray)
    for value, text in (
        (Box(data=np.array([1])), b'{"data":[1]}'),
        ({"a": np.array([1])}, b'{"a":[1]}'),
        (np.array([1]), b"[1]"),
        ([1], b"[1]"),
    ):
        assert spec.reply_encoder(JSON).encode(value) == text
        assert spec.decode_reply(spec.reply_encoder(CALL).encode(value)) is not None


def test_an_alias_that_contains_itself_and_an_array_is_refused_by_name():
    with pytest.raises(DefinitionError, match=r"Owner.f: parameter 'x'"):
        spec_of(Nested)
