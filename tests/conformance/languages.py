"""Programs of clients by language: what they need, how they are built, and what they say."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).parent / "clients"
LANGUAGES = ("python", "node", "cpp", "go", "ruby", "java")
REQUIRED = ("python", "node", "cpp")
"""Those that continuous integration must not leave out."""
_LINE = re.compile(r"(?P<ok>ok|not ok) (?P<name>\w+)(: (?P<why>.*))?")
_LONGEST_BUILD, _LONGEST_RUN = 400, 150


class Absent(Exception):
    """The toolchain of a language is not here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program said: the cases that went well, why others did not, and its other words."""

    passed: frozenset[str]
    failed: dict[str, str]
    rest: str

    def why(self, case: str) -> str:
        """Why a case did not pass; empty if it did."""
        if case in self.failed:
            return self.failed[case]
        return "" if case in self.passed else f"the program does not say: {self.rest[-2000:]}"


def outcome_of(said: str, rest: str) -> Outcome:
    """Reads the lines of a program; what is no line of a case goes to `rest`."""
    passed, failed = set(), {}
    for line in said.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            rest += f"\n{line}"
        elif match["ok"] == "ok":
            passed.add(match["name"])
        else:
            failed[match["name"]] = match["why"] or "it does not say why"
    return Outcome(frozenset(passed), failed, rest)


def make(
    language: str, target: str, *, limit: int = 60, **variables: object
) -> tuple[int, str, str]:
    """Makes a target of a language's folder; returns its status and what it wrote."""
    given = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "-s", "-C", str(CLIENTS / language), target, f"PYTHON={sys.executable}", *given],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
    )
    return done.returncode, done.stdout, done.stderr


def toolchain(language: str) -> str:
    """What there is of it, with versions. Raises Absent where `make check` says what is not."""
    status, said, wrong = make(language, "check")
    if status and not said.strip():
        raise RuntimeError(f"make check of {language} fails: {wrong}")
    if status:
        raise Absent(said.strip())
    return said.strip()


def built(language: str, protos: Path) -> Path:
    """The folder with its program, from the cache if it was built before of the same sources."""
    tools = toolchain(language)
    folder = _cache() / f"{language}-{_digest(CLIENTS / language, protos, tools)}"
    with _alone(folder):
        if not (folder / "built").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            status, said, wrong = make(
                language, "build", limit=_LONGEST_BUILD, PROTOS=protos, OUT=folder
            )
            if status:
                raise RuntimeError(f"{language} cannot be built: {said[-2000:]}{wrong[-4000:]}")
            (folder / "built").touch()
    return folder


def run(language: str, protos: Path, target: str) -> Outcome:
    """Builds the program, and runs it against the mesh at `target`. Raises Absent."""
    folder = built(language, protos)
    _, said, wrong = make(
        language, "run", limit=_LONGEST_RUN, PROTOS=protos, OUT=folder, TARGET=target
    )
    return outcome_of(said, wrong)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "serving-mesh" / "conformance"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other run builds the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(sources: Path, protos: Path, tools: str) -> str:
    digest = hashlib.sha256(tools.encode())
    for folder in (sources, protos):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
