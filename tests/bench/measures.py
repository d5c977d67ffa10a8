"""What is measured in each round, and the figures that follow."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.idle import Idle
from tests.bench.load import InvalidRunError, Load, run_h2load, run_wrk
from tests.bench.payload import CALL, JSON_BODY, RPC
from tests.bench.servers import ROOT, Server, doubles, grpc_aio, grpc_reply, mesh, uvicorn

IN_FLIGHT = (1, 16, 64)
UVICORN, MESH_HTTP, GRPC_AIO = "uvicorn HTTP", "mesh HTTP", "grpc.aio gRPC"
MESH_GRPC, GRAPH = "mesh gRPC", "mesh HTTP, two services"
FRONT = "/e/front/double"

Round = dict[tuple[str, int], Load]
"""Loads of one round, by what was loaded and with how many requests in flight."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rig:
    """The servers of a run; those that no measure needs are None."""

    mesh: Server
    uvicorn: Server | None
    grpc: Server | None


@contextmanager
def rig(parts: Iterable[str]) -> Iterator[Rig]:
    """Starts the servers that these parts need, one after another."""
    config = {
        "deployments": [
            {"name": "one", "target": "tests.bench.services:Double"},
            {"name": "front", "target": "tests.bench.services:Front"},
        ]
    }
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        file = Path(folder, "deployments.json")
        file.write_text(json.dumps(config))
        bare_http = uvicorn() if "http" in parts else _nothing()
        bare_grpc = grpc_aio() if "grpc" in parts else _nothing()
        with (
            mesh(["--config", str(file)], doubles(FRONT)) as ours,
            bare_http as http,
            bare_grpc as grpc,
        ):
            yield Rig(ours.server, http, grpc)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def one_round(rig: Rig, parts: Sequence[str], seconds: float, say: Say) -> tuple[Round, float]:
    """Loads every server in turn; also gives the p50 of a link's round trip, in seconds.

    What is compared is measured side by side, so that a busy machine slows both.
    """
    found: Round = {}
    for in_flight in IN_FLIGHT:
        for name, load in _loads(rig, parts, in_flight, seconds):
            say(f"{name}, {in_flight} in flight")
            found[name, in_flight] = load()
    link = 0.0
    if "graph" in parts:
        say("round trip of a link")
        link = link_seconds(seconds)
    return found, link


def _loads(
    rig: Rig, parts: Sequence[str], in_flight: int, seconds: float
) -> Iterator[tuple[str, Callable[[], Load]]]:
    def http(server: Server, path: str) -> Callable[[], Load]:
        return lambda: run_wrk(server.url + path, JSON_BODY, in_flight, seconds)

    def grpc(server: Server) -> Callable[[], Load]:
        size = len(grpc_reply(server.port))
        return lambda: run_h2load(server.url + RPC, CALL, size, in_flight, seconds)

    if rig.uvicorn is not None:
        yield UVICORN, http(rig.uvicorn, "/")
    if "http" in parts or "graph" in parts:
        yield MESH_HTTP, http(rig.mesh, "/double")
    if "graph" in parts:
        yield GRAPH, http(rig.mesh, FRONT)
    if rig.grpc is not None:
        yield GRPC_AIO, grpc(rig.grpc)
        yield MESH_GRPC, grpc(rig.mesh)


