"""What one replica uses: places, cores, memory, devices."""

# ruff: noqa: PLC0415 - pynvml is an optional dependency, and of no use without a GPU

import os
from collections.abc import Callable, Mapping
from typing import Any

import psutil

from mesh.clock import Clock
from mesh.control.loads import ReplicaLoad
from mesh.launch import Launch
from mesh.replica.admission import Admission

Gpu = Callable[[], float]
"""How busy the devices are now, on average, in percent."""


class Usage:
    """Measures the replica of `launch`, which runs in `process`, this one by default.

    What is averaged over time starts when this is made. Replicas that share a process, as in
    tests, each show all that it uses.
    """

    def __init__(
        self,
        launch: Launch,
        admission: Admission,
        clock: Clock,
        *,
        process: psutil.Process | None = None,
        gpu: Gpu | None = None,
    ) -> None:
        self._admission = admission
        self._clock = clock
        self._process = process or psutil.Process()
        self._gpu = gpu or (gpu_of(os.environ) if launch.gpu else _none)
        self._cores = launch.cpu or 1.0
        self._since = clock()
        self._held = admission.held()
        self._ended = admission.ended
        self._busy = _busy(self._process)

    def take(self, seconds: float) -> ReplicaLoad:
        """The load since the last time; `seconds` is how long ago that was by who asks.

        `qps` is per second of theirs, so that what they make of it are whole calls.
        """
        now = self._clock()
        passed = now - self._since
        held, ended = self._admission.held(), self._admission.ended
        busy = _busy(self._process)
        load = ReplicaLoad(
            in_flight=max(0.0, held - self._held) / passed if passed > 0 else 0.0,
            cpu=100 * max(0.0, busy - self._busy) / passed / self._cores if passed > 0 else 0.0,
            gpu=self._gpu(),
            memory=float(self._process.memory_info().rss),
            qps=(ended - self._ended) / seconds if seconds > 0 else 0.0,
        )
        self._since, self._held, self._ended, self._busy = now, held, ended, busy
        return load


def _busy(process: psutil.Process) -> float:
    """Seconds that a core was busy with the process, with those of all cores added up."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _none() -> float:
    return 0.0


def gpu_of(env: Mapping[str, str]) -> Gpu:
    """Measures the devices that `env` makes visible; 0 where the driver or pynvml is missing.

    Numbers in CUDA_VISIBLE_DEVICES are taken as the driver's own, which they are unless a machine
    has devices of different types.
    """
    try:
        import pynvml
    except ImportError:
        return _none
    return gpu_by(pynvml, env)


def gpu_by(nvml: Any, env: Mapping[str, str]) -> Gpu:
    """The same by `nvml`, which is pynvml or does as that does."""
    try:
        nvml.nvmlInit()
        devices = [_device(nvml, name) for name in _names(nvml, env)]
    except nvml.NVMLError:
        return _none

    def measure() -> float:
        try:
            used = [float(nvml.nvmlDeviceGetUtilizationRates(each).gpu) for each in devices]
        except nvml.NVMLError:
            return 0.0
        return sum(used) / len(used) if used else 0.0

    return measure


def _names(nvml: Any, env: Mapping[str, str]) -> list[str]:
    visible = env.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(number) for number in range(nvml.nvmlDeviceGetCount())]
    return [name for each in visible.split(",") if (name := each.strip())]


def _device(nvml: Any, name: str) -> Any:
    if name.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    return nvml.nvmlDeviceGetHandleByUUID(name)
