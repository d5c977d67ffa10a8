"""Logging in with a real provider of OpenID Connect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mesh.access.login_config import LoginConfig, OidcConfig
from mesh.access.principal import Role
from mesh.access.throttle import FREE
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from tests.cluster.fake_cluster import FakeCluster, World
from tests.faces.cloud.asked import Asked
from tests.faces.cloud.rig import TOKEN, Rig

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the provider's own

ANN = {"email": "ann@example.com", "email_verified": True, "preferred_username": "ann"}
CALLBACK = "/api/v1/auth/oidc/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that knows ann."""
    # Loaded here: it warns of what it uses itself.
    from oidc_provider_mock import User, run_server_in_thread

    users = [User(sub="ann-1", claims={**ANN, "groups": ["ops"]})]
    with run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


@contextmanager
def mesh_with(oidc: OidcConfig) -> Iterator[Rig]:
    config = PlaneConfig(
        "127.0.0.1", 0, "127.0.0.1", 0, token=TOKEN, login=LoginConfig(Role.API_USER, oidc=oidc)
    )
    plane = ControlPlane(config, lambda: FakeCluster(World()))
    url = f"http://{plane.start().http}"
    try:
        with Asked(url, TOKEN) as asked:
            yield Rig(plane, World(), url, asked)
    finally:
        plane.stop()


@pytest.fixture
def mesh(issuer: str) -> Iterator[Rig]:
    """A mesh of which the provider is."""
    # Provider and mesh are of one process here, which a busy machine may hold up.
    with mesh_with(OidcConfig(issuer, "mesh", "s3cret", patience=60)) as found:
        yield found


