"""The log of a mesh in the background stays within bounds, whoever writes to it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.serving.daemon import watch
from mesh.serving.rotated import Rotated

WRITER = """\
import sys
for line in sys.stdin:
    print(line.strip() * 10, file=sys.stderr, flush=True)
    print(flush=True)
"""


class Writer:
    """Another process that has the log open from before, as a gateway has."""

    def __init__(self, log: Path) -> None:
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WRITER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
            )

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()
        self.process.stdout.readline()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mesh.log"


@pytest.fixture
def writers(log: Path) -> Iterator[tuple[Writer, Writer]]:
    made = (Writer(log), Writer(log))
    yield made
    for each in made:
        each.process.communicate()


def test_what_several_processes_write_is_kept_in_copies(
    log: Path, writers: tuple[Writer, Writer]
) -> None:
    rotated = Rotated(log, limit=40, kept=2)
    for text in "abcd":
        for writer in writers:
            writer.write(text)  # 22 bytes of the two
            rotated.look()
        writers[0].write(text)
        writers[1].write(text)
        assert log.read_text() == f"{text * 10}\n" * 4
        rotated.look()
        assert log.read_bytes() == b""
        assert log.with_name("mesh.log.1").read_text() == f"{text * 10}\n" * 4
    assert sorted(each.name for each in log.parent.iterdir()) == [
        "mesh.log",
        "mesh.log.1",
        "mesh.log.2",
    ]
    assert log.with_name("mesh.log.2").read_text().startswith("c")


def test_copies_are_for_whoever_may_read_the_log(log: Path) -> None:
    log.write_text("x" * 50)
    log.chmod(0o600)
    Rotated(log, limit=40).look()
    assert log.with_name("mesh.log.1").stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_copied_is_emptied_all_the_same(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log.write_text("x" * 50)
    (blocking := log.with_name("mesh.log.0")).mkdir()
    rotated = Rotated(log, limit=40)
    rotated.look()
    assert log.read_text() == ""
    assert "the log was emptied, and no copy kept" in caplog.text
    assert "mesh.log.0" in caplog.text
    blocking.rmdir()
    log.write_text("y" * 40)
    rotated.look()
    assert log.with_name("mesh.log.1").read_text() == "y" * 40


def test_a_log_that_cannot_be_emptied_is_tried_again_later(log: Path) -> None:
    log.mkdir()
    with pytest.raises(IsADirectoryError):
        Rotated(log, limit=1).look()


def test_of_a_log_that_is_far_too_long_its_end_is_kept(log: Path) -> None:
    log.write_text("x" * 100 + "y" * 80)
    Rotated(log, limit=40).look()
    assert log.with_name("mesh.log.1").read_text() == "y" * 80


def test_a_log_that_is_gone_is_no_failure(log: Path) -> None:
    Rotated(log, limit=1).look()


class Twice:
    """Lets a daemon look twice."""

    left = 2

    def wait(self, _: float) -> bool:
        self.left -= 1
        return self.left < 0


class Whole:
    """A mesh in which nothing breaks."""

    def mend(self) -> tuple[str, ...]:
        return ()


def test_the_daemon_looks_after_its_log(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    log.write_text("x" * 50)
    watch(Whole(), Twice(), Rotated(log, limit=40))
    assert log.read_text() == ""
    log.write_text("x" * 50)
    watch(Whole(), Twice(), Rotated(log, limit=40))
    assert not caplog.messages
    log.unlink()
    log.mkdir()
    watch(Whole(), Twice(), Rotated(log, limit=1))
    assert len(caplog.messages) == 1
    assert "the log cannot be emptied" in caplog.text
