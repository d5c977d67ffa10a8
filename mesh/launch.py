"""All that is needed to start one replica, as plain values that cross process borders."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.call import FetchLimits


@dataclass(frozen=True, slots=True)
class Source:
    """Where the code of a graph comes from.

    Either `target` (`pkg.mod:Service`) with the folders to put in front of `sys.path`, or `code`:
    the entry class as cloudpickle writes it, for classes that no module holds. Only Ray carries
    `code`; it never crosses a socket of the mesh.

    A packaged release has the digest of its archive in `release` (`sha256:` and 64 hex digits), and
    its folders in `path` are relative to where a node unpacks it. It needs the Python packages of
    `requirements` (as pip has them) and the models of `models`: the digest of each archive by its
    tag `name:version`.
    """

    target: str = ""
    path: tuple[str, ...] = ()
    code: bytes = b""
    release: str = ""
    requirements: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values that a replica gets and nobody else: they are in no repr, log, event or error.

    `envs` are variables of its environment; `files` have contents by their path, relative to the
    replica's own home.
    """

    envs: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def under(self, other: "Secrets") -> "Secrets":
        """These with `other`, which goes before them."""
        return Secrets({**self.envs, **other.envs}, {**self.files, **other.files})

    def fingerprint(self, key: bytes = b"") -> str:
        """Tells these values from others; empty if there are none. Values can be guessed from it.

        With a `key` they cannot, by whoever does not have that.
        """
        if not (self.envs or self.files):
            return ""
        files = {path: content.hex() for path, content in self.files.items()}
        text = json.dumps([dict(self.envs), files], sort_keys=True)
        return hmac.new(key, text.encode(errors="surrogatepass"), "sha256").hexdigest()


NO_SECRETS = Secrets()


@dataclass(frozen=True, slots=True)
class Launch:
    """One replica to start: which service of which graph, for whom, with what.

    `version_id` names a release with its config for all time, `version` is what users call it
    today (`main`, or a canary's name). `cpu` in cores, `memory` in bytes, `gpu` in devices
    of the type `gpu_type` (empty: any), `custom` in units of what nodes say they have. `placement`
    says how the replicas of a graph lie on nodes: `pack`, `spread`, `strict_spread`, or empty.
    `timeout` in seconds per call (None: no limit), `max_concurrency` in calls (0: no limit),
    `controller` the `host:port` of the controller's gRPC face (empty: routes are never followed).
    `secret_names` are the secrets that it is to get; `secrets` what is in them when it starts, and
    `build` what only the installation of its release's requirements gets.
    """

    replica_id: str
    deployment: str
    version_id: str
    version: str
    service: str
    source: Source
    cpu: float = 0.0
    memory: int = 0
    gpu: float = 0.0
    gpu_type: str = ""
    custom: Mapping[str, float] = field(default_factory=dict)
    placement: str = ""
    threads: int = 1
    fetch: FetchLimits = field(default_factory=FetchLimits)
    timeout: float | None = None
    max_concurrency: int = 0
    envs: Mapping[str, str] = field(default_factory=dict)
    controller: str = ""
    secret_names: tuple[str, ...] = ()
    secrets: Secrets = field(default=NO_SECRETS, repr=False)
    build: Secrets = field(default=NO_SECRETS, repr=False)
