"""Which deployment of an endpoint takes a request, and which of its versions.

Knows weights and readiness, nothing about load.
"""

from collections.abc import Callable, Iterable
from random import Random

from mesh.errors import NotFound, Unavailable
from mesh.traffic.rendezvous import score
from mesh.traffic.shares import Shares
from mesh.traffic.snapshot import Deployment, Endpoint, SplitBy, Version


def choose_deployment(endpoint: Endpoint, usable: Callable[[str], bool], rng: Random) -> str:
    """The name of one deployment of `endpoint`, by chance in proportion to the weights.

    A deployment that is not `usable` leaves its share to the others; one with weight 0 is never
    chosen. Raises Unavailable if none is left.
    """
    name = endpoint.shares.draw(usable, rng)
    if name is None:
        raise nowhere(endpoint)
    return name


def nowhere(endpoint: Endpoint) -> Unavailable:
    """The error of a request to an endpoint that leads nowhere now."""
    if endpoint.is_terminated:
        return Unavailable(f"endpoint {endpoint.name!r} is terminated")
    return Unavailable(f"no deployment of endpoint {endpoint.name!r} has a ready replica")


def choose_version(
    deployment: Deployment,
    *,
    named: str,
    key: str | None,
    rng: Random,
    ready: Callable[[Version], bool],
    session: str | None = None,
) -> Version:
    """One version of `deployment`.

    `named` is the name or id that the request asks for (empty: none): that version or an error,
    whatever its weight. Otherwise versions with weight 0 are never chosen, and one that is not
    `ready` leaves its share to the others if the deployment spills. `key` is the value of the
    header or query parameter `deployment.split_key`; requests with equal keys go to the same
    version. `session` is a key that goes before it, however the deployment is split. Without a
    key (None) chance decides.

    While several releases have one name, each takes its share of what the name gets; one that is
    not ready leaves it to the others of the name.

    Raises NotFound if there is no version `named`, Unavailable if none is ready.
    """
    if named:
        return _named(deployment, named, ready, rng)
    if session is None and deployment.split_by is not SplitBy.RANDOM:
        session = key
    if session is None:
        version = _by_chance(deployment, ready, rng)
    else:
        version = _Key(deployment, session).version(ready, rng)
    if version is None:
        raise Unavailable(f"no version of deployment {deployment.name!r} has a ready replica")
    return version


def _named(
    deployment: Deployment, named: str, ready: Callable[[Version], bool], rng: Random
) -> Version:
    # A name goes before an id, so that no id can hide what a user calls a version.
    releases = deployment.names.get(named) or tuple(
        version for version in deployment.versions if version.id == named
    )
    if not releases:
        raise NotFound(f"deployment {deployment.name!r} has no version {named!r}")
    version = _of_one_name(releases, None, ready, rng)
    if version is None:
        raise Unavailable(
            f"version {named!r} of deployment {deployment.name!r} has no ready replica"
        )
    return version


def _of_one_name(
    releases: tuple[Version, ...],
    key: "_Key | None",
    ready: Callable[[Version], bool],
    rng: Random,
) -> Version | None:
    """A ready release of those that have one name: by `key`, without one by chance."""
    if len(releases) == 1:
        return releases[0] if ready(releases[0]) else None
    if key is not None:
        return key.release(releases, ready)
    return Shares.of((release, release.share) for release in releases).draw(ready, rng)


def _by_chance(
    deployment: Deployment, ready: Callable[[Version], bool], rng: Random
) -> Version | None:
    if deployment.spills:
        return deployment.shares.draw(ready, rng)
    chosen = deployment.shares.draw(lambda _: True, rng)
    if chosen is None or ready(chosen):
        return chosen
    # Requests don't go to other versions, but to another release of the same one they do.
    return _of_one_name(deployment.names[chosen.name], None, ready, rng)


class _Key:
    """The value that keeps requests together, at one deployment."""

    __slots__ = ("_deployment", "_key")

    def __init__(self, deployment: Deployment, key: str) -> None:
        self._deployment = deployment
        self._key = key

    def version(self, ready: Callable[[Version], bool], rng: Random) -> Version | None:
        """The version that the key belongs to, or the next in its ranking that is ready.

        First the name is chosen, then one of its releases: so a rollout moves keys from the old
        release to the new one as their shares say, and none to or from other versions.
        """
        weighted = {version.name: version for version in self._deployment.shares.members}
        first = self._highest(weighted.values())
        if first is None:
            return None
        names = self._deployment.names
        found = _of_one_name(names[first.name], self, ready, rng)
        if found is not None or not self._deployment.spills:
            return found
        able = {
            version.name: version for version in self._deployment.shares.members if ready(version)
        }
        other = self._highest(able.values())
        return None if other is None else _of_one_name(names[other.name], self, ready, rng)

    def _highest(self, versions: Iterable[Version]) -> Version | None:
        return max(versions, key=self._of_name, default=None)

    def _of_name(self, version: Version) -> float:
        """The score of a version's name.

        The version takes part by its name: weights belong to names, and a new release of `main`
        must not move the keys of its canaries, which it would if the id took part. The deployment
        takes part so that it is not the same callers who meet the canaries of every deployment.
        """
        return score(f"{self._deployment.name}\0{version.name}\0{self._key}", version.weight)

    def release(
        self, releases: Iterable[Version], ready: Callable[[Version], bool]
    ) -> Version | None:
        """The ready release that the key belongs to, of those that have one name."""
        able = (release for release in releases if release.share and ready(release))
        return max(able, key=self._of_release, default=None)

    def _of_release(self, version: Version) -> float:
        text = f"{self._deployment.name}\0{version.name}\0{version.id}\0{self._key}"
        return score(text, version.share)
