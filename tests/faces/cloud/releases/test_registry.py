"""Releases and models over the cloud API, without the official client."""

import asyncio
import json
import socket
import threading
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mesh.faces.cloud.releases import transfer
from mesh.faces.cloud.releases.patience import patiently
from mesh.releases.packages import Status
from mesh.releases.uploads import Uploads
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.rig import TOKEN, Rig
from tests.releases.tars import MODEL, bento, file, tar

REPOSITORIES = "/api/v1/bento_repositories"
BENTO = f"{REPOSITORIES}/tiny/bentos/v1"
MODELS = "/api/v1/model_repositories"
WEIGHTS = f"{MODELS}/weights/models/v1"
MANIFEST = {
    "name": "tiny",
    "service": "service:Tiny",
    "entry_service": "Tiny",
    "bentoml_version": "1.4.39",
    "size_bytes": 1000,
    "models": ["weights:v1"],
    "services": [{"name": "Tiny", "service": "", "models": [], "dependencies": [], "config": {}}],
    "envs": None,
    "image": None,
    "schema": {"routes": []},
    "spec": 2,
}


def registered(rig: Rig, version: str = "v1", **manifest: Any) -> dict[str, Any]:
    """A release that is registered, as its client does that."""
    rig.asked.post(REPOSITORIES, json={"name": "tiny", "description": ""})
    sent = {
        "description": None,
        "version": version,
        "manifest": {**MANIFEST, **manifest},
        "build_at": "2026-01-02 03:04:05.678901",
        "labels": [{"key": "team", "value": "vision"}],
    }
    made = rig.asked.post(f"{REPOSITORIES}/tiny/bentos", json=sent)
    assert made.status_code == 200, made.text
    return dict(made.json())


def pushed(rig: Rig, content: bytes = b"", path: str = BENTO) -> None:
    rig.asked.patch(f"{path}/start_upload").raise_for_status()
    rig.asked.put(f"{path}/upload", content=content or bento()).raise_for_status()


def model(rig: Rig) -> None:
    rig.asked.post(MODELS, json={"name": "weights"})
    manifest = {"module": "torch", "size_bytes": 10, "metadata": None}
    sent = {"version": "v1", "manifest": manifest, "build_at": None}
    assert rig.asked.post(f"{MODELS}/weights/models", json=sent).status_code == 200
    pushed(rig, tar(file("model.yaml", MODEL)), WEIGHTS)


def put(address: str, content: bytes) -> httpx.Response:
    """As a client that shows no token."""
    with httpx.Client(trust_env=False) as client:
        return client.put(address, content=content)


def test_whoever_administers_all_organizations_sees_the_models_of_each(rig: Rig) -> None:
    model(rig)
    rig.asked.post("/api/v1/orgs", json={"name": "lab"})
    path = "/api/admin/v1/orgs/{}/models"
    there = rig.asked.get(path.format("default"), params={"search": "v1", "start": ""}).json()
    assert (there["total"], there["items"][0]["repository"]["name"]) == (1, "weights")
    from_lab = rig.asked.get(path.format("default"), headers={"x-yatai-organization": "lab"})
    assert from_lab.json()["total"] == 1
    assert rig.asked.get(path.format("lab")).json()["total"] == 0
    assert rig.asked.get(path.format("none")).status_code == 404
    assert rig.as_(rig.member("ann", "admin")).get(path.format("default")).status_code == 403


def test_a_release_is_registered_shown_changed_and_deleted(rig: Rig) -> None:
    made = registered(rig)
    assert (made["name"], made["version"], made["upload_status"]) == ("v1", "v1", "pending")
    assert made["build_at"] == "2026-01-02T03:04:05.678901Z"
    assert made["presigned_upload_url"] == made["presigned_download_url"] == ""
    assert made["labels"] == [{"key": "team", "value": "vision"}]
    assert (made["manifest"]["envs"], made["manifest"]["spec"]) == ([], 2)
    again = rig.asked.post(f"{REPOSITORIES}/tiny/bentos", json={"version": "v1"})
    assert again.status_code == 409
    pushed(rig)
    model(rig)
    shown = rig.asked.get(BENTO).json()
    assert (shown["upload_status"], shown["image_build_status"]) == ("success", "success")
    assert [each["repository"]["name"] for each in shown["models"]] == ["weights"]
    assert rig.asked.get(f"{BENTO}/models").json() == shown["models"]
    assert [each["name"] for each in rig.asked.get(f"{WEIGHTS}/bentos").json()["items"]] == ["v1"]
    assert rig.asked.get(WEIGHTS).json()["bentos"][0]["name"] == "v1"
    changed = rig.asked.patch(BENTO, json={"description": "about", "labels": None}).json()
    assert (changed["description"], changed["labels"]) == ("about", made["labels"])
    assert changed["manifest"] == shown["manifest"]
    assert rig.asked.get(f"{REPOSITORIES}/tiny/bentos/latest").json()["uid"] == made["uid"]
    used = rig.asked.delete(WEIGHTS)
    assert (used.status_code, used.json()) == (
        409,
        {"error": "model weights:v1 is used by bento tiny:v1"},
    )
    for path in (BENTO, WEIGHTS):
        assert rig.asked.delete(path).status_code == 200
        assert rig.asked.get(path).status_code == 404


