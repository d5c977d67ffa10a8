"""Settings of a gateway process: from its command line, through its environment, and back."""

import pytest

from gateway.settings import Settings
from mesh.errors import ConfigError


@pytest.mark.parametrize(
    "settings",
    [
        Settings("host:1"),
        Settings("host:1", "gateway/2", 5, "WARNING", False, 77, "/a", "/b", 0),
        Settings("host:1", grace=90, body_timeout=7),
        Settings("host:1", token="t0ken"),
    ],
)
def test_what_is_written_is_read(settings: Settings) -> None:
    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize(
    "name", ["MESH_MAX_REQUEST_BYTES", "MESH_PARENT", "MESH_GRACE", "MESH_BODY_TIMEOUT"]
)
def test_a_wrong_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Settings.from_env({"MESH_CONTROLLER": "host:1", name: "-1"})


def test_the_token_is_not_shown() -> None:
    assert "t0ken" not in repr(Settings("host:1", token="t0ken"))


def test_a_gateway_needs_its_controller() -> None:
    with pytest.raises(ConfigError, match="MESH_CONTROLLER"):
        Settings.from_env({})
