"""A release as it lies unpacked on a node: what its `bento.yaml` and its other files say."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from mesh.errors import FailedPrecondition

DOCUMENT = "bento.yaml"
CODE = "src"
"""The folder with the code."""
_USUAL = "ca-certificates gnupg2 bash build-essential"
"""What is in the command that every image of a release begins with."""


@dataclass(frozen=True)
class UnpackedRelease:
    """A release in `folder`. Reading raises FailedPrecondition if it is not what it should be."""

    folder: Path

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """What `bento.yaml` says."""
        try:
            found = yaml.safe_load((self.folder / DOCUMENT).read_bytes())
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            text = " ".join(str(error).split())
            raise FailedPrecondition(f"{DOCUMENT} cannot be read: {text}") from None
        if not isinstance(found, dict):
            raise FailedPrecondition(f"{DOCUMENT} says nothing")
        return found

    @property
    def target(self) -> str:
        """The entry, as `pkg.mod:Service`."""
        target = self.document.get("service")
        if not isinstance(target, str) or not target:
            raise FailedPrecondition(f"{DOCUMENT} names no service")
        return target

    @property
    def is_bento(self) -> bool:
        """Whether BentoML has made it and has to know of it; what the mesh made says so."""
        return "mesh_version" not in self.document and bool(self.document.get("bentoml_version"))

    @property
    def code(self) -> Path:
        """Where its modules are."""
        return self.folder / CODE

    @property
    def envs(self) -> dict[str, str]:
        """Variables to which it gives a value for its run time."""
        return self._envs(but="build")

    @property
    def build_envs(self) -> dict[str, str]:
        """Variables to which it gives a value for the installation of its requirements."""
        return self._envs(but="runtime")

    def _envs(self, but: str) -> dict[str, str]:
        return {
            str(each["name"]): str(each["value"])
            for each in self.document.get("envs") or ()
            if isinstance(each, dict)
            and each.get("name")
            and each.get("value")
            and each.get("stage") != but
        }

    @property
    def wanted(self) -> str:
        """Its Python requirements as its author wrote them, one a line."""
        return self._python("requirements.in") or self._python("requirements.txt")

    @property
    def lock(self) -> str:
        """All packages with versions, as they were when the release was made; may be empty."""
        if locked := self._python("requirements.lock.txt"):
            return locked
        return self._python("requirements.txt") if self._python("requirements.in") else ""

    @property
    def wheels(self) -> tuple[Path, ...]:
        """Packages that it brings along."""
        return tuple(
            path
            for path in sorted((self.folder / "env" / "python" / "wheels").glob("*"))
            if path.name.endswith((".whl", ".tar.gz"))
        )

    @property
    def base(self) -> Path:
        """Where relative paths in its requirements begin."""
        return self.code if self.code.is_dir() else self.folder / "env" / "python"

    def _python(self, name: str) -> str:
        try:
            return (self.folder / "env" / "python" / name).read_text()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError):
            raise FailedPrecondition(f"env/python/{name} cannot be read") from None

    def warnings(self) -> tuple[str, ...]:
        """What it asks for and does not get here, in sentences."""
        found = []
        image = _mapping(self.document.get("image"))
        docker = _mapping(self.document.get("docker"))
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        wanted = str(image.get("python_version") or docker.get("python_version") or here)
        if wanted.split(".")[:2] != here.split("."):
            found.append(f"it was made for Python {wanted} and runs on {here}")
        commands = [each for each in image.get("commands") or () if _USUAL not in str(each)]
        found += [
            f"a command of its image is not run: {' '.join(str(each).split())[:200]}"
            for each in (*commands, *(image.get("post_commands") or ()))
        ]
        packages = docker.get("system_packages") or ()
        if packages:
            names = " ".join(map(str, packages))
            found.append(f"system packages are not installed: {names[:200]}")
        if docker.get("setup_script"):
            found.append("the setup script of its image is not run")
        if _mapping(self.document.get("conda")).get("dependencies"):
            found.append("packages of conda are not installed")
        return tuple(found)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
