"""The docs page in a real browser, in front of a real mesh."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

import mesh
from tests.e2e.clients import Deployed
from tests.e2e.conftest import Deploy

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
"""Milliseconds after which the page has not done what it should."""


@mesh.service
class Desk:
    """Answers **whoever** asks."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    @mesh.api
    async def greet(self, name: str, times: int = 1) -> dict[str, str]:
        """Says hello."""
        return {"said": f"hello {name} " * times}

    @mesh.api
    def measure(self, document: Path, label: str = "none") -> dict[str, int | str]:
        """How long the document is."""
        return {"size": len(document.read_bytes()), "label": label}

    @mesh.api
    async def drip(self, word: str = "first") -> AsyncIterator[str]:
        """Gives one item, and the next when it is let go."""
        yield word
        await self.go_on.wait()
        yield "last"

    @mesh.api
    async def release(self) -> None:
        """Lets drips go on."""
        self.go_on.set()


@pytest.fixture(scope="module")
def desk(deploy: Deploy) -> Iterator[Deployed]:
    with deploy(Desk, "desk") as deployed:
        yield deployed


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        # Without its sandbox, which root can't have; it sees nothing but our own page.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """The page, and what its browser complained about."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda sent: self.hosts.add(sent.url.partition("/e/")[0]))
        page.goto(url)

    def _note(self, level: str, text: str) -> None:
        if level in ("error", "warning"):
            self.complaints.append(text)

    def method(self, name: str) -> Locator:
        """The opened panel of a method."""
        panel = self.page.locator(f"#operations-Methods-Desk__{name}")
        panel.locator(".opblock-summary-control").click()
        panel.locator("button.execute").wait_for()
        return panel


@pytest.fixture
def visit(browser: Browser, desk: Deployed) -> Iterator[Visit]:
    page = browser.new_page()
    visit = Visit(page, f"{desk.mesh.url}/e/desk/")
    yield visit
    page.close()
    assert visit.complaints == []
    assert {host for host in visit.hosts if not host.startswith("blob:")} == {desk.mesh.url}


def answer(panel: Locator) -> Locator:
    """What the service answered."""
    return panel.locator(".live-responses-table .response")


def test_the_page_shows_the_service_and_its_methods(visit: Visit) -> None:
    expect(visit.page.locator(".info .title")).to_contain_text("Desk")
    expect(visit.page).to_have_title("Desk")
    expect(visit.page.locator(".info strong")).to_have_text("whoever")
    for name in ("greet", "measure", "drip"):
        expect(visit.page.locator(f"#operations-Methods-Desk__{name}")).to_be_visible()


def test_a_method_is_tried_with_json(visit: Visit) -> None:
    panel = visit.method("greet")
    panel.locator("textarea.body-param__text").fill('{"name": "you", "times": 2}')
    panel.locator("button.execute").click()
    expect(answer(panel)).to_contain_text("hello you hello you")
    expect(answer(panel).locator(".response-col_status")).to_contain_text("200")


def test_wrong_input_shows_what_is_wrong(visit: Visit) -> None:
    panel = visit.method("greet")
    panel.locator("textarea.body-param__text").fill('{"times": 2}')
    panel.locator("button.execute").click()
    expect(answer(panel)).to_contain_text("Field required")
    expect(answer(panel).locator(".response-col_status")).to_contain_text("400")
    visit.complaints.clear()  # the console names every reply that is no success


def test_a_file_is_chosen_and_uploaded(visit: Visit) -> None:
    panel = visit.method("measure")
    content = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"12345"}
    panel.locator("input[type=file]").set_input_files(content)  # type: ignore[arg-type]
    panel.locator("button.execute").click()
    expect(answer(panel)).to_contain_text(re.compile(r'"size":\s*5'))
    expect(answer(panel)).to_contain_text('"none"')


def test_the_items_of_a_stream_appear_as_they_come(visit: Visit, desk: Deployed) -> None:
    panel = visit.method("drip")
    panel.locator("button.execute").click()
    items = panel.locator(".stream li")
    expect(items).to_have_text(["first"])
    expect(panel.locator(".stream h4")).to_have_text("1 item so far")
    assert desk.http.post("/release").status_code == 200
    expect(items).to_have_text(["first", "last"])
    expect(panel.locator(".stream h4")).to_have_text("2 items")
    expect(answer(panel)).to_contain_text("last")
