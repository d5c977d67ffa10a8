"""Which part of a list of releases or models is asked for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mesh.faces.cloud.parameters import Paging
from mesh.faces.cloud.query import Wanted, wanted
from mesh.faces.cloud.wire.base import Listed
from mesh.releases.packages import Package, Repository, Status

MANY = 100
"""How many are listed if nobody says: the official client asks for all of them so."""
_EachT = TypeVar("_EachT", Package, Repository)
_ViewT = TypeVar("_ViewT")
_ORDERS: dict[str, Callable[[Package | Repository], float]] = {
    "created_at": lambda each: each.created_at,
    "updated_at": lambda each: each.updated_at,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the parameters of a list say; `me` is who asks."""

    start: int
    count: int
    q: str = ""
    search: str = ""
    me: str = ""

    def of(self, every: Sequence[_EachT]) -> tuple[tuple[_EachT, ...], int]:
        """A page of these, and how many are meant in all."""
        query = wanted(self.q, self.me)
        found = [each for each in every if _is_wanted(each, query)]
        if query.sort in _ORDERS:
            found.sort(key=_ORDERS[query.sort], reverse=not query.ascending)
        return tuple(found[self.start : self.start + self.count]), len(found)

    def listed(self, found: Iterable[_ViewT], total: int) -> Listed[_ViewT]:
        """A page as it is sent."""
        return Listed(start=self.start, count=self.count, total=total, items=tuple(found))


def chosen(asked: Paging, me: str) -> Chosen:
    """What the parameters of a list say; at most `MANY` if nothing is said."""
    count = MANY if asked.count is None else asked.count
    return Chosen(asked.begin, count, asked.q, asked.search, me)


def _is_wanted(each: Package | Repository, query: Wanted) -> bool:
    is_package = isinstance(each, Package)
    names = (each.version, each.repository) if isinstance(each, Package) else (each.name,)
    status = each.status if isinstance(each, Package) else Status.SUCCESS
    is_dev = isinstance(each, Package) and bool(each.manifest.get("dev"))
    return (
        query.words_allow(*names)
        and query.labels_allow(dict(each.said.labels))
        and query.term_allows("creator", each.creator)
        and (not is_package or query.term_allows("upload_status", status))
        and query.is_.get("dev", is_dev) is is_dev
    )
