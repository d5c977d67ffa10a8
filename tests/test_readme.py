"""README.md: its services are served, its commands and calls give what it shows."""

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import grpc
import numpy as np
import pytest
import yaml
from bentoml_cli.cli import cli as bentoml
from PIL import Image
from typer.core import TyperGroup

import mesh
from gateway.main import MAX_REQUEST_BYTES
from mesh.cli.later import loaded
from mesh.cluster.start import Session
from mesh.config import DeploymentConfig, Fetch, MeshConfig, parse
from mesh.definition.loader import load
from mesh.definition.spec import service_spec
from mesh.io.bodies.limits import LIMITS, MIB
from mesh.io.types.elements import NAMES
from mesh.serving.application import from_config
from mesh.serving.run import Place, RunningMesh
from mesh.serving.wanted import deployment_name

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "mesh" / "io" / "README.md").read_text()
ADDRESS = "localhost:3000"
"""Where the page has its services listen."""
_MESH = f"{shlex.quote(sys.executable)} -c 'from mesh.cli.main import main; main()'"
RUN = {"curl": "curl -sS -m 30", "mesh call": _MESH, "mesh describe": _MESH, "mesh proto": _MESH}
"""Commands of the page that are run, and as what; the others are only looked up."""
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVE = re.compile(r"mesh serve (\w+:\w+)")


@dataclass(frozen=True)
class Block:
    """A block of code, the line where it stands, and the target that is served there."""

    language: str
    text: str
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.language}-line-{self.line}"

    @property
    def file(self) -> str:
        """The name of the file that it is."""
        found = re.match(r"# (\w+\.(?:py|yaml))\n", self.text)
        return found.group(1) if found else ""


def blocks() -> Iterator[Block]:
    target = ""
    for found in _FENCED.finditer(README):
        language, text = found.groups()
        if language == "console" and (served := _SERVE.search(text)):
            target = served.group(1)
        yield Block(language, text, README.count("\n", 0, found.start()) + 1, target)


BLOCKS = list(blocks())


def of(language: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == language], ids=str)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the files that the page shows, and those that its commands send."""
    folder = tmp_path_factory.mktemp("readme")
    modules = []
    for block in BLOCKS:
        if block.file:
            (folder / block.file).write_text(block.text)
            modules.append(block.file.removesuffix(".py"))
    Image.new("RGB", (400, 300), "red").save(folder / "photo.png")
    (folder / "notes.txt").write_text("hello\n")
    np.save(folder / "rows.npy", np.ones((2, 3), np.float32))
    yield folder
    sys.path[:] = [entry for entry in sys.path if entry != str(folder)]
    for name in modules:
        sys.modules.pop(name, None)


class Served:
    """A mesh on which the page's targets are deployed when they are first asked for."""

    def __init__(self, running: RunningMesh, folder: Path) -> None:
        self.folder = folder
        self._running = running
        self._names: dict[str, str] = {}

    def address(self, target: str) -> str:
        """What stands for the page's address: that of the target's endpoint."""
        if target not in self._names:
            self._names[target] = self._deploy(target)
        return f"{self._running.url.removeprefix('http://')}/e/{self._names[target]}"

    def _deploy(self, target: str) -> str:
        name = deployment_name(service_spec(load(target, [str(self.folder)])).name)
        config = parse(DeploymentConfig, {"name": name, "target": target}, what="README")
        self._running.deploy(from_config(config, [str(self.folder)]))
        return name

    def close(self) -> None:
        for name in self._names.values():
            self._running.control.delete(name)


@pytest.fixture(scope="module")
def served(ray_session: Session, folder: Path) -> Iterator[Served]:
    with (
        RunningMesh(Place(control_port=None), session=ray_session) as running,
        closing(Served(running, folder)) as found,
    ):
        yield found


@of("python")
def test_python_is_read_by_python(block: Block) -> None:
    compile(block.text, f"README.md:{block.line}", "exec")


