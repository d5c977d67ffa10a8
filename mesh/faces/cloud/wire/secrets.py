"""Secrets: values go in and never come out."""

from typing import Annotated

from pydantic import Field

from mesh.control.secrets import NAME, Content, Item, SecretType, Stage, Template, content
from mesh.control.store.catalogue import Entry
from mesh.faces.cloud.wire.base import (
    ClusterView,
    Resource,
    Sent,
    UserView,
    Wire,
    at,
)

Name = Annotated[str, Field(pattern=NAME)]
Description = Annotated[str, Field(max_length=4096)]


class ItemSent(Sent):
    """One value."""

    key: str
    value: str = Field(default="", repr=False)
    sub_path: str | None = None


class ContentSent(Sent):
    """All values; what is not said is as for variables of replicas that run."""

    type: SecretType | None = None
    items: tuple[ItemSent, ...] | None = None
    path: str | None = None
    stage: Stage | None = None

    def settled(self) -> Content:
        """What it says. Raises ConfigError if replicas could not be given it."""
        items = [Item(each.key, each.value, each.sub_path or "") for each in self.items or ()]
        return content(self.type or "env", items, self.stage or "runtime", self.path or "")


class SecretSent(Sent):
    """A new secret."""

    name: Name
    description: Description | None = None
    content: ContentSent


class SecretChange(Sent):
    """A secret's new content, as a whole; what is absent stays as it is."""

    description: Description | None = None
    content: ContentSent | None = None


class NamesSent(Sent):
    """Names of secrets."""

    names: tuple[str, ...] | None = None


class ItemView(Wire):
    """A key, without its value."""

    key: str
    sub_path: str = ""


class ContentView(Wire):
    """What a secret has, without values."""

    type: str
    items: tuple[ItemView, ...]
    path: str = ""
    stage: str = "runtime"


class DeploymentUsing(Resource):
    """A deployment that uses a secret."""

    resource_type: str = "deployment"
    status: str
    description: str = ""
    kube_namespace: str
    cluster: ClusterView
    creator: UserView


class SecretView(Resource):
    """A secret, without values."""

    resource_type: str = "secret"
    description: str = ""
    creator: UserView
    content: ContentView
    cluster: ClusterView
    deployments: tuple[DeploymentUsing, ...] = ()


class SecretsChecked(Wire):
    """Those of the secrets asked for that are there, and what is wrong with the others."""

    items: tuple[SecretView, ...]
    message: tuple[str, ...]


class TemplateView(Wire):
    """The keys that a well-known service wants."""

    name: str
    description: str
    icon: str = ""
    content: ContentView


def secret(
    entry: Entry, creator: UserView, cluster: ClusterView, users: tuple[DeploymentUsing, ...] = ()
) -> SecretView:
    """A secret as replies have it."""
    document = entry.document
    return SecretView(
        uid=entry.uid,
        created_at=at(entry.created_at),
        updated_at=at(entry.updated_at),
        name=entry.name,
        description=document.get("description", ""),
        creator=creator,
        cluster=cluster,
        content=ContentView(
            type=document["type"],
            stage=document["stage"],
            path=document.get("path", ""),
            items=tuple(ItemView(**each) for each in document["items"]),
        ),
        deployments=users,
    )


def template(found: Template) -> TemplateView:
    """A template as replies have it."""
    keys = tuple(ItemView(key=key) for key in found.keys)
    return TemplateView(
        name=found.name,
        description=found.description,
        content=ContentView(type="env", items=keys),
    )
