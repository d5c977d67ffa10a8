"""The real `bentoml` logs in, and goes by what it has kept from then on."""

from pathlib import Path

import httpx

from tests.faces.cloud.bento_client import BentoClient
from tests.faces.cloud.rig import TOKEN, Rig


class LoggedOut(BentoClient):
    """`bentoml` that knows of a mesh only what it is told by its own login."""

    @property
    def environment(self) -> dict[str, str]:
        said = super().environment
        return {key: value for key, value in said.items() if not key.startswith("BENTO_CLOUD")}


def token_of_ann(rig: Rig) -> str:
    """A token that an administrator has made in a browser."""
    ann = {"name": "ann", "email": "ann@example.com", "password": "correct horse", "token": TOKEN}
    with httpx.Client(base_url=rig.url, headers={"origin": rig.url}) as browser:
        assert browser.post("/api/v1/setup", json=ann).status_code == 200
        code = browser.get("/api/v1/auth/code").json()["code"]
        made = browser.post("/api/v1/api_tokens", json={"name": "laptop", "code": code})
        assert made.status_code == 200
        # As the client does, without the cookies of the browser.
        given = httpx.get(f"{rig.url}/api/v1/auth/token", params={"code": code})
        return str(given.json()["token"])


def test_bentoml_logs_in_with_a_token_that_was_made_in_a_browser(rig: Rig, tmp_path: Path) -> None:
    token = token_of_ann(rig)
    bentoml = LoggedOut(tmp_path / "home", rig.url, "")
    said = bentoml.run("cloud", "login", "--endpoint", rig.url, "--api-token", token)
    assert "ann@example.com" in said
    assert "default" in said
    assert "laptop" in bentoml.run("api-token", "list")
    bentoml.run("api-token", "create", "ci")
    assert "ci" in bentoml.run("api-token", "list")


def test_bentoml_is_told_of_a_wrong_token(rig: Rig, tmp_path: Path) -> None:
    bentoml = LoggedOut(tmp_path / "home", rig.url, "")
    login = ("cloud", "login", "--endpoint", rig.url, "--api-token")
    assert "Bad credentials" in bentoml.run(*login, "wrong", fails=True)
