"""Users, members, organizations and their clusters over the cloud API."""

from typing import Any

import httpx

from mesh.control.store.catalogue import Entry, Kind, Put
from tests.faces.cloud.asked import Asked
from tests.faces.cloud.rig import Rig

MEMBERS = "/api/v1/members"
USERS = "/api/v1/users"
ORGS = "/api/v1/orgs"
ADMIN = "/api/admin/v1/orgs"


def delete(asked: Asked, path: str, **body: Any) -> httpx.Response:
    return asked.request("DELETE", path, json=body)


def named(reply: httpx.Response) -> dict[str, str]:
    """The roles of members, by user."""
    assert reply.status_code == 200, reply.text
    return {each["user"]["name"]: each["role"] for each in reply.json()}


def test_who_asks_is_told_who_they_are(rig: Rig) -> None:
    ann = rig.as_(rig.member("ann", "guest"))
    me = ann.get("/api/v1/auth/current").json()
    assert (me["name"], me["email"], me["resource_type"]) == ("ann", "ann@example.com", "user")
    assert ann.get("/api/v1/current_org").json()["name"] == "default"
    assert ann.get(f"{MEMBERS}/current").json() == {"role": "guest", "username": "ann"}
    sent = {"organization_name": "x", "first_name": "Ann", "last_name": None}
    changed = ann.put("/api/v1/auth/current", json=sent).json()
    assert (changed["first_name"], changed["last_name"]) == ("Ann", "")
    reading = rig.as_(rig.member("ann", "guest", scopes=["read_organization"]))
    assert reading.put("/api/v1/auth/current", json=sent).status_code == 403


def test_users_become_members_and_leave(rig: Rig) -> None:
    user = {"name": "ann", "email": "ann@example.com", "password": "long enough", "role": None}
    made = rig.asked.post(USERS, json=user)
    assert made.json()["name"] == "ann"
    assert "long enough" not in made.text + repr(rig.access.users.user("ann"))
    assert rig.asked.post(USERS, json=user).status_code == 409
    short = rig.asked.post(USERS, json={**user, "name": "bob", "password": "s3cret"})
    assert short.status_code == 400
    assert "s3cret" not in short.text
    assert named(rig.asked.get(MEMBERS)) == {"ann": "developer", "owner": "admin"}
    changed = rig.asked.put(MEMBERS, json={"username": "ann", "role": "guest"})
    assert changed.json()["role"] == "guest"
    assert changed.json()["organization"]["name"] == "default"
    gone = delete(rig.asked, MEMBERS, username="ann")
    assert gone.json()["creator"]["name"] == "owner"
    assert named(rig.asked.get(MEMBERS)) == {"owner": "admin"}
    assert delete(rig.asked, MEMBERS, username="ann").status_code == 404
    added = rig.asked.post(MEMBERS, json={"usernames": ["ann"], "role": "api_user"})
    assert named(added) == {"ann": "api_user"}
    assert rig.asked.post(MEMBERS, json={"usernames": ["bob"], "role": None}).status_code == 404
    wrong = rig.asked.put(MEMBERS, json={"username": "ann", "role": "king"})
    assert wrong.status_code == 400
    last = delete(rig.asked, MEMBERS, username="owner")
    assert (last.status_code, "owns this mesh" in last.text) == (422, True)


def test_whoever_is_invited_gets_a_link(rig: Rig) -> None:
    sent = {"email": "ann@example.com", "first_name": "Ann", "last_name": "", "role": "guest"}
    made = rig.asked.post(f"{USERS}/invite", json=sent).json()
    assert made["url"] == f"{rig.url}/register?invitation_code={made['invitation_code']}"
    assert rig.access.users.invited(made["invitation_code"]).email == "ann@example.com"
    assert rig.asked.post(f"{USERS}/invite", json={**sent, "email": "?"}).status_code == 400
    assert rig.as_(made["invitation_code"]).get(USERS).status_code == 401


def organization(rig: Rig, name: str = "lab") -> Asked:
    """Makes an organization with an administrator, `name`-admin, who asks."""
    made = rig.asked.post(ORGS, json={"name": name, "description": None, "config": {}})
    assert made.json()["creator"]["name"] == "owner"
    return rig.as_(rig.member(f"{name}-admin", "admin", name))


def test_two_organizations_do_not_see_each_other(rig: Rig) -> None:
    lab, here = organization(rig), rig.as_(rig.member("ann", "admin"))
    for kind in ("secret", "label"):
        entry = Entry(Kind(kind), f"{kind}-here", "u", 1.0, 1.0, {"creator": "ann", "items": []})
        rig.wait(rig.plane._running._store.catalogue.write(Put(entry)))
    uid = here.get("/api/v1/api_tokens").json()["items"][0]["uid"]
    assert set(named(lab.get(MEMBERS))) == {"lab-admin", "owner"}
    assert set(named(here.get(MEMBERS))) == {"ann", "owner"}
    assert [each["name"] for each in lab.get(ORGS).json()["items"]] == ["lab"]
    assert [each["name"] for each in rig.asked.get(ORGS).json()["items"]] == ["lab", "default"]
    assert {each["name"] for each in lab.get(USERS).json()["items"]} == {"lab-admin", "owner"}
    for path in (f"{USERS}/ann", f"{ORGS}/default", f"/api/v1/api_tokens/{uid}"):
        assert lab.get(path).status_code == 404, path
        assert here.get(path).status_code == 200, path
    assert lab.delete(f"/api/v1/api_tokens/{uid}").status_code == 404
    assert lab.patch(f"{ORGS}/default", json={"description": "x"}).status_code == 404
    assert lab.put(MEMBERS, json={"username": "ann", "role": "guest"}).status_code == 404
    assert delete(lab, MEMBERS, username="ann").status_code == 404
    for path in ("/api/v1/org_secrets", "/api/v1/labels"):
        assert "-here" not in lab.get(path).text, path
    assert lab.get("/api/v1/org_secrets/secret-here").status_code == 404
    elsewhere = lab.get(MEMBERS, headers={"X-Yatai-Organization": "default"})
    assert elsewhere.status_code == 403
    as_owner = rig.asked.get(MEMBERS, headers={"X-Yatai-Organization": "lab"})
    assert set(named(as_owner)) == {"lab-admin", "owner"}
    nowhere = rig.asked.get(MEMBERS, headers={"X-Yatai-Organization": "none"})
    assert nowhere.status_code == 404


