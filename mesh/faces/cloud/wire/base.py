"""What most replies of the cloud API have in common.

Clients want every key there, lists that are lists, texts that are texts and times with a zone.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from mesh.access.contract import Person
from mesh.control.records import CLUSTER, DEFAULT_ORGANIZATION

T = TypeVar("T")


def said(whole: re.Pattern[str] | None = None, **schema: Any) -> Any:
    """What the document says of a value that is checked where it is used, and not here."""
    pattern = {} if whole is None else {"pattern": f"^{whole.pattern}$"}
    return Field(json_schema_extra={**pattern, **schema})


class Wire(BaseModel):
    """A reply."""

    model_config = ConfigDict(frozen=True)


class Sent(BaseModel):
    """A body that a client sends; what is not known in it is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Label(Sent):
    """A label of anything."""

    key: str
    value: str = ""


class Resource(Wire):
    """Anything that has a name and a uid."""

    uid: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    name: str
    resource_type: str
    labels: tuple[Label, ...] = ()


class UserView(Resource):
    """A user."""

    resource_type: str = "user"
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    avatar_url: str = ""
    is_super_admin: bool = False
    perm: str = "default"
    from_sso: bool = False
    register_stage: str = "finished"
    application_status: str = ""


class OrganizationView(Resource):
    """An organization."""

    resource_type: str = "organization"
    description: str = ""
    creator: UserView | None = None
    status: str = "active"
    config: dict[str, object] | None = None
    limit_group: dict[str, object] | None = None
    expired_at: datetime | None = None
    enable_endpoints: bool = True
    enable_mixture_scaling: bool = False
    enable_monitoring_endpoint: bool = False
    disable_grafana: bool = True
    disable_resources_graphs: bool = True
    multi_tenancy: bool = False
    public: bool = False


class ClusterView(Resource):
    """A cluster: the Ray cluster of this control plane."""

    resource_type: str = "cluster"
    description: str = ""
    organization_name: str = DEFAULT_ORGANIZATION
    creator: UserView
    is_first: bool = True
    provider: str = "ray"
    default_deployment_kube_namespace: str = CLUSTER
    grafana_root_path: str = ""
    host_cluster_name: str = CLUSTER
    host_cluster_display_name: str = CLUSTER
    multi_tenancy: bool = False


class Listed(Wire, Generic[T]):
    """A page of a list; `total` counts all of it."""

    start: int
    count: int
    total: int
    items: tuple[T, ...]


def at(seconds: float) -> datetime:
    """A time with its zone, of seconds since the Unix epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def user(person: Person) -> UserView:
    """A user as replies have them."""
    return UserView(
        uid=person.uid,
        created_at=at(person.created_at),
        updated_at=at(person.updated_at),
        name=person.name,
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email or person.name,  # clients show it as who is logged in
        is_super_admin=person.is_super_admin,
    )


def cluster(creator: Person, created_at: float = 0.0) -> ClusterView:
    """The cluster of this control plane."""
    return ClusterView(
        uid=CLUSTER,
        created_at=at(created_at),
        updated_at=at(created_at),
        name=CLUSTER,
        creator=user(creator),
    )


def labels(found: Iterable[tuple[str, str]]) -> tuple[Label, ...]:
    """Labels as replies have them."""
    return tuple(Label(key=key, value=value) for key, value in found)
