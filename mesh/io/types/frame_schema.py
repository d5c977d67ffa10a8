"""What an annotation may say about a data frame. Loads no pandas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from mesh.io.types.marker import Marker
from mesh.io.types.table import Orient


@dataclass(frozen=True, slots=True)
class DataframeSchema(Marker):
    """How a data frame looks in JSON, and which columns it has.

    `orient` is "records" (a list of rows, each an object by column name) or "columns" (an object
    of columns, each a list); either is read, whatever `orient` says. With `columns`, an argument
    gets exactly these: one that is missing is filled with NaN, any other is dropped; and a
    result must have them all. Raises ValueError for another `orient`, TypeError for `columns`
    that is one text.
    """

    orient: Orient
    columns: tuple[str, ...] | None

    def __init__(self, orient: Orient = "records", columns: Sequence[str] | None = None) -> None:
        if orient not in get_args(Orient):
            raise ValueError(f"DataframeSchema: orient is 'records' or 'columns', not {orient!r}")
        if isinstance(columns, str):  # its letters would be the names
            raise TypeError(f"DataframeSchema: columns is a list of names, not {columns!r}")
        object.__setattr__(self, "orient", orient)
        object.__setattr__(self, "columns", None if columns is None else tuple(columns))
