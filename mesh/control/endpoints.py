"""Settings of an endpoint → the endpoint of the routing table."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from mesh.config.endpoint import EndpointConfig, HeaderMatch as MatchConfig, Upstream as Settings
from mesh.traffic.snapshot import (
    Endpoint,
    HeaderMatch,
    LoadBalance,
    MatchKind,
    Mirror,
    Rule,
    Session,
    Upstream,
    WeightedDeployment,
)

NO_KEYS: Mapping[int, str] = MappingProxyType({})


def endpoint_of_config(
    name: str, config: EndpointConfig, keys: Mapping[int, str] = NO_KEYS
) -> Endpoint:
    """The endpoint `name` as callers know it.

    `keys` are plain keys of upstreams by their place, from wherever secrets are kept; an upstream
    that is not among them has the key of its own settings.
    """
    mirror, session = config.mirror, config.session
    return Endpoint(
        name,
        tuple(WeightedDeployment(*share) for share in config.deployments.items()),
        LoadBalance(config.load_balance),
        config.overflow_scale_out_delay,
        tuple(_upstreams(config.upstreams, keys)),
        Mirror(mirror.deployment, mirror.percent) if mirror is not None else None,
        tuple(
            Rule(
                tuple(_match(field, match) for field, match in rule.headers.items()),
                rule.deployment,
                rule.version,
            )
            for rule in config.rules
        ),
        # Names of header fields have no case, and arrive in lower case.
        Session(session.header.lower(), session.cookie, session.ttl)
        if session is not None
        else None,
    )


def within(endpoint: Endpoint, organization: str, owners: Mapping[str, str]) -> Endpoint:
    """The endpoint of an organization, for which deployments of others are not there.

    `owners` are the organizations of deployments, by their names. It may name those of others: it
    did when its own organization still had a deployment of that name. A rule that leads to one
    leads nowhere, as with any deployment that is not there.
    """
    foreign = {name for name in _names(endpoint) if owners.get(name, organization) != organization}
    if not foreign:
        return endpoint
    mirror = endpoint.mirror
    return replace(
        endpoint,
        deployments=tuple(each for each in endpoint.deployments if each.deployment not in foreign),
        mirror=None if mirror is not None and mirror.deployment in foreign else mirror,
        rules=tuple(
            # No deployment has such a name.
            replace(rule, deployment=f"{rule.deployment} of {organization}")
            if rule.deployment in foreign
            else rule
            for rule in endpoint.rules
        ),
    )


def _names(endpoint: Endpoint) -> Iterator[str]:
    yield from endpoint.reachable
    if endpoint.mirror is not None:
        yield endpoint.mirror.deployment


def _upstreams(settings: tuple[Settings, ...], keys: Mapping[int, str]) -> Iterator[Upstream]:
    seen: dict[str, int] = {}
    for place, each in enumerate(settings):
        host = urlsplit(each.url).netloc
        seen[host] = seen.get(host, 0) + 1
        # Several may be at one host, under different paths.
        name = host if seen[host] == 1 else f"{host}#{seen[host]}"
        key = keys.get(place, each.api_key.get_secret_value())
        yield Upstream(name, each.url, each.weight, key, each.model)


def _match(name: str, match: MatchConfig) -> HeaderMatch:
    field = name.lower()
    if match.exact is not None:
        return HeaderMatch(field, MatchKind.EXACT, match.exact)
    if match.prefix is not None:
        return HeaderMatch(field, MatchKind.PREFIX, match.prefix)
    if match.regex is not None:
        return HeaderMatch(field, MatchKind.REGEX, match.regex)
    return HeaderMatch(field, MatchKind.PRESENT if match.present else MatchKind.ABSENT)
