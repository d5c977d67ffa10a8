"""`mesh simulate`: what scaling would do with a load."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mesh.cli.failure import WrongUsage
from mesh.cli.text import clean
from mesh.config import ServiceOverrides
from mesh.control.autoscale import ScaleRule
from mesh.serving.documents import read
from mesh.simulate.document import as_plain
from mesh.simulate.plot import check, draw
from mesh.simulate.run import Result, simulate as run
from mesh.simulate.setup import Assumed, services_in, setup_of
from mesh.simulate.summary import Figures, figures
from mesh.simulate.trace import Trace, read_trace

_LONG = 3600
"""Seconds of a trace from which on progress is shown."""


def simulate(
    load: Annotated[
        Path,
        typer.Argument(
            metavar="LOAD.csv",
            help="Columns time (s) and rate (requests/s) or in_flight (calls); service_time (s), if"
            " it changes.",
            show_default=False,
        ),
    ],
    *,
    config: Annotated[
        Path,
        typer.Option(
            help="Deployment file, or a file with scaling and traffic of one service.",
            show_default=False,
        ),
    ],
    service: Annotated[
        str, typer.Option(help="Which service of the file, if it has several.", show_default=False)
    ] = "",
    service_time: Annotated[
        float, typer.Option(help="Seconds that a call takes on average.", min=1e-5, max=3600)
    ] = 0.1,
    start_time: Annotated[
        float, typer.Option(help="Seconds until a new replica is ready.", min=0, max=86400)
    ] = 10.0,
    parallel: Annotated[
        int | None,
        typer.Option(
            help="Calls that a replica works on at once; else its concurrency.",
            min=1,
            max=10000,
            show_default=False,
        ),
    ] = None,
    report_interval: Annotated[
        int, typer.Option(help="Seconds between two decisions.", min=1, max=60)
    ] = 2,
    seed: Annotated[int, typer.Option(help="Of chance; the same gives the same.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw it.", show_default=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON, with the numbers of each second.")
    ] = False,
) -> None:
    """Show how a service would scale under a load, without running it.

    Decisions are those of the controller; time is virtual. Code is not looked at: what the file
    does not say of scaling and traffic has its default.
    """
    name, settings = _service(config, service)
    setup = setup_of(settings, str(config), Assumed(parallel, start_time, report_interval, seed))
    trace = read_trace(load, service_time)
    if out is not None:
        check(out)
    console = Console(stderr=True, highlight=False)
    with _progress(console, trace) as told:
        result = run(trace, setup, told)
    found = figures(result)
    title = f"{name or load.stem}: {_rule(setup.rule)}"
    if out is not None:
        draw(result, title, out)
    if as_json:
        typer.echo(json.dumps(as_plain(result, found)))
        return
    stdout = Console(highlight=False)
    stdout.print(Text(clean(title), "bold"), soft_wrap=True)
    stdout.print(_table(result, found))
    if out is not None:
        stdout.print(Text(clean(f"wrote {out}")), soft_wrap=True)


def _service(config: Path, wanted: str) -> tuple[str, ServiceOverrides]:
    """The service that is meant, with its name. Raises ConfigError or WrongUsage."""
    found = services_in(read(config, "--config "), str(config))
    if wanted and wanted not in found:
        names = ", ".join(name for name in found if name)
        hint = f"services there: {names}" if names else "it has the settings of one service"
        raise WrongUsage(f"--service {wanted}: {config} has no such service", hint)
    if not wanted and len(found) > 1:
        raise WrongUsage(
            f"{config} has several services: give --service", f"one of {', '.join(found)}"
        )
    name = wanted or next(iter(found))
    return name, found[name]


@contextmanager
def _progress(console: Console, trace: Trace) -> Iterator["_Told"]:
    """What to tell of seconds that are done; a bar on a terminal, if it takes long."""
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=len(trace) < _LONG or not console.is_terminal,
    )
    with bar:
        yield _Told(bar, len(trace))


class _Told:
    """Hears how many seconds are done."""

    def __init__(self, bar: Progress, seconds: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=seconds)

    def __call__(self, done: int) -> None:
        self._bar.update(self._task, completed=done)


def _rule(rule: ScaleRule) -> str:
    """The rule in a few words."""
    lowest, highest = rule.min_replicas, rule.max_replicas
    number = f"{lowest} to {highest}" if lowest != highest else f"{lowest}"
    follows = [f"concurrency {rule.concurrency}"] if rule.concurrency else []
    follows += [f"{kind} {value:g}" for kind, value in rule.metrics]
    if rule.external_queue:
        follows.append("external queue")
    return ", ".join([f"{number} replica{'' if number == '1' else 's'}", *follows])


def _table(result: Result, found: Figures) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim")
    lost = ("refused", "timed out", "cold-start timeouts")
    average = found.replica_hours / len(result.trace) * 3600
    rows = [
        ("requests", f"{found.requests:,}", f"in {_span(len(result.trace))}"),
        ("refused", f"{found.refused:,}", "replicas or the queue were full"),
        ("timed out", f"{found.timed_out:,}", "waited longer than their timeout"),
        ("cold-start timeouts", f"{found.cold_start_timeouts:,}", "no replica in time"),
        ("latency p50", f"{found.p50:.3g} s", "of served requests, waiting included"),
        ("latency p99", f"{found.p99:.3g} s", ""),
        ("longest queue", f"{found.longest_queue:,.0f}", "calls that wait, on average of a second"),
        ("peak replicas", f"{found.peak_replicas}", f"{result.setup.rule.max_replicas} allowed"),
        ("replica-hours", f"{found.replica_hours:,.4g}", f"{average:.3g} replicas on average"),
        ("utilisation", f"{found.utilisation:.0%}", "of what ready replicas can work on"),
        ("scale events", f"{found.scale_events}", f"{found.reversals} soon turned around"),
        ("overshoot", f"{found.overshoot}", "replicas beyond the need of the down window"),
        ("slowest reaction", f"{found.reaction} s", "until as many were wanted as were needed"),
    ]
    for what, number, about in rows:
        style = "red" if what in lost and number != "0" else ""
        table.add_row(what, Text(number, style), about)
    return table


def _span(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    if hours:
        return f"{hours} h {rest // 60} min" if rest >= 60 else f"{hours} h"
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"
