"""A person with `bentoml` on a machine of their own: a home folder, a command, a Python."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BENTOML = str(Path(sys.executable).with_name("bentoml"))
LONG = 240.0
"""Seconds that a command may take on a machine that is busy."""


class BentomlUser:
    """Works in `folder`, with what `bentoml` keeps in a folder below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BENTO", "MESH_"))
        }
        return {
            **ours,
            "HOME": str(self.folder),
            "BENTOML_HOME": str(self.home),
            "BENTOML_DO_NOT_TRACK": "True",
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

    def tries(self, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """What a command does."""
        return subprocess.run(
            [BENTOML, *arguments],
            cwd=cwd or self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONG,
            stdin=subprocess.DEVNULL,
        )

    def runs(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a command that succeeds writes."""
        done = self.tries(*arguments, cwd=cwd)
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        """What a command that succeeds writes in JSON."""
        done = self.tries(*arguments, "-o", "json")
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def fails(self, *arguments: str) -> str:
        """What a command that fails writes; never a traceback."""
        done = self.tries(*arguments)
        told = done.stdout + done.stderr
        assert done.returncode != 0, f"{arguments}: {told}"
        assert "Traceback" not in told, told
        return told

    def login(self, endpoint: str, token: str) -> str:
        return self.runs("cloud", "login", "--endpoint", endpoint, "--api-token", token)

    def python(self, program: str) -> str:
        """What a program that uses the Python API prints."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONG,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write(self, files: Mapping[str, str]) -> Path:
        """A folder with these files."""
        folder = self.folder / "code"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder
