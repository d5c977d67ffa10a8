"""Where the control API is, if nobody says; and the state folder that says it."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.client.control.whereabouts import DEFAULT_URL, Whereabouts, find
from mesh.errors import ConfigError, FailedPrecondition
from mesh.serving.home import Announcement, Home, this_process
from mesh.serving.kept_login import Login, forget_login, keep_login, kept_login
from mesh.serving.served import noted, served

HERE = "http://127.0.0.1:7001"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "state")
    home.make()
    return home


def running() -> Announcement:
    return Announcement(
        **this_process(), url="http://127.0.0.1:7000", control_url=HERE, controller="127.0.0.1:9",
        log="", replica_logs="/logs",
    )  # fmt: skip


def test_the_mesh_of_the_state_folder_is_meant_with_its_token(home: Home) -> None:
    token = home.make_token()
    home.announce(running())
    assert find(None, None, {"MESH_HOME": str(home.folder)}) == Whereabouts(HERE, token)
    assert find(None, None, {}, home.folder) == Whereabouts(HERE, token)
    assert find(f"{HERE}/", None, {}, home.folder) == Whereabouts(HERE, token)
    assert token not in repr(find(None, None, {}, home.folder))


def test_the_token_of_a_state_folder_goes_nowhere_else(home: Home) -> None:
    home.make_token()
    home.announce(running())
    elsewhere = find("https://mesh.example.com", None, {}, home.folder)
    assert elsewhere == Whereabouts("https://mesh.example.com", "")


def test_what_is_given_goes_before_the_environment_and_that_before_the_folder(home: Home) -> None:
    home.make_token()
    home.announce(running())
    environ = {"MESH_CONTROL_URL": "env:1", "MESH_CONTROL_TOKEN": "e"}
    assert find(None, None, environ, home.folder) == Whereabouts("http://env:1", "e")
    assert find("given:1", "g", environ, home.folder) == Whereabouts("http://given:1", "g")


def test_without_anything_it_is_where_mesh_serve_has_it(home: Home) -> None:
    assert find(None, None, {}, home.folder) == Whereabouts(DEFAULT_URL, "", is_guess=True)


def test_an_address_of_another_scheme_is_refused(home: Home) -> None:
    with pytest.raises(ConfigError, match="http://host:port"):
        find("grpc://x", None, {}, home.folder)


def test_a_token_is_made_once_and_for_the_user_alone(home: Home) -> None:
    assert home.token() == ""
    made = home.make_token()
    assert len(made) > 30
    assert (home.make_token(), home.token()) == (made, made)
    assert stat.S_IMODE(home.token_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700


def test_a_mesh_that_is_dead_is_forgotten(home: Home) -> None:
    home.announce(replace(running(), started=1.0))  # the number is that of another process now
    assert home.announcement() is None
    assert not (home.folder / "mesh.json").exists()
    home.announce(running())
    assert home.announcement() == running()
    home.withdraw()
    assert home.announcement() is None


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"pid": 1})])
def test_a_file_that_cannot_be_read_says_nothing(home: Home, text: str) -> None:
    (home.folder / "mesh.json").write_text(text)
    assert home.announcement() is None


def test_two_meshes_cannot_hold_a_folder(home: Home) -> None:
    with home.held():
        other = home.held()
        with pytest.raises(FailedPrecondition, match="a mesh runs already in"):
            other.__enter__()
    with home.held():
        assert home.announcement() is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"state folder: .*file"):
        Home(tmp_path / "file" / "state").make()


def test_commands_find_what_runs_beside_the_folder_with_its_token(home: Home) -> None:
    token = home.make_token()
    with noted(home, HERE):
        assert served(home) == [HERE]
        assert find(None, None, {}, home.folder) == Whereabouts(HERE, token)
        assert find("http://127.0.0.1:9", None, {}, home.folder).token == ""
        home.announce(replace(running(), control_url="http://127.0.0.1:7002"))
        assert find(None, None, {}, home.folder).url == "http://127.0.0.1:7002"
        assert find(HERE, None, {}, home.folder) == Whereabouts(HERE, token)
    assert served(home) == []
    assert find(HERE, None, {}, home.folder).token == ""


def test_what_did_not_end_well_is_not_served_any_more(home: Home) -> None:
    home.make_token()
    left = home.folder / "serving" / "1.json"
    left.parent.mkdir()
    for text in (json.dumps({"pid": 1, "started": 1.0, "control_url": HERE}), "{", "[]"):
        left.write_text(text)
        assert find(HERE, None, {}, home.folder).token == ""
        assert not left.exists()


def test_where_somebody_has_logged_in_is_meant_if_nothing_runs_here(home: Home) -> None:
    home.make_token()
    far = Whereabouts("https://mesh.example.com", "far")
    keep_login(home, Login(far.url, far.token))
    assert find(None, None, {}, home.folder) == far
    assert find(far.url, None, {}, home.folder) == far
    assert find("https://other.example.com", None, {}, home.folder).token == ""
    assert find(None, "mine", {}, home.folder) == Whereabouts(far.url, "mine")
    home.announce(running())
    assert find(None, None, {}, home.folder) == Whereabouts(HERE, home.token())


def test_a_login_is_kept_for_the_user_alone_until_it_is_forgotten(home: Home) -> None:
    keep_login(home, Login(HERE, "secret-1"))
    keep_login(home, Login(HERE, "secret-2"))
    assert kept_login(home) == Login(HERE, "secret-2")
    assert "secret" not in repr(kept_login(home))
    (file,) = home.folder.glob("login*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    forget_login(home)
    forget_login(home)
    assert kept_login(home) is None


def test_an_empty_token_is_none(home: Home) -> None:
    home.token_path.touch()
    with pytest.raises(ConfigError, match="is empty"):
        home.make_token()
