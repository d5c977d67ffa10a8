"""What a form says about each input: its text and file parts, made into the inputs' values."""

from collections.abc import Mapping
from typing import Any

from mesh.call import JSON
from mesh.errors import TooLarge
from mesh.io.bodies.faults import json_of, json_or_text, text_of, too_large
from mesh.io.bodies.limits import Limits
from mesh.io.bodies.spool import Spool
from mesh.io.bodies.tree import Tree
from mesh.io.bodies.wire_form import decoded, reads
from mesh.io.fields import InputField
from mesh.io.media import essence


class FormFields:
    """The parts of one form, by name.

    `fields` are the inputs that have a name; parts of other names are left out. A name is that of
    an input, or it begins with one and leads into it by dots: `doc.image`, `docs.0.image`.
    """

    def __init__(self, fields: Mapping[str, InputField], limits: Limits) -> None:
        self._fields = fields
        self._limits = limits
        self._trees: dict[str, Tree] = {}
        self._text = 0
        self._documents = 0

    def __repr__(self) -> str:
        return f"<FormFields {list(self._trees)}>"

    def field(self, name: str) -> InputField | None:
        """The input that a part of this name is for, or for a part of; None if there is none.

        Raises TooLarge for a name of more steps than any value has.
        """
        found = self._fields.get(name)
        if found is None and "." in name:
            found = self._fields.get(name.partition(".")[0])
            if name.count(".") >= self._limits.steps:
                raise too_large(name[:80], f"a name has at most {self._limits.steps} steps")
        return found

    def wants_file(self, name: str) -> bool:
        """Whether a file of this name would be of use; a file for one value is only once."""
        field = self.field(name)
        if field is None:
            return False
        if field.name != name or field.is_list or not field.is_file:
            return True
        tree = self._trees.get(name)
        return tree is None or not tree.values

    def count_text(self, size: int) -> None:
        """Counts text before it is kept. Raises TooLarge when the form has too much of it."""
        self._text += size
        if self._text > self._limits.texts:
            raise TooLarge(f"the fields of the form have more than {self._limits.texts} bytes")

    def add_text(self, name: str, data: bytes) -> None:
        """Takes a part that is no file. Raises InvalidArgument if it is no UTF-8."""
        field = self.field(name)
        if field is None:
            return
        text = text_of(data, *_path(name, field))
        if field.name != name:
            self._tree(name, field).values.append(json_or_text(text, *_path(name, field)))
            return
        self._tree(name, field).values.append(_from_text(text, field))

    def add_file(self, name: str, spool: Spool, media_type: str, filename: str) -> None:
        """Takes a part that is a file.

        Raises InvalidArgument or TooLarge if the input takes a document, and this isn't one.
        """
        field = self.field(name)
        if field is None:
            return
        path = _path(name, field)
        bare = essence(media_type)
        if field.name != name or field.is_file or (field.may_be_file and bare != JSON):
            value: Any = spool.file(media_type, filename)
        elif reads(field, bare):
            value = decoded(spool.read(), bare, *path)
        else:
            self._count_document(name, spool.size)
            value = _document(spool.read(), field, path)
        self._tree(name, field).values.append(value)

    def _count_document(self, name: str, size: int) -> None:
        self._documents += size
        if self._documents > self._limits.documents:
            most = self._limits.documents
            raise too_large(name, f"files that are read as text or JSON have at most {most} bytes")

    def _tree(self, name: str, field: InputField) -> Tree:
        tree = self._trees.setdefault(field.name, Tree())
        return tree if field.name == name else tree.at(name.split(".")[1:])

    def values(self) -> dict[str, Any]:
        """The value of each input that the form names."""
        return {name: self._value(self._fields[name], tree) for name, tree in self._trees.items()}

    def _value(self, field: InputField, tree: Tree) -> Any:
        values = tree.values
        if not values:
            return tree.value(field.name)
        if len(values) == 1 and values[0] is None:
            whole: Any = None
        elif field.is_list:
            whole = values[0] if len(values) == 1 and isinstance(values[0], list) else values
            whole = list(whole)
        elif len(values) == 1 or field.is_file:
            whole = values[0]
        elif field.is_lenient:
            whole = values[-1]
        else:
            whole = list(values)
        return tree.joined(whole, field.name) if tree.has_parts else whole


def _document(content: bytes, field: InputField, path: tuple[str, ...]) -> Any:
    """What a file says that stands for an input which is none."""
    if field.is_text:
        return text_of(content, *path)
    if field.is_lenient:
        return json_or_text(text_of(content, *path), *path)
    return json_of(content, *path)


def _path(name: str, field: InputField) -> tuple[str, ...]:
    return (name,) if field.name == name else tuple(name.split("."))


def _from_text(text: str, field: InputField) -> Any:
    """The value of a whole text part, as far as the input's type decides."""
    if field.is_text:
        return _text_or_quoted(text, field)
    if field.kind is not None and field.is_file:
        if not text.strip() and field.kind.json_schema().get("type") == "file":
            return None
        return _text_or_quoted(text.strip(), field)
    return json_or_text(text, field.name)


def _text_or_quoted(text: str, field: InputField) -> Any:
    """The text; what is in the quotes if it is a JSON string; null and lists for those who may."""
    bare = text.strip()
    if bare == "null" and field.is_optional:
        return None
    if bare.startswith('"') or (field.is_list and bare.startswith("[")):
        value = json_or_text(bare, field.name)
        return value if isinstance(value, str | list) and value != bare else text
    return text
