"""A Python environment with what a release lacks, in front of what the node has.

Built with uv: it finds versions that go together, prefers those of the node, and installs the rest
into a virtual environment. That one looks into the node's own packages behind its own, so that a
release with one small requirement costs one small package.
"""

import hashlib
import json
import os
import re
import signal
import site
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from packaging.utils import canonicalize_name
from uv import find_uv_bin

from mesh.errors import FailedPrecondition, MeshError, Unavailable
from mesh.launch import NO_SECRETS, Secrets
from mesh.nodes.redacted import redacted
from mesh.nodes.requirements import Base, Installed, Plan, missing

_BEHIND = "_mesh_base.pth"
_PASSING = re.compile(
    r"failed to fetch|error sending request|timed? ?out|dns error|connection|temporar|no space",
    re.IGNORECASE,
)
"""What installers say of troubles that may pass."""
_DECORATION = re.compile(r"^[\s\xd7│├╰─▶·]*((error|cause|Caused by|hint):)?\s*")
_NAMES = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}
"""What uv calls variables that pip knows."""
_REFUSED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
_LONGEST = 600
"""Characters of a reason."""


def installed(path: Sequence[str] | None = None) -> Base:
    """The packages that this process can import, or those in the folders of `path`."""
    found: dict[str, Installed] = {}
    given = metadata.distributions() if path is None else metadata.distributions(path=list(path))
    for each in given:
        name = each.metadata["Name"]
        if name:
            one = Installed(
                canonicalize_name(name), each.version, tuple(each.requires or ()), _is_made(each)
            )
            found.setdefault(one.name, one)  # the first on the path is what is imported
    return found


def _is_made(package: metadata.Distribution) -> bool:
    return "+" in package.version or package.read_text("direct_url.json") is not None


def environment_name(
    plan: Plan, base: Base, release: str, wheels: Sequence[Path], build: str = ""
) -> str:
    """The name of the environment of a plan: the same for all releases that lack the same.

    `build` tells what its installation gets from what others get, and none of it can be guessed
    from that: what one may install from a private index is not for all.
    """
    described = [
        asdict(plan),
        sorted((each.name, each.version) for each in base.values()),
        [sys.version, sys.platform, sys.prefix],
        release if plan.is_own or wheels else "",
        *([build] if build else []),
    ]
    text = json.dumps(described, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def python_of(environment: Path) -> Path:
    """The interpreter of an environment."""
    return environment / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Installer:
    """Makes environments. What uv says is added to the file `log`; it has `timeout` seconds.

    It gets the variables of `build`, whose values are told to nobody, and `envs`, which go before
    them.
    """

    plan: Plan
    base: Base
    folder: Path
    log: Path
    timeout: float
    build: Secrets = field(default=NO_SECRETS, repr=False)
    envs: Mapping[str, str] = field(default_factory=dict)

    def make(self, path: Path) -> None:
        """Makes an environment at `path`.

        Raises:
            FailedPrecondition: the requirements cannot be met; the message says which.
            Unavailable: something is in the way that may pass.
        """
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.write_text("")
        self._uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(path))
        work = path / "mesh"
        work.mkdir()
        resolved = self._resolved(work)
        self._install(path, work, missing(resolved, self.base))
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(path)}))
        folders = {*site.getsitepackages(), sysconfig.get_path("purelib")}
        lines = [f"import site; site.addsitedir({folder!r})" for folder in sorted(folders)]
        (packages / _BEHIND).write_text("\n".join(lines) + "\n")

    def _resolved(self, work: Path) -> str:
        plan, out = self.plan, work / "resolved.txt"
        _write(work / "wanted.txt", (*plan.options, *plan.wanted))
        _write(work / "constraints.txt", plan.constraints)
        _write(work / "left_out.txt", plan.left_out)
        _write(out, plan.preferred)
        self._uv(
            *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-progress"),
            *("--python", sys.executable, "--output-file", str(out)),
            *("--constraint", str(work / "constraints.txt")),
            *("--override", str(work / "left_out.txt")),
            str(work / "wanted.txt"),
        )
        return out.read_text()

    def _install(self, path: Path, work: Path, lines: Sequence[str]) -> None:
        if lines:
            _write(work / "missing.txt", (*self.plan.options, *lines))
            python = str(python_of(path))
            file = str(work / "missing.txt")
            self._uv("pip", "install", "--no-progress", "--no-deps", "--python", python, "-r", file)

    def _uv(self, *arguments: str) -> None:
        # A file without a name: what uv says may have secrets in it.
        with TemporaryFile(dir=self.log.parent) as output:
            try:
                code = self._ran(arguments, output)
            finally:
                output.seek(0)
                said = redacted(output.read().decode(errors="replace"), self.build)
                with self.log.open("a") as log:
                    log.write(f"uv {' '.join(arguments)}\n{said}")
        if code:
            raise failure(said)

    def _ran(self, arguments: Sequence[str], output: IO[bytes]) -> int:
        with subprocess.Popen(  # noqa: S603  # no shell
            [find_uv_bin(), *arguments],
            cwd=self.folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process:
            try:
                return process.wait(self.timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    text = f"requirements are not installed after {self.timeout:g} s"
                    raise Unavailable(text) from None
                raise

    def _environ(self) -> dict[str, str]:
        environ = {
            name: value
            for name, value in os.environ.items()
            if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
            and not name.startswith(("RAY_", "MESH_"))
        }
        given = {**self.build.envs, **self.envs}
        named = {uv: given[pip] for pip, uv in _NAMES.items() if pip in given}
        return {**environ, **named, **given}


def failure(said: str) -> MeshError:
    """The error that says in one line why requirements could not be installed."""
    lines = (_DECORATION.sub("", line).strip() for line in said.splitlines())
    told = [line for line in lines if line and not line.startswith(("Using Python", "warning:"))]
    parts: list[str] = []
    for line in told:
        is_new = line[:1].isupper()
        if parts and not is_new:
            parts[-1] += f" {line}"
        else:
            parts.append(line)
    text = ": ".join(part.rstrip(":") for part in parts) or "uv gives no reason"
    text = redacted(text)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    passes = _PASSING.search(text) and not _REFUSED.search(text)
    kind = Unavailable if passes else FailedPrecondition
    return kind(f"its requirements cannot be installed: {text}")


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
