"""Canaries: from a new weight to its effect on every gateway, and how exactly weights divide."""

import math
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import NormalDist

import httpx

from mesh.traffic.snapshot import Deployment, Version
from mesh.traffic.split import choose_version
from tests.bench.measures import Figure, Say
from tests.e2e.background import Background

CHANGES = 50
"""Changes of a weight that are measured one after another in a round."""
MOST_SECONDS = 1.0
"""What a change may take to reach the requests of every gateway, at the 99th percentile."""
REQUESTS = 100_000
WEIGHTS = {"main": 90, "nine": 9, "one": 1}
_SURE = NormalDist().inv_cdf(0.9995)


@dataclass(frozen=True, slots=True)
class Canaries:
    """What was measured in one round.

    `effects` are seconds from the call of the control API to the first request, sent on a
    connection that was open before, that every gateway sends by the new weight; `answers` seconds
    until the call was answered; `late` requests that were sent by the old weight after that.
    `split` is the greatest error of a count, as a part of the bound that holds it with 99.9 %.
    """

    effects: Sequence[float]
    answers: Sequence[float]
    late: int
    split: float


def canary_rounds(rounds: int, say: Say) -> list[Canaries]:
    """Measures on a mesh with two gateways."""
    say("starting a mesh with two gateways")
    found = []
    with tempfile.TemporaryDirectory() as folder, _mesh(Path(folder)) as mesh:
        versions = {"next": {"target": "tests.e2e.canary_services:Good"}}
        mesh.deploy("Answer", "answer", canary={"versions": versions})
        with ExitStack() as opened:
            clients = [opened.enter_context(mesh.through(each)) for each in mesh.gateways]
            for number in range(1, rounds + 1):
                say(f"round {number} of {rounds}: {CHANGES} changes of a weight")
                changes = [_change(mesh, clients, turn % 2 == 0) for turn in range(CHANGES)]
                effects, answers, late = zip(*changes, strict=True)
                found.append(Canaries(effects, answers, sum(late), _split_error(number)))
    return found


@contextmanager
def _mesh(folder: Path) -> Iterator[Background]:
    made = Background(folder)
    try:
        yield made
    finally:
        made.down()


def _change(
    mesh: Background, clients: Sequence[httpx.Client], to_canary: bool
) -> tuple[float, float, int]:
    """One change: its effect in seconds, the answer in seconds, and requests that were late."""
    wanted = "next" if to_canary else "main"
    sent: list[list[tuple[float, str]]] = [[] for _ in clients]
    over = threading.Event()

    def ask(number: int) -> None:
        # Goes on for a while after the change has come, to see whether it holds.
        left = 20
        while left and not over.is_set():
            begun = time.perf_counter()
            reply = clients[number].post("/e/answer/which")
            version = reply.headers["x-mesh-version"]
            sent[number].append((begun, version))
            left -= version == wanted

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(clients))]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    mesh.control.canary.set("answer", {"next": 100 if to_canary else 0})
    answered = time.perf_counter()
    for thread in threads:
        thread.join(60)
    over.set()
    late = sum(at > answered and name != wanted for each in sent for at, name in each)
    first = [next(at for at, name in each if name == wanted) for each in sent]
    return max(first) - begun, answered - begun, late


def _split_error(seed: int) -> float:
    rng = Random(seed)
    versions = tuple(Version(name, name, "S", {}, weight) for name, weight in WEIGHTS.items())
    deployment = Deployment("d", versions)
    counts = Counter(
        choose_version(deployment, named="", key=None, rng=rng, ready=lambda _: True).name
        for _ in range(REQUESTS)
    )
    return max(
        abs(counts[name] - REQUESTS * weight / 100)
        / (_SURE * math.sqrt(REQUESTS * weight / 100 * (1 - weight / 100)))
        for name, weight in WEIGHTS.items()
    )


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def canary_figures(rounds: Sequence[Canaries]) -> list[Figure]:
    """The figures to reach."""
    effects = [_p99(each.effects) for each in rounds]
    answers = [_p99(each.answers) for each in rounds]
    late = [float(each.late) for each in rounds]
    split = [each.split for each in rounds]
    return [
        Figure(
            "weight to effect on 2 gateways, p99", effects, MOST_SECONDS, is_least=False, unit="s"
        ),
        Figure("weight to answer, p99", answers, MOST_SECONDS, is_least=False, unit="s"),
        Figure("old weight after the answer", late, 0.0, is_least=False, unit="requests"),
        Figure("split error 1/9/90, of the 99.9 % bound", split, 1.0, is_least=False, unit=""),
    ]


def canary_json(rounds: Sequence[Canaries]) -> list[dict[str, object]]:
    """The same in plain values."""
    return [asdict(each) for each in rounds]
