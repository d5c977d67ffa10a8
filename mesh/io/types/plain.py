"""Wire values as JSON has them: None, bool, numbers, text, lists and dicts."""

from typing import Any

import numpy as np

from mesh.io.files.data_url import to_data_url
from mesh.io.types.file import File
from mesh.io.types.table import Column, Table, plain, plain_column


def plain_value(wire: Any) -> Any:
    """A wire value without arrays, tables, files and bytes; complex numbers become text."""
    match wire:
        case np.ndarray():
            listed = wire.astype(str) if wire.dtype.kind == "c" else wire
            return listed.tolist()
        case Table():
            return plain(wire)
        case Column():
            return plain_column(wire)
        case File():
            return wire.uri or to_data_url(wire)
        case bytes():
            return bytes_text(wire)
        case _:
            return wire


def bytes_text(data: bytes) -> str:
    """Bytes where JSON has only text: the text that they are in UTF-8, else a data URL."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return to_data_url(File(data))
