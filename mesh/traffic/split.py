"""Which deployment of an endpoint takes a request, and which of its versions.

Knows weights and readiness, nothing about load.
"""

import math
from collections.abc import Callable, Iterable
from hashlib import blake2b
from random import Random

from mesh.errors import NotFound, Unavailable
from mesh.traffic.snapshot import Deployment, Endpoint, SplitBy, Version


def choose_deployment(endpoint: Endpoint, usable: Callable[[str], bool], rng: Random) -> str:
    """The name of one deployment of `endpoint`, by chance in proportion to the weights.

    A deployment that is not `usable` leaves its share to the others; one with weight 0 is never
    chosen. Raises Unavailable if none is left.
    """
    name = endpoint.shares.draw(usable, rng)
    if name is None:
        raise Unavailable(f"no deployment of endpoint {endpoint.name!r} has a ready replica")
    return name


def choose_version(
    deployment: Deployment,
    *,
    named: str,
    key: str | None,
    rng: Random,
    ready: Callable[[Version], bool],
) -> Version:
    """One version of `deployment`.

    `named` is the name or id that the request asks for (empty: none): that version or an error,
    whatever its weight. Otherwise versions with weight 0 are never chosen, and one that is not
    `ready` leaves its share to the others. `key` is the value of the header or query parameter
    `deployment.split_key`; requests with equal keys go to the same version. Without a key (None)
    chance decides.

    Raises NotFound if there is no version `named`, Unavailable if none is ready.
    """
    if named:
        return _named(deployment, named, ready)
    if key is None or deployment.split_by is SplitBy.RANDOM:
        version = deployment.shares.draw(ready, rng)
    else:
        version = _sticky(deployment, key, ready)
    if version is None:
        raise Unavailable(f"no version of deployment {deployment.name!r} has a ready replica")
    return version


def _named(deployment: Deployment, named: str, ready: Callable[[Version], bool]) -> Version:
    versions = deployment.versions
    # A name goes before an id, so that no id can hide what a user calls a version.
    version = next((v for v in versions if v.name == named), None) or next(
        (v for v in versions if v.id == named), None
    )
    if version is None:
        raise NotFound(f"deployment {deployment.name!r} has no version {named!r}")
    if not ready(version):
        raise Unavailable(
            f"version {named!r} of deployment {deployment.name!r} has no ready replica"
        )
    return version


def _sticky(deployment: Deployment, key: str, ready: Callable[[Version], bool]) -> Version | None:
    """The version that `key` belongs to, or the next in its ranking that is ready."""
    versions = deployment.shares.members
    first = _highest(deployment, versions, key)
    if first is None or ready(first):
        return first
    return _highest(deployment, (version for version in versions if ready(version)), key)


def _highest(deployment: Deployment, versions: Iterable[Version], key: str) -> Version | None:
    return max(versions, key=lambda version: _score(deployment, version, key), default=None)


def _score(deployment: Deployment, version: Version, key: str) -> float:
    """Weighted rendezvous: a score depends on nothing but the key and the version itself.

    So a change of one weight moves keys only to or from that version. The version takes part by
    its name: weights belong to names, and a new release of `main` must not move the keys of its
    canaries, which it would if the id took part. The deployment takes part so that it is not the
    same callers who meet the canaries of every deployment.
    """
    text = f"{deployment.name}\0{version.name}\0{key}"
    # A header that is not valid UTF-8 reaches us with surrogates; it is a key like any other.
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 52 bits and a half: exact as a float, and never 0 or 1.
    uniform = ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52
    return -version.weight / math.log(uniform)