def test_lists_have_the_newest_first_and_what_is_asked_for(rig: Rig) -> None:
    for number in range(12):
        registered(rig, f"v{number}", dev=number == 3)
    path = f"{REPOSITORIES}/tiny/bentos"
    asked = {"start": "", "count": "2", "q": "", "search": ""}
    found = rig.asked.get(path, params=asked).json()
    assert [each["name"] for each in found["items"]] == ["v11", "v10"]
    assert (found["start"], found["count"], found["total"]) == (0, 2, 12)
    assert found["items"][0]["repository"]["n_bentos"] == 12

    def names(q: str, **more: str) -> list[str]:
        items = rig.asked.get(path, params={"q": q, **more}).json()["items"]
        return [each["name"] for each in items]

    assert names("is:dev") == ["v3"]
    assert names("label:team=vision sort:created_at-asc", count="1") == ["v0"]
    assert names("label:team=sound") == names("creator:nobody") == []
    assert names("", search="v1") == ["v11", "v10", "v1"]
    assert len(names("creator:@me v1")) == 3
    assert len(rig.asked.get("/api/v1/bentos").json()["items"]) == 12
    assert rig.asked.get(f"{REPOSITORIES}/none/bentos").status_code == 404
    [repository] = rig.asked.get(REPOSITORIES).json()["items"]
    assert repository["latest_bento"] is None
    [stats] = rig.asked.get("/api/v1/bento_repositories_stats").json()["items"]
    assert [each["name"] for each in stats["creators"]] == ["owner"]
    assert rig.asked.get("/api/v1/slim_bento_repositories").json()["total"] == 1
    model(rig)
    assert rig.asked.get("/api/v1/current_org/model_modules").json() == ["torch"]
    assert rig.asked.get("/api/v1/models").json()["items"][0]["name"] == "v1"
    assert rig.asked.get(MODELS).json()["items"][0]["latest_model"]["name"] == "v1"


def test_repositories_are_changed_and_their_names_are_checked(rig: Rig) -> None:
    for path in (REPOSITORIES, MODELS):
        assert rig.asked.post(path, json={"name": "one", "labels": None}).status_code == 200
        assert rig.asked.post(path, json={"name": "one"}).status_code == 409
        assert rig.asked.post(path, json={"name": "../one"}).status_code == 400
        change = {"description": "about", "labels": [{"key": "a", "value": "b"}]}
        changed = rig.asked.patch(f"{path}/one", json=change).json()
        assert (changed["description"], changed["labels"]) == ("about", change["labels"])
        assert rig.asked.get(f"{path}/one").json() == changed
        assert rig.asked.get(f"{path}/two").status_code == 404


def test_an_archive_goes_to_a_signed_address_in_one_piece(rig: Rig) -> None:
    registered(rig)
    address = rig.asked.patch(f"{BENTO}/presign_upload_url").json()["presigned_upload_url"]
    assert put(address, bento()).status_code == 422  # not started
    rig.asked.patch(f"{BENTO}/start_upload").raise_for_status()
    bad = put(address, b"nothing")
    assert bad.status_code == 400
    rig.asked.patch(f"{BENTO}/finish_upload", json={"status": "failed", "reason": bad.text})
    shown = rig.asked.get(BENTO).json()
    assert (shown["upload_status"], shown["upload_finished_reason"]) == ("failed", bad.text)
    rig.asked.patch(f"{BENTO}/start_upload").raise_for_status()
    assert put(address, bento()).status_code == 200
    assert rig.asked.get(BENTO).json()["upload_status"] == "uploading"
    done = rig.asked.patch(f"{BENTO}/finish_upload", json={"status": "success", "reason": None})
    assert done.json()["upload_status"] == "success"


