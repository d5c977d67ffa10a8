"""Which deployments there are for somebody, and which of them are meant by a list."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from mesh.config import MAIN
from mesh.control.records import CLUSTER, DeploymentRecord, Document
from mesh.errors import NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.deployments.shown import Shown, shown, status_word
from mesh.faces.cloud.deployments.translation import tag_of
from mesh.faces.cloud.query import Wanted
from mesh.releases.deploying import Deploying
from mesh.releases.pending import Pending

PIECE = 200
"""Deployments that are gone through at once; then others have their turn."""


class Held(NamedTuple):
    """What there is of one deployment; `one` says when it was made, and whose it is."""

    one: DeploymentRecord | Pending
    record: DeploymentRecord | None
    pending: Pending | None


class Deployments:
    """What is there, for the time of one request."""

    def __init__(self, backing: Backing, deploying: Deploying) -> None:
        self._verbs = backing.verbs
        self._deploying = deploying

    def find(self, name: str, organization: str | None, cluster: str = "") -> Shown:
        """One deployment. Raises NotFound."""
        record, pending = self._deploying.record(name), self._deploying.pending().get(name)
        one = record or pending
        is_theirs = one is not None and organization in (None, one.organization)
        if one is None or not is_theirs or cluster not in ("", CLUSTER):
            raise NotFound(f"there is no deployment {name!r}")
        return self.show(Held(one, record, pending))

    def all(self, organization: str | None) -> Iterator[Held]:
        """All of an organization (None: of any), in no order."""
        pending = dict(self._deploying.pending())
        for record in self._verbs.deployments():
            waits = pending.pop(record.name, None)
            if organization in (None, record.organization):
                yield Held(record, record, waits)
        for each in pending.values():
            if organization in (None, each.organization):
                yield Held(each, None, each)

    def show(self, held: Held) -> Shown:
        """It, with its status and what it is set to."""
        record, pending = held.record, held.pending
        if record is None:
            return shown(None, None, None, pending)
        current = self._verbs.current(record.name)
        try:
            (status,) = self._verbs.status(record.name)
        except NotFound:  # of another release of the mesh, and left as it is
            return shown(record, current, None, pending)
        return shown(record, current, status, pending)

    async def matching(
        self, organization: str | None, wanted: Wanted, search: str = "", cluster: str = ""
    ) -> list[Held]:
        """Those that a list is to have, in its order."""
        if cluster not in ("", CLUSTER):
            return []
        every = list(self.all(organization))
        found = every
        if search or wanted != Wanted(sort=wanted.sort, ascending=wanted.ascending):
            found = []
            for piece in pieces(every):
                found += [each for each in piece if self._is_meant(each, wanted, search)]
                await asyncio.sleep(0)
        key = wanted.sort if wanted.sort in _SORTS else "created_at"
        found.sort(key=attrgetter(f"one.{key}", "one.name"))
        if not wanted.ascending:
            found.reverse()
        return found

    def _is_meant(self, held: Held, wanted: Wanted, search: str) -> bool:
        one = held.one
        if search not in one.name or not wanted.words_allow(one.name):
            return False
        config = self.config(held)
        return (
            wanted.labels_allow(config.get("labels") or {})
            and wanted.is_.get("dev", bool(config.get("dev"))) is bool(config.get("dev"))
            and wanted.term_allows("creator", one.creator)
            and (
                "last_updater" not in wanted.terms
                or wanted.term_allows("last_updater", self._updater(held))
            )
            and wanted.term_allows("cluster", CLUSTER)
            and _has_bento(config, wanted)
            and ("status" not in wanted.terms or wanted.term_allows("status", self._word(held)))
        )

    def config(self, held: Held) -> Document:
        """What it is set to, or shall be once its release is ready."""
        if held.pending is not None:
            return held.pending.config
        return self._verbs.current(held.one.name).config

    def _updater(self, held: Held) -> str:
        if held.pending is not None:
            return held.pending.by
        return self._verbs.current(held.one.name).creator

    def _word(self, held: Held) -> str:
        if held.pending is not None or held.record is None:
            return self.show(held).status
        try:
            (status,) = self._verbs.status(held.record.name)
        except NotFound:
            return "unknown"
        return status_word(held.record, status)


_SORTS = ("created_at", "updated_at", "name")


def tags_of(config: Document) -> dict[str, str]:
    """The tag of the release of each version of a deployment."""
    canaries = (config.get("canary") or {}).get("versions") or {}
    return {MAIN: tag_of(config), **{name: tag_of(each) for name, each in canaries.items()}}


def _has_bento(config: Document, wanted: Wanted) -> bool:
    if not {"bento", "bento_repository"} & wanted.terms.keys():
        return True
    return any(
        wanted.term_allows("bento", tag)
        and wanted.term_allows("bento_repository", tag.partition(":")[0])
        for tag in tags_of(config).values()
    )


def pieces(found: Sequence[Held]) -> Iterable[Sequence[Held]]:
    """The same, a few at a time."""
    for begin in range(0, len(found), PIECE):
        yield found[begin : begin + PIECE]
