"""Who is logged in with a browser: sessions, in memory. Whoever restarts logs in anew."""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

LASTS = 12 * 3600.0
"""Seconds of a session."""
MOST = 10_000
"""Sessions at one time; then the oldest ends."""


@dataclass(frozen=True, slots=True)
class Session:
    """A user who is logged in, until `ends` (seconds since the Unix epoch)."""

    user: str
    ends: float


class Sessions:
    """Sessions by the SHA-256 of their tokens; the tokens are with their browsers only."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._found: OrderedDict[bytes, Session] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Sessions: {len(self._found)}>"

    def begin(self, user: str, now: float) -> str:
        """Logs a user in; the token of the session."""
        token = secrets.token_urlsafe(32)
        self._found[_digest(token)] = Session(user, now + LASTS)
        if len(self._found) > self._most:
            self._found.popitem(last=False)
        return token

    def user(self, token: str, now: float) -> str:
        """Who is logged in with this token; empty if nobody is (any more)."""
        found = self._found.get(_digest(token))
        if found is None:
            return ""
        if now >= found.ends:
            self.end(token)
            return ""
        return found.user

    def end(self, token: str) -> None:
        """Logs out."""
        self._found.pop(_digest(token), None)

    def end_all(self, user: str, but: str = "") -> None:
        """Ends all sessions of a user, but the one of this token."""
        spared = _digest(but)
        for digest in [key for key, each in self._found.items() if each.user == user]:
            if digest != spared:
                del self._found[digest]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
