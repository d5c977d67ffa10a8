"""A mesh in the background, ended from outside."""

import subprocess
import sys

import psutil
import pytest

from mesh.errors import Unavailable
from mesh.serving.background import stop
from mesh.serving.home import Announcement

SLOW = """
import signal, sys, threading
calls = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(0.3, calls.set).start())
print("up", flush=True)
calls.wait()
"""
"""A program that finishes its calls before it ends."""
STUCK = SLOW.replace("threading.Timer(0.3, calls.set).start()", "None")


def running(program: str, grace: int) -> tuple["subprocess.Popen[bytes]", Announcement]:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    started = psutil.Process(process.pid).create_time()
    return process, Announcement(process.pid, started, "", "", "", "its log", "", grace)


def test_a_mesh_that_ends_has_the_time_of_its_calls() -> None:
    process, mesh = running(SLOW, grace=60)
    with process:
        stop(mesh, limit=0.0)
        assert not psutil.pid_exists(mesh.pid) or process.poll() is not None


def test_a_mesh_that_does_not_end_is_told_with_its_log() -> None:
    process, mesh = running(STUCK, grace=0)
    with process:
        with pytest.raises(Unavailable, match=r"still runs after 0\.1 s: see its log"):
            stop(mesh, limit=0.1)
        process.kill()
