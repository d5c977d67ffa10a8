"""The real `bentoml cloud login` at a terminal, by its menu."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.bentoml_user import BENTOML, BentomlUser
from tests.e2e.terminal import Terminal
from tests.faces.cloud.rig import TOKEN, Rig

ANN = {"name": "ann", "email": "ann@example.com", "password": "correct horse", "token": TOKEN}
DOWN = "\x1b[B"


@pytest.fixture
def browser(rig: Rig) -> Iterator[httpx.Client]:
    """A browser in which the first administrator is logged in."""
    with httpx.Client(base_url=rig.url, headers={"origin": rig.url}) as made:
        assert made.post("/api/v1/setup", json=ANN).status_code == 200
        yield made


@pytest.fixture
def user(tmp_path: Path) -> BentomlUser:
    return BentomlUser(tmp_path)


def begin(user: BentomlUser, rig: Rig) -> Terminal:
    # The command is to find no browser on this machine.
    environ = {**user.environ, "TERM": "xterm", "BROWSER": "false", "DISPLAY": ""}
    command = [BENTOML, "cloud", "login", "--endpoint", rig.url]
    return Terminal(command, user.folder, environ)


def test_a_token_is_made_in_the_browser_to_which_the_menu_leads(
    rig: Rig, browser: httpx.Client, user: BentomlUser
) -> None:
    with begin(user, rig) as terminal:
        place = terminal.reads("Create a new API token with a web browser")
        terminal.presses("\r")
        place = terminal.reads("in your browser?", place)
        asked = terminal.text[:place].rpartition("open ")[2].split()[0]
        code = parse_qs(urlsplit(asked).query)["code"][0]
        terminal.types("n\r")
        place = terminal.reads("Waiting for authentication", place)
        page = browser.get(asked)
        assert (page.status_code, code in page.text) == (200, True)
        made = browser.post("/api/v1/api_tokens", json={"name": "laptop", "code": code})
        assert (made.status_code, made.json()["token"]) == (200, "")
        terminal.reads("Logged in as ann@example.com at default organization", place)
        assert terminal.process.wait(60) == 0
    assert "laptop" in user.runs("api-token", "list")


@pytest.mark.parametrize("is_known", [True, False])
def test_a_token_is_pasted_into_the_menu(
    rig: Rig, browser: httpx.Client, user: BentomlUser, is_known: bool
) -> None:
    token = browser.post("/api/v1/api_tokens", json={"name": "laptop"}).json()["token"]
    token = token if is_known else f"{token[:-4]}none"
    with begin(user, rig) as terminal:
        place = terminal.reads("Paste an existing API token")
        terminal.presses(DOWN)
        place = terminal.reads("● Paste", place)
        terminal.presses("\r")
        place = terminal.reads("Paste your API token", place)
        terminal.presses(f"{token}\r")
        told = "Logged in as ann@example.com" if is_known else "Bad credentials"
        terminal.reads(told, place)
        assert (terminal.process.wait(60) == 0) is is_known
        assert token not in terminal.text
    if is_known:
        assert "laptop" in user.runs("api-token", "list")
