"""What a replica measures of itself."""

import asyncio
import os
import threading
from dataclasses import replace
from typing import Any

import psutil
import pytest

from mesh.control.loads import Report
from mesh.replica.admission import Admission
from mesh.replica.host import ReplicaHost
from mesh.replica.usage import Usage, gpu_by, gpu_of
from tests.link.controller import Controller
from tests.link.rig import run, until
from tests.replica.rig import launch_of
from tests.replica.services import Work


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Process(psutil.Process):
    """A process that has used as much as the test says."""

    user, system, rss = 10.0, 1.0, 1000

    def cpu_times(self) -> Any:
        return type("Times", (), {"user": self.user, "system": self.system})()

    def memory_info(self) -> Any:
        return type("Memory", (), {"rss": self.rss})()


def usage(time: Time, cpu: float = 0.0) -> tuple[Usage, Admission, Process]:
    launch = replace(launch_of(Work, "one"), cpu=cpu)
    admission, process = Admission(0, time), Process()
    return Usage(launch, admission, time, process=process), admission, process


def test_calls_in_flight_are_averaged_over_the_time_since_the_last_look() -> None:
    time = Time()
    made, admission, _ = usage(time)
    first = admission.admit()
    time.now += 2
    second = admission.admit()
    assert first is not None
    assert second is not None
    time.now += 2
    first.release()
    load = made.take(4.0)
    assert load.in_flight == pytest.approx((2 * 1 + 2 * 2) / 4)
    assert load.qps == pytest.approx(1 / 4)
    time.now += 1
    second.release()
    time.now += 4
    load = made.take(5.0)
    assert load.in_flight == pytest.approx(1 / 5)
    assert load.qps == pytest.approx(1 / 5)
    time.now += 5
    assert made.take(5.0).in_flight == pytest.approx(0, abs=1e-9)


def test_a_place_that_a_thread_holds_on_to_is_in_flight_until_it_is_free() -> None:
    time = Time()
    made, admission, _ = usage(time)
    place = admission.admit()
    assert place is not None
    place.hold()
    place.release()
    time.now += 2
    load = made.take(2.0)
    assert (load.in_flight, load.qps) == (pytest.approx(1.0), 0.0)
    place.release()
    assert (admission.taken, admission.ended) == (0, 1)


@pytest.mark.parametrize(("cpu", "percent"), [(0.0, 50.0), (1.0, 50.0), (2.0, 25.0), (0.25, 200.0)])
def test_cpu_is_in_percent_of_the_cores_that_were_reserved(cpu: float, percent: float) -> None:
    time = Time()
    made, _, process = usage(time, cpu)
    process.user, process.system, process.rss = 11.5, 1.5, 2000
    time.now += 4
    load = made.take(4.0)
    assert load.cpu == pytest.approx(percent)
    assert load.memory == 2000
    time.now += 4
    assert made.take(4.0).cpu == 0


def test_two_looks_at_one_moment_are_no_error() -> None:
    made, _, _ = usage(Time())
    load = made.take(0.0)
    assert (load.in_flight, load.cpu, load.qps) == (0.0, 0.0, 0.0)


def test_the_real_process_uses_memory() -> None:
    time = Time()
    made = Usage(launch_of(Work, "one"), Admission(0, time), time)
    time.now += 1
    assert made.take(1.0).memory == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


class Nvml:
    """What is used of pynvml."""

    class NVMLError(Exception):
        pass

    def __init__(self, *busy: int, fails: bool = False) -> None:
        self._busy = dict(enumerate(busy))
        self.fails = fails

    def nvmlInit(self) -> None:  # noqa: N802  # pynvml's name
        if self.fails:
            raise self.NVMLError

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  # pynvml's name
        return len(self._busy)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802  # pynvml's name
        if index not in self._busy:
            raise self.NVMLError
        return index

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:  # noqa: N802  # pynvml's name
        return int(name.removeprefix("GPU-"))

    def nvmlDeviceGetUtilizationRates(self, index: int) -> Any:  # noqa: N802  # pynvml's name
        if self.fails:
            raise self.NVMLError
        return type("Rates", (), {"gpu": self._busy[index]})()


@pytest.mark.parametrize(
    ("visible", "percent"),
    [(None, 40), ("1", 60), ("0,2", 30), ("GPU-2", 40), ("", 0), ("7", 0)],
)
def test_gpus_are_those_that_the_process_sees(visible: str | None, percent: float) -> None:
    env = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert gpu_by(Nvml(20, 60, 40), env)() == percent


def test_a_driver_that_is_not_there_or_fails_means_no_use() -> None:
    assert gpu_by(Nvml(20, fails=True), {})() == 0
    nvml = Nvml(20)
    measure = gpu_by(nvml, {})
    nvml.fails = True
    assert measure() == 0
    assert 0 <= gpu_of(os.environ)() <= 100  # of this machine, whatever it has


def test_a_replica_reports_what_it_holds_to_its_controller() -> None:
    async def main() -> None:
        controller = Controller()
        controller.interval = 0.1
        await controller.start()
        launch = launch_of(Work, "one", controller=f"127.0.0.1:{controller.port}")
        host = ReplicaHost(launch)
        await asyncio.to_thread(host.start)
        await until(lambda: len(controller.reports) >= 2)
        report: Report = controller.reports[-1]
        assert report.reporter == "replica/one"
        assert report.replicas["one"].memory > 0
        assert report.replicas["one"].in_flight == 0
        assert report.waiting == {}
        before = threading.active_count()
        await asyncio.to_thread(host.stop)
        assert threading.active_count() <= before
        await controller.stop()

    run(main())
