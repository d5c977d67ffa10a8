"""Codespaces: files of a deployment that is being developed, and what becomes of them."""

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.access.principal import Role
from mesh.control.plan import VersionDocument
from mesh.control.store.memory import MemoryStore
from mesh.errors import FailedPrecondition
from mesh.launch import NO_SECRETS, Secrets
from mesh.releases.contract import Release
from tests.faces.cloud.deployments.test_deployments import URL, create, error, until
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.cloud.shelf import document
from tests.faces.cloud.streams.test_sockets import asks, talking, text_of

REPOSITORY = "/api/v1/bento_repositories"
FILES = f"{URL}/d/files"
CODE = b"class Main: ..."


class Reader:
    """A builder that looks into archives; code with `broken` in it cannot be imported."""

    def __init__(self) -> None:
        self.read: list[dict[str, bytes]] = []
        self.rig: Rig | None = None

    async def describe(self, release: Release, build: Secrets = NO_SECRETS) -> VersionDocument:
        """As of Builder."""
        assert self.rig is not None
        _, running = self.rig.plane._started()
        archive = io.BytesIO(await running.blob(release.digest, 0, release.size))
        with tarfile.open(fileobj=archive) as tar:
            found = {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]
        self.read.append(found)
        if b"broken" in found["src/service.py"]:
            raise FailedPrecondition("SyntaxError: broken")
        made = document(release.name, release.digest, "Main")
        warnings = ["its setup script is not run"] if b"setup_script" in found["bento.yaml"] else []
        return VersionDocument.model_validate({**made, "warnings": warnings})


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def rig(reader: Reader) -> Iterator[Rig]:
    with rigged(builder=reader) as made:
        reader.rig = made
        yield made


def push_bare(rig: Rig, version: str = "v1", **more: Any) -> dict[str, Any]:
    """A release without an archive, as `bentoml code` pushes it."""
    rig.asked.post(REPOSITORY, json={"name": "tiny", "description": ""})
    manifest = {
        "service": "service:Main",
        "name": "tiny",
        "version": version,
        "bentoml_version": "1.4.39",
        "size_bytes": 7,
        "entry_service": "Main",
        "services": [{"name": "Main", "service": "", "config": {"workers": 1}}],
        "schema": {"routes": [{"name": "hello"}]},
        "dev": True,
        "spec": 2,
        **more,
    }
    body = {"description": "", "version": version, "manifest": manifest, "labels": []}
    assert rig.asked.post(f"{REPOSITORY}/tiny/bentos", json=body).status_code == 200
    end = {"status": "success", "reason": "bento for development"}
    done = rig.asked.patch(f"{REPOSITORY}/tiny/bentos/{version}/finish_upload", json=end)
    assert done.json()["upload_status"] == "success"
    return manifest


def codespace(rig: Rig) -> Any:
    push_bare(rig)
    return create(rig, dev=True)


def send(rig: Rig, **files: bytes) -> Any:
    """Files by their names, with `__` for a dot; then that these are all."""
    every = {name.replace("__", "."): each for name, each in files.items()}
    return send_files(rig, {**every, ".project_ready": b""})


def send_files(rig: Rig, files: dict[str, bytes]) -> Any:
    listed = [
        {"path": path, "b64_encoded_content": base64.b64encode(each).decode()}
        for path, each in files.items()
    ]
    return rig.asked.post(f"{FILES}?cluster=", json={"files": listed})


def listed(rig: Rig) -> dict[str, tuple[int, str]]:
    found = rig.asked.get(FILES).json()["files"]
    return {each["path"]: (each["size"], each["md5"]) for each in found}


def test_nothing_is_built_until_all_files_are_there(rig: Rig, reader: Reader) -> None:
    made = codespace(rig)
    assert (made["status"], made["manifest"]["dev"]) == ("deploying", True)
    assert rig.asked.get(FILES).json() == {"files": []}
    send_files(rig, {"service.py": CODE, "requirements.txt": b"numpy\n"})
    assert listed(rig)["service.py"] == (
        len(CODE),
        hashlib.md5(CODE, usedforsecurity=False).hexdigest(),
    )
    assert send(rig, **{"pkg/data__txt": b"x" * 1000}).status_code == 200
    until(rig, "d", "running")
    (found,) = reader.read
    assert found["src/service.py"] == CODE
    assert found["src/pkg/data.txt"] == b"x" * 1000
    assert found["env/python/requirements.txt"] == b"numpy\n"
    said = yaml.safe_load(found["bento.yaml"])
    assert (said["service"], said["name"], said["version"]) == ("service:Main", "tiny", "v1")
    assert said["services"][0]["name"] == "Main"


