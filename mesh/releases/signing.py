"""Addresses that open one thing for a while, to whoever has them."""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import uuid4

from mesh.control.store.catalogue import Catalogue, Entry, Kind, Put
from mesh.errors import AlreadyExists, FailedPrecondition, PermissionDenied

_log = logging.getLogger(__name__)
_NAME = "release-addresses"
_EXPIRES = "expires"
_SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs addresses with a key. A signature holds for one method and path, until a time."""

    key: bytes = field(repr=False)

    def signed(self, method: str, path: str, until: float) -> str:
        """The path with what makes it good until a time (seconds since the Unix epoch)."""
        expires = str(int(until))
        query = {_EXPIRES: expires, _SIGNATURE: self._sign(method, path, expires)}
        return f"{path}?{urlencode(query)}"

    def check(self, method: str, path: str, query: Mapping[str, str], now: float) -> None:
        """Raises PermissionDenied unless the address was signed for this, and still holds."""
        expires, given = query.get(_EXPIRES, ""), query.get(_SIGNATURE, "")
        wanted = self._sign(method, path, expires)
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise PermissionDenied("this address was not signed here, or was changed")
        if float(expires) < now:
            raise PermissionDenied("this address has expired: ask for another")

    def _sign(self, method: str, path: str, expires: str) -> str:
        text = f"{method}\n{path}\n{expires}".encode("utf-8", "surrogatepass")
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()


async def kept_signer(catalogue: Catalogue, now: float) -> Signer:
    """The signer of a mesh: its key is made once and kept.

    In a store that keeps no secrets it is one of this process: addresses do not outlive it.
    """
    made = secrets.token_hex(32)
    entry = Entry(Kind.SETTING, _NAME, uuid4().hex, now, now, secret={"key": made})
    try:
        found = await catalogue.entry(Kind.SETTING, _NAME)
        if found is None:
            await catalogue.write(Put(entry, is_new=True))
    except AlreadyExists:
        found = await catalogue.entry(Kind.SETTING, _NAME)
    except FailedPrecondition as error:
        _log.info("addresses of archives are signed with a key of this process: %s", error.message)
    key = found.secret.get("key", made) if found is not None else made
    return Signer(bytes.fromhex(key))
