"""Endpoints: public names over deployments and servers outside. Keys go in and never come out."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from mesh.config import EndpointConfig, Name
from mesh.config.endpoint import Said
from mesh.control.endpoint_wish import LOAD_BALANCES, EndpointWish, UpstreamWish
from mesh.control.records import EndpointRecord
from mesh.faces.cloud.wire.base import (
    OrganizationView,
    Resource,
    Sent,
    UserView,
    Wire,
    at,
    said,
)
from mesh.faces.cloud.wire.secrets import DeploymentUsing

Some = Annotated[str, Field(max_length=1000)]
Weight = Annotated[int, Field(ge=0, lt=2**31)]


class UpstreamSent(Sent):
    """A server outside. Without a key it keeps the one that it has."""

    url: Annotated[str, Field(max_length=2000)]
    model: Some | None = None
    api_key: Annotated[str, Field(max_length=4096)] | None = Field(default=None, repr=False)


class EndpointChange(Sent):
    """What shall be otherwise; what is absent or null stays as it is."""

    domain: Said | None = None
    protocol: Said | None = None
    strategy: Said | None = None
    load_balance: Annotated[Some, said(enum=["", *LOAD_BALANCES])] | None = None
    deployment_ids: tuple[Some, ...] | None = None
    deployment_weights: dict[Some, Weight] | None = None
    upstreams: tuple[UpstreamSent, ...] | None = None
    overflow_scale_out_delay: Weight | None = None

    def wish(self) -> EndpointWish:
        """What it says."""
        upstreams = None
        if self.upstreams is not None:
            upstreams = tuple(
                UpstreamWish(each.url, each.model or "", each.api_key or "")
                for each in self.upstreams
            )
        return EndpointWish(
            self.deployment_ids,
            self.deployment_weights,
            self.load_balance,
            self.overflow_scale_out_delay,
            upstreams,
            self.domain,
            self.protocol,
            self.strategy,
        )


class EndpointSent(EndpointChange):
    """A new endpoint."""

    name: Name


class UpstreamView(Wire):
    """A server outside, without its key."""

    url: str
    model: str
    api_key: str = ""


class ManifestView(Wire):
    """Where it leads. `sync_status` has the number of the routing table that each gateway goes by.

    Numbers grow with each change of the mesh: gateways with the same number route alike.
    """

    deployment_ids: tuple[str, ...]
    deployment_weights: dict[str, int]
    upstreams: tuple[UpstreamView, ...]
    overflow_scale_out_delay: int | None
    sync_status: dict[str, int]


class EndpointView(Resource):
    """An endpoint."""

    resource_type: str = "endpoint"
    domain: str
    url: str
    protocol: str
    strategy: str
    load_balance: str
    status: str
    overflow_scale_out_delay: int | None
    manifest: ManifestView
    deployments: tuple[DeploymentUsing, ...]
    organization: OrganizationView
    creator: UserView
    updater: UserView


def manifest(
    config: EndpointConfig, uids: Mapping[str, str], applied: Mapping[str, int]
) -> ManifestView:
    """Where an endpoint leads; `uids` are those of deployments by name, `applied` as `sync_status`.

    A deployment that is there no more goes by its name.
    """
    return ManifestView(
        deployment_ids=tuple(uids.get(name, name) for name in config.deployments),
        deployment_weights={
            uids.get(name, name): weight for name, weight in config.deployments.items()
        },
        upstreams=tuple(UpstreamView(url=each.url, model=each.model) for each in config.upstreams),
        overflow_scale_out_delay=round(config.overflow_scale_out_delay),
        sync_status=dict(applied),
    )


def endpoint(
    record: EndpointRecord,
    config: EndpointConfig,
    *,
    url: str,
    status: str,
    manifest: ManifestView,
    deployments: tuple[DeploymentUsing, ...],
    organization: OrganizationView,
    creator: UserView,
) -> EndpointView:
    """An endpoint as replies have it."""
    return EndpointView(
        uid=record.uid,
        created_at=at(record.created_at),
        updated_at=at(record.updated_at),
        name=record.name,
        domain=config.domain,
        url=url,
        protocol=config.protocol,
        strategy=config.strategy,
        load_balance=config.load_balance,
        status=status,
        overflow_scale_out_delay=manifest.overflow_scale_out_delay,
        manifest=manifest,
        deployments=deployments,
        organization=organization,
        creator=creator,
        updater=creator,
    )
