"""Results as people read them: JSON in few lines, arrays in numbers, frames as tables."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.highlighter import JSONHighlighter
from rich.table import Table
from rich.text import Text

from mesh.cli.kept import KeptFile
from mesh.cli.text import clean
from mesh.io.types.bfloat16 import Bfloat16

ROWS, COLUMNS = 10, 12
"""The most of a frame that is shown."""
_FEW = 100
"""Elements of an array that are all shown."""
_COLOURED = 100_000
"""Characters of JSON that are coloured; more takes longer than it is worth."""


def shown(value: Any, width: int) -> RenderableType:
    """A result, or an item of a stream, for a terminal of `width` columns.

    `value` is what clients give, with a KeptFile for each file.
    """
    if isinstance(value, str):
        return Text(clean(value))
    if isinstance(value, list) and value and all(map(_is_large, value)):
        return Group(*(_large(each, width) for each in value))
    if _is_large(value):
        return _large(value, width)
    text = Text("\n".join(_lines(value, width)))
    if len(text) <= _COLOURED:
        JSONHighlighter().highlight(text)
    return text


def _is_large(value: Any) -> bool:
    return isinstance(value, KeptFile | np.ndarray) or bool(_pandas(value))


def _pandas(value: Any) -> str:
    """The name of a class of pandas'; empty for values of any other."""
    cls = type(value)
    return cls.__name__ if cls.__module__.partition(".")[0] == "pandas" else ""


def _large(value: Any, width: int) -> RenderableType:
    if isinstance(value, KeptFile):
        return kept_text(value)
    if isinstance(value, np.ndarray):
        return Text(f"{summary(value)}\n{_corners(value, width)}")
    if _pandas(value) == "Series":
        value = value.to_frame(value.name if value.name is not None else "")
    return _table(value)


def kept_text(file: KeptFile) -> Text:
    """Where a file is, and how large."""
    return Text.assemble((clean(str(file.path)), "bold green"), "  ", (decimal(file.size), "dim"))


def summary(array: Any) -> str:
    """Element type, shape and, of numbers, the smallest, largest and mean: those that are finite.

    Of booleans how many are true.
    """
    name = "bfloat16" if isinstance(array, Bfloat16) else array.dtype.name
    array = np.asarray(array)
    said = [name if array.dtype.kind != "U" else "str", str(array.shape)]
    if array.dtype.kind == "b" and array.size:
        said.append(f"{np.count_nonzero(array)} of {array.size} true")
    elif array.dtype.kind in "iuf" and array.size:
        said += _range(array)
    return "  ".join(said)


def _range(array: Any) -> Iterator[str]:
    finite = array[np.isfinite(array)]
    if finite.size:
        mean = finite.mean(dtype=np.float64)
        yield f"min {finite.min():g}  max {finite.max():g}  mean {mean:g}"
    if finite.size < array.size:
        yield f"{array.size - finite.size} not finite"


def _corners(array: Any, width: int) -> str:
    edge = 3 if array.ndim <= 2 else 1
    return np.array2string(np.asarray(array), max_line_width=width, threshold=_FEW, edgeitems=edge)


def _table(frame: Any) -> RenderableType:
    rows, columns = frame.shape
    table = Table()
    some = frame.iloc[:ROWS, :COLUMNS]
    for name in some.columns:
        table.add_column(clean(str(name)), overflow="ellipsis", no_wrap=True)
    if columns > COLUMNS:
        table.add_column("…")
    for row in some.itertuples(index=False, name=None):
        cells = [Text(_cell(each)) for each in row]
        table.add_row(*cells, *(["…"] if columns > COLUMNS else []))
    if rows > ROWS:
        table.add_row(*["…"] * len(table.columns))
    return Group(table, Text(f"{_counted(rows, 'row')}, {_counted(columns, 'column')}"))


def _cell(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else clean(str(value))


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _lines(value: Any, width: int, start: str = "") -> Iterator[str]:
    """JSON in as few lines as fit: a container on one line if that is short enough."""
    flat = _flat(value, width - len(start))
    if flat is not None:
        yield start + flat
        return
    indent = " " * (len(start) - len(start.lstrip()) + 2)
    if isinstance(value, dict):
        entries: Any = [(f"{_text(str(key))}: ", each) for key, each in value.items()]
        ends = "{}"
    else:
        entries, ends = [("", each) for each in value], "[]"
    yield start + ends[0]
    if ends == "[]" and all(_is_plain(each) for each in value):
        yield from _filled(value, indent, width)
    else:
        for at, (key, each) in enumerate(entries, 1):
            *lines, last = _lines(each, width - 1, indent + key)
            yield from lines
            yield last + ("," if at < len(entries) else "")
    yield indent[2:] + ends[1]


def _filled(values: list[Any], indent: str, width: int) -> Iterator[str]:
    line = indent
    for at, each in enumerate(values, 1):
        word = _leaf(each) + ("," if at < len(values) else "")
        if len(line) + len(word) > width and line != indent:
            yield line.rstrip()
            line = indent
        line += f"{word} "
    yield line.rstrip()


def _flat(value: Any, room: int) -> str | None:
    """The value on one line; None if it is a container that takes more than `room` characters."""
    if _is_plain(value):
        return _leaf(value)
    is_dict = isinstance(value, dict)
    parts = []
    for item in value.items() if is_dict else value:
        key, each = item if is_dict else ("", item)
        said = _flat(each, room)
        if said is None:
            return None
        parts.append(f"{_text(str(key))}: {said}" if is_dict else said)
        room -= len(parts[-1]) + 2
        if room < 0:
            return None
    return ("{%s}" if is_dict else "[%s]") % ", ".join(parts)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _leaf(value: Any) -> str:
    match value:
        case KeptFile():
            return _text(str(value.path))
        case bytes():
            return f"<{_counted(len(value), 'byte')}>"
        case np.ndarray():
            return f"<{summary(value)}>"
        case np.generic():
            return _leaf(value.item())
        case None | bool() | int() | float() | str():
            return _text(value)
    rows = getattr(value, "shape", ())
    return f"<{_pandas(value) or type(value).__name__} {rows}>"


def _text(value: object) -> str:
    return clean(json.dumps(value, ensure_ascii=False))
