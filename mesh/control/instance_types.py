"""Instance types: those that are built in, and those of the catalogue, which go before them.

What is kept of one is its `config` as the cloud API has it, so that what we do not use of it comes
back as it was; what a replica reserves is in `config.resources.requests`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.config import Resources, parse
from mesh.config.instance_types import DEFAULTS
from mesh.control.placement import CPU, GPU, MEMORY, Node, has
from mesh.control.records import Document
from mesh.control.store.catalogue import Catalogue, Entry, Kind

MIB = 2**20


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A set of resources with a name. `entry` is what is kept of it; built-in ones have none."""

    name: str
    description: str
    config: Document
    resources: Resources
    entry: Entry | None = None


def resources_in(config: Document) -> Resources:
    """What a replica of a type with this config reserves.

    Amounts are `requests`, else `limits`. Raises ConfigError naming what is none.
    """
    told = config.get("resources") or {}
    amounts = {**(told.get("limits") or {}), **_given(told.get("requests") or {})}
    gpu = _gpus(amounts.get("gpu"))
    gpu_type = (config.get("gpu_config") or {}).get("type") or ""
    custom = {
        name: float(amount) if _is_number(amount) else amount
        for name, amount in (amounts.get("custom") or {}).items()
    }
    value = {
        "cpu": amounts.get("cpu") or 0,
        "memory": amounts.get("memory") or 0,
        "gpu": gpu,
        "gpu_type": gpu_type if gpu else "",
        "custom": custom,
    }
    return parse(Resources, value, what="config.resources")


def _given(amounts: Document) -> dict[str, Any]:
    return {key: amount for key, amount in amounts.items() if amount not in (None, "")}


def _gpus(amount: object) -> object:
    if amount in (None, ""):
        return 0
    return float(str(amount)) if _is_number(amount) else amount


def _is_number(amount: object) -> bool:
    try:
        float(str(amount))
    except ValueError:
        return False
    return True


def config_of(resources: Resources, group: str = "", price: str = "") -> dict[str, Any]:
    """The config of a type that reserves this."""
    amounts = {
        "cpu": f"{resources.cpu:g}",
        "memory": _bytes(resources.memory),
        "gpu": f"{resources.gpu:g}",
        "custom": {name: f"{amount:g}" for name, amount in resources.custom.items()},
    }
    return {
        "group": group or ("gpu" if resources.gpu else "cpu"),
        "price": price,
        "resources": {"requests": amounts, "limits": dict(amounts)},
        "node_selectors": {},
        "tolerations": [],
        "gpu_config": {"type": resources.gpu_type, "memory": ""} if resources.gpu_type else None,
    }


def _bytes(amount: int) -> str:
    for unit, size in (("Gi", 2**30), ("Mi", MIB)):
        if amount and amount % size == 0:
            return f"{amount // size}{unit}"
    return str(amount)


def built_in(name: str) -> InstanceType:
    """One of those that are there without a catalogue."""
    resources = DEFAULTS[name]
    gpu = f", {resources.gpu:g} {resources.gpu_type} GPU" if resources.gpu else ""
    text = f"{resources.cpu:g} CPU, {_bytes(resources.memory)}{gpu}"
    return InstanceType(name, text, config_of(resources), resources)


def of_entry(entry: Entry) -> InstanceType:
    """One of the catalogue. Raises ConfigError if its config is not understood any more."""
    config = entry.document["config"]
    return InstanceType(
        entry.name, entry.document.get("description", ""), config, resources_in(config), entry
    )


def holds(node: Node, resources: Resources) -> bool:
    """Whether a node has so much in all."""
    wanted = {
        CPU: resources.cpu,
        MEMORY: float(resources.memory),
        GPU: resources.gpu,
        **resources.custom,
    }
    fits = has(node.total, {name: amount for name, amount in wanted.items() if amount})
    return fits and (not resources.gpu_type or resources.gpu_type in node.gpu_types)


def is_active(nodes: Sequence[Node], resources: Resources) -> bool:
    """Whether some node can hold a replica; so it is where resources are not counted."""
    return not nodes or any(holds(node, resources) for node in nodes)


async def known_types(catalogue: Catalogue) -> tuple[InstanceType, ...]:
    """All types, by name. Raises what a catalogue raises."""
    kept = [of_entry(each) for each in await catalogue.entries(Kind.INSTANCE_TYPE)]
    found = {name: built_in(name) for name in DEFAULTS} | {each.name: each for each in kept}
    return tuple(found[name] for name in sorted(found))


async def instance_types(catalogue: Catalogue) -> Mapping[str, Resources]:
    """What goes before the built-in types, for `plan.VersionDocument.instance_types`."""
    kept = await catalogue.entries(Kind.INSTANCE_TYPE)
    return {each.name: of_entry(each).resources for each in kept}


def types_in(config: Document) -> frozenset[str]:
    """The types that the settings of a deployment name, those of its canaries among them."""
    canaries: Mapping[str, Any] = (config.get("canary") or {}).get("versions") or {}
    versions: Iterable[Mapping[str, Any]] = (config, *canaries.values())
    return frozenset(
        name
        for version in versions
        for service in (version.get("services") or {}).values()
        if (name := service.get("instance_type"))
    )
