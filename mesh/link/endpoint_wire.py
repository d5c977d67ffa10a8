"""Endpoint ↔ mesh.v1.Endpoint."""

import re

from mesh.errors import Internal
from mesh.traffic.endpoint import (
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
from mesh.v1 import routing_pb2

_BALANCES = {
    routing_pb2.LOAD_BALANCE_UNSPECIFIED: LoadBalance.WEIGHTED,
    routing_pb2.LOAD_BALANCE_WEIGHTED: LoadBalance.WEIGHTED,
    routing_pb2.LOAD_BALANCE_OVERFLOW: LoadBalance.OVERFLOW,
    routing_pb2.LOAD_BALANCE_CAPACITY: LoadBalance.CAPACITY,
}
_BALANCE_NUMBERS = {balance: number for number, balance in _BALANCES.items()}


def endpoint_to_proto(endpoint: Endpoint) -> routing_pb2.Endpoint:
    """The message that describes `endpoint`; times are rounded to nanoseconds."""
    proto = routing_pb2.Endpoint(
        name=endpoint.name,
        deployments=[
            routing_pb2.WeightedDeployment(deployment=share.deployment, weight=share.weight)
            for share in endpoint.deployments
        ],
        load_balance=_BALANCE_NUMBERS[endpoint.load_balance],
        upstreams=[_upstream_to_proto(upstream) for upstream in endpoint.upstreams],
        rules=[_rule_to_proto(rule) for rule in endpoint.rules],
        terminated=endpoint.is_terminated,
    )
    if endpoint.scale_out_delay:
        proto.scale_out_delay.FromNanoseconds(round(endpoint.scale_out_delay * 1e9))
    if (mirror := endpoint.mirror) is not None:
        made = routing_pb2.Mirror(deployment=mirror.deployment, percent=mirror.percent)
        proto.mirror.CopyFrom(made)
    if (session := endpoint.session) is not None:
        named = routing_pb2.Session(header=session.header, cookie=session.cookie, ttl=session.ttl)
        proto.session.CopyFrom(named)
    return proto


def endpoint_from_proto(proto: routing_pb2.Endpoint) -> Endpoint:
    """The endpoint that `proto` describes.

    Raises Internal if it holds a rule of a kind that is not known here.
    """
    balance = _BALANCES.get(proto.load_balance)
    if balance is None:
        raise Internal(f"endpoint {proto.name!r} is balanced by a rule unknown here")
    session = proto.session
    return Endpoint(
        proto.name,
        tuple(WeightedDeployment(share.deployment, share.weight) for share in proto.deployments),
        balance,
        proto.scale_out_delay.ToNanoseconds() / 1e9,
        tuple(
            Upstream(each.name, each.url, each.weight, each.api_key, each.model)
            for each in proto.upstreams
        ),
        Mirror(proto.mirror.deployment, proto.mirror.percent) if proto.HasField("mirror") else None,
        tuple(_rule(proto.name, rule) for rule in proto.rules),
        Session(session.header, session.cookie, session.ttl) if proto.HasField("session") else None,
        proto.terminated,
    )


def _upstream_to_proto(upstream: Upstream) -> routing_pb2.Upstream:
    return routing_pb2.Upstream(
        name=upstream.name,
        url=upstream.url,
        weight=upstream.weight,
        api_key=upstream.api_key,
        model=upstream.model,
    )


def _rule_to_proto(rule: Rule) -> routing_pb2.Rule:
    return routing_pb2.Rule(
        headers=[_match_to_proto(match) for match in rule.headers],
        deployment=rule.deployment,
        version=rule.version,
    )


def _match_to_proto(match: HeaderMatch) -> routing_pb2.HeaderMatch:
    made = routing_pb2.HeaderMatch
    match match.kind:
        case MatchKind.EXACT:
            return made(name=match.name, exact=match.value)
        case MatchKind.PREFIX:
            return made(name=match.name, prefix=match.value)
        case MatchKind.REGEX:
            return made(name=match.name, regex=match.value)
        case MatchKind.PRESENT | MatchKind.ABSENT:
            return made(name=match.name, present=match.kind is MatchKind.PRESENT)


def _rule(endpoint: str, proto: routing_pb2.Rule) -> Rule:
    try:
        headers = tuple(_match(match) for match in proto.headers)
    except (ValueError, re.error) as error:
        raise Internal(f"endpoint {endpoint!r} has a rule that cannot be read: {error}") from None
    return Rule(headers, proto.deployment, proto.version)


def _match(proto: routing_pb2.HeaderMatch) -> HeaderMatch:
    """Raises ValueError for a condition that is not known, re.error for a regex that is none."""
    match proto.WhichOneof("condition"):
        case "exact":
            return HeaderMatch(proto.name, MatchKind.EXACT, proto.exact)
        case "prefix":
            return HeaderMatch(proto.name, MatchKind.PREFIX, proto.prefix)
        case "regex":
            return HeaderMatch(proto.name, MatchKind.REGEX, proto.regex)
        case "present":
            return HeaderMatch(proto.name, MatchKind.PRESENT if proto.present else MatchKind.ABSENT)
        case _:
            raise ValueError(f"a condition on {proto.name!r} that is not known here")