def sent_back(browser: Asked, who: str = "ann-1", leads_to: str = "/login") -> dict[str, str]:
    """What the provider gives a browser to take back."""
    sent = browser.get("/api/v1/auth/oidc/login", params={"next": leads_to})
    assert sent.status_code == 303, sent.text
    back = httpx.post(sent.headers["location"], data={"sub": who})
    assert back.status_code == 302, back.text
    query = parse_qs(urlsplit(back.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


def user(browser: Asked) -> Any:
    return browser.get("/api/v1/auth/current")


def test_who_is_known_to_the_provider_gets_in_and_stays_the_same_user(mesh: Rig) -> None:
    for _ in range(2):
        with mesh.as_("") as browser:
            assert browser.get(CALLBACK, params=sent_back(browser)).status_code == 200
            assert user(browser).json()["name"] == "ann"
    assert user(mesh.asked).json()["name"] == "owner"
    users = mesh.asked.get("/api/v1/users").json()["items"]
    assert sorted(each["name"] for each in users) == ["ann", "owner"]


def test_a_browser_goes_on_to_what_it_wanted_and_nowhere_else(mesh: Rig) -> None:
    html = {"accept": "text/html"}
    for wanted, leads_to in (("/deployments/d", "/deployments/d"), ("//evil.example", "/login")):
        with httpx.Client(base_url=mesh.url) as browser:
            query = sent_back(browser, leads_to=wanted)  # type: ignore[arg-type]  # not looked at
            page = browser.get(CALLBACK, params=query, headers=html)
            assert f'content="0;url={leads_to}"' in page.text
            assert "samesite=strict" in page.headers["set-cookie"].lower()
            assert browser.get("/api/v1/auth/current").status_code == 200


def test_what_came_back_is_good_once_and_in_that_browser(mesh: Rig) -> None:
    with mesh.as_("") as browser, mesh.as_("") as other:
        query = sent_back(browser)
        assert other.get(CALLBACK, params=query).status_code == 401
        assert browser.get(CALLBACK, params=query).status_code == 404, "its state is used up"
        query = sent_back(browser)
        assert browser.get(CALLBACK, params={**query, "state": "x"}).status_code == 404
        assert browser.get(CALLBACK, params={**query, "code": "x"}).status_code == 401
        assert browser.get(CALLBACK, params={"error": "access_denied"}).status_code == 401
        assert user(browser).status_code == 401


def test_a_token_of_another_login_is_not_taken(mesh: Rig) -> None:
    with mesh.as_("") as browser:
        sent = browser.get("/api/v1/auth/oidc/login")
        url = urlsplit(sent.headers["location"])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        there = f"{url.scheme}://{url.netloc}{url.path}"
        back = httpx.post(there, params={**query, "nonce": "other"}, data={"sub": "ann-1"})
        given = parse_qs(urlsplit(back.headers["location"]).query)
        found = browser.get(CALLBACK, params={name: each[0] for name, each in given.items()})
        assert (found.status_code, "not of this login" in found.text) == (401, True)


def test_a_user_with_a_password_is_not_taken_over(mesh: Rig) -> None:
    ann = {"name": "ann", "email": "ann@example.com", "password": "correct horse", "token": TOKEN}
    with mesh.as_("") as browser:
        assert browser.post("/api/v1/setup", json=ann).status_code == 200
        browser.cookies.clear()
        assert browser.get(CALLBACK, params=sent_back(browser)).status_code == 409
        assert user(browser).status_code == 401


def failed(mesh: Rig) -> list[Any]:
    """The tries to log in that failed, the oldest first, as an administrator sees them."""
    query = {"q": "resource_type:user status:failed"}
    found = mesh.asked.get("/api/v1/current_org/events", params=query).json()["items"]
    return [(each["name"], each["operation_name"], each) for each in reversed(found)]


def test_a_login_that_the_provider_refuses_is_an_event(mesh: Rig) -> None:
    with mesh.as_("") as browser:
        refused = browser.get(CALLBACK, params={"error": "access_denied", "code": "c0de"})
        assert refused.status_code == 401
    ((name, operation, event),) = failed(mesh)
    assert (name, operation, event["creator"]["name"]) == ("", "logged in", "")
    assert "c0de" not in str(event)


def test_a_login_with_a_wrong_state_code_or_browser_is_an_event_without_them(mesh: Rig) -> None:
    with mesh.as_("") as browser, mesh.as_("") as other:
        query = sent_back(browser)
        assert browser.get(CALLBACK, params={**query, "state": "st4te"}).status_code == 404
        assert browser.get(CALLBACK, params={**query, "code": "c0de"}).status_code == 401
        query = sent_back(browser)
        assert other.get(CALLBACK, params=query).status_code == 401
    found = failed(mesh)
    assert [operation for _, operation, _ in found] == ["logged in"] * 3
    secrets = ("st4te", "c0de", query["state"], query["code"], "s3cret")
    assert not [each for each in secrets if each in str(found)]


def test_a_login_of_somebody_who_may_not_come_in_is_an_event_about_them(mesh: Rig) -> None:
    with mesh.as_("") as browser:
        assert browser.get(CALLBACK, params=sent_back(browser)).status_code == 200
        mesh.wait(mesh.access.members.remove("default", "ann"))
        browser.cookies.clear()
        assert browser.get(CALLBACK, params=sent_back(browser)).status_code == 403
    assert [name for name, _, _ in failed(mesh)] == ["ann"]


def test_a_login_that_would_take_a_user_over_is_an_event_about_them(mesh: Rig) -> None:
    bob = {"name": "bob", "email": "ann@example.com", "password": "correct horse", "token": TOKEN}
    with mesh.as_("") as browser:
        assert browser.post("/api/v1/setup", json=bob).status_code == 200
        browser.cookies.clear()
        assert browser.get(CALLBACK, params=sent_back(browser)).status_code == 409
    assert [name for name, _, _ in failed(mesh)] == ["bob"]


def test_failed_logins_do_not_push_out_all_other_events(mesh: Rig) -> None:
    with mesh.as_("") as browser:
        for _ in range(3 * FREE):
            assert browser.get(CALLBACK, params={"state": "x"}).status_code == 404
    assert FREE <= len(failed(mesh)) < 3 * FREE


def test_the_info_says_who_the_provider_is(mesh: Rig, issuer: str, rig: Rig) -> None:
    found = mesh.asked.get("/api/v1/auth/oidc_info").json()
    assert (found["enabled"], found["client_id"], found["provider_url"]) == (True, "mesh", issuer)
    assert "s3cret" not in repr(found)
    assert rig.asked.get("/api/v1/auth/oidc_info").json()["enabled"] is False
    assert rig.asked.get(CALLBACK).status_code == 404
    assert rig.asked.get("/api/v1/auth/oidc/login").status_code == 404


def test_a_provider_that_is_away_is_said_to_be() -> None:
    with mesh_with(OidcConfig("http://127.0.0.1:1", "mesh")) as found:
        assert found.asked.get("/api/v1/auth/oidc/login").status_code == 503