def test_what_is_pushed_for_a_codespace_comes_back_with_it(rig: Rig) -> None:
    manifest = push_bare(rig)
    (target,) = create(rig, dev=True)["latest_revision"]["targets"]
    assert target["bento"]["manifest"]["schema"] == manifest["schema"]
    assert rig.plane.status() == ()


def processes(rig: Rig) -> set[str]:
    """The ids of the replicas that are there."""
    return {each.launch.replica_id for each in rig.world.processes()}


def test_a_change_replaces_what_runs(rig: Rig, reader: Reader) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    first = until(rig, "d", "running")
    before = processes(rig)
    send_files(rig, {"service.py": CODE + b"2", "extra.py": b""})
    assert rig.asked.get(f"{URL}/d").json()["status"] == "deploying"
    second = until(rig, "d", "running", lambda _: before.isdisjoint(processes(rig)))
    assert second["uid"] == first["uid"]
    assert int(second["latest_revision"]["name"]) > int(first["latest_revision"]["name"])
    assert reader.read[-1]["src/service.py"] == CODE + b"2"
    rig.asked.request("DELETE", FILES, json={"paths": ["extra.py", "nothing.py"]})
    until(rig, "d", "running")
    assert "src/extra.py" not in reader.read[-1]
    assert set(listed(rig)) == {"service.py"}


def test_broken_code_is_told_and_repaired(rig: Rig) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    until(rig, "d", "running")
    send_files(rig, {"service.py": b"broken"})
    until(rig, "d", "failed")
    with talking(rig, "/ws/v1/clusters/default/tail?pod_name=d.codespace") as socket:
        socket.send_json(asks(follow=False))
        assert text_of(socket.receive_json(timeout=30)) == "failed: SyntaxError: broken\n"
    send_files(rig, {"service.py": CODE})
    assert rig.asked.get(f"{URL}/d").json()["status"] == "deploying"  # clients give up on failed
    until(rig, "d", "running")


def test_a_codespace_has_a_pod_before_anything_runs(rig: Rig) -> None:
    codespace(rig)
    with talking(rig, "/ws/v2/deployments/d/pods?organization_name=default&cluster=") as socket:
        (pod,) = socket.receive_json(timeout=30)["payload"]
        assert pod["labels"]["yatai.ai/bento-function-component-type"] == "api-server"
        assert (pod["status"]["phase"], pod["pod_status"]["status"]) == ("Running", "Running")
        with talking(rig, f"/ws/v1/clusters/default/tail?pod_name={pod['name']}") as tail:
            tail.send_json(asks(follow=True))
            assert text_of(tail.receive_json(timeout=30)) == "deploying\n"
            send(rig, service__py=CODE)
            told = ""
            while "running\n" not in told or "says\n" not in told:  # what a replica begins with
                told += text_of(tail.receive_json(timeout=30))
        while len(socket.receive_json(timeout=30)["payload"]) != 2:
            pass


def test_what_is_not_done_for_a_codespace_is_in_its_log(rig: Rig) -> None:
    codespace(rig)
    send(rig, service__py=CODE, setup__sh=b"apt-get install -y ffmpeg\n")
    until(rig, "d", "running")
    with talking(rig, "/ws/v1/clusters/default/tail?pod_name=d.codespace") as socket:
        socket.send_json(asks(follow=False))
        told = text_of(socket.receive_json(timeout=30))
    assert told == "running\nwarning: its setup script is not run\n"


def test_a_call_has_as_many_files_as_clients_send_at_once(rig: Rig, reader: Reader) -> None:
    codespace(rig)
    large = bytes(48 * 2**20)  # 64 MiB in base64
    assert send(rig, service__py=CODE, weights__bin=large).status_code == 200
    until(rig, "d", "running")
    assert len(reader.read[0]["src/weights.bin"]) == len(large)


def test_a_codespace_that_is_started_again_runs_what_it_ran(rig: Rig, reader: Reader) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    until(rig, "d", "running")
    rig.asked.post(f"{URL}/d/terminate")
    until(rig, "d", "terminated")
    rig.asked.put(f"{URL}/d", json={})
    until(rig, "d", "running")
    send(rig, service__py=CODE + b"2")
    until(rig, "d", "running")
    assert [each["src/service.py"] for each in reader.read] == [CODE, CODE + b"2"]


def archive_that_runs(rig: Rig) -> str:
    _, running = rig.plane._started()
    application, _ = running.controller.kept("d")
    return application.versions["main"].source.release


def test_what_is_changed_back_runs_on(rig: Rig) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    first = until(rig, "d", "running")
    before = archive_that_runs(rig)
    send(rig, service__py=CODE + b"2")
    send(rig, service__py=CODE)  # before anything came of that, or after
    found = until(rig, "d", "running")
    assert found["uid"] == first["uid"]
    assert archive_that_runs(rig) == before