@of("python")
def test_a_module_defines_a_service_or_its_tests(block: Block, folder: Path) -> None:
    assert block.file, "a block of Python begins with the name of its file"
    if block.file == "rollout.py":
        command = [sys.executable, "-c", "import rollout"]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    elif "def test_" in block.text:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", block.file]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert load(block.file.removesuffix(".py"), [str(folder)])


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console with what it writes."""
    for each in re.split(r"^\$ ", text.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
        command, _, output = each.partition("\n")
        yield command, output


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@of("console")
def test_commands_write_what_is_shown(block: Block, served: Served) -> None:
    for command, output in commands(block.text):
        program, *arguments = shlex.split(command, comments=True)
        runs = RUN.get(program if program != "mesh" else f"mesh {arguments[0]}")
        if runs is None:
            assert_known(program, arguments)
            continue
        address = served.address(block.target)
        here = command.replace(ADDRESS, address)
        done = subprocess.run(
            here.replace(program, runs, 1),
            shell=True, cwd=served.folder, capture_output=True, text=True, check=False,
            env={**os.environ, "MESH_URL": f"http://{address}", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, f"{here}: {done.stderr}"
        assert len(lines(done.stdout)) == len(lines(output)), done.stdout
        for found, shown in zip(lines(done.stdout), lines(output), strict=True):
            assert re.fullmatch(re.escape(shown).replace("…", ".*"), found), here


def assert_known(program: str, arguments: list[str]) -> None:
    """The page's other commands are those that there are."""
    match program:
        case "mesh" | "bentoml":
            command: Any = bentoml if program == "bentoml" else loaded(arguments[0])
            rest = list(arguments if program == "bentoml" else arguments[1:])
            while isinstance(command, (TyperGroup, click.Group)):
                command, rest = command.commands[rest[0]], rest[1:]
            command.make_context(program, rest)
        case "make":
            (target,) = arguments
            assert f"\n{target}:" in (ROOT / "Makefile").read_text()
        case _:
            pytest.fail(f"{program} is not known here")


@of("pycon")
def test_calls_return_what_is_shown(
    block: Block, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(served.folder)
    address = served.address(block.target)
    # A channel has no path; the rpc's service says which endpoint is meant.
    channel = f'insecure_channel("{ADDRESS}")'
    text = block.text.replace(channel, channel.replace(ADDRESS, address.partition("/")[0]))
    text = text.replace(ADDRESS, address)
    names = {"__name__": "readme"}
    found = doctest.DocTestParser().get_doctest(text, names, "README.md", None, block.line)
    failures: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(found, out=failures.append, clear_globs=False)
    for value in found.globs.values():
        if isinstance(value, (mesh.Client, grpc.Channel)):
            value.close()
    assert not failures, "".join(failures)


@of("yaml")
def test_a_deployment_file_can_be_read(block: Block) -> None:
    document = yaml.safe_load(block.text)
    if "deployments" in document:
        parse(MeshConfig, document, what="README")
    else:
        parse(DeploymentConfig, document, what="README")


def test_every_block_is_looked_at() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "pycon", "console", "yaml"}


@pytest.mark.parametrize(
    "file", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mesh/io/README.md"]
)
def test_links_lead_somewhere(file: str) -> None:
    page = ROOT / file
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_extras_on_the_page_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    table = README.partition("## Extras")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(named) == project["optional-dependencies"].keys() - {"demo", "dev"}


def test_limits_on_the_page_are_those_that_hold() -> None:
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", REFERENCE, re.MULTILINE))
    fetch = Fetch()
    assert rows["request body"] == f"{MAX_REQUEST_BYTES // MIB} MiB"
    assert rows["file fetched by URL"] == (
        f"{fetch.max_bytes // MIB} MiB, {fetch.timeout:g} s in all, {fetch.redirects} redirects,"
        " public addresses"
    )
    assert rows["fields of a form, and files as many again"] == str(LIMITS.parts)
    assert rows["one text field; all of them"] == (
        f"{LIMITS.text // MIB} MiB; {LIMITS.texts // MIB} MiB"
    )
    assert rows["file parts read as JSON or text, together"] == f"{LIMITS.documents // MIB} MiB"
    assert rows["steps of a dotted name"] == str(LIMITS.steps)


def test_element_types_on_the_page_are_those_that_there_are() -> None:
    (said,) = re.findall(r"Element types: (.*?) and `str`", REFERENCE, re.DOTALL)
    assert {"bool", "float16", "bfloat16", "complex128"} <= set(re.findall(r"`(\w+)`", said))
    assert set(re.findall(r"`(\w+)`", said)) <= set(NAMES)


def test_public_names_on_the_page_are_there() -> None:
    for name in re.findall(r"`mesh\.([A-Z]\w+)", README):
        assert hasattr(mesh, name), name
