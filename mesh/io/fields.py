"""What a form has to know about an input before it can read it."""

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from mesh.io.types.kind import Kind

_LISTS = (list, tuple, set, frozenset, Sequence)


@dataclass(frozen=True, slots=True)
class InputField:
    """One input by the name that callers use; `Optional` around it is seen through.

    `kind` is its kind, or with `is_list` that of the items of its list; None if it has none.
    `is_text` says that it is, or its items are, a str; `is_optional` that it may be None;
    `may_be_file` that a file may stand for it, be it as one of a union; `is_lenient` that of
    several texts for one value the last counts, and that a file with no JSON in it is a text.
    """

    name: str
    kind: Kind | None
    is_list: bool
    is_text: bool
    is_optional: bool = False
    may_be_file: bool = False
    is_lenient: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it is, or its items are, nothing but a file, an image or bytes."""
        return self.kind is not None and _is_file(self.kind)


def input_field(name: str, annotation: Any) -> InputField:
    """Describes an input of this annotation, in which kinds stand as `for_input` puts them."""
    found = _bare(annotation)
    is_list = (get_origin(found) or found) in _LISTS
    if is_list:
        found = _bare(next(iter(get_args(found)), Any))
    kind = _kind(found)
    while get_origin(found) is Annotated:
        found = get_args(found)[0]
    is_text = isinstance(found, type) and issubclass(found, str) and kind is None
    is_optional = _is_optional(annotation)
    may_be_file = any(map(_is_file, _kinds(annotation)))
    return InputField(name, kind, is_list, is_text, is_optional, may_be_file)


def _is_optional(annotation: Any) -> bool:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return is_union and type(None) in get_args(annotation)


def _is_file(kind: Kind) -> bool:
    schema = kind.json_schema()
    return schema.get("type") == "file" or schema.get("format") == "binary"


def _kinds(annotation: Any) -> Iterator[Kind]:
    """The kinds in the annotation, those of arms and items included."""
    kind = _kind(annotation)
    if kind is not None:
        yield kind
    for each in get_args(annotation):
        if not isinstance(each, str | bytes | int):  # as in Literal
            yield from _kinds(each)


def _kind(annotation: Any) -> Kind | None:
    while get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        kinds = [each for each in metadata if isinstance(each, Kind)]
        if kinds:
            return kinds[0]
        annotation = inner
    return None


def _bare(annotation: Any) -> Any:
    """The annotation without `Optional`, and without `Annotated` that names no kind."""
    while True:
        arms = get_args(annotation)
        if get_origin(annotation) is Annotated and _kind(annotation) is None:
            annotation = arms[0]
        elif get_origin(annotation) in (Union, types.UnionType) and len(arms) == 2:
            rest = [arm for arm in arms if arm is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation
