"""Who may do what: each role, each scope, each operation, against the real thing."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import grpc
import pytest

from mesh.access.principal import Role
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.cloud.absent import absent
from mesh.faces.cloud.app import ROUTES
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.door import FROM_ELSEWHERE, OPEN
from mesh.serving.described import described
from mesh.v1 import control_pb2, control_pb2_grpc
from tests.faces.cloud.asked import Asked
from tests.faces.cloud.rig import Rig, rigged
from tests.faces.rest.memory import MemoryVerbs
from tests.faces.test_tokens import watch

ANYONE = {"admin", "developer", "api_user", "guest"}
WRITERS = {"admin", "developer"}
MESH = "/api/mesh/v1"

# What each role may do. Bodies are empty or wrong: whoever may gets another answer than 403.
MATRIX: dict[tuple[str, str], set[str]] = {
    ("GET", "/api/v1/auth/current"): ANYONE,
    ("PUT", "/api/v1/auth/current"): ANYONE,
    ("GET", "/api/v1/current_org"): ANYONE,
    ("PATCH", "/api/v1/current_org"): WRITERS,
    ("GET", "/api/v1/current_org/major_cluster"): ANYONE,
    ("GET", "/api/v1/orgs"): ANYONE,
    ("POST", "/api/v1/orgs"): set(),
    ("GET", "/api/v1/members"): ANYONE - {"api_user"},
    ("POST", "/api/v1/members"): {"admin"},
    ("PUT", "/api/v1/members"): {"admin"},
    ("DELETE", "/api/v1/members"): {"admin"},
    ("GET", "/api/v1/members/current"): ANYONE,
    ("GET", "/api/v1/users"): ANYONE - {"api_user"},
    ("POST", "/api/v1/users"): {"admin"},
    ("POST", "/api/v1/users/invite"): {"admin"},
    ("GET", "/api/v1/clusters/default/members"): ANYONE - {"api_user"},
    ("POST", "/api/v1/clusters/default/members"): {"admin"},
    ("DELETE", "/api/v1/clusters/default/members"): {"admin"},
    ("GET", "/api/v1/api_tokens"): ANYONE,
    ("POST", "/api/v1/api_tokens"): ANYONE - {"guest"},
    ("PATCH", "/api/v1/api_tokens/x"): ANYONE - {"guest"},
    ("DELETE", "/api/v1/api_tokens/x"): ANYONE - {"guest"},
    ("GET", "/api/v1/org_secrets"): WRITERS,
    ("POST", "/api/v1/org_secrets"): WRITERS,
    ("DELETE", "/api/v1/org_secrets/x"): WRITERS,
    ("GET", "/api/v1/clusters"): ANYONE,
    ("PATCH", "/api/v1/clusters/default"): {"admin"},
    ("GET", "/api/v1/instance_types"): ANYONE,
    ("POST", "/api/admin/v1/resource_instances"): {"admin"},
    ("GET", "/api/admin/v1/clusters"): set(),
    ("DELETE", "/api/admin/v1/orgs/x"): set(),
    ("POST", "/api/admin/v1/orgs/x/operate"): set(),
    ("POST", "/api/admin/v1/orgs/x/clusters"): set(),
    ("GET", f"{MESH}/deployments"): ANYONE,
    ("GET", f"{MESH}/status"): ANYONE,
    ("GET", "/status"): ANYONE,
    ("POST", f"{MESH}/deployments"): WRITERS,
    ("POST", f"{MESH}/deployments/x/terminate"): WRITERS,
    ("DELETE", f"{MESH}/deployments/x"): WRITERS,
    ("PUT", f"{MESH}/endpoints/x"): WRITERS,
}

SCOPES: dict[tuple[str, str], set[str]] = {
    ("GET", "/api/v1/members"): {
        "api",
        "read_organization",
        "write_organization",
        "operate_organization",
    },
    ("POST", "/api/v1/members"): {"api", "write_organization", "operate_organization"},
    ("POST", "/api/v1/api_tokens"): {"api", "write_organization", "operate_organization"},
    ("GET", "/api/v1/org_secrets"): {
        "api",
        "read_organization",
        "write_organization",
        "operate_organization",
    },
    ("GET", f"{MESH}/deployments"): {"api", "read_cluster", "write_cluster", "operate_cluster"},
    ("GET", "/status"): {"api", "read_cluster", "write_cluster", "operate_cluster"},
    ("POST", f"{MESH}/deployments"): {"api", "write_cluster", "operate_cluster"},
    ("GET", "/api/v1/auth/current"): {
        "api",
        *(f"{v}_{t}" for v in ("read", "write", "operate") for t in ("organization", "cluster")),
        "",
    },
}
TOKENS = ["", "api"] + [
    f"{verb}_{target}"
    for verb, target in product(("read", "write", "operate"), ("organization", "cluster"))
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    """A control plane of which these tests change nothing."""
    with rigged() as made:
        yield made


@pytest.fixture(scope="module")
def by_role(shared: Rig) -> dict[str, Asked]:
    return {role: shared.as_(shared.member(f"a-{role}", role)) for role in Role}


@pytest.fixture(scope="module")
def by_scope(shared: Rig) -> dict[str, Asked]:
    return {
        scope: shared.as_(
            shared.member("scoped", "admin", scopes=[scope] if scope else [], opens_all=True)
        )
        for scope in TOKENS
    }


def status(asked: Asked, method: str, path: str) -> int:
    body: Any = {} if method != "GET" else None
    found = asked.request(method, path, json=body).status_code
    assert found < 500
    return found


@pytest.mark.parametrize(("method", "path"), MATRIX)
def test_each_role_may_what_it_may(by_role: dict[str, Asked], method: str, path: str) -> None:
    found = {role for role, asked in by_role.items() if status(asked, method, path) != 403}
    assert found == MATRIX[method, path]


@pytest.mark.parametrize(("method", "path"), SCOPES)
def test_each_scope_is_for_what_it_says(by_scope: dict[str, Asked], method: str, path: str) -> None:
    found = {scope for scope, asked in by_scope.items() if status(asked, method, path) != 403}
    assert found == SCOPES[method, path]


# What whoever has shown who they are may ask, whatever the scopes of their token.
OPEN_TO_ALL = {
    ("GET", "/api/v1/auth/current"),
    ("GET", "/api/v1/current_org"),
    ("GET", "/api/v1/members/current"),
    ("GET", "/api/v1/orgs"),
    ("GET", "/api/v1/orgs/{name}"),
}


def test_no_operation_is_left_open(shared: Rig, by_scope: dict[str, Asked]) -> None:
    """Every route has a gate: a token without scopes gets nowhere, and no token not even there."""
    nobody = shared.as_("")
    found = set()
    kept = MemoryCatalogue()
    backing = Backing(MemoryVerbs(), kept, kept, shared.access)
    for family in ROUTES:
        for route in family(backing).routes if family is not absent else ():
            for method in getattr(route, "methods", ()):
                path = route.path
                if path in OPEN | FROM_ELSEWHERE or not path.startswith("/api/"):
                    continue  # pages, and addresses that are signed
                plain = path.replace("{", "").replace("}", "")
                assert status(nobody, method, plain) == 401, path
                if status(by_scope[""], method, plain) != 403:
                    found.add((method, path))
    assert found == OPEN_TO_ALL


@pytest.mark.parametrize("role", Role)
def test_grpc_wants_the_same(rig: Rig, role: Role) -> None:
    token = rig.member("ann", role)
    shown = [("authorization", f"Bearer {token}")]
    application = described("tests.client.control.shelf:BookShelf", {"name": "d1"}, ["."])
    document = json.dumps(application.document).encode()
    with grpc.insecure_channel(rig.plane.start().grpc) as channel:
        control: Any = control_pb2_grpc.ControlStub(channel)
        control.Status(control_pb2.StatusRequest(), metadata=shown)
        apply = control_pb2.ApplyRequest(deployment_json=document)
        delete = control_pb2.DeleteRequest(deployment="d1")
        if role in WRITERS:
            assert control.Apply(apply, metadata=shown).revision == 1
            assert rig.plane._running.controller.deployment("d1").creator == "ann"
            control.Delete(delete, metadata=shown)
        else:
            for call, request in ((control.Apply, apply), (control.Delete, delete)):
                with pytest.raises(grpc.RpcError) as failed:
                    call(request, metadata=shown)
                found: Any = failed.value
                assert found.code() is grpc.StatusCode.PERMISSION_DENIED
        # The whole table has the keys of upstreams, of all organizations.
        with pytest.raises(grpc.RpcError) as failed:
            watch(channel, "", shown)
        found = failed.value
        assert found.code() is grpc.StatusCode.PERMISSION_DENIED
