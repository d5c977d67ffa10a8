"""Codes with which a command gets a token that its user makes in a browser. In memory."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mesh.errors import AlreadyExists, FailedPrecondition, NotFound, Overloaded

T = TypeVar("T")
LASTS = 600.0
"""Seconds in which a code is good."""
MOST = 1000
"""Codes at one time."""


@dataclass(slots=True)
class _Code(Generic[T]):
    ends: float
    bound: T | None = field(default=None, repr=False)


class Codes(Generic[T]):
    """Each leads, once, to what is bound to it. `now` is in seconds since the Unix epoch."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._codes: OrderedDict[str, _Code[T]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Codes: {len(self._codes)}>"

    def make(self, now: float) -> str:
        """A new code. Raises Overloaded if there are too many that wait."""
        while self._codes and next(iter(self._codes.values())).ends <= now:
            self._codes.popitem(last=False)
        if len(self._codes) >= self._most:
            raise Overloaded("too many wait to log in with a browser: try again later")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(now + LASTS)
        return code

    def waits(self, code: str, now: float) -> bool:
        """Whether something may be bound to it."""
        found = self._codes.get(code)
        return found is not None and found.ends > now and found.bound is None

    def require(self, code: str, now: float) -> None:
        """Raises NotFound for a code that is none (any more), AlreadyExists for one in use."""
        if self._live(code, now).bound is not None:
            raise AlreadyExists("this code has been used: start again")

    def bind(self, code: str, value: T, now: float) -> None:
        """Has the code lead to a value; raises as `require`."""
        self.require(code, now)
        self._codes[code].bound = value

    def take(self, code: str, now: float) -> T:
        """What is bound to it; from then on it leads to nothing.

        Raises:
            NotFound: there is no such code (any more).
            FailedPrecondition: nothing is bound to it yet.
        """
        found = self._live(code, now).bound
        if found is None:
            raise FailedPrecondition("nobody has confirmed this code yet")
        del self._codes[code]
        return found

    def _live(self, code: str, now: float) -> _Code[T]:
        found = self._codes.get(code)
        if found is None or found.ends <= now:
            raise NotFound("there is no such code, or not any more: start again")
        return found
