"""What organizations may, as it is kept: looked at before something new is taken in.

An organization is in at most one group of limits; one that is in none has no limits.
"""

from mesh.config import parse
from mesh.config.limits import Limits
from mesh.control.quota import Limited, check_count, check_size
from mesh.control.records import CLUSTER, DELETED
from mesh.control.store.catalogue import Catalogue, Entry, Kind
from mesh.errors import NotFound, PermissionDenied


async def limit_group(catalogue: Catalogue, name: str) -> Entry:
    """A group of limits. Raises NotFound."""
    entry = await catalogue.entry(Kind.LIMIT_GROUP, name)
    if entry is None:
        raise NotFound(f"there is no limit group {name!r}")
    return entry


def limits_in(entry: Entry) -> Limits:
    """What a group says. Raises ConfigError if it is not understood any more."""
    what = f"limit group {entry.name}"
    return parse(Limits, entry.document.get("config") or {}, what=what)


async def limits_of(catalogue: Catalogue, organization: str) -> Limited | None:
    """The limits of an organization; None if it has none."""
    missing = ""
    while True:
        entry = await catalogue.entry(Kind.ORGANIZATION, organization, organization=organization)
        group = entry.document.get("limit_group") if entry is not None else ""
        if not group or group == missing:
            return None
        found = await catalogue.entry(Kind.LIMIT_GROUP, group)
        if found is not None:
            return Limited(group, limits_in(found))
        missing = group  # unless the organization came into another before this one went


async def admit_to_cluster(catalogue: Catalogue, organization: str) -> None:
    """Whether an organization may run something. Raises PermissionDenied, also as `admit_owner`.

    One of which nothing is kept may: where nobody keeps organizations there is only the owner.
    """
    entry = await admit_owner(catalogue, organization)
    if entry is not None and CLUSTER not in (entry.document.get("clusters") or {}):
        raise PermissionDenied(f"organization {organization!r} may not use cluster {CLUSTER!r}")


async def admit_owner(catalogue: Catalogue, organization: str) -> Entry | None:
    """What is kept of an organization. Raises PermissionDenied if it was deleted meanwhile."""
    entry = await catalogue.entry(Kind.ORGANIZATION, organization, organization=organization)
    if entry is not None and entry.document.get("status") == DELETED:
        raise PermissionDenied(f"organization {organization!r} was deleted")
    return entry


async def members_of(catalogue: Catalogue, group: str) -> tuple[str, ...]:
    """The organizations that are in a group, by name."""
    found = await catalogue.entries(Kind.ORGANIZATION, organization=None)
    return tuple(sorted(each.name for each in found if each.document.get("limit_group") == group))


async def admit_release(catalogue: Catalogue, organization: str, kind: Kind) -> None:
    """Whether one more release may be kept; `kind` is BENTO or MODEL. Raises QuotaExceeded."""
    limited = await limits_of(catalogue, organization)
    if limited is None:
        return
    is_bento = kind is Kind.BENTO
    key = "bento_count" if is_bento else "model_count"
    limit = limited.limits.bento_count if is_bento else limited.limits.model_count
    if limit is not None:
        there = await catalogue.count_entries(kind, organization=organization)
        check_count(limited, key, limit, there)


async def largest(catalogue: Catalogue, organization: str, kind: Kind) -> int | None:
    """The most bytes that an archive may have; None: any. `kind` is BENTO or MODEL."""
    limited = await limits_of(catalogue, organization)
    if limited is None:
        return None
    return limited.limits.bento_size if kind is Kind.BENTO else limited.limits.model_size


async def admit_archive(catalogue: Catalogue, organization: str, kind: Kind, size: int) -> None:
    """Whether an archive may have `size` bytes; `kind` is BENTO or MODEL. Raises QuotaExceeded."""
    limited = await limits_of(catalogue, organization)
    if limited is not None:
        is_bento = kind is Kind.BENTO
        key = "bento_size" if is_bento else "model_size"
        limit = limited.limits.bento_size if is_bento else limited.limits.model_size
        check_size(limited, key, limit, size)


async def admit_members(catalogue: Catalogue, organization: str, more: int = 1) -> None:
    """Whether `more` members may be in an organization. Raises QuotaExceeded."""
    limited = await limits_of(catalogue, organization)
    if limited is None or limited.limits.member_count is None:
        return
    there = await catalogue.count_entries(Kind.MEMBER, scope="", organization=organization)
    check_count(limited, "member_count", limited.limits.member_count, there, more)
