"""Serves handwritten digits with a canary, measures it, promotes it under load, and judges.

Exit code 0 only if the shares fit the weights, both models are accurate, and no request failed.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from service import MODEL
from traffic import Outcome, Traffic
from train import MODELS, Sample, Trained, train
from verdict import Promotion, Reply, VersionResult, by_version, faults, share_bound

from mesh import MeshError
from mesh.config import DeploymentConfig, parse
from mesh.serving.application import Application, from_config
from mesh.serving.run import Place, RunningMesh

FOLDER = str(Path(__file__).resolve().parent)
TARGET = "service:DigitClassifier"
CANARY_WEIGHT = 20
"""Percent of the requests that v2 gets before it is promoted."""
BEFORE, AFTER, LAST = 200, 400, 100
"""Replies to wait for before and after the promotion; those that have to be of v2 at the end."""


def application(main: Path, canary: Path | None) -> Application:
    """The deployment with these models: `main`, and a canary beside it or none."""
    document: dict[str, object] = {
        "name": "digits",
        "target": TARGET,
        "envs": {MODEL: str(main)},
    }
    if canary is not None:
        version = {"target": TARGET, "weight": CANARY_WEIGHT, "envs": {MODEL: str(canary)}}
        document["canary"] = {"versions": {"v2": version}}
    return from_config(parse(DeploymentConfig, document, what="digits"), [FOLDER])


def measure(traffic: Traffic, samples: Sequence[Sample], progress: Progress) -> list[Outcome]:
    """Sends every sample once."""
    sent = progress.track(
        traffic.send_all(samples), total=len(samples), description="over HTTP and gRPC"
    )
    return list(sent)


class Sending:
    """Load that goes on in the background, and what became of it."""

    def __init__(self, traffic: Traffic, samples: Sequence[Sample]) -> None:
        self.outcomes: list[Outcome] = []
        self._grown = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=traffic.keep_sending, args=(samples, self._note, self._stop)
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _note(self, outcome: Outcome) -> None:
        with self._grown:
            self.outcomes.append(outcome)
            self._grown.notify_all()

    def more(self, number: int) -> Iterator[Outcome]:
        """Waits for that many further requests; gives each outcome as it comes."""
        first = len(self.outcomes)
        for position in range(first, first + number):
            with self._grown:
                while len(self.outcomes) <= position:
                    self._grown.wait()
            yield self.outcomes[position]


def promote(mesh: RunningMesh, traffic: Traffic, trained: Trained, progress: Progress) -> Promotion:
    """Makes v2 `main` while requests go on, and waits until it is over."""
    task = progress.add_task("promoting v2 under load", total=BEFORE + AFTER)
    with Sending(traffic, trained.held_out) as sending:
        for _ in sending.more(BEFORE):
            progress.advance(task)
        start = time.perf_counter()
        mesh.deploy(application(trained.models["v2"], None))
        seconds = time.perf_counter() - start
        for _ in sending.more(AFTER):
            progress.advance(task)
    return Promotion(
        requests=len(sending.outcomes),
        failures=[each for each in sending.outcomes if isinstance(each, str)],
        last=[each.model for each in sending.outcomes[-LAST:] if isinstance(each, Reply)],
        seconds=seconds,
    )


def results_table(results: Sequence[VersionResult]) -> Table:
    """One row for each version."""
    title = f"{results[0].of} held-out images as PNG, half over HTTP, half over gRPC"
    caption = "bound: where the share of 99.9 % of all runs lies, given the weight"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("version", no_wrap=True)
    for name in ("requests", "weight", "share", "bound", "accuracy", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        low, high = share_bound(result.of, result.weight)
        table.add_row(
            f"{result.version} ({result.model})",
            str(result.requests),
            f"{result.weight:.0%}",
            f"{result.share:.1%}",
            f"{low * 100:.1f}\u2013{high:.1%}",
            f"{result.accuracy:.1%}",
            f"{result.p50 * 1000:.1f}",
            f"{result.p99 * 1000:.1f}",
        )
    return table


def run(folder: Path, console: Console) -> list[str]:
    """The whole demo; returns what was not as it must be, a sentence each."""
    began = time.perf_counter()
    with console.status("training on scikit-learn's handwritten digits"):
        trained = train(folder)
    console.print(f"trained {' and '.join(MODELS)}, {len(trained.held_out)} images held out")
    outcomes, promotion = serve(trained, console)
    failures = [each for each in outcomes if isinstance(each, str)]
    replies = [each for each in outcomes if isinstance(each, Reply)]
    results = by_version(replies, {"main": 1 - CANARY_WEIGHT / 100, "v2": CANARY_WEIGHT / 100})
    console.print(results_table(results))
    console.print(
        f"v2 promoted to main under load in {promotion.seconds:.2f} s: {promotion.requests} "
        f"requests, {len(promotion.failures)} failed, the last {len(promotion.last)} answered by "
        f"{' and '.join(sorted(set(promotion.last))) or 'nobody'}",
        soft_wrap=True,
    )
    console.print(f"all in {time.perf_counter() - began:.0f} s")
    return list(faults(results, failures, promotion, "v2"))


def serve(trained: Trained, console: Console) -> tuple[list[Outcome], Promotion]:
    """Starts a mesh, sends every held-out image, promotes v2, and stops the mesh."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    place = Place(log_level="WARNING")
    status = console.status("starting")
    with status, RunningMesh(place, status.update) as mesh:
        mesh.deploy(application(trained.models["v1"], trained.models["v2"]), status.update)
        status.stop()
        console.print(f"serving DigitClassifier at {mesh.url}, v2 as canary at {CANARY_WEIGHT} %")
        with (
            Traffic(mesh.url, mesh.target) as traffic,
            Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ):
            outcomes = measure(traffic, trained.held_out, progress)
            promotion = promote(mesh, traffic, trained, progress)
        status.update("stopping")
        status.start()
    return outcomes, promotion


def main() -> int:
    """Runs the demo; 0 if all is as it must be."""
    console = Console(highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="mesh-digits-") as folder:
            found = run(Path(folder), console)
    except MeshError as error:
        found = [error.message]
    for sentence in found:
        console.print(f"[bold red]failed:[/] {sentence}", soft_wrap=True)
    if not found:
        console.print("[bold green]shares, accuracy and zero failures hold[/]")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
