"""What a client of the cloud API says of an endpoint → the settings that it comes to. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.config import EndpointConfig, parse
from mesh.control.records import Intent
from mesh.control.status import DeploymentPhase
from mesh.errors import InvalidArgument

LOAD_BALANCES = ("weighted", "overflow", "capacity")


@dataclass(frozen=True, slots=True)
class UpstreamWish:
    """A server outside. An empty `api_key` is the one that it has."""

    url: str
    model: str = ""
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class EndpointWish:
    """What is said; None leaves what it was, or is the default of a new one.

    `deployments` are uids or names, by their rank; `weights` are by the same. `delay` is in
    seconds. The texts at the end are kept for who says them.
    """

    deployments: Sequence[str] | None = None
    weights: Mapping[str, int] | None = None
    load_balance: str | None = None
    delay: int | None = None
    upstreams: Sequence[UpstreamWish] | None = None
    domain: str | None = None
    protocol: str | None = None
    strategy: str | None = None


def settled(
    name: str, wish: EndpointWish, before: EndpointConfig | None, known: Mapping[str, str]
) -> EndpointConfig:
    """The settings of the endpoint `name`, which are `before` but for what is said.

    `known` has the names of deployments by all that they go by: name and uid. What the cloud API
    has no words for (rules, sessions, mirrors) stays as it is.

    Raises:
        InvalidArgument: a deployment is not known, weights are not for those that are meant, or
            there is no such load balance.
        ConfigError: what it comes to makes no endpoint.
    """
    document: dict[str, Any] = {}
    if before is not None:
        # What is not in here, a key, is left as it is.
        without = {"upstreams": {"__all__": {"api_key"}}}
        document = before.model_dump(mode="json", exclude=without)
    if wish.load_balance:
        document["load_balance"] = _load_balance(wish.load_balance)
    document["deployments"] = _deployments(wish, document.get("deployments", {}), known)
    if wish.upstreams is not None:
        document["upstreams"] = _upstreams(wish.upstreams, document.get("upstreams", ()))
    said = {
        "overflow_scale_out_delay": wish.delay,
        "domain": wish.domain,
        "protocol": wish.protocol,
        "strategy": wish.strategy,
    }
    document |= {key: value for key, value in said.items() if value is not None}
    return parse(EndpointConfig, document, what=f"endpoint {name}")


def _load_balance(said: str) -> str:
    if said not in LOAD_BALANCES:
        raise InvalidArgument(f"load_balance: {said!r} is none of {', '.join(LOAD_BALANCES)}")
    return said


def _deployments(
    wish: EndpointWish, before: Mapping[str, int], known: Mapping[str, str]
) -> dict[str, int]:
    """The weights of deployments by their names, in their order."""
    names = dict.fromkeys(before)
    if wish.deployments is not None:
        names = dict.fromkeys(_name(each, "deployment_ids", known) for each in wish.deployments)
    if not wish.weights:
        return {name: before.get(name, 1) for name in names}
    weights = {
        _name(each, "deployment_weights", known): weight for each, weight in wish.weights.items()
    }
    for name in weights:
        if name not in names:
            raise InvalidArgument(f"deployment_weights: {name!r} is not among deployment_ids")
    for name in names:
        if name not in weights:
            raise InvalidArgument(
                f"deployment_weights: say the weight of {name!r} too, or none at all"
            )
    return {name: weights[name] for name in names}


def _name(said: str, where: str, known: Mapping[str, str]) -> str:
    found = known.get(said)
    if found is None:
        raise InvalidArgument(f"{where}: there is no deployment {said!r}")
    return found


def _upstreams(
    wished: Sequence[UpstreamWish], before: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    weights = {each["url"]: each["weight"] for each in before}
    return [
        {
            "url": each.url,
            "model": each.model,
            "weight": weights.get(each.url, 1),
            **({"api_key": each.api_key} if each.api_key else {}),
        }
        for each in wished
    ]


_GOOD = (DeploymentPhase.RUNNING.label, DeploymentPhase.SCALED_TO_ZERO.label)


def status_word(intent: Intent, *, leads_outside: bool, statuses: Iterable[str]) -> str:
    """The status of an endpoint, from those of the deployments that it leads to."""
    if intent is not Intent.RUN:
        return DeploymentPhase.TERMINATED.label
    found = set(statuses)
    if leads_outside or found.intersection(_GOOD):
        return DeploymentPhase.RUNNING.label
    if DeploymentPhase.DEPLOYING.label in found:
        return DeploymentPhase.DEPLOYING.label
    return DeploymentPhase.UNHEALTHY.label
