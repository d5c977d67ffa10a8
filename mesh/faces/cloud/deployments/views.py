"""Deployments → what replies have of them. Pure but for the names of people."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from mesh.access.contract import Access
from mesh.config import MAIN
from mesh.control.records import Event
from mesh.faces.cloud.deployments.shown import Shown, ShownRevision
from mesh.faces.cloud.deployments.translation import Wire, wire_of
from mesh.faces.cloud.wire.base import (
    ClusterView,
    Label,
    OrganizationView,
    UserView,
    at,
    cluster,
    user,
)
from mesh.faces.cloud.wire.deployed import (
    AdminDeployment,
    DeploymentView,
    ManifestView,
    PlainDeployment,
    RepositoryView,
    RevisionOfDeployment,
    RevisionView,
    RoutingView,
    StatusRecord,
    TargetBento,
    TargetView,
)
from mesh.releases.wanted import BENTO

_OF_TARGET = ("envs", "secrets")
_OBJECTS = ("extras", "scaling", "policy")


def url_of(gateway_url: str, name: str) -> str:
    """Where a deployment is called. A `*` in the URL of the gateways stands for its name."""
    if "*" in gateway_url:
        return gateway_url.replace("*", name)
    return f"{gateway_url}/e/{name}"


class DeploymentViews:
    """What is shown of deployments, for one reply: people are looked up once."""

    def __init__(self, access: Access, gateway_url: str) -> None:
        self._access = access
        self._gateway_url = gateway_url
        self._people: dict[str, UserView] = {}
        self._cluster: ClusterView = cluster(access.person(""))

    def full(self, shown: Shown) -> DeploymentView:
        """All of a deployment."""
        return DeploymentView(**self._all(shown))

    def plain(self, shown: Shown) -> PlainDeployment:
        """A deployment without what it is set to."""
        return PlainDeployment(**self._plain(shown, wire_of(shown.config)))

    def for_admin(self, shown: Shown) -> AdminDeployment:
        """A deployment of any organization."""
        organization = OrganizationView(
            uid=shown.organization,
            name=shown.organization,
            created_at=at(0.0),
            updated_at=at(0.0),
            creator=self._person(""),
        )
        return AdminDeployment(
            **self._all(shown), organization=organization, host_cluster=self._cluster
        )

    def revision(self, shown: Shown, revision: ShownRevision) -> RevisionView:
        """One revision of a deployment."""
        wire = wire_of(revision.config)
        return RevisionView(**self._revision(revision, wire), deployment=self.plain(shown))

    def status(self, shown: Shown, event: Event, revision: ShownRevision | None) -> StatusRecord:
        """What a deployment was at one time."""
        # Warnings are told all at once, each in a record of its own.
        said = f"-{crc32(event.reason.encode()):08x}" if event.kind == "warning" else ""
        return StatusRecord(
            uid=f"{shown.uid}-{event.revision}-{int(event.at * 1e6)}{said}",
            created_at=at(event.at),
            updated_at=at(event.at),
            event_timestamp=at(event.at),
            status=event.status,
            reason=event.reason,
            deployment_revision=self.revision(shown, revision) if revision else None,
        )

    def _all(self, shown: Shown) -> dict[str, Any]:
        wire = wire_of(shown.config)
        return {
            **self._plain(shown, wire),
            "latest_revision": RevisionOfDeployment(**self._revision(shown.revision, wire)),
            "urls": (url_of(self._gateway_url, shown.name),),
        }

    def _plain(self, shown: Shown, wire: Wire) -> dict[str, Any]:
        return {
            "uid": shown.uid,
            "name": shown.name,
            "created_at": at(shown.created_at),
            "updated_at": at(shown.updated_at),
            "labels": _labels(wire),
            "status": shown.status,
            "description": wire["description"],
            "distributed": wire["distributed"],
            "creator": self._person(shown.creator),
            "updater": self._person(shown.revision.creator or shown.creator),
            "cluster": self._cluster,
            "manifest": ManifestView(
                dev=wire["dev"], replicas=dict(shown.replicas), routing=_routing(wire["canary"])
            ),
        }

    def _revision(self, revision: ShownRevision, wire: Wire) -> dict[str, Any]:
        canaries: Mapping[str, Wire] = (wire["canary"] or {}).get("versions") or {}
        kept = revision.config
        versions = (kept.get("canary") or {}).get("versions") or {}
        targets = [self._target(revision, MAIN, wire, wire, kept)]
        for name, canary in canaries.items():
            targets.append(self._target(revision, name, canary, wire, versions[name]))
        return {
            "uid": revision.uid,
            "name": str(revision.number),
            "created_at": at(revision.created_at),
            "updated_at": at(revision.created_at),
            "creator": self._person(revision.creator),
            "status": "active" if revision.is_active else "inactive",
            "targets": tuple(targets),
        }

    def _target(
        self,
        revision: ShownRevision,
        name: str,
        version: Wire,
        wire: Wire,
        kept: Mapping[str, Any],
    ) -> TargetView:
        config = {key: version[key] for key in _OF_TARGET}
        config["services"] = {name: _told(each) for name, each in version["services"].items()}
        config |= {"access_authorization": wire["access_authorization"], "labels": wire["labels"]}
        when = at(revision.created_at)
        return TargetView(
            uid=f"{revision.uid}-{name}",
            name=name,
            created_at=when,
            updated_at=when,
            creator=self._person(revision.creator),
            config=config,
            bento=_bento(version["bento"], kept, revision.created_at),
        )

    def _person(self, name: str) -> UserView:
        found = self._people.get(name)
        if found is None:
            found = self._people[name] = user(self._access.person(name))
        return found


def _told(settings: Wire) -> Wire:
    """Settings of a service without the objects that are not there, as these are never null."""
    found = {key: each for key, each in settings.items() if each is not None or key not in _OBJECTS}
    if "scaling" in found:
        found["scaling"] = _told(found["scaling"])
    return found


def _labels(wire: Wire) -> tuple[Label, ...]:
    return tuple(Label(key=each["key"], value=each["value"]) for each in wire["labels"])


def _routing(canary: Wire | None) -> RoutingView | None:
    if canary is None:
        return None
    weights = {name: each["weight"] for name, each in canary["versions"].items()}
    return RoutingView(
        route_type=canary["route_type"],
        route_by=canary["route_by"],
        weights={MAIN: 100 - sum(weights.values()), **weights},
    )


def _bento(tag: str, kept: Mapping[str, Any], created_at: float) -> TargetBento:
    name, _, version = tag.partition(":")
    known = (kept.get("annotations") or {}).get(BENTO) or {}
    when = at(created_at)
    manifest = {"service": "", "bentoml_version": "", "size_bytes": 0, "name": name}
    return TargetBento(
        uid=known.get("uid") or tag,
        name=version,
        version=version,
        created_at=when,
        updated_at=when,
        build_at=when,
        manifest={**manifest, "version": version, **(known.get("manifest") or {})},
        repository=RepositoryView(uid=name, name=name, created_at=when, updated_at=when),
    )
