"""`mesh login`, `mesh logout` and `mesh token`, against a real control plane."""

import json
import re
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mesh.cli.failure import WrongUsage
from mesh.cli.main import app
from mesh.cli.token import moment
from mesh.client.control.client import ControlClient
from mesh.client.control.login import from_browser
from mesh.errors import InvalidArgument, NotFound, Unauthenticated
from tests.faces.cloud.rig import TOKEN, Rig, rigged
from tests.faces.test_plane import document

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Shell:
    """Runs commands with a state folder of its own, in which nothing runs."""

    def __init__(self, rig: Rig, home: Path) -> None:
        self.rig = rig
        self.home = home
        self.env: dict[str, str | None] = {
            "MESH_HOME": str(home),
            "MESH_CONTROL_URL": None,
            "MESH_CONTROL_TOKEN": None,
            "COLUMNS": "160",
        }

    def run(self, *arguments: str) -> Any:
        return CliRunner(env=self.env).invoke(app, list(arguments))

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def login(self) -> Any:
        return self.json("login", self.rig.url, "--token", TOKEN)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with rigged() as rig:
        yield Shell(rig, tmp_path / "home")


def test_commands_go_where_somebody_has_logged_in_until_they_log_out(shell: Shell) -> None:
    assert shell.login() == {"url": shell.rig.url, "user": "owner", "organization": "default"}
    kept = shell.home / "login.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    shell.rig.plane.apply(document())
    assert [each["name"] for each in shell.json("deployment", "list")] == ["d"]
    assert shell.json("logout") == {"url": shell.rig.url}
    assert not kept.exists()
    assert shell.run("deployment", "list").exit_code == 1
    assert shell.json("logout") == {"url": None}


def test_a_wrong_token_is_not_kept(shell: Shell) -> None:
    result = shell.run("login", shell.rig.url, "--token", "wrong")
    assert result.exit_code == 1
    assert "not the token" in " ".join(result.stderr.split())
    assert not (shell.home / "login.json").exists()


def test_without_a_terminal_a_token_is_given_or_made_in_a_browser(shell: Shell) -> None:
    result = shell.run("login", shell.rig.url)
    assert result.exit_code == 2 or isinstance(result.exception, WrongUsage)
    assert not (shell.home / "login.json").exists()


def test_a_token_is_made_in_a_browser(shell: Shell) -> None:
    pages: list[str] = []

    def confirm(_: float) -> None:
        """What somebody does while the command waits."""
        code = pages[0].partition("?code=")[2]
        body = {"name": "laptop", "code": code}
        made = shell.rig.asked.post("/api/v1/api_tokens", json=body)
        assert made.status_code == 200, made.text

    token = from_browser(shell.rig.url, pages.append, confirm)
    assert pages[0].startswith(f"{shell.rig.url}/api_tokens?code=")
    with ControlClient(shell.rig.url, token) as client:
        assert [each.name for each in client.tokens.list()] == ["laptop"]


def test_the_command_waits_for_the_browser(shell: Shell) -> None:
    """The real one: whoever reads its page makes the token."""
    found: list[Any] = []
    codes = httpx.get(f"{shell.rig.url}/api/v1/auth/code")
    assert codes.status_code == 200
    asked = threading.Event()

    def tell(page: str) -> None:
        body = {"name": "laptop", "code": page.partition("?code=")[2]}
        found.append(shell.rig.asked.post("/api/v1/api_tokens", json=body).json()["name"])
        asked.set()

    assert from_browser(shell.rig.url, tell).startswith("mesh_")
    assert (asked.is_set(), found) == (True, ["laptop"])


def test_a_token_is_shown_once_and_good_until_it_is_revoked(shell: Shell) -> None:
    shell.login()
    made = shell.json("token", "create", "--name", "ci", "--expires", "30d", "--scope", "api")
    assert (made["name"], made["scopes"], made["user"]) == ("ci", ["api"], {"name": "owner"})
    left = datetime.fromisoformat(made["expired_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    with ControlClient(shell.rig.url, made["token"]) as client:
        assert len(client.tokens.list()) == 1
        (listed,) = shell.json("token", "list")
        assert made["token"] not in json.dumps(listed)
        assert "token" not in listed
        assert made["token"] not in shell.run("token", "list").stdout
        assert shell.json("token", "revoke", "ci", "--yes") == {
            "revoked": made["uid"],
            "name": "ci",
        }
        with pytest.raises(Unauthenticated):
            client.tokens.list()
    assert shell.json("token", "list") == []


def test_for_people_only_the_token_is_on_stdout(shell: Shell) -> None:
    shell.login()
    result = shell.run("token", "create", "--name", "ci")
    assert re.fullmatch(r"mesh_[\w-]+\n", result.stdout)
    assert "shown only now" in result.stderr
    listed = shell.run("token", "list").stdout
    assert re.search(r"ci\s+\w+\s+owner\s+api\s+never\s+never", listed)


def test_a_token_that_has_ended_is_not_made(shell: Shell) -> None:
    shell.login()
    result = shell.run("token", "create", "--name", "old", "--expires", "2020-01-01")
    assert isinstance(result.exception, WrongUsage)
    assert "has passed" in result.exception.message
    shell.run("token", "create", "--name", "short", "--expires", "1h")
    assert re.search(r"\d\d:\d\dZ", shell.run("token", "list").stdout)


def test_a_token_opens_deployments_by_their_names(shell: Shell) -> None:
    shell.login()
    shell.rig.plane.apply(document())
    made = shell.json("token", "create", "--name", "call", "--deployment", "d", "--organization")
    assert (made["deployment_names"], made["scopes"]) == (["d"], [])
    assert made["is_organization_token"] is True
    missing = shell.run("token", "create", "--name", "call", "--deployment", "x")
    assert missing.exit_code == 1
    assert "'x'" in missing.stderr


def test_a_name_of_several_tokens_is_not_enough(shell: Shell) -> None:
    with ControlClient(shell.rig.url, TOKEN) as client:
        first, second = client.tokens.create("ci"), client.tokens.create("ci")
        assert first.token not in repr(first)
        with pytest.raises(InvalidArgument, match="several") as caught:
            client.tokens.revoke("ci")
        assert first.uid in caught.value.message
        client.tokens.revoke(first.uid)
        client.tokens.revoke("ci")
        with pytest.raises(NotFound):
            client.tokens.revoke(second.uid)


def test_revoking_is_confirmed(shell: Shell) -> None:
    shell.login()
    shell.json("token", "create", "--name", "ci")
    result = shell.run("token", "revoke", "ci")
    assert result.exit_code == 2 or isinstance(result.exception, WrongUsage)
    assert len(shell.json("token", "list")) == 1


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("2w", timedelta(weeks=2)),
        ("2026-01-02T00:00:00+00:00", timedelta(days=1)),
        ("2026-01-02T00:00:00+01:00", timedelta(hours=23)),
    ],
)
def test_a_time_is_a_span_or_a_moment(text: str, after: timedelta) -> None:
    assert moment(text, NOW) == NOW + after


@pytest.mark.parametrize("text", ["30", "d", "-1d", "soon", "2026-13-01", "999999w"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(WrongUsage, match="--expires"):
        moment(text, NOW)
