"""Releases as replicas on Ray: real bentos, a real controller and gateway."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import ray
import ray.util

from mesh.cluster.contract import Failed
from mesh.cluster.ray_actors import NAMESPACE as ACTORS, PREFIX, create
from mesh.cluster.ray_calls import result
from mesh.cluster.ray_cluster import RayCluster
from mesh.cluster.ray_release import Origin, RayBuilder
from mesh.cluster.standbys import NAME
from mesh.cluster.start import Session
from mesh.control.plan import Application, VersionDocument
from mesh.control.standby import Warm
from mesh.control.status import DeploymentPhase, DeploymentStatus
from mesh.control.store.catalogue import Entry, Kind, Put
from mesh.control.store.memory import MemoryStore
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from mesh.launch import Secrets
from mesh.nodes.settings import NodeSettings
from mesh.ports import free_port
from mesh.releases.contract import Release
from mesh.serving.gateways import GatewayProcess
from tests.cluster.archive_actor import ArchiveActor
from tests.cluster.contract_checks import launch, until_warm
from tests.e2e.clients import PATIENCE
from tests.nodes.bentos import Workshop, own
from tests.nodes.private_index import PASSWORD as OPEN, USER, private_index

NAMESPACE = "tests"
PASSWORD = "s3same-0pen"
CERTIFICATE = "c3rtificate-text"


@dataclass
class Rig:
    """A mesh that runs releases of `workshop`."""

    workshop: Workshop
    plane: ControlPlane
    store: MemoryStore
    builder: RayBuilder
    cache: Path
    url: str

    def describe(self, release: Release) -> VersionDocument:
        return asyncio.run(self.builder.describe(release))

    def apply(self, name: str, release: Release, version: VersionDocument, **more: Any) -> None:
        config = {"name": name, "release": release.tag, **more}
        document = Application.model_validate(
            {"config": config, "versions": {"main": version.model_dump(mode="json")}}
        )
        self.plane.apply(document.model_dump_json().encode())

    def until(self, name: str, *phases: DeploymentPhase) -> DeploymentStatus:
        """Waits until the deployment is in one of `phases`."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            (status,) = self.plane.status(name)
            if status.phase in phases:
                return status
            time.sleep(0.05)
        raise AssertionError(status)

    @contextmanager
    def running(
        self, name: str, release: Release, version: VersionDocument, **more: Any
    ) -> Iterator[None]:
        self.apply(name, release, version, **more)
        try:
            self.until(name, DeploymentPhase.RUNNING)
            yield
        finally:
            self.plane.delete(name)

    def call(self, name: str, route: str, /, **arguments: Any) -> Any:
        reply = httpx.post(f"{self.url}/e/{name}/{route}", json=arguments, timeout=PATIENCE)
        assert reply.status_code == 200, reply.text
        is_json = "json" in reply.headers["content-type"]
        return reply.json() if is_json else reply.text


