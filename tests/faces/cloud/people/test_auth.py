"""Getting in with a password, an invitation or a code; cookies, and whose pages may use them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from mesh.access.directory import Directory
from mesh.access.login_config import LoginConfig
from mesh.access.passwords import Cost
from mesh.access.principal import OWNER, Role
from mesh.access.sessions import LASTS
from mesh.access.throttle import FREE
from mesh.access.users import Invited
from mesh.control.store.catalogue import Deeds, Kind
from mesh.control.store.memory import MemoryStore
from mesh.faces.cloud.app import cloud_app
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.people.cookies import SESSION
from tests.control.store.stores import opened
from tests.faces.cloud.asked import Asked
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.faces.rest.memory import MemoryVerbs

PASSWORD = "correct horse"
ANN = {"name": "ann", "email": "ann@example.com", "password": PASSWORD, "first_name": "Ann"}
SETUP = {**ANN, "token": TOKEN}


@pytest.fixture
def nobody(rig: Rig) -> Iterator[Asked]:
    """A browser that is not logged in."""
    with rig.as_("") as asked:
        yield asked


@pytest.fixture
def ann(nobody: Asked) -> Asked:
    """The first administrator, logged in."""
    reply = nobody.post("/api/v1/setup", json=SETUP)
    assert reply.status_code == 200, reply.text
    return nobody


def ours(asked: httpx.Client) -> dict[str, str]:
    """What a browser says of a page of ours."""
    return {"origin": str(asked.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}


def names(asked: httpx.Client, **fields: str) -> Any:
    """Something that only those see who are let in."""
    return asked.get("/api/v1/org_secrets", headers=fields)


def test_setup_makes_the_first_administrator_and_nobody_else(nobody: Asked) -> None:
    for token in ("", "wrong"):
        refused = nobody.post("/api/v1/setup", json={**SETUP, "token": token})
        assert refused.status_code == 401, refused.text
        assert refused.headers["www-authenticate"] == "Bearer"
    made = nobody.post("/api/v1/setup", json=SETUP)
    assert (made.json()["name"], made.json()["is_super_admin"]) == ("ann", True)
    assert names(nobody).status_code == 200
    again = nobody.post("/api/v1/setup", json={**SETUP, "name": "bob", "email": "b@example.com"})
    assert again.status_code == 422, again.text


def test_a_password_opens_a_session_that_a_browser_keeps_to_itself(ann: Asked) -> None:
    ann.cookies.clear()
    assert names(ann).status_code == 401
    for name in ("ann", "ANN@example.com"):
        body = {"name_or_email": name, "password": PASSWORD}
        reply = ann.post("/api/v1/auth/login", json=body)
        assert (reply.status_code, reply.json()["email"]) == (200, "ann@example.com")
        cookie = reply.headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))
        assert names(ann).status_code == 200
        assert ann.post("/api/v1/auth/logout").status_code == 200
        assert SESSION not in ann.cookies
        assert names(ann).status_code == 401


def test_who_logs_in_anew_has_one_session(ann: Asked) -> None:
    before = ann.cookies[SESSION]
    ann.post("/api/v1/auth/login", json={"name_or_email": "ann", "password": PASSWORD})
    assert ann.cookies[SESSION] != before
    ann.cookies.clear()
    assert names(ann, cookie=f"{SESSION}={before}").status_code == 401


def test_cookies_of_others_on_this_host_are_not_in_the_way(ann: Asked) -> None:
    mine = f"{SESSION}={ann.cookies[SESSION]}"
    ann.cookies.clear()
    assert names(ann, cookie=f'a[]="x; {{"y": 1}}; {mine}; =z').status_code == 200


def test_a_session_that_was_ended_is_good_no_more(ann: Asked) -> None:
    kept = dict(ann.cookies)
    ann.post("/api/v1/auth/logout")
    ann.cookies.update(kept)
    assert names(ann).status_code == 401


def test_nobody_learns_who_is_known(ann: Asked) -> None:
    said = set()
    for name in ("ann", "nobody", "owner", ""):
        body = {"name_or_email": name, "password": "wrong"}
        reply = ann.post("/api/v1/auth/login", json=body)
        said.add((reply.status_code, reply.text))
    assert said == {(401, '{"error":"the name or the password is wrong"}')}


def failed(ann: Asked) -> list[dict[str, Any]]:
    """The tries to log in that failed, the newest first, as an administrator sees them."""
    query = {"q": "resource_type:user status:failed"}
    found = ann.get("/api/v1/current_org/events", params=query, headers=ours(ann))
    assert found.status_code == 200, found.text
    return list(found.json()["items"])


def test_tries_to_log_in_that_fail_are_told_to_administrators(rig: Rig, ann: Asked) -> None:
    def tried(name: str, password: str) -> int:
        with rig.as_("") as other:
            sent = {"name_or_email": name, "password": password}
            return other.post("/api/v1/auth/login", json=sent).status_code

    assert tried("ann@example.com", "s3cret-typed") == 401
    assert tried("nobody" + "x" * 500, "s3cret-typed") == 401
    unknown, known = failed(ann)
    assert known["name"] == "ann"
    assert known["creator"]["name"] == ""
    assert unknown["name"] == "nobody" + "x" * 74
    assert "s3cret" not in f"{known}{unknown}"
    assert tried("ann", PASSWORD) == 200
    assert len(failed(ann)) == 2
    tries = [tried("mallory", "s3cret-typed") for _ in range(3 * FREE)]
    assert tries.count(429) > 0
    assert len(failed(ann)) == 2 + tries.count(401), "of those that come too soon is no end"


def test_who_is_in_no_organization_any_more_is_noted_where_they_try(rig: Rig, ann: Asked) -> None:
    made = ann.post(
        "/api/v1/users",
        json={"name": "bob", "email": "", "password": PASSWORD, "role": "guest"},
        headers=ours(ann),
    )
    assert made.status_code == 200, made.text
    rig.wait(rig.access.members.remove("default", "bob"))
    with rig.as_("") as other:
        sent = {"name_or_email": "bob", "password": PASSWORD}
        assert other.post("/api/v1/auth/login", json=sent).status_code == 403
    assert [each["name"] for each in failed(ann)] == ["bob"]


def test_who_tries_too_often_waits() -> None:
    bob = {"name": "bob", "email": "bob@example.com", "password": PASSWORD}
    wrong = {"name_or_email": "bob", "password": "wrong"}
    right = {"name_or_email": "bob@example.com", "password": PASSWORD}
    with Alone(LoginConfig(Role.DEVELOPER, is_open=True)) as alone:
        assert alone.post("/api/v1/auth/register", bob).status_code == 200
        found = [alone.post("/api/v1/auth/login", wrong) for _ in range(FREE + 1)]
        assert [each.status_code for each in found] == [401] * FREE + [429]
        assert found[-1].headers["retry-after"] == "1"
        assert alone.post("/api/v1/auth/login", right).status_code == 429
        alone.now += 1
        assert alone.post("/api/v1/auth/login", right).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "OURS", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "OURS"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_pages_of_others_do_nothing_with_a_session(
    ann: Asked, fields: dict[str, str], status: int
) -> None:
    fields = {key: value.replace("OURS", ours(ann)["origin"]) for key, value in fields.items()}
    body = {"name": "s", "content": {"type": "env", "items": [{"key": "A", "value": "1"}]}}
    reply = ann.post("/api/v1/org_secrets", json=body, headers=fields)
    # A session that does not count is none: there is nobody then.
    assert (reply.status_code in (401, 403)) == (status != 200), reply.text
    assert (reply.status_code == 200) == (names(ann).json()["total"] == 1)


def test_a_session_reads_only_for_our_own_pages(ann: Asked) -> None:
    assert names(ann, **{"sec-fetch-site": "none"}).status_code == 200
    assert names(ann, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert names(ann, origin="https://evil.example").status_code == 403


def test_pages_of_others_cannot_log_somebody_in(ann: Asked) -> None:
    body = {"name_or_email": "ann", "password": PASSWORD}
    evil = {"origin": "https://evil.example"}
    assert ann.post("/api/v1/auth/login", json=body, headers=evil).status_code == 403


def test_another_password_ends_the_other_sessions(rig: Rig, ann: Asked) -> None:
    body = {"name_or_email": "ann", "password": PASSWORD}
    with rig.as_("") as elsewhere:
        elsewhere.post("/api/v1/auth/login", json=body)
        assert names(elsewhere).status_code == 200
        new = {"current_password": "wrong", "new_password": "battery staple"}
        path = "/api/v1/auth/reset_password"
        assert ann.patch(path, json=new, headers=ours(ann)).status_code == 401
        new["current_password"] = PASSWORD
        short = {**new, "new_password": "short"}
        assert ann.patch(path, json=short, headers=ours(ann)).status_code == 400
        assert ann.patch(path, json=new).status_code == 401
        assert ann.patch(path, json=new, headers=ours(ann)).status_code == 200
        assert names(ann).status_code == 200
        assert names(elsewhere).status_code == 401
        assert elsewhere.post("/api/v1/auth/login", json=body).status_code == 401
        body["password"] = "battery staple"
        assert elsewhere.post("/api/v1/auth/login", json=body).status_code == 200


def test_whoever_is_logged_in_stays_so_when_the_controller_starts_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.db"
    cookies = []
    with rigged(lambda: opened(url)) as rig, rig.as_("") as ann, rig.as_("") as elsewhere:
        assert ann.post("/api/v1/setup", json=SETUP).status_code == 200
        body = {"name_or_email": "ann", "password": PASSWORD}
        assert elsewhere.post("/api/v1/auth/login", json=body).status_code == 200
        cookies = [each.cookies[SESSION] for each in (ann, elsewhere)]
    assert not any(each.encode() in (tmp_path / "kept.db").read_bytes() for each in cookies)
    with rigged(lambda: opened(url)) as rig, rig.as_("") as ann, rig.as_("") as elsewhere:
        for browser, cookie in zip((ann, elsewhere), cookies, strict=True):
            browser.cookies.set(SESSION, cookie)
            assert names(browser).status_code == 200
        new = {"current_password": PASSWORD, "new_password": "battery staple"}
        changed = ann.patch("/api/v1/auth/reset_password", json=new, headers=ours(ann))
        assert changed.status_code == 200, changed.text
    with rigged(lambda: opened(url)) as rig, rig.as_("") as ann, rig.as_("") as elsewhere:
        ann.cookies.set(SESSION, cookies[0])
        elsewhere.cookies.set(SESSION, cookies[1])
        assert [names(ann).status_code, names(elsewhere).status_code] == [200, 401]
        ann.post("/api/v1/auth/logout", headers=ours(ann))
    with rigged(lambda: opened(url)) as rig, rig.as_("") as ann:
        ann.cookies.set(SESSION, cookies[0])
        assert names(ann).status_code == 401


def test_nobody_registers_without_an_invitation(ann: Asked) -> None:
    bob = {"name": "bob", "email": "bob@example.com", "password": PASSWORD}
    assert ann.post("/api/v1/auth/register", json=bob).status_code == 403
    assert ann.post("/api/v1/auth/register", json={**bob, "token": "x"}).status_code == 404


def test_a_code_is_for_whoever_has_it_and_nothing_before_that(nobody: Asked) -> None:
    code = nobody.get("/api/v1/auth/code").json()["code"]
    assert nobody.get("/api/v1/auth/token", params={"code": code}).status_code == 422
    assert nobody.get("/api/v1/auth/token", params={"code": "x"}).status_code == 404
    assert nobody.get("/api/v1/auth/token").status_code == 404


@pytest.mark.parametrize("path", ["login", "register"])
@pytest.mark.parametrize("body", [b"", b"[]", b'{"name_or_email": 1}', b'{"password": "\\ud800"}'])
def test_what_makes_no_sense_is_refused(nobody: Asked, path: str, body: bytes) -> None:
    fields = {"content-type": "application/json"}
    reply = nobody.post(f"/api/v1/auth/{path}", content=body, headers=fields)
    assert 400 <= reply.status_code < 500, reply.text


class Alone:
    """The API over a directory at hand, with a clock that stands. A context manager."""

    def __init__(self, config: LoginConfig) -> None:
        self.now = 1000.0
        self.store = MemoryStore()
        self.directory = Directory.closed(self.store.catalogue, TOKEN, lambda: self.now)
        self.backing = Backing(
            MemoryVerbs(),
            self.store.catalogue,
            self.store.journal,
            self.directory,
            wall=lambda: self.now,
            login=config,
        )
        self.backing.logins.cost = Cost(4, 1, 1)
        self.runner = asyncio.Runner()
        transport = httpx.ASGITransport(cloud_app(self.backing))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://mesh.test")

    def __enter__(self) -> Self:
        self.runner.__enter__()
        self.call(self.directory.open)
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self.http.aclose)
        self.runner.close()

    def call(self, function: Any, *arguments: Any) -> Any:
        return self.runner.run(function(*arguments))

    def post(self, path: str, json: Any) -> httpx.Response:
        reply: httpx.Response = self.runner.run(self.http.post(path, json=json))
        return reply

    def get(self, path: str) -> httpx.Response:
        reply: httpx.Response = self.runner.run(self.http.get(path))
        return reply

    def names(self) -> int:
        reply: httpx.Response = self.runner.run(self.http.get("/api/v1/org_secrets"))
        return reply.status_code


def test_somebody_who_is_invited_is_a_member_from_then_on() -> None:
    with Alone(LoginConfig()) as alone:
        invited = Invited("bob@example.com", Role.GUEST)
        _, code = alone.call(alone.directory.users.invite, OWNER, invited)
        bob = {"name": "bob", "email": "other@example.com", "password": PASSWORD, "token": code}
        reply = alone.post("/api/v1/auth/register", json=bob)
        assert reply.json()["email"] == "bob@example.com"
        assert alone.directory.principal("bob").role is Role.GUEST
        assert alone.post("/api/v1/auth/register", json=bob).status_code == 404
        (deed,) = alone.call(alone.store.journal.deeds, Deeds())
        assert (deed.user, deed.operation, deed.name) == ("bob", "created", "bob")
        assert PASSWORD not in repr(deed)
        assert code not in repr(deed)
        assert PASSWORD not in repr(alone.call(alone.store.catalogue.entries, Kind.USER))


def test_anybody_registers_where_that_is_allowed() -> None:
    with Alone(LoginConfig(Role.API_USER, is_open=True)) as alone:
        bob = {"name": "bob", "email": "bob@example.com", "password": PASSWORD}
        assert alone.post("/api/v1/auth/register", json=bob).status_code == 200
        assert alone.directory.principal("bob").role is Role.API_USER
        assert alone.post("/api/v1/auth/register", json=bob).status_code == 409


def test_a_session_ends_in_time_and_with_the_membership() -> None:
    with Alone(LoginConfig(Role.DEVELOPER, is_open=True)) as alone:
        bob = {"name": "bob", "email": "bob@example.com", "password": PASSWORD}
        alone.post("/api/v1/auth/register", json=bob)
        assert alone.names() == 200
        alone.now += LASTS
        assert alone.names() == 401
        login = {"name_or_email": "bob", "password": PASSWORD}
        assert alone.post("/api/v1/auth/login", json=login).status_code == 200
        alone.call(alone.directory.members.remove, "default", "bob")
        assert alone.names() == 403
        assert alone.get("/login").status_code == 200
        assert alone.post("/api/v1/auth/login", json=login).status_code == 403
