"""The pages, as a browser is given them and in a real one."""

import json
import re
import shutil
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mesh.faces.cloud.pages.html import local_path
from mesh.faces.cloud.people.cookies import SESSION
from tests.faces.cloud.rig import TOKEN, Rig
from tests.faces.test_plane import document

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
"""Milliseconds after which a page has not done what it should."""
PASSWORD = "correct horse"
ANN = {"name": "ann", "email": "ann@example.com", "password": PASSWORD, "token": TOKEN}
NAMES = ["/login", "/register?invitation_code=x", "/api_tokens", "/deployments/d"]


@pytest.fixture
def ann(rig: Rig) -> Iterator[httpx.Client]:
    """The first administrator, logged in."""
    with httpx.Client(base_url=rig.url) as browser:
        assert browser.post("/api/v1/setup", json=ANN).status_code == 200
        yield browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        # Without its sandbox, which root can't have; it sees nothing but our own pages.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Page]:
    """A browser in which nobody is logged in, and that complains of nothing but what it is told."""
    complaints: list[str] = []
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    # A wrong password is told by the browser, too.
    assert [each for each in complaints if "401" not in each] == []


@pytest.mark.parametrize("path", NAMES)
def test_pages_load_nothing_and_run_nothing_but_their_own(ann: httpx.Client, path: str) -> None:
    page = ann.get(path)
    policy = dict(
        each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";")
    )
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', page.text))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == f"'nonce-{nonce}'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not re.search(r"\son\w+=|style=\"|javascript:|src=", page.text)
    assert page.headers["cache-control"] == "no-store"
    assert nonce not in ann.get(path).text


@pytest.mark.parametrize("path", ["/api_tokens?code=a&x=1", "/deployments/d", "/codespaces/d%3Fx"])
def test_who_is_not_logged_in_is_led_to_the_page_and_back(rig: Rig, path: str) -> None:
    sent = httpx.get(f"{rig.url}{path}")
    assert sent.status_code == 303
    url = urlsplit(sent.headers["location"])
    assert (url.netloc, url.path, parse_qs(url.query)) == ("", "/login", {"next": [path]})


def test_who_was_logged_in_before_a_restart_is_told_so_and_logs_in_anew(
    rig: Rig, ann: httpx.Client
) -> None:
    assert "logged out" not in ann.get("/login").text
    # From a page of another port the session is not taken, but it is not over.
    beside = ann.get("/login", headers={"sec-fetch-site": "same-site"})
    assert "logged out" not in beside.text
    assert "set-cookie" not in beside.headers
    with httpx.Client(base_url=rig.url, cookies={SESSION: "of-before"}) as browser:
        sent = browser.get("/deployments/d")
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/deployments/d")
        page = browser.get(sent.headers["location"])
        assert page.status_code == 200
        assert "You are logged out" in page.text
        assert page.headers["set-cookie"].startswith(f'{SESSION}=""; ')
    assert "logged out" not in httpx.get(f"{rig.url}/login").text


@pytest.mark.parametrize(
    "text",
    ["//evil.example", "/\\evil.example", "https://evil.example", "x", "", "/\n/evil", "/a\\b"],
)
def test_nobody_is_led_elsewhere(text: str) -> None:
    assert local_path(text) == "/login"


@pytest.mark.parametrize("path", ["/login?next=%s", "/register?invitation_code=%s"])
def test_what_an_address_says_is_no_part_of_the_page(rig: Rig, path: str) -> None:
    page = httpx.get(rig.url + path % "/%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "&quot;&gt;&lt;script&gt;" in page.text


def test_a_code_of_nobody_makes_no_token(ann: httpx.Client) -> None:
    assert "<form" not in ann.get("/api_tokens?code=x").text
    ours = {"origin": str(ann.base_url).rstrip("/")}
    body = {"name": "t", "code": "x"}
    assert ann.post("/api/v1/api_tokens", json=body, headers=ours).status_code == 404
    assert ann.get("/api/v1/api_tokens").json()["total"] == 0


def test_a_token_that_is_made_with_a_code_is_for_whoever_asked_for_it(ann: httpx.Client) -> None:
    code = ann.get("/api/v1/auth/code").json()["code"]
    ours = {"origin": str(ann.base_url).rstrip("/")}
    made = ann.post("/api/v1/api_tokens", json={"name": "t", "code": code}, headers=ours)
    assert (made.status_code, made.json()["token"]) == (200, "")
    with httpx.Client(base_url=ann.base_url) as command:
        given = command.get("/api/v1/auth/token", params={"code": code}).json()
        assert given["uid"] == made.json()["uid"]
        fields = {"X-YATAI-API-TOKEN": given["token"]}
        assert command.get("/api/v1/auth/current", headers=fields).json()["name"] == "ann"
        assert command.get("/api/v1/auth/token", params={"code": code}).status_code == 404


def test_a_deployment_has_a_page(ann: httpx.Client, rig: Rig) -> None:
    rig.plane.apply(document())
    for path in ("/deployments/d", "/codespaces/d"):
        page = ann.get(path)
        assert page.status_code == 200
        assert "<td>Status</td>" in page.text
        assert "1 (current)" in page.text
    missing = ann.get("/deployments/%3Cb%3E")
    assert missing.status_code == 404
    assert "<b>" not in missing.text


def test_the_page_of_a_deployment_tells_what_it_does_not_get(ann: httpx.Client, rig: Rig) -> None:
    applied = json.loads(document())
    applied["versions"]["main"]["warnings"] = ["<b> is not run"]
    rig.plane.apply(json.dumps(applied).encode())
    assert "<td>Warning</td><td>&lt;b&gt; is not run</td>" in ann.get("/deployments/d").text


def test_somebody_logs_in_and_gives_a_command_its_token(
    rig: Rig, ann: httpx.Client, visit: Page
) -> None:
    code = ann.get("/api/v1/auth/code").json()["code"]
    visit.goto(f"{rig.url}/api_tokens?code={code}")
    expect(visit.locator("h1")).to_have_text("Log in")
    visit.get_by_label("Name or email").fill("ann@example.com")
    visit.get_by_label("Password").fill("wrong")
    visit.get_by_role("button").click()
    expect(visit.get_by_role("alert")).to_have_text("the name or the password is wrong")
    visit.get_by_label("Password").fill(PASSWORD)
    visit.get_by_role("button").click()
    expect(visit.locator("h1")).to_have_text("Make a token")
    visit.get_by_label("Name of the token").fill("laptop")
    visit.get_by_role("button").click()
    expect(visit.get_by_text("go back to the terminal")).to_be_visible()
    given = httpx.get(f"{rig.url}/api/v1/auth/token", params={"code": code}).json()
    assert (given["name"], given["user"]["name"], given["is_expired"]) == ("laptop", "ann", False)
    visit.goto(f"{rig.url}/login")
    visit.get_by_role("button", name="Log out").click()
    expect(visit.locator("h1")).to_have_text("Log in")


def test_the_script_runs_and_a_cookie_is_hidden_from_it(
    rig: Rig, ann: httpx.Client, visit: Page
) -> None:
    visit.goto(f"{rig.url}/login")
    visit.get_by_label("Name or email").fill("ann")
    visit.get_by_label("Password").fill(PASSWORD)
    visit.get_by_role("button").click()
    expect(visit.locator("h1")).to_have_text("Logged in")
    assert visit.evaluate("document.cookie") == ""
