"""Bentos as `bentoml build` makes them, and their archives as `bentoml push` sends them."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from mesh.launch import Source
from mesh.releases.contract import Release

SERVICE = """
import os
import pathlib

import bentoml


@bentoml.service(envs=[{"name": "GREETING", "value": "hello"}, {"name": "LATER"}])
class Helper:
    @bentoml.api
    def twice(self, n: int) -> int:
        return 2 * n

    @bentoml.api
    def variable(self, name: str) -> str:
        return os.environ.get(name, "")


@bentoml.service
class Entry:
    helper = bentoml.depends(Helper)
    model = bentoml.models.BentoModel("tiny:latest")

    def __init__(self):
        self.weights = pathlib.Path(self.model.path_of("weights.txt")).read_text()

    @bentoml.api
    def say(self, n: int) -> str:
        return f"{self.helper.twice(n)} {self.weights} {pathlib.Path('words.txt').read_text()}"

    @bentoml.api
    def variable(self, name: str) -> str:
        return os.environ.get(name, "")

    @bentoml.api
    def variable_of_helper(self, name: str) -> str:
        return self.helper.variable(name)

    @bentoml.api
    def model_of(self, tag: str) -> str:
        return str(bentoml.models.get(tag).tag)

    @bentoml.api
    def file(self, name: str) -> str:
        path = pathlib.Path(os.environ["BENTOML_HOME"], name)
        return f"{path.stat().st_mode & 0o777:o} {path.parent.stat().st_mode & 0o777:o} " + (
            path.read_text()
        )

    @bentoml.api
    def homes(self) -> list[str]:
        home = pathlib.Path(os.environ["BENTOML_HOME"])
        return sorted(path.name for path in home.parent.iterdir())

    @bentoml.api
    def version(self, package: str) -> str:
        import importlib.metadata

        return importlib.metadata.version(package)
"""


@dataclass
class Archives:
    """Archives by their digests, in a folder."""

    folder: Path
    asked: list[tuple[str, int]] = field(default_factory=list)

    def put(self, source: Path) -> str:
        """Keeps the archive of a folder; returns its digest."""
        content = BytesIO()
        with tarfile.open(fileobj=content, mode="w:") as tar:
            tar.add(source, arcname="./", filter=_without_models)
        return self.put_bytes(content.getvalue())

    def put_bytes(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / digest).write_bytes(content)
        return f"sha256:{digest}"

    def fetch(self, digest: str, offset: int, limit: int) -> bytes:
        """As of `mesh.nodes.prepare.Fetch`."""
        self.asked.append((digest, offset))
        with (self.folder / digest.removeprefix("sha256:")).open("rb") as file:
            file.seek(offset)
            return file.read(limit)


def _without_models(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if f"{info.path}/".startswith("./models/") else info


@dataclass(frozen=True)
class Workshop:
    """A BentoML home of its own, in which the real BentoML works."""

    folder: Path
    archives: Archives

    @classmethod
    def at(cls, folder: Path) -> "Workshop":
        (folder / "archives").mkdir(parents=True)
        return cls(folder, Archives(folder / "archives"))

    def _run(self, *arguments: str) -> str:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BENTO")},
            "BENTOML_HOME": str(self.folder / "home"),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr
        return done.stdout

    def model(self, name: str, files: Mapping[str, str]) -> tuple[str, str]:
        """Makes a model; returns its tag and the digest of its archive."""
        program = (
            "import bentoml, json, pathlib, sys\n"
            "with bentoml.models.create(sys.argv[1]) as model:\n"
            "    for name, text in json.loads(sys.argv[2]).items():\n"
            "        pathlib.Path(model.path_of(name)).write_text(text)\n"
            "print(model.tag)\n"
        )
        tag = self._run("-c", program, name, json.dumps(dict(files))).strip()
        digest = self.archives.put(self.folder / "home" / "models" / tag.replace(":", "/"))
        return tag, digest

    def bento(
        self,
        service: str = SERVICE,
        *,
        target: str = "service:Entry",
        packages: tuple[str, ...] = (),
        models: Mapping[str, str] | None = None,
        more: str = "",
        lock: bool = False,
    ) -> Release:
        """Builds a bento; its release has the digest of its archive."""
        project = self.folder / "project"
        project.mkdir(exist_ok=True)
        (project / "service.py").write_text(service)
        (project / "words.txt").write_text("words")
        (project / "bentofile.yaml").write_text(
            f"service: {target}\ninclude: ['*']\npython:\n  lock_packages: {str(lock).lower()}\n"
            f"  packages: {list(packages)}\n{more}"
        )
        said = self._run("-m", "bentoml", "build", str(project), "--output", "tag")
        tag = next(line for line in said.splitlines() if line.startswith("__tag__:"))
        name, _, version = tag.removeprefix("__tag__:").partition(":")
        folder = self.folder / "home" / "bentos" / name / version
        digest = self.archives.put(folder)
        size = (self.archives.folder / digest.removeprefix("sha256:")).stat().st_size
        return Release(name, version, "uid", digest, size, {}, dict(models or {}))


def wheel(folder: Path, name: str, version: str) -> Path:
    """A package with one module that knows its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


OWN = """
import os
from pathlib import Path

import mesh


@mesh.service
class Counter:
    @mesh.api
    def count(self) -> int:
        import numbat
        return len(numbat.VERSION)
"""


def own(folder: Path, archives: Archives, requirements: str = "", service: str = OWN) -> Release:
    """A release of a service of the mesh itself; what lies in `folder` is in it."""
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "app.py").write_text(service)
    python = folder / "env" / "python"
    python.mkdir(parents=True, exist_ok=True)
    (python / "requirements.txt").write_text(requirements)
    document = {
        "service": "app:Counter",
        "name": "counter",
        "version": "1",
        "bentoml_version": "1.4.39",
        "mesh_version": "0.1.0",
        "services": [{"name": "Counter"}],
    }
    (folder / "bento.yaml").write_text(json.dumps(document))
    return Release("counter", "1", "uid", archives.put(folder), 0)


def source_of(release: Release) -> Source:
    """What a launch has of a release before it is described."""
    return Source(release=release.digest, models=release.models)
