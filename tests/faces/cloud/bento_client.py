"""The real clients of BentoCloud, `bentoml` and its Python API, each with a home of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SERVICE = """\
import bentoml

@bentoml.service(resources={"cpu": "1"})
class Tiny:
    @bentoml.api
    def hello(self, name: str = "you") -> str:
        return f"hello {name}"
"""
WITH_MODEL = SERVICE.replace(
    "    @bentoml.api\n",
    '    weights = bentoml.models.BentoModel("weights:v1")\n\n    @bentoml.api\n',
    1,
)


@dataclass
class BentoClient:
    """`bentoml` as a user has it who is logged in at `url`."""

    home: Path
    url: str
    token: str
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    def run(self, *command: str, cwd: Path | None = None, fails: bool = False) -> str:
        """What a command says; the test fails unless it succeeds, or fails if it should."""
        done = self._run([sys.executable, "-m", "bentoml", *command], cwd)
        assert (done.returncode != 0) is fails, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def python(self, code: str) -> str:
        """What a program prints."""
        done = self._run([sys.executable, "-c", code], None)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, command: list[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("BENTO")}
        return {
            **kept,
            "BENTOML_HOME": str(self.home),
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTO_CLOUD_API_ENDPOINT": self.url,
            "BENTO_CLOUD_API_KEY": self.token,
            "NO_COLOR": "1",
            "COLUMNS": "300",
            **self.env,
        }

    def build(self, folder: Path, code: str = SERVICE, version: str = "v1") -> Path:
        """Builds a service `tiny`; gives the folder of the bento."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "service.py").write_text(code)
        (folder / "bentofile.yaml").write_text(
            "service: service:Tiny\npython:\n  packages: []\n  lock_packages: false\n"
        )
        self.run("build", ".", "--version", version, cwd=folder)
        return self.bento(f"tiny/{version}")

    def bento(self, path: str) -> Path:
        """Where it keeps a bento."""
        return self.home / "bentos" / path

    def model(self, path: str) -> Path:
        """Where it keeps a model."""
        return self.home / "models" / path

    def make_model(self, content: bytes = b"weights", name: str = "weights", size: int = 0) -> Path:
        """Makes a model of one version, `v1`; `size` bytes of it are zeros that take no room."""
        self.python(
            "import bentoml\n"
            f"with bentoml.models.create('{name}:v1') as model:\n"
            f"    with open(model.path_of('weights.bin'), 'wb') as file:\n"
            f"        file.write({content!r})\n"
            f"        file.truncate({max(size, len(content))})\n"
        )
        return self.model(f"{name}/v1")


def tree(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
