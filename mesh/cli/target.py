"""What is to be called, and where: `endpoint.Service.method` at a URL."""

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

import typer

from mesh.cli.failure import WrongUsage
from mesh.client.description import MethodDescription, ServiceDescription
from mesh.serving.home import Home

DEFAULT_URL = "http://localhost:3000"
"""Where `mesh serve` listens if nobody says."""
ACCESS_OPTION = typer.Option(
    "--token",
    help="What opens a protected deployment.",
    envvar="MESH_TOKEN",
    show_default=False,
)
_OTHER = {"http": "grpc", "https": "grpcs", "grpc": "http", "grpcs": "https"}


def url_here() -> str:
    """The mesh of the state folder if one runs there, else DEFAULT_URL."""
    running = Home.of(None, os.environ).announcement()
    return running.url if running is not None else DEFAULT_URL


@dataclass(frozen=True, slots=True)
class Target:
    """A method of an endpoint; `endpoint` is empty for the default, `service` if it is not said."""

    endpoint: str
    service: str
    method: str

    @classmethod
    def of(cls, text: str) -> "Target":
        """Reads `method`, `endpoint.method` or `endpoint.Service.method`. Raises WrongUsage."""
        if "/" in text:
            typed = text.rpartition("/")[2]
            raise WrongUsage(
                f"{text!r} is the path of a typed rpc: give the method's own name",
                f"such as {snake(typed)}, or ENDPOINT.{snake(typed)}; mesh describe lists them",
            )
        parts = text.split(".")
        if not all(parts) or len(parts) > 3:
            raise WrongUsage(f"{text!r}: give method, endpoint.method or endpoint.Service.method")
        endpoint = parts[0] if len(parts) > 1 else ""
        return cls(endpoint, parts[1] if len(parts) == 3 else "", parts[-1])

    def method_of(self, service: ServiceDescription) -> MethodDescription:
        """The method, of the service that the endpoint has. Raises WrongUsage for another."""
        if self.service and self.service != service.name:
            raise WrongUsage(
                f"{self.endpoint} serves {service.name}: calls enter there, not at {self.service}"
            )
        found = service.methods.get(self.method)
        if found is None:
            known = ", ".join(service.methods) or "none"
            near = get_close_matches(snake(self.method), service.methods, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise WrongUsage(
                f"{service.name} has no method {self.method!r}", f"{hint}methods: {known}"
            )
        return found


def snake(name: str) -> str:
    """The name of an rpc as methods are mostly called: `ClassifyAll` as `classify_all`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def url_over(url: str, *, is_grpc: bool | None) -> str:
    """The URL of the same place over gRPC or HTTP; as it is if nothing is said of that.

    A URL without a scheme is one of HTTP.
    """
    if "://" not in url:
        url = f"http://{url}"
    scheme = urlsplit(url).scheme
    if is_grpc is None or scheme not in _OTHER or scheme.startswith("grpc") == is_grpc:
        return url
    return f"{_OTHER[scheme]}{url[len(scheme) :]}"
