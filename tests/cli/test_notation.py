"""Schemas in a notation like Python's."""

import pytest

from mesh.cli.notation import kind, signature, type_text
from mesh.client.description import ServiceDescription
from tests.cli.services import Talk, Unions
from tests.client.scripted import schema_of
from tests.contract.service import Types

TYPES = ServiceDescription.of_json(schema_of(Types))
TALK = ServiceDescription.of_json(schema_of(Talk))
UNIONS = ServiceDescription.of_json(schema_of(Unions))


@pytest.mark.parametrize(
    "expected",
    [
        "text(x: str) -> str",
        "binary(x: bytes) -> bytes",
        "nothing() -> None",
        "plain_list(x: list) -> list",
        "scores(x: dict[str, int]) -> dict[str, int]",
        "pair(x: tuple[int, str]) -> tuple[int, str]",
        "unique(x: set[int]) -> list[int]",
        "choice(x: 'a' | 'b' | 3) -> str",
        "maybe(x: int | None = None) -> str",
        "anything(x: Any) -> Any",
        "times(at: datetime, on: date, hour: time, took: timedelta) -> list[str]",
        "link(x: URL) -> str",
        "model(x: Sub{a: int, b: str = 'x'}) -> Sub{a: int, b: str = 'x'}",
        "described(prompt: str, temperature: float = 0.5 [>= 0, <= 2]) -> str",
        (
            "bounded(prompt: str [5 characters or fewer], temperature: float [>= 0, < 2],"
            " tokens: int [> 0, multiple of 100]) -> int"
        ),
        "matrix(x: ndarray[float32, (2, 3)]) -> ndarray[float32, (2, 3)]",
        "words(x: ndarray[str]) -> ndarray",
        "tensor(x: torch.Tensor[float32, (1, 4)]) -> torch.Tensor[float32]",
        "petals(x: DataFrame[length, width]) -> DataFrame",
        "series(x: Series) -> Series",
        "image(x: Image, scale: int = 1) -> Image",
        "audio(x: File[audio/mp3]) -> int",
        "mixed() -> dict[str, File | int]",
        "root_default(x: int = 7, /) -> int",
        "count(n: int) -> stream[int]",
    ],
)
def test_a_method_is_written_as_python_would_declare_it(expected: str) -> None:
    assert signature(TYPES.methods[expected.partition("(")[0]]) == expected


@pytest.mark.parametrize(
    "expected",
    [
        "number_or_text(v: int | str) -> str",
        "optional(v: int | str | None = None) -> str",
        "one_or_many(v: str | list[str]) -> int",
        "file_or_text(v: File | str) -> str",
        (
            "part_or_number(v: int | Part{name: str, note: str | None = None,"
            " size: int | list[int] = 1}) -> str"
        ),
        "word_or_array(v: 'all' | ndarray) -> str",
    ],
)
def test_a_union_is_written_with_all_that_it_takes(expected: str) -> None:
    assert signature(UNIONS.methods[expected.partition("(")[0]]) == expected


def test_a_model_that_contains_itself_is_written_once() -> None:
    said = "Node{value: int, children: list[Node] = []}"
    assert signature(TYPES.methods["tree"]).startswith(f"tree(x: {said}) ->")


def test_every_method_of_the_contract_has_a_notation() -> None:
    for method in (*TYPES.methods.values(), *TALK.methods.values()):
        assert signature(method).startswith(f"{method.name}(")


def test_what_a_schema_does_not_say_is_anything() -> None:
    assert type_text({"$ref": "#/$defs/Missing"}, {}) == "Any"
    assert type_text({"type": "unheard-of"}, {}) == "Any"


def test_long_defaults_are_left_out() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": "x" * 99}}}
    assert type_text(schema, {}) == "object{a: str = ...}"


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("waits", "unary"),
        ("forever", "server stream"),
        ("total", "client stream"),
        ("double", "bidirectional stream"),
    ],
)
def test_the_kind_says_which_side_streams(method: str, expected: str) -> None:
    assert kind(TALK.methods[method]) == expected
