"""What a mesh costs while nobody calls it."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.bench.servers import Server

SETTLE = 5.0
"""Seconds after the start in which things may still be put in order."""
WATCH = 10.0
"""Seconds in which the use of processors is counted."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Bytes of all processes together (shared ones divided) and of the largest gateway.

    `cpu` is the use of processors, 1 being one core; `processes` says whose the bytes are.
    """

    pss: int
    gateway_rss: int
    cpu: float
    processes: dict[str, int]


def watch_idle(server: Server) -> Idle:
    """Looks at the server and all its processes for a while."""
    time.sleep(SETTLE)
    family = server.family()
    start, used = time.perf_counter(), cpu_seconds(family)
    time.sleep(WATCH)
    cpu = (cpu_seconds(family) - used) / (time.perf_counter() - start)
    parts = {f"{title(each)} {each.pid}": each.memory_full_info().pss for each in family}
    gateways = [each.memory_info().rss for each in family if is_gateway(each)]
    return Idle(sum(parts.values()), max(gateways), cpu, parts)


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Seconds of processors that all of them have used."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def is_gateway(process: psutil.Process) -> bool:
    """Whether this is Envoy with the gateway inside."""
    return process.name().startswith("envoy")


def title(process: psutil.Process) -> str:
    """A short name of what a process is."""
    words = process.cmdline() or [process.name()]
    scripts = [word for word in words[:4] if word.endswith(".py") or word.startswith("ray::")]
    named = scripts[0] if scripts else words[0]
    return named.rpartition("/")[2].split()[0]