def test_another_release_waits_for_its_files(rig: Rig, reader: Reader) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    until(rig, "d", "running")
    push_bare(rig, "v2")
    put = {"bento": "tiny:v2", "envs": [{"name": "A", "value": "1"}]}
    assert rig.asked.put(f"{URL}/d", json=put).json()["status"] == "deploying"
    send_files(rig, {"more.py": b""})
    assert rig.asked.get(f"{URL}/d").json()["status"] == "deploying"
    assert len(reader.read) == 1
    send(rig)
    found = until(rig, "d", "running")
    assert found["latest_revision"]["targets"][0]["bento"]["version"] == "v2"
    assert set(reader.read[-1]) >= {"src/service.py", "src/more.py"}


def test_other_settings_need_no_files(rig: Rig, reader: Reader) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    until(rig, "d", "running")
    rig.asked.put(f"{URL}/d", json={"envs": [{"name": "A", "value": "1"}]})
    found = until(rig, "d", "running")
    (target,) = found["latest_revision"]["targets"]
    assert target["config"]["envs"] == [{"name": "A", "value": "1", "stage": ""}]
    assert len(reader.read) == 1


def test_a_release_is_made_of_a_codespace(rig: Rig, reader: Reader) -> None:
    codespace(rig)
    assert rig.asked.post(f"{URL}/d/build_bento").status_code == 404
    send_files(rig, {"service.py": CODE})
    assert error(rig.asked.post(f"{URL}/d/build_bento"))[0] == 422
    send(rig)
    until(rig, "d", "running")
    reply = rig.asked.post(f"{URL}/d/build_bento")
    assert reply.status_code == 200, reply.text
    made = reply.json()
    assert (made["repository"]["name"], made["upload_status"]) == ("tiny", "success")
    assert made["manifest"]["dev"] is False
    assert create(rig, "e", f"tiny:{made['version']}")["name"] == "e"
    until(rig, "e", "running")


def test_files_go_with_their_deployment(rig: Rig) -> None:
    codespace(rig)
    send(rig, service__py=CODE)
    until(rig, "d", "running")
    rig.asked.post(f"{URL}/d/terminate")
    assert set(listed(rig)) == {"service.py"}
    send(rig, service__py=CODE + b"2")  # is kept, and starts nothing
    until(rig, "d", "terminated")
    rig.asked.delete(f"{URL}/d")
    assert rig.asked.get(FILES).status_code == 404
    create(rig, dev=True)
    assert listed(rig) == {}


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "a//b", "", "./a", "a\0", "x" * 300])
def test_paths_do_not_lead_elsewhere(rig: Rig, path: str) -> None:
    codespace(rig)
    assert error(send_files(rig, {"service.py": CODE, path: b""}))[0] == 400
    assert listed(rig) == {}


def test_no_file_lies_below_another(rig: Rig) -> None:
    codespace(rig)
    send_files(rig, {"a/b": b""})
    assert error(send_files(rig, {"a": b""})) == (400, "'a' is a folder already")
    assert error(send_files(rig, {"a/b/c": b""}))[0] == 400
    wrong = {"files": [{"path": "x", "b64_encoded_content": "%"}]}
    assert error(rig.asked.post(FILES, json=wrong)) == (
        400,
        "files: the content of 'x' is not in base64",
    )


def test_only_codespaces_have_files(rig: Rig) -> None:
    push_bare(rig)
    status, line = error(
        rig.asked.post(URL, json={"bento": "tiny:v1", "name": "d", "services": {}, "dev": False})
    )
    assert status == 422
    assert "being developed" in line
    rig.asked.post(URL, json={"bento": "tiny:v1", "name": "d", "services": {}, "dev": True})
    rig.asked.post("/api/v1/orgs", json={"name": "other", "description": ""})
    stranger = rig.as_(rig.member("eve", Role.ADMIN, "other"))
    assert stranger.get(FILES).status_code == 404
    assert stranger.post(FILES, json={"files": []}).status_code == 404


def test_a_new_control_plane_goes_on(tmp_path: Path, reader: Reader) -> None:
    store, kept = MemoryStore(), str(tmp_path)
    with rigged(lambda: store, builder=reader, releases=kept) as reader.rig:
        codespace(reader.rig)
        send(reader.rig, service__py=CODE)
        until(reader.rig, "d", "running")
        send_files(reader.rig, {"service.py": CODE + b"2"})
    with rigged(store.reopened, builder=reader, releases=kept) as reader.rig:
        until(reader.rig, "d", "running", lambda _: len(reader.read) == 2)
        assert reader.read[-1]["src/service.py"] == CODE + b"2"
