"""Which deployment, version and replica take a request, by the links that its caller has."""

from collections.abc import Callable
from random import Random

from mesh.clock import Clock
from mesh.errors import NotFound, Unavailable
from mesh.link.ends import CallerLink
from mesh.link.pool import Pool
from mesh.link.ways import Able, Usable, Ways, sleeps
from mesh.traffic.balance import choose_replica
from mesh.traffic.endpoint import Upstream
from mesh.traffic.places import is_asleep
from mesh.traffic.snapshot import (
    EMPTY,
    Deployment,
    Endpoint,
    Service,
    Snapshot,
    SplitBy,
    Version,
)
from mesh.traffic.split import choose_deployment, choose_version
from mesh.traffic.way import NO_PREFERENCE, Preference

SplitKey = Callable[[Deployment], str | None]
"""Finds the request's value of a deployment's split key; None if it has none."""
Find = Callable[[], Service]
"""Finds the service to call in the newest snapshot."""


class Choices:
    """Chooses who takes requests, by the newest snapshot and the links to its replicas."""

    def __init__(self, pool: Pool, clock: Clock, rng: Random) -> None:
        self._pool = pool
        self._rng = rng
        self._snapshot: Snapshot = EMPTY
        # Worked out once, until a snapshot or a link changes: which versions have a link, by id,
        # and where all requests to an endpoint go that has no choice, by its name.
        self._linked_versions: dict[str, bool] = {}
        self._only_choice: dict[str, tuple[str, Version]] = {}
        self._ways = Ways(pool.loads, clock, rng)

    def __repr__(self) -> str:
        return f"<Choices of snapshot {self._snapshot.number}, {self._ways!r}>"

    def follow(self, snapshot: Snapshot) -> None:
        """Chooses by `snapshot` from now on."""
        self._snapshot = snapshot
        self._ways.keep(snapshot.endpoints)
        self.forget()

    def forget(self) -> None:
        """Finds out anew what has a link."""
        self._linked_versions.clear()
        self._only_choice.clear()

    def choose(
        self,
        endpoint: Endpoint,
        *,
        named: str,
        key: SplitKey,
        preference: Preference = NO_PREFERENCE,
    ) -> tuple[str, Version]:
        """The deployment and version of `endpoint` that take a request.

        `named` is the version that the request asks for (empty: none), `key` finds the value
        that keeps requests together, `preference` is what else its endpoint goes by.

        Raises:
            NotFound: there is no version `named`.
            Unavailable: nobody is ready to take the request.
        """
        if preference.rule is not None:
            named = named or preference.rule.version
        if not named and (only := self._only_choice.get(endpoint.name)) is not None:
            return only
        try:
            chosen = self._choose(endpoint, named, key, self.is_reached, preference)
        except Unavailable:
            if named and not self._knows(endpoint, named, preference):
                raise NotFound(f"endpoint {endpoint.name!r} has no version {named!r}") from None
            try:
                # Links to new replicas may still be on their way: the call waits for them,
                return self._choose(endpoint, named, key, _has_replica, preference)
            except Unavailable:
                # and for a first replica where one is to come.
                return self._choose(endpoint, named, key, _may_have_replica, preference)
        if not named and self._has_no_choice(endpoint):
            self._only_choice[endpoint.name] = chosen
        return chosen

    def _has_no_choice(self, endpoint: Endpoint) -> bool:
        """Whether all requests that name no version go to one version."""
        members = endpoint.shares.members
        return endpoint.is_plain and len(members) == 1 == len(
            self._snapshot.deployments[members[0]].shares.members
        )

    def _knows(self, endpoint: Endpoint, named: str, preference: Preference) -> bool:
        rule = preference.rule
        names = endpoint.shares.members if rule is None else (rule.deployment,)
        found = (self._snapshot.deployments.get(name) for name in names)
        return any(
            named in (version.name, version.id)
            for deployment in found
            if deployment is not None
            for version in deployment.versions
        )

    def _choose(
        self,
        endpoint: Endpoint,
        named: str,
        key: SplitKey,
        ready: Callable[[Version], bool],
        preference: Preference,
    ) -> tuple[str, Version]:
        deployments = self._snapshot.deployments
        usable = self._usable(named, ready)
        if endpoint.is_plain:
            name = choose_deployment(endpoint, usable, self._rng)
        else:
            name = self._ways.deployment(endpoint, deployments, preference, usable, ready)
            if preference.session is not None or sleeps(deployments.get(name)):
                ready = _or_asleep(ready)
        deployment = deployments[name]
        value = key(deployment) if deployment.split_key else None
        if value is not None and deployment.split_by is not SplitBy.RANDOM:
            # Who belongs to a version that sleeps waits for it, and is not another's guest.
            ready = _or_asleep(ready)
        version = choose_version(
            deployment,
            named=named,
            key=value,
            rng=self._rng,
            ready=ready,
            session=preference.session,
        )
        return name, version

    def _usable(self, named: str, ready: Callable[[Version], bool]) -> Usable:
        """Whether a deployment has a `ready` version, and one `named` so unless that is empty."""
        deployments = self._snapshot.deployments

        def usable(name: str) -> bool:
            found = deployments.get(name)
            if found is None:
                return False
            if named:
                return any(named in (v.name, v.id) and ready(v) for v in found.versions)
            return any(map(ready, found.shares.members))

        return usable

    def outside(
        self, endpoint: Endpoint, *, preference: Preference, able: Able, alone: bool
    ) -> Upstream | None:
        """The upstream of `endpoint` that takes a request, of those that are `able` to.

        None if a deployment takes it, or nothing can; `choose` tells which. `alone`: no deployment
        can.
        """
        deployments = {} if alone else self._snapshot.deployments
        usable = (lambda _: False) if alone else self._usable("", self.is_reached)
        return self._ways.upstream(endpoint, deployments, preference, usable, self.is_reached, able)

    def is_reached(self, version: Version) -> bool:
        """Whether there is a link to a replica of the version's entry."""
        known = self._linked_versions.get(version.id)
        if known is None:
            link = self._pool.link
            entry = version.services.get(version.entry)
            known = entry is not None and any(link(replica.id) for replica in entry.replicas)
            self._linked_versions[version.id] = known
        return known

    def replica(self, service: Service, tried: set[str]) -> tuple[CallerLink, str] | None:
        """A replica of `service` that was not tried; None while no such replica has a link.

        Raises:
            Unavailable: all were tried, or there are none.
            Overloaded: all are full.
        """
        pool = self._pool
        replicas = service.replicas
        full = service.max_concurrency
        chosen = choose_replica(
            replicas, pool.loads, self._rng, excluded=tried, max_concurrency=full
        ).id
        link = pool.link(chosen)
        if link is not None:
            return link, chosen
        replicas = tuple(r for r in replicas if r.id not in tried and pool.link(r.id) is not None)
        if not replicas:
            return None
        chosen = choose_replica(replicas, pool.loads, self._rng, max_concurrency=full).id
        link = pool.link(chosen)
        return None if link is None else (link, chosen)


def _has_replica(version: Version) -> bool:
    entry = version.services.get(version.entry)
    return entry is not None and bool(entry.replicas)


def _may_have_replica(version: Version) -> bool:
    return _has_replica(version) or is_asleep(version)


def _or_asleep(ready: Callable[[Version], bool]) -> Callable[[Version], bool]:
    return lambda version: ready(version) or is_asleep(version)