def test_an_organization_is_changed_by_those_who_may(rig: Rig) -> None:
    lab = organization(rig)
    config = {"gateway_domains": ["a.example"], "s3": {"secret_key": "hidden"}, "oidc": None}
    changed = lab.patch("/api/v1/current_org", json={"description": "ours", "config": config})
    assert changed.json()["description"] == "ours"
    assert changed.json()["config"] == {"gateway_domains": ["a.example"]}
    assert "hidden" not in changed.text
    quotas = {"limit_group_name": "small"}
    assert lab.patch(f"{ORGS}/lab", json=quotas).status_code == 403
    assert rig.asked.patch(f"{ORGS}/lab", json=quotas).status_code == 404
    rig.asked.post("/api/admin/v1/limit_groups", json={"name": "small"})
    given = rig.asked.patch(f"{ORGS}/lab", json=quotas).json()
    assert (given["limit_group"], given["description"]) == ({"name": "small"}, "ours")
    assert lab.get(f"{ORGS}/lab").json() == given
    wrong = rig.asked.post(ORGS, json={"name": "No Name"})
    assert wrong.status_code == 400


def test_only_administrators_of_all_organizations_make_and_end_them(rig: Rig) -> None:
    lab = organization(rig)
    for reply in (
        lab.post(ORGS, json={"name": "more"}),
        lab.delete(f"{ADMIN}/lab"),
        lab.post(f"{ADMIN}/lab/operate", json={"status": "inactive"}),
        lab.get("/api/admin/v1/clusters"),
    ):
        assert reply.status_code == 403
    off = rig.asked.post(f"{ADMIN}/lab/operate", json={"status": "inactive"})
    assert off.json()["status"] == "inactive"
    refused = lab.get(MEMBERS)
    assert (refused.status_code, "is inactive" in refused.text) == (403, True)
    assert rig.asked.post(f"{ADMIN}/lab/operate", json={"status": "x"}).status_code == 400
    rig.asked.post(f"{ADMIN}/lab/operate", json={"status": "active"})
    assert lab.get(MEMBERS).status_code == 200
    entry = Entry(Kind.LABEL, "left", "u", 1.0, 1.0, organization="lab")
    catalogue = rig.plane._running._store.catalogue
    rig.wait(catalogue.write(Put(entry)))
    assert rig.asked.delete(f"{ADMIN}/lab").status_code == 200
    assert lab.get(MEMBERS).status_code == 401
    assert rig.asked.get(f"{ORGS}/lab").status_code == 404
    assert rig.wait(catalogue.entries(Kind.LABEL, organization=None)) == ()
    assert rig.asked.post(ORGS, json={"name": "lab"}).status_code == 409
    assert rig.asked.delete(f"{ADMIN}/default").status_code == 422


def test_an_organization_uses_the_cluster_once_it_may(rig: Rig) -> None:
    lab = organization(rig)
    cluster = f"{ADMIN}/lab/clusters/default"
    assert lab.get("/api/v1/current_org/major_cluster").status_code == 404
    assert rig.asked.get(cluster).status_code == 404
    other = rig.asked.post(f"{ADMIN}/lab/clusters", json={"name": "west"})
    assert (other.status_code, "one cluster" in other.text) == (400, True)
    made = rig.asked.post(f"{ADMIN}/lab/clusters", json={"name": "default"}).json()
    assert (made["name"], made["organization_name"]) == ("default", "lab")
    assert made["organization"]["name"] == "lab"
    assert rig.asked.post(f"{ADMIN}/lab/clusters", json={"name": "default"}).status_code == 409
    assert lab.get("/api/v1/current_org/major_cluster").json()["name"] == "default"
    said = rig.asked.patch(cluster, json={"description": "all of it"}).json()
    assert rig.asked.get(cluster).json()["description"] == said["description"] == "all of it"
    listed = rig.asked.get("/api/admin/v1/clusters").json()
    assert [each["organization_name"] for each in listed["items"]] == ["lab", "default"]
    assert rig.asked.delete(cluster).json()["organization_name"] == "lab"
    assert rig.asked.get(cluster).status_code == 404


def test_a_member_has_a_role_of_their_own_in_a_cluster(rig: Rig) -> None:
    rig.member("bob", "guest")
    ann = rig.as_(rig.member("ann", "admin"))
    for asked, path in (
        (ann, "/api/v1/clusters/default/members"),
        (rig.asked, f"{ADMIN}/default/clusters/default/members"),
    ):
        body = {"usernames": ["bob"], "role": "developer"}
        added = asked.post(path, json=body)
        assert named(added) == named(asked.get(path)) == {"bob": "developer"}
        assert added.json()[0]["cluster"]["name"] == "default"
        assert asked.post(path, json={**body, "usernames": ["owner", "eve"]}).status_code == 404
        assert delete(asked, path, username="bob").status_code == 200
        assert named(asked.get(path)) == {}
        assert asked.get(path.replace("default/members", "west/members")).status_code == 404
