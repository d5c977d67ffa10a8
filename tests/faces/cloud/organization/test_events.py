"""What is done is noted, by whatever face it came, and told in the list of events."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from mesh import ControlClient
from mesh.access.directory import Directory
from mesh.control.store.catalogue import Deed, Deeds
from mesh.control.store.memory import MemoryStore
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.cloud.absent import absent
from mesh.faces.cloud.app import ROUTES
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.organization.events import BESIDES, day, deeds
from mesh.faces.cloud.permission import gates, operations
from mesh.faces.cloud.query import wanted
from mesh.faces.notes import FAILED, SUCCESS
from mesh.faces.rest.app import FAMILIES, PREFIX
from mesh.faces.rest.builds import builds
from mesh.faces.rest.overview import overview
from mesh.serving.application import Application
from mesh.v1 import control_pb2, control_pb2_grpc
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.faces.rest.memory import MemoryVerbs
from tests.faces.test_plane import document

EVENTS = "/api/v1/current_org/events"
NOT_NOTED = {
    # Answers a question that is too long for an address.
    ("POST", "/api/v1/org_secrets_check"),
    # Noted once it is known who it was; see mesh/faces/cloud/people/auth.py.
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/setup"),
    ("PATCH", "/api/v1/auth/reset_password"),
    # Ends a session.
    ("POST", "/api/v1/auth/logout"),
    # Steps of an upload, which is noted when it has ended.
    *(
        ("PATCH", f"/api/v1/{of}/{{repository}}/{version}/{{version}}/{step}")
        for of, version in (("bento_repositories", "bentos"), ("model_repositories", "models"))
        for step in (
            "start_upload",
            "presign_upload_url",
            "presign_download_url",
            "start_multipart_upload",
            "presign_multipart_upload_url",
            "complete_multipart_upload",
        )
    ),
}
"""What changes nothing that counts although its method says so."""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def rig(store: MemoryStore) -> Iterator[Rig]:
    with rigged(lambda: store) as made:
        yield made


def told(rig: Rig, **params: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = rig.asked.get(EVENTS, params=params).json()["items"]
    return items


def words(rig: Rig, **params: str) -> list[str]:
    return [each["operation_name"] for each in told(rig, **params)]


def application(name: str = "d", target: str = "app:Main") -> Application:
    raw = json.loads(document(target))
    raw["config"]["name"] = name
    return Application(raw)


def test_what_is_changed_through_the_control_api_is_noted_with_why_it_failed(rig: Rig) -> None:
    with ControlClient(rig.url, TOKEN) as client:
        client.apply(application(), cause="first")
        client.apply(application(target="other:Main"))
        client.deployments.rollback("d", 1)
        client.deployments.set_labels("d", {"team": "x"})
        client.endpoints.apply("front", {"deployments": {"d": 1}})
        client.endpoints.apply("front", {"deployments": {"d": 2}})
        client.endpoints.terminate("front")
        client.deployments.terminate("d")
        client.deployments.delete("d")
    refused = httpx.post(
        f"{rig.url}/api/mesh/v1/deployments/d%20x/restart",
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert refused.status_code == 404
    found = told(rig, count="20")
    assert [(each["resource_type"], each["operation_name"]) for each in found][::-1] == [
        ("deployment", "created"),
        ("deployment", "updated"),
        ("deployment", "rolled back"),
        ("deployment", "labelled"),
        ("endpoint", "created"),
        ("endpoint", "updated"),
        ("endpoint", "terminated"),
        ("deployment", "terminated"),
        ("deployment", "deleted"),
        ("deployment", "restarted"),
    ]
    assert {each["creator"]["name"] for each in found} == {"owner"}
    failed, *rest = found
    assert (failed["status"], failed["name"]) == (FAILED, "d x")
    assert failed["reason"] == refused.json()["error"]
    assert {each["status"] for each in rest} == {SUCCESS}
    assert found[-1]["resource"] == {"resource_type": "deployment", "name": "d", "cause": "first"}
    assert found[-4]["resource"]["labels"] == {"team": "x"}
    assert [each["operation_name"] for each in found if each["resource_deleted"]] == ["deleted"]


def test_an_upstreams_key_is_in_no_event(rig: Rig) -> None:
    with ControlClient(rig.url, TOKEN) as client:
        client.endpoints.apply(
            "out", {"upstreams": [{"url": "https://api.example/v1", "api_key": "sk-4711"}]}
        )
    assert words(rig) == ["created"]
    assert "sk-4711" not in rig.asked.get(EVENTS).text


def test_what_is_changed_over_grpc_or_in_the_process_is_noted_too(rig: Rig) -> None:
    rig.plane.apply(document("app:Main"))
    with grpc.insecure_channel(rig.plane.start().grpc) as channel:
        stub = control_pb2_grpc.ControlStub(channel)
        metadata = [("authorization", f"Bearer {TOKEN}")]
        stub.Apply(control_pb2.ApplyRequest(deployment_json=document("b:Main")), metadata=metadata)
        with pytest.raises(grpc.RpcError):
            stub.Delete(control_pb2.DeleteRequest(deployment="ghost"), metadata=metadata)
        with pytest.raises(grpc.RpcError):
            stub.Delete(control_pb2.DeleteRequest(deployment="d"))
    rig.plane.delete("d")
    found = told(rig)
    assert [(each["operation_name"], each["name"], each["status"]) for each in found] == [
        ("deleted", "d", SUCCESS),
        ("deleted", "ghost", FAILED),
        ("updated", "d", SUCCESS),
        ("created", "d", SUCCESS),
    ]
    assert found[1]["reason"] == "there is no deployment 'ghost'"


def test_a_change_through_the_cloud_api_is_noted_with_why_it_failed(rig: Rig) -> None:
    content = {"type": "env", "items": [{"key": "KEY", "value": "s3cret"}]}
    sent = {"name": "s", "description": "", "content": content}
    for expected in (200, 409):
        assert rig.asked.post("/api/v1/org_secrets", json=sent).status_code == expected
    assert rig.asked.delete("/api/v1/org_secrets/no%20such").status_code == 404
    gone, again, first = told(rig)
    assert (first["status"], first["reason"]) == (SUCCESS, "")
    assert (again["status"], again["reason"]) == (FAILED, "there is a secret 's' already")
    assert (gone["name"], gone["reason"]) == ("no such", "there is no secret 'no such'")
    assert "s3cret" not in rig.asked.get(EVENTS).text


def made(n: int, **values: Any) -> Deed:
    at = datetime(2026, 1, n, 12, tzinfo=UTC).timestamp()
    defaults: dict[str, Any] = {
        "organization": "default",
        "user": "ann",
        "token": "laptop",
        "resource_type": "bento",
        "name": f"b{n}",
        "operation": f"did{n}",
        "status": SUCCESS,
    }
    return Deed(**{"at": at, "uid": f"u{n}", **defaults, **values})


def test_events_are_listed_by_page_query_and_organization(rig: Rig, store: MemoryStore) -> None:
    of_another = made(5, organization="acme")
    each = (made(1), made(2, user="bob", status=FAILED), made(3, resource_type="model"), made(4))
    asyncio.run(store.journal.note(*each, of_another))
    assert words(rig) == ["did4", "did3", "did2", "did1"]
    for q, expected in {
        "creator:bob": "2",
        "creator:@me": "",
        "creator:ann creator:bob": "4321",
        "status:failed": "2",
        "resource_type:model": "3",
        "operation_name:did1": "1",
        "started_at:2026-01-03": "43",
        "ended_at:2026-01-03": "321",
        "started_at:2026-01-02 ended_at:2026-01-02": "2",
        "sort:created_at-asc": "1234",
        "sort:created_at-desc": "4321",
        "b3": "3",
        "b 1": "1",
        "started_at:9999-12-31": "",
        "ended_at:9999-12-31": "4321",
        "ended_at:0001-01-01": "",
    }.items():
        assert words(rig, q=q) == [f"did{n}" for n in expected], q
    assert words(rig, search="b2", q="") == ["did2"]
    page = rig.asked.get(EVENTS, params={"start": "1", "count": "2"}).json()
    assert (page["start"], page["count"], page["total"]) == (1, 2, 4)
    assert [each["name"] for each in page["items"]] == ["b3", "b2"]
    assert rig.asked.get(EVENTS, params={"start": "", "count": "", "q": "", "search": ""}).json()
    for wrong in ("started_at:2026-13-01", "ended_at:soon", "started_at:\0"):
        assert rig.asked.get(EVENTS, params={"q": wrong}).status_code == 400


def test_a_query_for_days_is_from_the_first_to_the_end_of_the_last() -> None:
    found = deeds(wanted("started_at:2026-01-31 ended_at:2026-01-31"), "", "o")
    assert found == Deeds(
        "o", since=day("2026-01-31").timestamp(), until=day("2026-02-01").timestamp()
    )


def test_the_words_for_what_can_be_done_are_told_by_type(rig: Rig) -> None:
    path = "/api/v1/current_org/event_operation_names"
    of_secrets = rig.asked.get(path, params={"resource_type": "secret"}).json()
    assert of_secrets == ["created", "deleted", "updated"]
    every = rig.asked.get(path, params={"resource_type": ""}).json()
    assert set(of_secrets) | {"rolled back"} <= set(every)
    assert rig.asked.get(path, params={"resource_type": "nothing"}).json() == []


def backing() -> Backing:
    kept = MemoryCatalogue()
    return Backing(MemoryVerbs(), kept, kept, asyncio.run(Directory.opened(kept, TOKEN)))


def cloud() -> list[APIRouter]:
    """The families of the cloud API that do something."""
    ours = backing()
    return [family(ours) for family in ROUTES if family is not absent]


def control() -> list[APIRouter]:
    return [*(family() for family in (*FAMILIES, overview)), builds(backing().deploying)]


def test_everything_that_changes_something_has_a_word_for_it() -> None:
    changing = {
        (method, prefix + route.path): any(gate.operation for gate in gates(route.dependant))
        for prefix, families in (("", cloud()), (PREFIX, control()))
        for family in families
        for route in family.routes
        if isinstance(route, APIRoute) and (prefix + route.path).startswith("/api/")
        for method in route.methods & {"POST", "PUT", "PATCH", "DELETE"}
    }
    assert ("POST", "/api/v1/org_secrets") in changing
    assert ("POST", f"{PREFIX}/deployments") in changing
    assert {each for each, is_noted in changing.items() if not is_noted} == NOT_NOTED


def test_the_words_of_other_apis_are_those_of_their_routes() -> None:
    found = set(operations(control()))
    assert found <= {*BESIDES, *operations(cloud()), *COMMON}
    assert set(BESIDES) <= found


COMMON = {
    (kind, word)
    for kind in ("deployment", "endpoint")
    for word in ("created", "updated", "deleted", "started", "terminated")
}
"""What the cloud API does, too."""