@pytest.fixture(scope="module")
def rig(ray_session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    workshop = Workshop.at(tmp_path_factory.mktemp("workshop"))
    cache = tmp_path_factory.mktemp("node")
    settings = NodeSettings(str(cache))
    origin = Origin(f"archives-{uuid4().hex}", NAMESPACE)
    archives = (
        ray.remote(ArchiveActor)
        .options(name=origin.actor, namespace=NAMESPACE, num_cpus=0)
        .remote(str(workshop.archives.folder))
    )
    store = MemoryStore()
    builder = RayBuilder(settings, origin, result)
    plane = ControlPlane(
        PlaneConfig(),
        lambda: RayCluster(bind_host="127.0.0.1", nodes=settings, origin=origin),
        lambda: store,
        lambda: builder,
    )
    port = free_port("127.0.0.1")
    gateway = GatewayProcess(plane.start().grpc, host="127.0.0.1", port=port, grace=0)
    try:
        gateway.wait_listening()
        yield Rig(workshop, plane, store, builder, cache, f"http://127.0.0.1:{port}")
        plane.end()
    finally:
        gateway.stop()
        plane.stop()
        ray.kill(archives)


@pytest.fixture(scope="module")
def tag_and_digest(rig: Rig) -> tuple[str, str]:
    return rig.workshop.model("tiny", {"weights.txt": "weights"})


@pytest.fixture(scope="module")
def release(rig: Rig, tag_and_digest: tuple[str, str]) -> Release:
    more = (
        "envs: [{name: FOR_ALL, value: of the bento}, {name: FOR_BUILD, stage: build, value: x}]\n"
    )
    return rig.workshop.bento(models=dict([tag_and_digest]), more=more)


@pytest.fixture(scope="module")
def version(rig: Rig, release: Release) -> VersionDocument:
    return rig.describe(release)


def test_a_release_runs_as_a_graph_with_its_models(
    rig: Rig, release: Release, version: VersionDocument, tag_and_digest: tuple[str, str]
) -> None:
    with rig.running("graph", release, version, envs={"LATER": "x"}):
        assert rig.call("graph", "say", n=4) == "8 weights words"
        assert rig.call("graph", "variable_of_helper", name="GREETING") == "hello"
        assert rig.call("graph", "variable", name="FOR_ALL") == "of the bento"
        assert rig.call("graph", "model_of", tag="tiny:latest") == tag_and_digest[0]
        homes = {name for name in rig.call("graph", "homes") if not name.endswith(".lock")}
        assert {name.split("-")[2] for name in homes} == {"Entry", "Helper"}


def secret(name: str, values: dict[str, str], **document: Any) -> Put:
    items = [{"key": key, "sub_path": None} for key in values]
    whole = {"type": "env", "stage": "runtime", "items": items, **document}
    return Put(Entry(Kind.SECRET, name, name, 0.0, 0.0, document=whole, secret=values))


def test_replicas_have_their_secrets_and_nobody_else(
    rig: Rig, release: Release, version: VersionDocument, ray_session: Session
) -> None:
    async def keep() -> None:
        await rig.store.catalogue.write(
            secret("db", {"PASSWORD": PASSWORD, "LATER": PASSWORD, "SAID": PASSWORD}),
            secret("certs", {"ca.pem": CERTIFICATE}, type="mountfile", path="$BENTOML_HOME/etc"),
        )

    asyncio.run(keep())
    with rig.running("secretive", release, version, secrets=["db", "certs"], envs={"SAID": "loud"}):
        assert rig.call("secretive", "variable", name="PASSWORD") == PASSWORD
        assert rig.call("secretive", "variable", name="SAID") == "loud"
        assert rig.call("secretive", "file", name="etc/ca.pem") == f"400 700 {CERTIFICATE}"
        told = repr(rig.plane.status("secretive"))
        assert PASSWORD not in told
    session = Path(ray_session.logs).parent
    files = [path for path in session.rglob("*") if path.is_file()]
    assert any("RayReplica" in path.read_text(errors="replace") for path in files)
    found = [
        path
        for path in files
        if PASSWORD.encode() in (content := path.read_bytes()) or CERTIFICATE.encode() in content
    ]
    assert not found


PRIVATE = """
import os
import mesh

@mesh.service
class Counter:
    @mesh.api
    def told(self, name: str) -> list[str]:
        import numbat
        return [numbat.VERSION, os.environ.get(name, "")]
"""


def test_only_what_is_installed_for_a_replica_gets_the_password_of_an_index(
    rig: Rig, ray_session: Session, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    made = own(tmp_path / "own", rig.workshop.archives, "numbat>=5\n", PRIVATE)
    with private_index(tmp_path / "index", "numbat", "7.0") as url:
        index = {"UV_DEFAULT_INDEX": url.replace("://", f"://{USER}:{OPEN}@")}

        async def described() -> VersionDocument:
            await rig.store.catalogue.write(secret("index", index, stage="build"))
            return await rig.builder.describe(made, Secrets(index))

        version = asyncio.run(described())
        shutil.rmtree(rig.cache / "envs")  # a node that has yet to install it
        for lock in (rig.cache / "locks").glob("envs-*"):
            lock.unlink()
        with rig.running("private", made, version, secrets=["index"]):
            assert rig.call("private", "told", name="UV_DEFAULT_INDEX") == ["7.0", ""]
    session = Path(ray_session.logs).parent
    for folder in (session, rig.cache):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert not [path for path in files if OPEN.encode() in path.read_bytes()]


def test_a_replica_that_was_not_sent_its_secrets_does_not_start(
    ray_session: Session, tmp_path: Path
) -> None:
    named = replace(launch(), secret_names=("db",), secrets=Secrets({"PASSWORD": PASSWORD}))
    settings = NodeSettings(str(tmp_path))
    actor = create(named, "tests.cluster.hosts:FakeHost", "127.0.0.1", {}, None, settings)
    try:
        assert ray.get(actor.start.remote()) == Failed("it has not been given its secrets")
        assert ray.get(actor.launch.remote()).secrets == Secrets()
    finally:
        ray.kill(actor)


def test_homes_of_replicas_that_have_ended_are_gone(
    rig: Rig, release: Release, version: VersionDocument
) -> None:
    with rig.running("one", release, version, envs={"LATER": "x"}):
        pass
    with rig.running("two", release, version, envs={"LATER": "x"}):
        homes = {name for name in rig.call("two", "homes") if not name.endswith(".lock")}
        assert {name.split("-")[0] for name in homes} <= {"one", "two"}


def test_a_requirement_that_the_node_lacks_is_there_once(rig: Rig) -> None:
    service = """
import bentoml
import importlib.metadata

@bentoml.service
class Entry:
    @bentoml.api
    def version(self) -> str:
        import cowsay
        return cowsay.__version__

    @bentoml.api
    def where(self) -> list[str]:
        import cowsay
        import os
        return [cowsay.__file__, os.environ["VIRTUAL_ENV"]]
"""
    release = rig.workshop.bento(service, packages=("cowsay==6.1",))
    version = rig.describe(release)
    assert version.source.requirements == ("cowsay==6.1", "bentoml==1.4.39")
    before = {path: path.stat().st_mtime_ns for path in made(rig.cache)}
    with rig.running("lacking", release, version, replicas=2):
        assert rig.call("lacking", "version") == "6.1"
        file, environment = rig.call("lacking", "where")
        assert file.startswith(environment)
        assert file.startswith(str(rig.cache))
    assert {path: path.stat().st_mtime_ns for path in made(rig.cache)} == before


def made(cache: Path) -> list[Path]:
    """The folders that were unpacked or installed."""
    return [path for kind in ("releases", "models", "envs") for path in cache.glob(f"{kind}/*")]


def test_a_release_whose_requirements_cannot_be_met_fails_with_the_line(
    rig: Rig, release: Release, version: VersionDocument
) -> None:
    missing = rig.workshop.bento(packages=("serving-mesh-no-such-package==3",))
    source = version.source.model_copy(update={"release": missing.digest})
    rig.apply("hopeless", missing, version.model_copy(update={"source": source}))
    status = rig.until("hopeless", DeploymentPhase.FAILED)
    assert "its requirements cannot be installed: No solution found" in status.reason
    assert "serving-mesh-no-such-package was not found" in status.reason
    rig.plane.delete("hopeless")


@contextmanager
def warmed(rig: Rig, **number: int) -> Iterator[None]:
    """While the block lasts there are standbys of one core each, so many at first."""
    thread, running = rig.plane._started()
    cluster = running._cluster
    wanted = {name: Warm(each, cpu=1.0) for name, each in number.items()}
    thread.wait(cluster.keep_warm(wanted))
    try:
        thread.wait(until_warm(cluster, **number))
        yield
    finally:
        thread.wait(cluster.keep_warm({}))


def deployments_of_standbys() -> set[str]:
    """Those that have replicas which were standbys once."""
    found = set()
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["name"].startswith(PREFIX + NAME):
            handle = ray.get_actor(actor["name"], namespace=ACTORS)
            launched = ray.get(handle.launch.remote())
            found.add(launched.deployment if launched else "")
    return found


def test_a_release_runs_in_standbys_with_all_that_it_has_elsewhere(
    rig: Rig, release: Release, version: VersionDocument
) -> None:
    values = {"PASSWORD": PASSWORD, "LATER": PASSWORD}
    asyncio.run(rig.store.catalogue.write(secret("warm", values)))
    settings = {
        "secrets": ["warm"],
        "envs": {"SAID": "loud"},
        "services": {name: {"resources": {"cpu": 1}} for name in ("Entry", "Helper")},
    }
    with warmed(rig, one=2), rig.running("warm", release, version, **settings):
        assert "warm" in deployments_of_standbys()
        assert rig.call("warm", "say", n=4) == "8 weights words"
        assert rig.call("warm", "variable_of_helper", name="GREETING") == "hello"
        assert rig.call("warm", "variable", name="FOR_ALL") == "of the bento"
        assert rig.call("warm", "variable", name="SAID") == "loud"
        assert rig.call("warm", "variable", name="PASSWORD") == PASSWORD


def test_a_release_with_a_python_of_its_own_has_the_room_of_a_standby_not_its_process(
    rig: Rig,
) -> None:
    service = """
import bentoml

@bentoml.service(resources={"cpu": "1"})
class Entry:
    @bentoml.api
    def version(self) -> str:
        import cowsay
        return cowsay.__version__
"""
    release = rig.workshop.bento(service, packages=("cowsay==6.1",))
    version = rig.describe(release)
    with warmed(rig, one=4), rig.running("own", release, version):
        assert rig.call("own", "version") == "6.1"
        assert deployments_of_standbys() <= {""}
