"""What is of one organization is not there for another, however much that one may."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mesh.access.principal import Role
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.cloud.absent import absent
from mesh.faces.cloud.app import ROUTES
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.door import FROM_ELSEWHERE, OPEN
from tests.faces.cloud.asked import Asked
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.cloud.shelf import Shelf
from tests.faces.rest.memory import MemoryVerbs
from tests.releases.tars import MODEL, bento, file, tar

SECRET_WORD = "hush"
"""Is in all names and descriptions of the one organization."""
BENTOS, MODELS = "/api/v1/bento_repositories", "/api/v1/model_repositories"
RELEASE = f"{BENTOS}/{SECRET_WORD}-bento"
WEIGHTS = f"{MODELS}/{SECRET_WORD}-model"
DEPLOYMENT = f"{SECRET_WORD}-deployment"


@dataclass(frozen=True)
class Apart:
    """A mesh with two organizations: `mine` has something of everything, `theirs` nothing."""

    rig: Rig
    mine: Asked
    theirs: Asked
    endpoint: str
    token: str

    def filled(self, path: str) -> str:
        """The path of a route, about what is of `mine`."""
        places = {
            "/api/v2/deployments/{name}": f"/api/v2/deployments/{DEPLOYMENT}",
            "{repository}/bentos": f"{SECRET_WORD}-bento/bentos",
            "{repository}/models": f"{SECRET_WORD}-model/models",
            "bento_repositories/{repository}": f"bento_repositories/{SECRET_WORD}-bento",
            "model_repositories/{repository}": f"model_repositories/{SECRET_WORD}-model",
            "{version}": "v1",
            "/api/v1/endpoints/{uid}": f"/api/v1/endpoints/{self.endpoint}",
            "/api/v1/api_tokens/{uid}": f"/api/v1/api_tokens/{self.token}",
            "/api/v1/org_secrets/{name}": f"/api/v1/org_secrets/{SECRET_WORD}-secret",
            "/api/v1/users/{name}": f"/api/v1/users/{SECRET_WORD}-user",
            "/api/v1/orgs/{name}": "/api/v1/orgs/default",
            "/orgs/{organization}": "/orgs/default",
            "/organizations/{organization}": "/organizations/default",
            "/clusters/{name}": "/clusters/default",
            "/clusters/{cluster}": "/clusters/default",
            "/namespaces/{namespace}/deployments/{name}": f"/namespaces/x/deployments/{DEPLOYMENT}",
            "/resource_instances/{name}": "/resource_instances/cpu.small",
            "/gpu_configs/{name}": "/gpu_configs/none",
            "/limit_groups/{name}": "/limit_groups/none",
            "/revisions/{uid}": f"/revisions/{self.revision()}",
        }
        for pattern, place in places.items():
            path = path.replace(pattern, place)
        return path

    def is_of_one(self, path: str) -> bool:
        """Whether a path is about something that only `mine` has."""
        return any(
            each in path for each in (SECRET_WORD, self.endpoint, self.token, "orgs/default")
        )

    def revision(self) -> str:
        found = self.mine.get(f"/api/v2/deployments/{DEPLOYMENT}/revisions").json()
        return str(found["items"][0]["uid"])


def _make_all(rig: Rig) -> tuple[str, str]:
    asked, word = rig.asked, SECRET_WORD
    _make(asked, BENTOS, {"name": f"{word}-bento", "description": word})
    manifest = {"name": f"{word}-bento", "service": "service:Tiny", "bentoml_version": "1.4.39"}
    said = {"version": "v1", "description": word, "build_at": None}
    sent = {**said, "manifest": {**manifest, "models": [f"{word}-model:v1"], "services": []}}
    _make(asked, f"{RELEASE}/bentos", {**sent, "labels": [{"key": word, "value": word}]})
    _make(asked, MODELS, {"name": f"{word}-model", "description": word})
    _make(asked, f"{WEIGHTS}/models", {**said, "manifest": {"module": word, "size_bytes": 1}})
    document = MODEL.replace(b"weights", f"{word}-model".encode())
    _push(asked, f"{WEIGHTS}/models/v1", tar(file("model.yaml", document)))
    document = b"service: service:Tiny\nname: hush-bento\nversion: v1\nbentoml_version: 1.4.39\n"
    _push(asked, f"{RELEASE}/bentos/v1", bento(document=document))
    content = {"type": "env", "items": [{"key": word.upper(), "value": "x"}]}
    _make(asked, "/api/v1/org_secrets", {"name": f"{word}-secret", "content": content})
    _make(asked, "/api/v2/deployments", {"name": DEPLOYMENT, "bento": f"{word}-bento:v1"})
    token = _make(asked, "/api/v1/api_tokens", {"name": word, "scopes": ["api"]})
    rig.member(f"{word}-user", Role.DEVELOPER)
    upstream = {"url": "http://127.0.0.1:9", "model": word}
    sent = {"name": f"{word}-endpoint", "upstreams": [upstream]}
    endpoint = _make(asked, "/api/v1/endpoints", sent)
    return endpoint["uid"], token["uid"]


def _make(asked: Asked, path: str, sent: dict[str, Any]) -> Any:
    reply = asked.post(path, json=sent)
    assert reply.status_code == 200, reply.text
    return reply.json()


def _push(asked: Asked, path: str, content: bytes) -> None:
    for reply in (
        asked.patch(f"{path}/start_upload"),
        asked.put(f"{path}/upload", content=content),
    ):
        assert reply.status_code == 200, reply.text


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    shelf = Shelf()
    shelf.services[f"{SECRET_WORD}-bento:v1"] = ("Main",)
    with rigged(builder=shelf) as rig:
        rig.wait(rig.access.organizations.make("other", "owner"))
        endpoint, token = _make_all(rig)
        theirs = rig.as_(rig.member("stranger", Role.ADMIN, "other"))
        yield Apart(rig, rig.asked, theirs, endpoint, token)


def routes(rig: Rig) -> list[tuple[str, str]]:
    """What the cloud API has for whoever shows a token: methods and paths."""
    kept = MemoryCatalogue()
    backing = Backing(MemoryVerbs(), kept, kept, rig.access)
    return [
        (method, route.path)
        for family in ROUTES
        if family is not absent
        for route in family(backing).routes
        for method in sorted(getattr(route, "methods", ()))
        if route.path.startswith("/api/") and route.path not in OPEN | FROM_ELSEWHERE
    ]


def test_nothing_is_read_of_another_organization(apart: Apart) -> None:
    shown = set()
    for method, pattern in routes(apart.rig):
        if method != "GET":
            continue
        path = apart.filled(pattern)
        assert "{" not in path, "say above what of the first organization this is about"
        if SECRET_WORD in apart.mine.get(path).text:
            shown.add(pattern)
        reply = apart.theirs.get(path)
        assert reply.status_code in (200, 403, 404), path
        # An error says what was asked for.
        assert reply.status_code != 200 or SECRET_WORD not in reply.text, path
        if apart.is_of_one(path):
            assert reply.status_code in (403, 404), path
    assert len(shown) > 35, "whoever may see these does not"


# What is sent where more than a path is wanted: it is all right but for whose the thing is.
SENT: dict[tuple[str, str], Any] = {
    ("PATCH", "finish_upload"): {"status": "success"},
    ("PATCH", "presign_multipart_upload_url"): {"part_number": 1, "upload_id": "0" * 32},
    ("PATCH", "complete_multipart_upload"): {"upload_id": "0" * 32, "parts": []},
    ("PUT", "v1"): {"bento": f"{SECRET_WORD}-bento:v1"},
    ("POST", "bentos"): {"version": "v2", "manifest": {}},
    ("POST", "models"): {"version": "v2", "manifest": {}},
    ("POST", "files"): {"files": []},
    ("DELETE", "files"): {"paths": []},
    ("PUT", "labels"): {"labels": [{"key": "a", "value": "b"}]},
    ("PUT", DEPLOYMENT): {"bento": f"{SECRET_WORD}-bento:v1"},
}


def change(asked: Asked, method: str, path: str) -> httpx.Response:
    sent = SENT.get((method, path.rpartition("/")[2]), {})
    return asked.request(method, path, json=sent)


def test_nothing_is_changed_of_another_organization(apart: Apart) -> None:
    tried = [
        (method, path)
        for method, pattern in routes(apart.rig)
        if method not in ("GET", "HEAD") and apart.is_of_one(path := apart.filled(pattern))
    ]
    for method, path in tried:
        reply = change(apart.theirs, method, path)
        assert reply.status_code in (403, 404), f"{method} {path}: {reply.status_code} {reply.text}"
    assert len(tried) > 40


def test_what_is_of_all_organizations_is_changed_by_administrators_of_all(apart: Apart) -> None:
    types = {"name": "huge", "config": {"resources": {"requests": {"cpu": 1}}}}
    for path, sent in (
        ("/api/admin/v1/resource_instances", types),
        ("/api/admin/v1/gpu_configs", {"name": "a100"}),
        ("/api/admin/v1/limit_groups", {"name": "many", "config": {}}),
    ):
        assert apart.theirs.post(path, json=sent).status_code == 403, path
        assert apart.mine.post(path, json=sent).status_code == 200, path
        one = f"{path}/{sent['name']}"
        assert apart.theirs.patch(one, json={}).status_code == 403, path
        assert apart.theirs.delete(one).status_code == 403, path
    said = {"description": "ours"}
    assert apart.theirs.patch("/api/v1/clusters/default", json=said).status_code == 403
    assert apart.mine.patch("/api/v1/clusters/default", json=said).status_code == 200
