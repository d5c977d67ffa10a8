"""The real `bentoml`, as its users use it, against a mesh: it never notices what it talks to."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.bentoml_user import BentomlUser
from tests.e2e.upped import Upped, upped
from tests.faces.cloud.bento_client import tree

pytestmark = pytest.mark.timeout(600)

SERVICE = """
import os
from pathlib import Path

import bentoml


@bentoml.service(resources={"cpu": "100m"})
class Shouter:
    @bentoml.api
    def shout(self, text: str) -> str:
        return text.upper()


@bentoml.service(
    name="greeter", resources={"cpu": "100m"}, envs=[{"name": "PLANET", "value": "Mars"}]
)
class Greeter:
    shouter = bentoml.depends(Shouter)
    model = bentoml.models.BentoModel("phrases:v1")

    def __init__(self) -> None:
        self.phrase = Path(self.model.path_of("phrase.txt")).read_text()

    @bentoml.api
    def greet(self, name: str = "you") -> str:
        return f"RELEASE {self.phrase} {self.shouter.shout(name)} of {os.environ['PLANET']}"

    @bentoml.api
    def secret(self) -> str:
        home = Path(os.environ["BENTOML_HOME"])
        return os.environ.get("API_KEY", "") + "|" + (home / "creds/cert").read_text()
"""
BENTOFILE = """
service: "service:Greeter"
include: ["*.py"]
models: ["phrases:v1"]
"""
MAKE_MODEL = """
import bentoml
from pathlib import Path

with bentoml.models.create("phrases:v1") as model:
    Path(model.path, "phrase.txt").write_text("hello")
"""
CALL = """
import bentoml

deployment = bentoml.deployment.get("{name}")
client = deployment.get_client()
print(client.{method}({arguments}))
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upped]:
    with upped(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture(scope="module")
def endpoint(mesh: Upped) -> str:
    return f"http://127.0.0.1:{mesh.control_port}"


@pytest.fixture(scope="module")
def owner_token(mesh: Upped) -> str:
    return (mesh.folder / "token").read_text().strip()


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory, endpoint: str, owner_token: str) -> BentomlUser:
    """Logged in, with two bentos and a model."""
    user = BentomlUser(tmp_path_factory.mktemp("ann"))
    user.login(endpoint, owner_token)
    user.python(MAKE_MODEL)
    for version in ("one", "two"):
        folder = user.write(
            {"service.py": SERVICE.replace("RELEASE", version), "bentofile.yaml": BENTOFILE}
        )
        user.runs("build", "--version", version, str(folder), cwd=folder)
    return user


READY = """
import bentoml

deployment = bentoml.deployment.get("{name}")
raise SystemExit(deployment.wait_until_ready(timeout=120, check_interval=1))
"""


def ready(user: BentomlUser, name: str) -> None:
    """Waits as the Python API does."""
    user.python(READY.format(name=name))


def call(user: BentomlUser, name: str, method: str = "greet", arguments: str = "") -> str:
    return user.python(CALL.format(name=name, method=method, arguments=arguments)).strip()


def test_log_in(ann: BentomlUser, endpoint: str) -> None:
    assert endpoint in ann.runs("cloud", "list-context") + ann.runs("cloud", "current-context")


def test_a_wrong_token_is_told(tmp_path: Path, endpoint: str) -> None:
    stranger = BentomlUser(tmp_path)
    told = stranger.fails("cloud", "login", "--endpoint", endpoint, "--api-token", "wrong")
    assert "401" in told


def test_a_release_comes_back_byte_by_byte(ann: BentomlUser) -> None:
    here = ann.home / "bentos" / "greeter" / "two"
    model = ann.home / "models" / "phrases" / "v1"
    before, model_before = tree(here), tree(model)
    ann.runs("push", "greeter:two")
    assert "skipped" in ann.runs("push", "greeter:two").lower()
    shutil.rmtree(here)
    shutil.rmtree(model)
    ann.runs("pull", "--with-models", "greeter:two")
    assert tree(here) == before
    assert tree(model) == model_before
    shutil.rmtree(model)
    ann.runs("models", "pull", "phrases:v1")
    assert tree(model) == model_before
    ann.runs("models", "push", "phrases:v1")


