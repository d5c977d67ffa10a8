"""The labels that are in use over the cloud API, for those who choose one."""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter

from mesh.access.principal import Area, Verb
from mesh.control.store.catalogue import Kind
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.parameters import Text
from mesh.faces.cloud.permission import Asker, may
from mesh.faces.cloud.wire.base import Wire

LABELLED = (Kind.BENTO_REPOSITORY, Kind.BENTO, Kind.MODEL_REPOSITORY, Kind.MODEL)
"""Entries that have labels, besides deployments."""


class LabelView(Wire):
    """A key, and the values that it has somewhere."""

    key: str
    values: tuple[str, ...]


def labels(backing: Backing) -> APIRouter:
    """The route of labels."""
    routes = APIRouter(tags=["labels"])

    @routes.get("/api/v1/labels")
    async def listed(
        resource_type: Text = "", asker: Asker = may(Verb.READ, Area.ORGANIZATION)
    ) -> tuple[LabelView, ...]:
        """The labels of one kind of things, or of all, by key."""
        found: dict[str, set[str]] = {}
        for key, value in await _labels(backing, asker.organization, resource_type):
            found.setdefault(key, set()).add(value)
        return tuple(LabelView(key=key, values=tuple(sorted(found[key]))) for key in sorted(found))

    return routes


async def _labels(backing: Backing, organization: str, resource_type: str) -> list[tuple[str, str]]:
    verbs = backing.verbs
    found: list[tuple[str, str]] = []
    if resource_type in ("", "deployment"):
        for record in verbs.deployments():
            if record.organization == organization:
                found.extend(_pairs(verbs.current(record.name).config.get("labels")))
    for kind in LABELLED:
        if resource_type in ("", kind.value):
            for entry in await backing.catalogue.entries(kind, organization=organization):
                found.extend(_pairs(entry.document.get("labels")))
    return found


def _pairs(told: Any) -> Iterator[tuple[str, str]]:
    """Labels by key, or one by one as clients send them."""
    if isinstance(told, dict):
        yield from ((str(key), str(value)) for key, value in told.items())
    elif isinstance(told, Iterable) and not isinstance(told, str):
        for each in told:
            if isinstance(each, dict) and "key" in each:
                yield str(each["key"]), str(each.get("value") or "")
