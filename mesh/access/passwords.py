"""Passwords, as they are kept: by scrypt, with its cost beside each. It takes a while: in a thread.

The kept form is `$scrypt$ln=14,r=8,p=5$SALT$HASH`, the last two in Base64 without padding.
"""

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

from mesh.errors import InvalidArgument

SHORTEST, LONGEST = 8, 1024
"""Characters of a password."""
_SALT, _HASH = 16, 32
"""Bytes."""
_MOST = 2**28
"""Bytes of memory that what is kept may ask for: nobody is to fill it with a damaged entry."""
_KEPT = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([\w+/]{1,99})\$([\w+/]{1,99})"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one try costs: 2 ** `log_n` blocks of 128 * `r` bytes, `p` times over."""

    log_n: int = 14
    r: int = 8
    p: int = 5

    @property
    def memory(self) -> int:
        """Bytes that it takes, about."""
        return 128 * self.r * ((1 << self.log_n) + self.p + 2)


Derive = Callable[[str, bytes, Cost, int], bytes]
"""Makes so many bytes of a password and a salt, at a cost."""
USUAL = Cost()
"""16 MiB and about a quarter of a second."""


def acceptable(password: str) -> str:
    """The password, if it may be one. Raises InvalidArgument, without it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidArgument(f"a password has {SHORTEST} to {LONGEST} characters")
    return password


def kept_form(password: str, cost: Cost = USUAL, salt: bytes = b"") -> str:
    """What is kept of a password: another each time, unless a `salt` is given."""
    salt = salt or secrets.token_bytes(_SALT)
    found = _scrypt(password, salt, cost, _HASH)
    return f"$scrypt$ln={cost.log_n},r={cost.r},p={cost.p}${_text(salt)}${_text(found)}"


def _scrypt(password: str, salt: bytes, cost: Cost, length: int) -> bytes:
    # A lone surrogate is a character of JSON, and of no UTF-8.
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(
        text,
        salt=salt,
        n=1 << cost.log_n,
        r=cost.r,
        p=cost.p,
        maxmem=2 * cost.memory,
        dklen=length,
    )


def is_it(password: str, kept: str, cost: Cost = USUAL, derive: Derive = _scrypt) -> bool:
    """Whether `kept` is of this password; never, if it is of none.

    It takes as long for what is kept of nobody (empty, or no such form), at `cost`: so how long it
    takes does not tell who is known.
    """
    read = _read(kept)
    if read is None:
        derive(password, bytes(_SALT), cost, _HASH)
        return False
    own, salt, wanted = read
    return hmac.compare_digest(derive(password, salt, own, len(wanted)), wanted)


def _read(kept: str) -> tuple[Cost, bytes, bytes] | None:
    found = _KEPT.fullmatch(kept)
    if found is None:
        return None
    cost = Cost(*(int(found[number]) for number in (1, 2, 3)))
    if cost.memory > _MOST or 0 in (cost.log_n, cost.r, cost.p):
        return None
    try:
        return cost, _data(found[4]), _data(found[5])
    except ValueError:
        return None


def _text(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _data(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)
