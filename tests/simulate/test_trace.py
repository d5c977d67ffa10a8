"""CSV → load per second."""

from pathlib import Path

import numpy as np
import pytest

from mesh.errors import ConfigError
from mesh.simulate.trace import Trace, read_trace


def trace(folder: Path, text: str, service_time: float = 0.5) -> Trace:
    path = folder / "load.csv"
    path.write_text(text)
    return read_trace(path, service_time)


def test_a_row_holds_until_the_next_and_the_last_as_long_as_the_one_before(tmp_path: Path) -> None:
    found = trace(tmp_path, "time,rate\n10,1\n13,5\n")
    assert found.rates.tolist() == pytest.approx([1, 1, 1, 5, 5, 5])
    assert found.service_times.tolist() == [0.5] * 6
    assert found.start == 10.0


def test_rows_within_a_second_are_averaged(tmp_path: Path) -> None:
    found = trace(tmp_path, "time,rate\n0,10\n0.5,20\n1.5,40\n")
    assert found.rates.tolist() == pytest.approx([15, 30, 20])
    assert found.rates.sum() == pytest.approx(10 * 0.5 + 20 + 40)


def test_calls_at_once_are_a_rate_by_the_time_of_one(tmp_path: Path) -> None:
    found = trace(tmp_path, "time,in_flight,service_time\n0,10,0.1\n2,10,0.2\n")
    assert found.rates.tolist() == pytest.approx([100, 100, 50, 50])
    assert found.service_times.tolist() == [0.1, 0.1, 0.2, 0.2]


def test_columns_may_stand_in_any_order_with_blank_lines_and_a_mark(tmp_path: Path) -> None:
    found = trace(tmp_path, "\ufeffrate , time\n3,0\n\n4,1\n")
    assert found.rates.tolist() == pytest.approx([3, 4])
    assert len(found) == 2


WRONG = {
    "": "line 1, column time: the column is missing",
    "time\n0\n1\n": "line 1, column rate: give either the column rate or in_flight",
    "time,rate,in_flight\n": "line 1, column rate: give either",
    "time,rate,rate\n": "line 1, column rate: the column is there twice",
    "rate\n1\n": "line 1, column time: the column is missing",
    "time,rate,qps\n": "line 1, column qps: no such column: time, rate, in_flight, service_time",
    "time,rate\n0,1\n": "two rows at least",
    "time,rate\n0,1\n1,x\n": "line 3, column rate: expected a number, not 'x'",
    "time,rate\n0,1\n1,nan\n": "line 3, column rate: expected a number, not 'nan'",
    "time,rate\n0,1\n1\n": "line 3, column rate: 1 cells, the header has 2",
    "time,rate\n0,1\n\n0,2\n": "line 4, column time: 0 is not after 0",
    "time,rate\n0,1\n1,-2\n": "line 3, column rate: -2 is below 0",
    "time,rate\n0,1\n1,2e9\n": "line 3, column rate: more than 100000 requests per second",
    "time,rate,service_time\n0,1,0\n": "line 2, column service_time: expected more than 0 s",
    "time,rate\n0,1\n9e9,1\n": "longer than 31 days",
    "time,rate\n0,99999\n86400,1\n": "more than 500 million requests",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_with_its_line_and_column(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        trace(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'load.csv'}: {WRONG[text]}")


def test_what_is_no_text_or_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_trace(tmp_path / "none.csv", 1.0)
    (tmp_path / "load.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not CSV"):
        read_trace(tmp_path / "load.csv", 1.0)


def test_a_long_trace_keeps_its_requests(tmp_path: Path) -> None:
    times = np.arange(0, 1000, 7.3)
    rows = "".join(f"{at},{at % 11}\n" for at in times)
    found = trace(tmp_path, f"time,rate\n{rows}")
    assert found.rates.sum() == pytest.approx(sum(float(at % 11) * 7.3 for at in times))
