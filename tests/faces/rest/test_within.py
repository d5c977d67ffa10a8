"""The control API for users of two organizations, one of whom owns the mesh."""

import asyncio
from typing import Any

import pytest

from mesh.access.principal import OWNER, Principal, Role
from mesh.access.tokens import Wish
from mesh.access.users import NewUser
from mesh.control.records import Event
from mesh.faces.rest.within import EVENTS
from tests.access.owner import only_owner
from tests.faces.rest.memory import MemoryVerbs
from tests.faces.rest.test_api import Api, application

OWNED = "the-owner's"


class Two:
    """`default` has a deployment `shop` and an endpoint `front`, `lab` has `bench` and `back`."""

    def __init__(self) -> None:
        self.api = Api(MemoryVerbs())
        self.verbs = self.api.verbs
        self.access = only_owner(OWNED)
        self.api.let_in(self.access)
        self.tokens = {"owner": OWNED, **asyncio.run(self._members())}
        for who, name, end in (("ann", "shop", "front"), ("bob", "bench", "back")):
            self.good(who, "PUT", f"/deployments/{name}", application(name))
            self.good(who, "PUT", f"/endpoints/{end}", {"deployments": {name: 1}})

    async def _members(self) -> dict[str, str]:
        access = self.access
        await access.organizations.make("lab", "owner")
        found = {}
        for name, organization in (("ann", "default"), ("bob", "lab")):
            await access.users.make(NewUser(name, organization=organization))
            asker = access.principal(name)
            assert asker == Principal(name, Role.DEVELOPER, organization)
            found[name] = (await access.tokens.make(asker, Wish("t")))[1]
        return found

    def good(self, who: str, method: str, path: str, json: Any = None) -> Any:
        return self.api.good(method, path, json, headers=self._shown(who))

    def bad(self, who: str, method: str, path: str, json: Any = None) -> tuple[int, str]:
        return self.api.bad(method, path, json, headers=self._shown(who))

    def _shown(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[who]}"}


@pytest.fixture
def two() -> Two:
    return Two()


def test_each_sees_what_is_of_their_organization_and_the_owner_all(two: Two) -> None:
    expected = {"ann": ["shop"], "bob": ["bench"], "owner": ["bench", "shop"]}
    for who, names in expected.items():
        found = two.good(who, "GET", "/deployments")
        assert [each["name"] for each in found["items"]] == names
        assert found["total"] == len(names)
        running = two.good(who, "GET", "/replicas")
        assert {each["deployment"] for each in running} == set(names)
        assert two.good(who, "GET", "/status")["deployments"]["running"] == len(names)
    ends = {who: [e["name"] for e in two.good(who, "GET", "/endpoints")] for who in expected}
    assert ends == {"ann": ["front"], "bob": ["back"], "owner": ["back", "front"]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/revisions", None),
        ("GET", "/revisions/1", None),
        ("GET", "/events", None),
        ("GET", "/replicas", None),
        ("GET", "/logs", None),
        ("GET", "/canary", None),
        ("PUT", "/canary", {"weights": {"v2": 1}}),
        ("POST", "/canary/promote", {}),
        ("POST", "/canary/abort", {}),
        ("POST", "/rollback", {}),
        ("POST", "/terminate", None),
        ("POST", "/start", None),
        ("POST", "/restart", None),
        ("PUT", "/labels", {"labels": {}}),
    ],
)
def test_a_deployment_of_another_organization_is_not_there(
    two: Two, method: str, path: str, body: Any
) -> None:
    before = two.verbs.deployment("shop"), two.verbs.current("shop")
    found = two.bad("bob", method, f"/deployments/shop{path}", body)
    assert found == (404, "there is no deployment 'shop'")
    assert (two.verbs.deployment("shop"), two.verbs.current("shop")) == before


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("POST", "/start"), ("POST", "/terminate")]
)
def test_an_endpoint_of_another_organization_is_not_there(two: Two, method: str, path: str) -> None:
    found = two.bad("bob", method, f"/endpoints/front{path}")
    assert found == (404, "there is no endpoint 'front'")
    assert two.verbs.endpoint("front").organization == "default"


def test_names_of_another_organization_are_taken(two: Two) -> None:
    code, said = two.bad("bob", "PUT", "/deployments/shop", application("shop"))
    assert (code, said) == (409, "another organization has a deployment 'shop'")
    code, said = two.bad("bob", "PUT", "/endpoints/front", {"deployments": {"bench": 1}})
    assert (code, said) == (409, "another organization has an endpoint 'front'")


def test_replicas_of_another_organization_have_no_logs(two: Two) -> None:
    (replica,) = {each.id for each in two.verbs.replicas("shop")}
    two.verbs.written[replica] = "secrets\n"
    code, said = two.bad("bob", "GET", f"/deployments/bench/logs?replica={replica}")
    assert (code, said) == (404, f"there is no replica {replica!r}")


def test_the_owner_changes_what_is_of_others_and_it_stays_theirs(two: Two) -> None:
    two.good("owner", "PUT", "/deployments/bench", application("bench", replicas=2))
    two.good("owner", "PUT", "/endpoints/back", {"deployments": {"bench": 2}})
    found = two.verbs.deployment("bench")
    assert (found.organization, found.creator) == ("lab", "bob")
    assert two.verbs.endpoint("back").organization == "lab"


def test_events_are_of_ones_own_organization(two: Two) -> None:
    some = [Event(float(n), "change", ("shop", "bench")[n % 2]) for n in range(3 * EVENTS)]
    two.verbs.happened.extend(some)
    earlier = Event(1e9, "change", "bench", reason="earlier", organization="theirs")
    two.verbs.happened.append(earlier)  # of one that had this name
    found = two.good("bob", "GET", "/events?start=990&count=20")
    assert len(found) == 20
    assert {each["deployment"] for each in found} == {"bench"}
    assert "earlier" not in str(two.good("bob", "GET", "/events?count=20"))
    everything = two.good("owner", "GET", "/events?count=1000")
    assert {each["deployment"] for each in everything} >= {"bench", "shop"}


def test_everyone_is_the_owner_where_no_token_is_needed() -> None:
    api = Api(MemoryVerbs())
    api.good("PUT", "/deployments/shop", application())
    assert api.verbs.deployment("shop").creator == OWNER.user
    wrong = {"authorization": "Bearer other"}
    assert api.bad("GET", "/deployments", headers=wrong)[0] == 401


def test_only_administrators_of_all_organizations_have_a_new_secret_key(two: Two) -> None:
    async def promote() -> None:
        await two.access.members.change("lab", "bob", Role.ADMIN)

    asyncio.run(promote())
    for who, why in (("ann", "may not write members"), ("bob", "administrators of all")):
        status, error = two.bad(who, "POST", "/secret-key/renew")
        assert status == 403
        assert why in error
    assert two.verbs.renewed == 0
    assert two.good("owner", "POST", "/secret-key/renew") == {"secrets": 3}
    assert two.verbs.renewed == 1
