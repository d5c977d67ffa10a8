"""`mesh simulate`: a load and a file → a table, JSON, a picture."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mesh.cli.main import app
from mesh.control.autoscale import ScaleRule
from mesh.simulate.plot import draw
from mesh.simulate.run import simulate
from mesh.simulate.setup import Setup
from mesh.simulate.trace import Trace

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "deploy" / "examples" / "scaling"
LOAD = "time,rate\n0,20\n60,100\n180,20\n240,20\n"
CONFIG = """
scaling: {min_replicas: 1, max_replicas: 8}
traffic: {concurrency: 4, max_concurrency: 12}
"""
Command = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Command:
    """Runs the command on `load.csv` and `c.yaml`, which hold LOAD and CONFIG if not given."""

    def command(*arguments: str, load: str = LOAD, config: str = CONFIG) -> Any:
        (tmp_path / "load.csv").write_text(load)
        (tmp_path / "c.yaml").write_text(config)
        files = [str(tmp_path / "load.csv"), "--config", str(tmp_path / "c.yaml")]
        return CliRunner().invoke(app, ["simulate", *files, "--service-time", "0.2", *arguments])

    return command


def test_people_get_a_table_of_figures(run: Command) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert result.stdout.startswith("load: 1 to 8 replicas, concurrency 4\n")
    words = [" ".join(line) for line in lines]
    assert "peak replicas 8 8 allowed" in words
    for figure in ("latency p99", "replica-hours", "overshoot", "slowest reaction", "scale events"):
        assert any(line.startswith(figure) for line in words), figure


def test_programs_get_the_numbers_of_each_second(run: Command) -> None:
    found = json.loads(run("--json").stdout)
    assert found["figures"]["peak_replicas"] == 8
    assert found["figures"]["refused"] == sum(found["seconds"]["refused"])
    assert {len(column) for column in found["seconds"].values()} == {300}
    assert found["events"][0]["reason"].startswith("in flight ")
    assert found["seconds"]["rate"][59:61] == [20.0, 100.0]


def test_a_second_without_calls_has_no_latency(run: Command) -> None:
    found = json.loads(run("--json", load="time,rate\n0,0\n5,0\n").stdout)
    assert found["seconds"]["p99"] == [None] * 10
    assert found["figures"]["requests"] == 0


def test_equal_seeds_give_equal_output(run: Command) -> None:
    assert run("--json", "--seed", "4").stdout == run("--json", "--seed", "4").stdout
    assert run("--json", "--seed", "4").stdout != run("--json", "--seed", "5").stdout


@pytest.mark.parametrize("load", [LOAD, "time,rate\n0,0\n5,0\n"])
def test_the_picture_has_three_panels_with_something_in_them(
    run: Command, tmp_path: Path, load: str
) -> None:
    out = tmp_path / "load.png"
    result = run("--out", str(out), load=load)
    assert result.exit_code == 0, result.output
    assert "wrote " in result.stdout
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert image.size == (1560, 1170)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    if load == LOAD:
        colored = pixels.max(axis=2) - pixels.min(axis=2) > 60
        rows = colored.sum(axis=1)
        for top, bottom in ((50, 420), (480, 700), (770, 1100)):
            assert (rows[top:bottom] > 0).mean() > 0.3, (top, bottom)


def test_a_long_trace_is_drawn_with_its_peaks(tmp_path: Path) -> None:
    rates = np.full(20_001, 5.0)
    rates[10_000:10_003] = 900.0
    setup = Setup(ScaleRule(1, 2, concurrency=4), parallel=4, max_concurrency=8)
    result = simulate(Trace(rates, np.full(len(rates), 0.1)), setup)
    draw(result, "peaks", tmp_path / "peaks.png")
    with Image.open(tmp_path / "peaks.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    red, green, blue = pixels[50:420].transpose(2, 0, 1)
    assert ((red > 180) & (green < 90) & (blue < 90)).sum(axis=0).max() > 100  # refused, a spike


@pytest.mark.parametrize(
    ("arguments", "load", "config", "code", "said"),
    [
        ((), "time,rate\n0,1\n1,x\n", CONFIG, 1, "load.csv: line 3, column rate: expected"),
        ((), LOAD, "scaling: {max: 3}\n", 1, "c.yaml: scaling.max: there is no such setting"),
        ((), LOAD, "[1, 2\n", 1, "c.yaml: not YAML or JSON"),
        (("--service", "A"), LOAD, CONFIG, 2, "--service A: "),
        ((), LOAD, "services: {A: {}, B: {}}\n", 2, "give --service"),
        (("--service", "C"), LOAD, "services: {A: {}}\n", 2, "services there: A"),
        (("--out", "/nowhere/at/all.png"), LOAD, CONFIG, 1, "--out /nowhere/at/all.png: there is"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], load: str, config: str, code: int, said: str
) -> None:
    (tmp_path / "load.csv").write_text(load)
    (tmp_path / "c.yaml").write_text(config)
    program = "from mesh.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "simulate", "load.csv", "--config", "c.yaml", *arguments],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == code  # a hint in a line of its own


def test_without_matplotlib_a_picture_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text(LOAD)
    (tmp_path / "c.yaml").write_text(CONFIG)
    # None stands for a module that is not there.
    program = "import sys; sys.modules['matplotlib'] = None; from mesh.cli.main import main; main()"
    command = [sys.executable, "-c", program, "simulate", "load.csv", "--config", "c.yaml"]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    drawn = run("--out", "load.png")
    assert drawn.returncode == 1
    assert drawn.stderr == "error: --out needs matplotlib: pip install 'serving-mesh[simulate]'\n"
    assert run().returncode == 0


def test_a_number_out_of_range_is_wrong_usage(run: Command) -> None:
    assert run("--report-interval", "0").exit_code == 2


def test_several_services_are_chosen_by_name(run: Command) -> None:
    config = "services: {A: {replicas: 2}, B: {scaling: {max_replicas: 3}}}\n"
    result = run("--service", "B", config=config)
    assert result.stdout.startswith("B: 1 to 3 replicas\n")


def test_the_example_is_what_its_program_writes_and_needs_no_code(tmp_path: Path) -> None:
    written = subprocess.run(
        [sys.executable, str(EXAMPLE / "trace.py")], capture_output=True, text=True, check=True
    ).stdout
    assert written == (EXAMPLE / "day.csv").read_text()
    lines = written.splitlines()
    (tmp_path / "morning.csv").write_text("\n".join([lines[0], *lines[541:781]]))
    arguments = [str(tmp_path / "morning.csv"), "--config", str(EXAMPLE / "deployment.yaml")]
    result = CliRunner().invoke(app, ["simulate", *arguments, "--service-time", "0.25", "--json"])
    figures = json.loads(result.stdout)["figures"]
    assert figures["cold_start_timeouts"] == 0
    assert figures["served"] > 10_000
