"""Results as they came: images as files, tensors as NumPy's arrays."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mesh.client.client import Client
from mesh.client.description import ServiceDescription


class PlainClient(Client):
    """A client that gives images as the files that they came as, and tensors as NumPy's arrays.

    So nothing is decoded only to be encoded again, nor a library loaded only to print numbers.
    """

    @property
    def service(self) -> ServiceDescription:
        """What the service says of itself, with that changed. Raises MeshError."""
        return plain(super().service)


def plain(service: ServiceDescription) -> ServiceDescription:
    """The service with methods whose results are files and NumPy's arrays."""
    methods = {
        name: replace(method, output=_plain(method.output))
        for name, method in service.methods.items()
    }
    return replace(service, methods=MappingProxyType(methods))


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: _plain(each) for key, each in schema.items()}
    if found.get("type") == "file":
        found.pop("pil", None)
    if found.get("type") == "tensor":
        found["format"] = "numpy-array"
    return found
