"""A load over time, of a CSV file."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mesh.errors import ConfigError

Floats = npt.NDArray[np.float64]

LONGEST = 31 * 24 * 3600
"""Seconds of a trace at most."""
HIGHEST = 100_000.0
"""Requests per second at most."""
MOST = 500_000_000
"""Requests of a trace at most: some minutes of work."""
_LOADS = ("rate", "in_flight")
_COLUMNS = ("time", *_LOADS, "service_time")


@dataclass(frozen=True, slots=True)
class Trace:
    """For each second the requests that come in it on average, and how long each takes.

    `rates` is in requests per second, `service_times` in seconds, `start` the time of the first
    second in the file. Both have the same length.
    """

    rates: Floats
    service_times: Floats
    start: float = 0.0

    def __len__(self) -> int:
        """Its length in seconds."""
        return len(self.rates)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    time: float
    load: float
    service_time: float


def read_trace(path: Path, service_time: float) -> Trace:
    """The trace in a CSV file with a header.

    Columns: `time` in seconds; `rate` in requests per second or `in_flight` in calls at once;
    if it is there `service_time` in seconds, else `service_time` holds. A row holds until the time
    of the next, the last as long as the one before it. Raises ConfigError with line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _trace(path, list(csv.reader(file)), service_time)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not CSV: {error}") from error


def _trace(path: Path, lines: Sequence[Sequence[str]], service_time: float) -> Trace:
    header = [name.strip() for name in lines[0]] if lines else []
    kind = _kind(path, header)
    rows = list(_rows(path, header, kind, lines[1:], service_time))
    if len(rows) < 2:
        raise ConfigError(f"{path}: two rows at least are needed below the header")
    for one, other in pairwise(rows):
        if other.time <= one.time:
            raise _fault(path, other.line, "time", f"{other.time:g} is not after {one.time:g}")
    start = rows[0].time
    times = np.array([row.time - start for row in rows])
    ends = np.append(times, 2 * times[-1] - times[-2])
    if ends[-1] > LONGEST:
        raise ConfigError(f"{path}: longer than {LONGEST // 86400} days")
    rates = np.array([_rate(path, row, kind) for row in rows])
    if float((rates * np.diff(ends)).sum()) > MOST:
        raise ConfigError(f"{path}: more than {MOST // 10**6} million requests")
    return _by_second(ends, rates, np.array([row.service_time for row in rows]), start)


def _kind(path: Path, header: Sequence[str]) -> str:
    """The column that has the load."""
    for name in header:
        if name not in _COLUMNS:
            raise _fault(path, 1, name, f"no such column: {', '.join(_COLUMNS)}")
        if header.count(name) > 1:
            raise _fault(path, 1, name, "the column is there twice")
    if "time" not in header:
        raise _fault(path, 1, "time", "the column is missing")
    found = [name for name in _LOADS if name in header]
    if len(found) != 1:
        raise _fault(path, 1, "rate", "give either the column rate or in_flight")
    return found[0]


def _rows(
    path: Path,
    header: Sequence[str],
    kind: str,
    lines: Sequence[Sequence[str]],
    service_time: float,
) -> Iterator[_Row]:
    for number, line in enumerate(lines, 2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(header):
            problem = f"{len(line)} cells, the header has {len(header)}"
            raise _fault(path, number, header[-1], problem)
        cells = dict(zip(header, line, strict=True))
        values = {name: _number(path, number, name, cell) for name, cell in cells.items()}
        for name in header:
            if name != "time" and values[name] < 0:
                raise _fault(path, number, name, f"{values[name]:g} is below 0")
        taken = values.get("service_time", service_time)
        if taken == 0:
            raise _fault(path, number, "service_time", "expected more than 0 s")
        yield _Row(number, values["time"], values[kind], taken)


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise _fault(path, line, column, f"expected a number, not {cell.strip()!r}") from None
    if not isfinite(value):
        raise _fault(path, line, column, f"expected a number, not {cell.strip()!r}")
    return value


def _rate(path: Path, row: _Row, kind: str) -> float:
    # Little's law: calls at once are those that come in the time of one.
    rate = row.load / row.service_time if kind == "in_flight" else row.load
    if rate > HIGHEST:
        raise _fault(path, row.line, kind, f"more than {HIGHEST:.0f} requests per second")
    return rate


def _fault(path: Path, line: int, column: str, problem: str) -> ConfigError:
    return ConfigError(f"{path}: line {line}, column {column}: {problem}")


def _by_second(ends: Floats, rates: Floats, service_times: Floats, start: float) -> Trace:
    """Rows that hold from one of `ends` to the next, as averages over whole seconds."""
    seconds = np.arange(max(1, int(np.ceil(ends[-1]))) + 1, dtype=np.float64)
    arrived = np.concatenate([[0.0], np.cumsum(rates * np.diff(ends))])
    places = np.searchsorted(ends, seconds[:-1], side="right") - 1
    places = np.minimum(places, len(rates) - 1)
    return Trace(np.diff(np.interp(seconds, ends, arrived)), service_times[places], start)