def in_parts(rig: Rig, content: bytes) -> dict[str, Any]:
    """Sends an archive in parts; what completes it."""
    rig.asked.patch(f"{BENTO}/start_upload").raise_for_status()
    upload = rig.asked.patch(f"{BENTO}/start_multipart_upload").json()["upload_id"]
    assert rig.asked.patch(f"{BENTO}/start_multipart_upload").json()["upload_id"] == upload
    parts = []
    for number, at in enumerate(range(0, len(content), 8192), start=1):
        wanted = {"upload_id": upload, "part_number": number}
        shown = rig.asked.patch(f"{BENTO}/presign_multipart_upload_url", json=wanted).json()
        reply = put(shown["presigned_upload_url"], content[at : at + 8192])
        assert reply.status_code == 200
        parts.append({"part_number": number, "etag": reply.headers["ETag"]})
    return {"upload_id": upload, "parts": parts}


def test_an_archive_goes_in_parts_to_signed_addresses(rig: Rig) -> None:
    assert registered(rig, size_bytes=200 * 2**20)["transmission_strategy"] == "presigned_url"
    content = bento(file("a", bytes(20_000)))
    body = in_parts(rig, content)
    few = {**body, "parts": body["parts"][:1]}
    assert rig.asked.patch(f"{BENTO}/complete_multipart_upload", json=few).status_code == 400
    assert rig.asked.patch(f"{BENTO}/complete_multipart_upload", json=body).status_code == 200
    rig.asked.patch(f"{BENTO}/finish_upload", json={"status": "success"}).raise_for_status()
    assert rig.asked.get(f"{BENTO}/download").content == content
    late = {"upload_id": body["upload_id"], "part_number": 1}
    assert rig.asked.patch(f"{BENTO}/presign_multipart_upload_url", json=late).status_code == 422


def test_completing_an_archive_shows_signs_of_life(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(rig)
    body = in_parts(rig, bento())
    goes_on, join = threading.Event(), Uploads.join

    async def slow(uploads: Uploads, *wanted: Any) -> Any:
        await asyncio.to_thread(goes_on.wait)
        return await join(uploads, *wanted)

    monkeypatch.setattr(Uploads, "join", slow)
    monkeypatch.setattr(transfer, "patiently", partial(patiently, every=0.01))
    headers = {TOKEN_HEADER: TOKEN}
    address = f"{rig.url}{BENTO}/complete_multipart_upload"
    with (
        httpx.Client(trust_env=False, headers=headers) as client,
        client.stream("PATCH", address, json=body) as reply,
    ):
        pieces = reply.iter_bytes()
        first = next(pieces)
        goes_on.set()
        whole = first + b"".join(pieces)
    assert first.strip() == b""
    assert json.loads(whole)["version"] == "v1"
    rig.asked.patch(f"{BENTO}/finish_upload", json={"status": "success"}).raise_for_status()
    assert rig.asked.get(f"{BENTO}/download").content == bento()


def test_an_address_opens_what_it_was_signed_for_and_nothing_else(rig: Rig) -> None:
    registered(rig)
    pushed(rig)
    address = rig.asked.patch(f"{BENTO}/presign_download_url").json()["presigned_download_url"]
    with httpx.Client(trust_env=False) as client:
        assert client.get(address).content == bento()
        assert client.head(address).headers["content-length"] == str(len(bento()))
        wrong = [
            address[:-1] + ("0" if address[-1] != "0" else "1"),
            address.replace("expires=", "expires=9"),
            address.replace("/downloads/", "/downloads/0", 1),
            address.partition("?")[0],
        ]
        assert {client.get(each).status_code for each in wrong} == {403}
        assert client.put(address, content=b"x").status_code in (403, 405)


def test_addresses_are_those_at_which_the_client_reaches_the_mesh(rig: Rig) -> None:
    registered(rig)

    def where(**fields: str) -> str:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        reply = rig.asked.patch(f"{BENTO}/presign_upload_url", headers=headers)
        return str(reply.json().get("presigned_upload_url", reply.status_code))

    assert where().startswith(f"{rig.url}/uploads/bento/")
    proxied = where(Host="mesh.test", X_Forwarded_Proto="https", X_Forwarded_Prefix="/a/b")
    assert proxied.startswith("https://mesh.test/a/b/uploads/bento/")
    assert where(X_Forwarded_Proto="javascript") == "400"
    assert where(X_Forwarded_Prefix="//evil.test/@") == "400"


def test_a_range_of_an_archive_can_be_asked_for(rig: Rig) -> None:
    registered(rig)
    assert rig.asked.get(f"{BENTO}/download").status_code == 422
    pushed(rig)
    whole = bento()

    def got(field: str) -> tuple[int, str, bytes]:
        reply = rig.asked.get(f"{BENTO}/download", headers={"Range": field})
        return reply.status_code, reply.headers.get("content-range", ""), reply.content

    size = len(whole)
    assert got("bytes=10-19") == (206, f"bytes 10-19/{size}", whole[10:20])
    assert got("bytes=10-") == (206, f"bytes 10-{size - 1}/{size}", whole[10:])
    assert got("bytes=-5") == (206, f"bytes {size - 5}-{size - 1}/{size}", whole[-5:])
    assert got(f"bytes={size}-") == (416, f"bytes */{size}", b"")
    said = rig.asked.get("/api/openapi.json").json()["paths"]
    ranged = "/api/v1/bento_repositories/{repository}/bentos/{version}/download"
    assert {"200", "206", "416"} <= set(said[ranged]["get"]["responses"])
    assert got("bytes=9-8")[0] == got("lines=1-2")[0] == got("bytes=-")[0] == 200
    head = rig.asked.head(f"{BENTO}/download")
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))


