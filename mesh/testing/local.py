"""A real mesh on this machine for the length of a test."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from mesh.client import GrpcClient
from mesh.config import MAIN, DeploymentConfig, parse
from mesh.control.status import DeploymentStatus
from mesh.serving.application import Release, application
from mesh.serving.run import Place, RunningMesh


class LocalMesh:
    """A running mesh with clients for both protocols."""

    def __init__(self, running: RunningMesh) -> None:
        self.running = running
        self.http = httpx.Client(base_url=running.url, timeout=60)
        self.grpc = GrpcClient(running.target)

    @property
    def url(self) -> str:
        """The address of the HTTP face, without a slash at its end."""
        return self.running.url

    @property
    def target(self) -> str:
        """`host:port` for gRPC clients of one's own."""
        return self.running.target

    def deploy(
        self, service: type, *, name: str = "test", canaries: Mapping[str, type] | None = None,
        **config: Any,
    ) -> DeploymentStatus:  # fmt: skip
        """Deploys a service class, or makes a deployment what it says now, and waits for it.

        `config` has the keys of a deployment file (`replicas`, `services`, `canary`, `envs`);
        `canaries` are the classes of the canaries that it names.

        Raises:
            ConfigError: the config is wrong.
            Unavailable: the service cannot start; the message says why.
        """
        canaries = canaries or {}
        classes = {MAIN: service, **canaries}
        releases = {version: Release.of_class(entry) for version, entry in classes.items()}
        document = {"name": name, "target": _title(service), **config}
        for version, canary in document.get("canary", {}).get("versions", {}).items():
            if version in canaries:
                canary.setdefault("target", _title(canaries[version]))
        parsed = parse(DeploymentConfig, document, what="deploy")
        return self.running.deploy(application(parsed, releases))

    def close(self) -> None:
        """Closes the clients."""
        self.http.close()
        self.grpc.close()


def _title(service: type) -> str:
    return f"{service.__module__}:{service.__qualname__}"


@contextmanager
def local_mesh(
    service: type,
    *,
    name: str = "test",
    canaries: Mapping[str, type] | None = None,
    place: Place | None = None,
    **config: Any,
) -> Iterator[LocalMesh]:
    """Runs a mesh with one deployment on this machine until the block ends.

        with local_mesh(Classifier, replicas=2) as mesh:
            assert mesh.http.post("/classify", json={...}).json() == ...
            assert mesh.grpc.call("classify", image=array) == ...

    It starts Ray, which takes some seconds: share one mesh among tests, and give each its own
    deployment with `LocalMesh.deploy`. Arguments are those of `deploy`; `place` says how many
    gateways and logical GPUs there are.

    Raises:
        MeshError: a part cannot start; nothing is left running.
    """
    with RunningMesh(place or Place()) as running:
        mesh = LocalMesh(running)
        try:
            mesh.deploy(service, name=name, canaries=canaries, **config)
            yield mesh
        finally:
            mesh.close()