def test_secrets(ann: BentomlUser) -> None:
    ann.runs("secret", "create", "keys", "API_KEY=abc")
    ann.runs("secret", "create", "-t", "file", "-p", "$BENTOML_HOME/creds", "certs", "cert=xyz")
    listed = ann.json("secret", "list")
    assert {each["name"] for each in listed} >= {"keys", "certs"}
    assert "abc" not in str(listed)
    ann.runs("secret", "apply", "keys", "API_KEY=abcd")
    assert "already" in ann.fails("secret", "create", "keys", "API_KEY=x")
    ann.runs("secret", "create", "gone", "A=1")
    ann.runs("secret", "delete", "gone")
    assert "not found" in ann.fails("secret", "apply", "gone", "A=1").lower()


def test_tokens(ann: BentomlUser, tmp_path: Path, endpoint: str) -> None:
    told = ann.runs("api-token", "create", "ci", "--expires", "30d")
    (uid,) = {each["uid"] for each in ann.json("api-token", "list") if each["name"] == "ci"}
    assert "ci" in ann.runs("api-token", "get", uid)
    token = max(re.findall(r"[\w-]{20,}", told), key=len)
    other = BentomlUser(tmp_path)
    other.login(endpoint, token)
    ann.runs("api-token", "delete", uid)
    assert "401" in other.fails("deployment", "list")


def test_a_deployment_from_its_first_release_to_its_end(ann: BentomlUser, endpoint: str) -> None:
    ann.runs("deploy", "greeter:one", "-n", "greet", "--secret", "keys", "--secret", "certs",
             "--env", "PLANET=Venus", "--label", "team=a")  # fmt: skip
    assert call(ann, "greet", arguments="name='bob'") == "one hello BOB of Venus"
    assert call(ann, "greet", "secret") == "abcd|xyz"
    assert [each["name"] for each in ann.json("deployment", "list", "--label", "team=a")] == [
        "greet"
    ]
    found = ann.json("deployment", "get", "greet")
    assert found["bento"] == "greeter:one"
    assert found["status"]["status"] == "running"

    ann.runs("deployment", "update", "greet", "--bento", "greeter:two")
    ready(ann, "greet")
    assert call(ann, "greet", arguments="name='bob'").startswith("two hello BOB")

    canary = ann.folder / "canary.yaml"
    canary.write_text(
        """
name: greet
cluster: default
bento: greeter:two
secrets: [keys, certs]
envs: [{name: PLANET, value: Venus}]
canary:
  route_type: header
  route_by: x-user
  versions:
    old: {bento: "greeter:one", weight: 50}
"""
    )
    ann.runs("deployment", "apply", "greet", "-f", str(canary))
    ready(ann, "greet")
    url = ann.json("deployment", "get", "greet")["endpoint_urls"][0]
    said = set()
    for number in range(64):
        reply = httpx.post(f"{url}/greet", json={}, headers={"x-user": str(number)}, timeout=60)
        said.add(
            reply.json() if reply.headers["content-type"] == "application/json" else reply.text
        )
    assert {each.split()[0] for each in said} == {"one", "two"}

    ann.runs("deployment", "terminate", "greet", "--wait")
    assert ann.json("deployment", "get", "greet")["status"]["status"] == "terminated"
    ann.runs("deployment", "update", "greet")  # the client's own start is broken
    ready(ann, "greet")
    assert call(ann, "greet", arguments="name='bob'").split()[0] in ("one", "two")
    ann.runs("deployment", "terminate", "greet", "--wait")
    ann.runs("deployment", "delete", "greet")
    assert "not found" in ann.fails("deployment", "get", "greet")


def test_a_release_that_cannot_run_is_told_with_the_line(ann: BentomlUser) -> None:
    folder = ann.write(
        {"service.py": "import nowhere_to_be_found\n" + SERVICE, "bentofile.yaml": BENTOFILE}
    )
    # Its command imports what it builds, so it is built while it can be.
    (folder / "nowhere_to_be_found.py").write_text("")
    (folder / "bentofile.yaml").write_text(BENTOFILE.replace('"*.py"', '"service.py"'))
    ann.runs("build", "--version", "broken", str(folder), cwd=folder)
    told = ann.fails("deploy", "greeter:broken", "-n", "broken")
    assert "failed" in told.lower()
    found = ann.json("deployment", "get", "broken")
    assert found["status"]["status"] == "failed"
    ann.runs("deployment", "delete", "broken")


def test_what_is_not_there_is_told(ann: BentomlUser) -> None:
    assert "not found" in ann.fails("deployment", "get", "nobody").lower()
    assert "not found" in ann.fails("deploy", "nothing:v1").lower()
    assert "nobody" in ann.fails("deploy", "greeter:one", "-n", "x", "--secret", "nobody")
    assert "cpu.1" in ann.runs("deployment", "list-instance-types")