def test_a_client_that_goes_away_leaves_nothing_and_may_come_again(rig: Rig) -> None:
    registered(rig)
    rig.asked.patch(f"{BENTO}/start_upload").raise_for_status()
    address = urlsplit(rig.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            f"PUT {BENTO}/upload HTTP/1.1\r\nHost: mesh\r\nX-YATAI-API-TOKEN: {TOKEN}\r\n"
            f"Content-Length: {10 * 2**20}\r\n\r\n".encode()
            + bytes(3 * 2**20)
        )
    shown = rig.asked.get(BENTO).json()
    while shown["upload_status"] == Status.UPLOADING:
        shown = rig.asked.get(BENTO).json()
    assert shown["upload_status"] == "failed"
    assert "went away" in shown["upload_finished_reason"]
    pushed(rig)
    assert rig.asked.get(f"{BENTO}/download").content == bento()


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"version": None},
        {"version": "a/b"},
        {"version": "v1", "manifest": []},
        {"version": "v1", "manifest": {"size_bytes": -1}},
        {"version": "v1", "manifest": {"size_bytes": 2**63 - 1}},
        {"version": "v1", "manifest": {"models": [1]}},
        {"version": "v1", "manifest": {"name": "\ud800"}},
        {"version": "v1", "manifest": {"x": "\ud800"}},
        {"version": "v1", "build_at": "yesterday"},
        {"version": "v1", "build_at": 0},
        {"version": "v1", "build_at": "9999-12-31T23:59:59-10:00"},
        {"version": "v1", "labels": [{"value": "x"}]},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(rig: Rig, sent: dict[str, Any]) -> None:

    rig.asked.post(REPOSITORIES, json={"name": "tiny"})
    reply = rig.asked.post(
        f"{REPOSITORIES}/tiny/bentos",
        content=json.dumps(sent).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert reply.status_code in (400, 413), reply.text


def test_deep_manifests_are_refused(rig: Rig) -> None:
    rig.asked.post(REPOSITORIES, json={"name": "tiny"})
    for depth in (60, 300, 5000):
        deep = '{"version":"v1","manifest":{"x":' + "[" * depth + "]" * depth + "}}"
        reply = rig.asked.post(
            f"{REPOSITORIES}/tiny/bentos",
            content=deep.encode(),
            headers={"Content-Type": "application/json"},
        )
        assert reply.status_code == 400


def test_a_release_under_development_needs_no_archive(rig: Rig) -> None:
    registered(rig, dev=True)
    done = rig.asked.patch(
        f"{BENTO}/finish_upload", json={"status": "success", "reason": "for development"}
    ).json()
    assert (done["upload_status"], done["upload_finished_reason"]) == ("success", "for development")