def link_seconds(seconds: float) -> float:
    """The p50 of a round trip between two processes of their own. Raises InvalidRunError."""
    command = [sys.executable, "-m", "tests.bench.link", str(seconds)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode:
        raise InvalidRunError(f"the link cannot be measured:\n{done.stderr}")
    return float(done.stdout)


def medians(rounds: Sequence[Round]) -> Round:
    """The median of each figure over the rounds."""
    return {
        key: Load(
            statistics.median(each[key].rate for each in rounds),
            statistics.median(each[key].p50 for each in rounds),
            statistics.median(each[key].p99 for each in rounds),
        )
        for key in rounds[0]
    }


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of the table to reach. `limit` is the least, or the most that it may be.

    `values` has one value for each round, or one for all.
    """

    title: str
    values: Sequence[float]
    limit: float
    is_least: bool
    unit: str = ""

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def is_reached(self) -> bool:
        """Whether the value is as it should be."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit


def load_figures(rounds: Sequence[Round], links: Sequence[float]) -> list[Figure]:
    """The figures of what was loaded: a ratio of each round."""

    def figure(title: str, limit: float, of: Callable[[Round], float], *, least: bool) -> Figure:
        return Figure(title, [of(each) for each in rounds], limit, is_least=least)

    def rates(one: str, other: str, in_flight: int) -> Callable[[Round], float]:
        return lambda loads: loads[one, in_flight].rate / loads[other, in_flight].rate

    found = []
    measured = rounds[0].keys()
    if (UVICORN, 64) in measured:
        of = rates(MESH_HTTP, UVICORN, 64)
        found.append(figure("mesh HTTP ÷ uvicorn, 64 in flight", 0.5, of, least=True))
    if (GRPC_AIO, 64) in measured:
        of = rates(MESH_GRPC, GRPC_AIO, 64)
        found.append(figure("mesh gRPC ÷ grpc.aio, 64 in flight", 2.0, of, least=True))
    if (UVICORN, 1) in measured:
        title = "mesh HTTP p50 ÷ uvicorn's, 1 in flight"
        found.append(figure(title, 6.0, _p50_ratio, least=False))
    if (GRAPH, 16) in measured:
        of = rates(GRAPH, MESH_HTTP, 16)
        found.append(figure("two services ÷ one, 16 in flight", 0.5, of, least=True))
        title = "p50 that one more service adds ÷ link's"
        found.append(Figure(title, _added(rounds, links), 2.0, is_least=False))
    return found


def _p50_ratio(loads: Round) -> float:
    return loads[MESH_HTTP, 1].p50 / loads[UVICORN, 1].p50


def _added(rounds: Sequence[Round], links: Sequence[float]) -> list[float]:
    """What one more service adds to the p50, in round trips of a link."""
    pairs = zip(rounds, links, strict=True)
    return [(loads[GRAPH, 1].p50 - loads[MESH_HTTP, 1].p50) / link for loads, link in pairs]


def idle_figures(starts: Sequence[float], idle: Idle) -> list[Figure]:
    """The figures of a mesh that starts, and then has nothing to do.

    `starts` are the seconds to the first answer, less those of `ray.init()`.
    """
    rss, pss = idle.gateway_rss / 2**20, idle.pss / 1e6
    return [
        Figure("mesh serve to first 200, less ray.init()", starts, 6.0, is_least=False, unit="s"),
        Figure("idle gateway: RSS", [rss], 150.0, is_least=False, unit="MiB"),
        Figure("idle mesh, all processes: PSS", [pss], 600.0, is_least=False, unit="MB"),
        Figure("idle mesh: use of one core", [idle.cpu * 100], 5.0, is_least=False, unit="%"),
    ]


def as_json(
    rounds: Sequence[Round], links: Sequence[float], figures: Iterable[Figure]
) -> Mapping[str, object]:
    """Everything in plain values; times in seconds."""
    return {
        "figures": [
            {
                "title": figure.title,
                "value": figure.value,
                "values": list(figure.values),
                "unit": figure.unit,
                "at_least" if figure.is_least else "at_most": figure.limit,
                "reached": figure.is_reached,
            }
            for figure in figures
        ],
        "loads": _plain(medians(rounds)) if rounds else [],
        "rounds": [_plain(each) for each in rounds],
        "link_round_trips": list(links),
    }


def _plain(loads: Round) -> list[dict[str, object]]:
    return [
        {"what": name, "in_flight": number, "rate": load.rate, "p50": load.p50, "p99": load.p99}
        for (name, number), load in loads.items()
    ]
