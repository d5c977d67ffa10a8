"""Compares the mesh with bare servers on this machine: `python -m tests.bench --help`."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.bench.canaries import canary_figures, canary_json, canary_rounds
from tests.bench.idle import Idle, watch_idle
from tests.bench.load import INSTALL, InvalidRunError, missing_tools
from tests.bench.measures import (
    Figure,
    Round,
    Say,
    as_json,
    idle_figures,
    load_figures,
    medians,
    one_round,
    rig,
)
from tests.bench.push import push_figures, push_json, push_rounds
from tests.bench.rollouts import rollout_figures, rollout_json, rollout_rounds
from tests.bench.route import route_figures, route_json, route_rounds
from tests.bench.rpc import rpc_figures, rpc_json, rpc_rounds
from tests.bench.servers import doubles, mesh
from tests.bench.snapshots import snapshot_figures, snapshot_json, snapshot_rounds
from tests.bench.table import figures_table, loads_table
from tests.bench.typed import typed_figures, typed_json, typed_rounds

PARTS = (
    *("http", "grpc", "graph", "idle", "io", "rpc", "route", "snapshots", "rollouts"),
    *("canaries", "push"),
)

ALONE = {"idle", "io", "rpc", "route", "snapshots", "rollouts", "canaries", "push"}
"""Parts that start what they need themselves."""


def bench(
    *,
    rounds: Annotated[int, typer.Option(help="Rounds; medians are shown.", min=1)] = 3,
    seconds: Annotated[int, typer.Option(help="Seconds of each load.", min=1)] = 3,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this part: {', '.join(PARTS)}. May be given again."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Where to write JSON.")] = Path(
        "bench-results.json"
    ),
) -> None:
    """Loads bare servers and the mesh in turn, and shows how they compare."""
    console = Console(highlight=False)
    parts = only or PARTS
    if unknown := set(parts) - set(PARTS):
        raise typer.BadParameter(f"there is no part {', '.join(sorted(unknown))}")
    if missing := missing_tools():
        console.print(f"{' and '.join(missing)} not found; install with: {INSTALL}")
        sys.exit(2)
    try:
        found = run(console, parts, rounds, seconds)
    except InvalidRunError as error:
        console.print(f"[bold red]the run is not valid:[/] {error}", soft_wrap=True)
        sys.exit(1)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version()}
    options = {"rounds": rounds, "seconds": seconds, "parts": list(parts)}
    document = {"machine": machine, "options": options, **found}
    results.write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"written to {results}")


def run(console: Console, parts: Sequence[str], rounds: int, seconds: int) -> dict[str, object]:
    """Measures and shows `parts`; returns everything in plain values."""
    figures: list[Figure] = []
    loads: list[Round] = []
    links: list[float] = []
    details: dict[str, object] = {}
    with console.status("") as status:
        if "idle" in parts:
            starts, idle = starts_and_idle(rounds, status.update)
            figures += idle_figures(starts, idle)
            details |= {"starts": starts, "idle_pss_bytes": idle.processes}
        if "io" in parts:
            typed = typed_rounds(rounds, status.update)
            figures += typed_figures(typed)
            details["typed"] = typed_json(typed)
        if "rpc" in parts:
            calls = rpc_rounds(rounds, seconds, status.update)
            figures += rpc_figures(calls)
            details["rpc"] = rpc_json(calls)
        if "snapshots" in parts:
            snapshots = snapshot_rounds(rounds, status.update)
            figures += snapshot_figures(snapshots)
            details["snapshots"] = snapshot_json(snapshots)
        if "canaries" in parts:
            canaries = canary_rounds(rounds, status.update)
            figures += canary_figures(canaries)
            details["canaries"] = canary_json(canaries)
        if "push" in parts:
            pushes = push_rounds(rounds, status.update)
            figures += push_figures(pushes)
            details["push"] = push_json(pushes)
        if "route" in parts:
            routed = route_rounds(rounds, status.update)
            figures += route_figures(routed)
            details["route"] = route_json(routed)
        if "rollouts" in parts:
            rollouts = rollout_rounds(status.update)
            figures += rollout_figures(rollouts)
            details["rollouts"] = rollout_json(rollouts)
        if set(parts) - ALONE:
            loads, links = all_rounds(parts, rounds, seconds, status.update)
            figures = load_figures(loads, links) + figures
    if loads:
        console.print(loads_table(medians(loads), rounds))
    console.print(figures_table(figures))
    return {**as_json(loads, links, figures), **details}


def all_rounds(
    parts: Sequence[str], rounds: int, seconds: int, say: Say
) -> tuple[list[Round], list[float]]:
    """The loads of every round, and the p50 of a link's round trip in each, in seconds."""
    loads, links = [], []
    say("starting the servers")
    with rig(parts) as servers:
        for number in range(1, rounds + 1):

            def say_here(step: str, number: int = number) -> None:
                say(f"round {number} of {rounds}: {step}")

            load, link = one_round(servers, parts, seconds, say_here)
            loads.append(load)
            links.append(link)
        say("stopping the servers")
    return loads, links


def starts_and_idle(rounds: int, say: Say) -> tuple[list[float], Idle]:
    """Starts a mesh with one replica `rounds` times; watches the last one for a while."""
    starts = []
    for number in range(1, rounds + 1):
        say(f"start {number} of {rounds}")
        with mesh(["tests.bench.services:Double"], doubles("/double")) as ours:
            starts.append(ours.server.start_seconds - ours.ray_seconds)
            if number < rounds:
                continue
            say("watching an idle mesh")
            return starts, watch_idle(ours.server)
    raise ValueError("at least one start is needed")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(bench)
    app()
