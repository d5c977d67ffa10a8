"""Secrets through the control API: values go in and never come back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesh.client.control.connection import Connection, path
from mesh.client.control.values import RenewedKeyView


@dataclass(frozen=True, slots=True)
class SecretView:
    """A secret, without its values."""

    name: str
    created_at: datetime
    updated_at: datetime
    content: Mapping[str, Any]
    description: str = ""
    deployments: tuple[Mapping[str, Any], ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its values."""
        return tuple(item["key"] for item in self.content["items"])


class Secrets:
    """What can be done with secrets. All raise MeshError, NotFound above all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/v1/org_secrets"

    def list(self, search: str = "") -> tuple[SecretView, ...]:
        """All whose name has `search` in it, the newest first."""
        params = {"search": search, "all": "true"}
        found = self._connection.ask(dict[str, Any], "GET", self._here, params=params)
        return tuple(map(_view, found["items"]))

    def get(self, name: str) -> SecretView:
        """One secret."""
        return self._ask("GET", path(name))

    def create(self, name: str, values: Mapping[str, str], **about: str) -> SecretView:
        """Keeps a new one. `about` may say `type`, `stage`, `path` and `description`."""
        return self._ask("POST", "", {"name": name, **_sent(values, about)})

    def apply(self, name: str, values: Mapping[str, str], **about: str) -> SecretView:
        """Replaces all that it has, but for the `description` unless it is said.

        Replicas get it when they start anew.
        """
        return self._ask("PATCH", path(name), _sent(values, about))

    def delete(self, name: str) -> None:
        """Forgets one that no deployment uses which runs."""
        self._connection.raw("DELETE", self._here + path(name))

    def rotate_key(self) -> int:
        """Gives the store of the mesh a new secret key; returns how many secrets it is for.

        For administrators of all organizations. The old key decrypts nothing then but copies of
        the store from before. Raises FailedPrecondition, saying what to do, where the key is not
        in a file of the store's.
        """
        return self._connection.ask(RenewedKeyView, "POST", "/secret-key/renew").secrets

    def _ask(self, method: str, rest: str, body: Any = None) -> SecretView:
        again = method != "POST"
        where = self._here + rest
        return _view(self._connection.ask(dict[str, Any], method, where, body, again=again))


def _sent(values: Mapping[str, str], about: Mapping[str, str]) -> dict[str, Any]:
    items = [{"key": key, "value": value} for key, value in values.items()]
    content = {key: about[key] for key in ("type", "stage", "path") if about.get(key)}
    return {"description": about.get("description"), "content": {**content, "items": items}}


def _view(found: Mapping[str, Any]) -> SecretView:
    return SecretView(
        found["name"],
        datetime.fromisoformat(found["created_at"]),
        datetime.fromisoformat(found["updated_at"]),
        found["content"],
        found["description"],
        tuple(found["deployments"]),
    )
