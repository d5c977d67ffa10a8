"""Who is logged in with a browser: sessions, kept so that they outlive the controller."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from mesh.control.store.catalogue import Catalogue, Entry, Kind, Put, Remove

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
    """Sessions by the SHA-256 of their tokens; the tokens are with their browsers only.

    They are read in memory, and written where one begins or is ended: looking at one writes
    nothing. What has expired is forgotten when the next begins. For one event loop.
    """

    def __init__(self, catalogue: Catalogue, most: int = MOST) -> None:
        self._catalogue = catalogue
        self._most = most
        self._found: OrderedDict[str, Session] = OrderedDict()  # the oldest first
        self._gone: set[str] = set()  # those that are over, and may still be kept
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Sessions: {len(self._found)}>"

    async def load(self, now: float) -> None:
        """Reads those that are kept. Raises what the methods of `Catalogue` raise."""
        for entry in reversed(await self._catalogue.entries(Kind.SESSION)):
            self._found[entry.name] = Session(entry.document["user"], entry.document["ends"])
        self._drop(self._expired(now))
        await self._write()

    async def begin(self, user: str, now: float, instead: str = "") -> str:
        """Logs a user in, in place of the session of another token; the token of the new one.

        Raises what `Catalogue.write` raises; nobody is logged in then.
        """
        token = secrets.token_urlsafe(32)
        name, made = _digest(token), Session(user, now + LASTS)
        async with self._lock:
            self._drop((_digest(instead), *self._expired(now)))
            self._drop(list(self._found)[: max(0, len(self._found) + 1 - self._most)])
            document = {"user": made.user, "ends": made.ends}
            await self._write(Put(Entry(Kind.SESSION, name, name, now, now, document), is_new=True))
            self._found[name] = made
        return token

    def user(self, token: str, now: float) -> str:
        """Who is logged in with this token; empty if nobody is (any more)."""
        found = self._found.get(_digest(token))
        return "" if found is None or now >= found.ends else found.user

    async def end(self, token: str) -> None:
        """Logs out. Raises what `Catalogue.write` raises: it is over, but may still be kept."""
        async with self._lock:
            self._drop((_digest(token),))
            await self._write()

    async def end_all(self, user: str, but: str = "") -> None:
        """Ends all sessions of a user, but the one of this token. Raises as `end`."""
        async with self._lock:
            spared = _digest(but)
            self._drop(
                [name for name, each in self._found.items() if each.user == user and name != spared]
            )
            await self._write()

    def _expired(self, now: float) -> list[str]:
        return [name for name, each in self._found.items() if each.ends <= now]

    def _drop(self, names: Iterable[str]) -> None:
        """Ends these, as far as there are such; they are forgotten with the next write."""
        for name in names:
            if self._found.pop(name, None) is not None:
                self._gone.add(name)

    async def _write(self, *made: Put) -> None:
        gone = frozenset(self._gone)
        old = (Remove(Entry(Kind.SESSION, name, name, 0.0, 0.0)) for name in gone)
        if gone or made:
            await self._catalogue.write(*old, *made)
        self._gone -= gone


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
