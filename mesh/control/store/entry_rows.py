"""Entries, deeds and what was used, as rows of the tables, and back."""

import json
from dataclasses import replace

from sqlalchemy import RowMapping

from mesh.control.store.catalogue import Deed, Entry, Kind, Used
from mesh.control.store.rows import Row
from mesh.control.store.sealing import Seal
from mesh.errors import FailedPrecondition


def entry_row(entry: Entry, seal: Seal) -> Row:
    """A row of `entries`, with the secret encrypted."""
    return {
        "kind": entry.kind.value,
        "organization": entry.organization,
        "scope": entry.scope,
        "name": entry.name,
        "uid": entry.uid,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "document": dict(entry.document),
        "sealed": sealed_secret(entry, seal),
    }


def read_entry(row: RowMapping, seal: Seal) -> Entry:
    """What entry_row was made of. Raises FailedPrecondition if the secret is not its own."""
    entry = Entry(
        kind=Kind(row["kind"]),
        name=row["name"],
        uid=row["uid"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        document=row["document"],
        scope=row["scope"],
        organization=row["organization"],
    )
    if not row["sealed"]:
        return entry
    return replace(entry, secret=_opened_secret(entry, bytes(row["sealed"]), seal))


def sealed_secret(entry: Entry, seal: Seal) -> bytes:
    """The secret of an entry, encrypted; empty if there is none.

    The entry's key is sealed in with it, so that nobody who can write to the database but has no
    secret key can give it to another entry, and so to another user.
    """
    if not entry.secret:
        return b""
    told = json.dumps({"entry": entry.key, "secret": dict(entry.secret)})
    return seal.close(told.encode(), _whose(entry))


def _opened_secret(entry: Entry, sealed: bytes, seal: Seal) -> dict[str, str]:
    told = json.loads(seal.open(sealed, _whose(entry)))
    if tuple(told["entry"]) != entry.key:
        raise FailedPrecondition(f"{_whose(entry)} is that of another entry")
    return dict(told["secret"])


def _whose(entry: Entry) -> str:
    # The names of tokens are no secrets, but nobody needs them either.
    name = "" if entry.kind is Kind.TOKEN else f" {entry.name!r}"
    return f"the secret of {entry.kind}{name}"


def deed_row(deed: Deed) -> Row:
    """A row of `deeds`; its id is the database's to give."""
    return {
        "uid": deed.uid,
        "at": deed.at,
        "organization": deed.organization,
        "user": deed.user,
        "token": deed.token,
        "resource_type": deed.resource_type,
        "name": deed.name,
        "operation": deed.operation,
        "status": deed.status,
        "reason": deed.reason,
        "resource": dict(deed.resource),
    }


def read_deed(row: RowMapping) -> Deed:
    """What deed_row was made of."""
    return Deed(**{name: value for name, value in row.items() if name != "id"})


def used_row(used: Used) -> Row:
    """A row of `used`."""
    return {
        "hour": used.hour,
        "organization": used.organization,
        "deployment": used.deployment,
        "instance_type": used.instance_type,
        "replica_seconds": used.replica_seconds,
        "requests": used.requests,
        "errors": used.errors,
    }


def read_used(row: RowMapping) -> Used:
    """What used_row was made of."""
    return Used(**row)
