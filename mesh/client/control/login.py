"""Getting a token for a control API: whose one is, and one that is made in a browser."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mesh.client.control.connection import Connection
from mesh.client.control.whereabouts import Whereabouts
from mesh.errors import FailedPrecondition

POLL = 1.0
"""Seconds between two questions whether a token was made."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose a token is, and where: what a control API says of who asks."""

    user: str
    email: str
    organization: str


def account(where: Whereabouts, timeout: float = 60.0) -> Account:
    """Whose the token is. Raises Unauthenticated if it is nobody's, and as all questions."""
    user = _ask(where, "auth/current", timeout)
    organization = _ask(where, "current_org", timeout)
    return Account(user["name"], user.get("email", ""), organization["name"])


def from_browser(
    url: str, tell: Callable[[str], None], pause: Callable[[float], None] = time.sleep
) -> str:
    """A token that its user makes in a browser, at the page that `tell` is told.

    Raises NotFound if nobody has made one in ten minutes, and as all questions.
    """
    where = Whereabouts(url)
    code = _ask(where, "auth/code")["code"]
    tell(f"{url}/api_tokens?code={quote(code)}")
    while True:
        try:
            return str(_ask(where, "auth/token", code=code)["token"])
        except FailedPrecondition:
            pause(POLL)


def _ask(where: Whereabouts, path: str, timeout: float = 60.0, **params: str) -> dict[str, Any]:
    connection = Connection(where, timeout)
    try:
        url = f"{where.url}/api/v1/{path}"
        return connection.ask(dict[str, Any], "GET", url, params=params)
    finally:
        connection.close()
