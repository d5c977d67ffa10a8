"""A result as plain values, for programs."""

from dataclasses import asdict, fields
from math import isnan
from typing import Any

import numpy as np

from mesh.simulate.run import Result, Seconds
from mesh.simulate.summary import Figures


def as_plain(result: Result, found: Figures) -> dict[str, Any]:
    """Values for JSON: `figures`, `events`, and `seconds` with a list for each of its columns.

    Seconds are counted from the start of the trace, at `start` in the file's time. Where no work
    began in a second, its latencies are null.
    """
    columns = {
        "rate": _numbers(result.trace.rates),
        **{each.name: _numbers(getattr(result.seconds, each.name)) for each in fields(Seconds)},
    }
    return {
        "figures": asdict(found),
        "events": [asdict(event) for event in result.events],
        "start": result.trace.start,
        "seconds": columns,
    }


def _numbers(values: "np.ndarray[tuple[int], np.dtype[Any]]") -> list[float | int | None]:
    if values.dtype.kind == "i":
        return list(values.tolist())
    return [None if isnan(value) else round(value, 6) for value in values.tolist()]
