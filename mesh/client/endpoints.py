"""Which endpoints a mesh has, as a gateway's `/endpoints.json` lists them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from mesh.client.http_messages import broken, refusal
from mesh.client.options import Options
from mesh.errors import Internal

LISTING = "endpoints.json"


@dataclass(frozen=True, slots=True)
class VersionListing:
    """A version of a deployment: `share` is the part, 0 to 1, of its endpoint's traffic.

    `entry` is the name of the service that calls enter, `replicas` how many take them now.
    """

    deployment: str
    name: str
    entry: str
    share: float
    replicas: int


@dataclass(frozen=True, slots=True)
class EndpointListing:
    """An endpoint and what is behind it."""

    name: str
    is_default: bool
    versions: tuple[VersionListing, ...]


def listing(url: str, options: Options) -> list[EndpointListing]:
    """The endpoints of the mesh at an http(s) URL, by name.

    Raises MeshError: NotFound if what answers there is no gateway of a mesh.
    """
    address = f"{url.rstrip('/')}/{LISTING}"
    try:
        response = httpx.get(address, headers=options.fields(), timeout=options.timeout)
    except httpx.HTTPError as error:
        raise broken(error) from error
    if response.status_code >= 300:
        raise refusal(response, response.content)
    return of_json(response.content)


def of_json(document: bytes) -> list[EndpointListing]:
    """Reads a listing. Raises Internal if it is none."""
    try:
        return [_endpoint(each) for each in json.loads(document)["endpoints"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Internal(f"the list of endpoints cannot be read: {error!r}") from None


def _endpoint(each: Mapping[str, Any]) -> EndpointListing:
    deployments = each["deployments"]
    total = sum(deployment["weight"] for deployment in deployments)
    versions = tuple(
        version
        for deployment in deployments
        for version in _versions(deployment, deployment["weight"] / total if total else 0.0)
    )
    return EndpointListing(each["name"], bool(each["is_default"]), versions)


def _versions(deployment: Mapping[str, Any], share: float) -> list[VersionListing]:
    versions = deployment["versions"]
    total = sum(version["weight"] for version in versions)
    return [
        VersionListing(
            deployment["name"],
            version["name"],
            version["entry"],
            share * version["weight"] / total if total else 0.0,
            version["replicas"],
        )
        for version in versions
    ]
