"""The real `bentoml code`: what is saved here runs there."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.bentoml_user import BENTOML, BentomlUser
from tests.e2e.clients import eventually
from tests.e2e.terminal import LONG, Terminal
from tests.e2e.upped import Upped, upped

pytestmark = pytest.mark.timeout(600)

SERVICE = """
import bentoml
from words import WORD


@bentoml.service(resources={"cpu": "100m"})
class Lab:
    @bentoml.api
    def hello(self, name: str = "you") -> str:
        print("asked for " + name, flush=True)
        return f"{WORD} {name}"
"""
MORE = """
    @bentoml.api
    def bye(self, name: str = "you") -> str:
        return f"bye {name}"
"""
BENTOFILE = """
service: "service:Lab"
include: ["*.py"]
python:
  lock_packages: false
"""
# Without the last line bentoml 1.4.39 fails: it locks packages in a folder that it does not make.


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upped]:
    with upped(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory, mesh: Upped) -> BentomlUser:
    user = BentomlUser(tmp_path_factory.mktemp("ann"))
    token = (mesh.folder / "token").read_text().strip()
    user.login(f"http://127.0.0.1:{mesh.control_port}", token)
    return user


def said(mesh: Upped, word: str, path: str = "hello") -> None:
    """Waits until the codespace answers with a word."""

    def answered() -> bool:
        try:
            reply = httpx.post(f"{mesh.url}/e/lab/{path}", json={"name": "ann"}, timeout=LONG)
        except httpx.TransportError:
            return False
        return reply.status_code == 200 and reply.text.strip('"') == f"{word} ann"

    eventually(answered, f"it says {word}", LONG)


def begin(ann: BentomlUser, folder: Path) -> Terminal:
    environ = {**ann.environ, "TERM": "xterm"}
    return Terminal([BENTOML, "code", str(folder)], ann.folder, environ)


def test_what_is_saved_runs(mesh: Upped, ann: BentomlUser) -> None:
    files = {"service.py": SERVICE, "words.py": 'WORD = "one"\n', "bentofile.yaml": BENTOFILE}
    folder = ann.write(files)
    with begin(ann, folder) as terminal:
        place = terminal.reads("Create a new codespace")
        terminal.presses("\r")
        place = terminal.reads("Enter a name", place)
        terminal.types("lab\r")
        place = terminal.reads("Watching for changes", place)
        said(mesh, "one")
        (folder / "words.py").write_text('WORD = "two"\n')
        place = terminal.reads("Uploading words.py", place)
        said(mesh, "two")
        terminal.reads("asked for ann", place)  # by a replica that was not there before
        assert "Bento change detected" not in terminal.text  # it got all of its own back
        (folder / "service.py").write_text(SERVICE + MORE)
        place = terminal.reads("Bento change detected", place)
        place = terminal.reads("Uploading service.py", place)
        said(mesh, "bye", "bye")
        assert terminal.interrupt() == 0
        assert "Watcher stopped" in terminal.text
    ann.runs("deployment", "terminate", "lab", "--wait")
    ann.runs("deployment", "delete", "lab")
