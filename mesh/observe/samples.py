"""Metrics that a user's code keeps with prometheus_client, from its replicas to one page.

A replica collects them as families, which travel as JSON; a gateway merges those of all replicas.
"""

# ruff: noqa: PLC0415 - prometheus_client is loaded only where the user's code or a scrape has it

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import Metric

MAX_SAMPLES = 10_000
"""Samples that one replica may have; families beyond are left out."""
_CREATED = "_created"  # moments, which have no sum; BentoML's page has none either
_EACH = "all"

Labels = tuple[tuple[str, str], ...]
"""Names with values, in alphabetical order."""


class Sample(NamedTuple):
    """One line of a page."""

    name: str
    labels: Labels
    value: float


class Family(NamedTuple):
    """One metric of one process, or of several.

    `type` is that of prometheus_client ("counter", "gauge", ...). `mode` says what becomes of
    gauges of several processes: "min", "max" and "sum", each also with "live" in front, and
    "mostrecent" leave one; any other keeps them all, told apart by the label `pid`.
    """

    name: str
    help: str
    type: str
    mode: str
    samples: tuple[Sample, ...]


def collect() -> tuple[Family, ...]:
    """The families of the default registry, without those that tell of the process itself.

    Empty where nobody has imported prometheus_client. Not more than MAX_SAMPLES samples.
    """
    if "prometheus_client" not in sys.modules:
        return ()
    import prometheus_client as client

    own = (client.PROCESS_COLLECTOR, client.PLATFORM_COLLECTOR, client.GC_COLLECTOR)
    names = {metric.name for collector in own for metric in collector.collect()}
    families = []
    left = MAX_SAMPLES
    for metric in client.REGISTRY.collect():
        if metric.name in names:
            continue
        family = _family(metric)
        left -= len(family.samples)
        if left < 0:
            break
        families.append(family)
    return tuple(families)


def _family(metric: "Metric") -> Family:
    mode = _mode(metric.name) if metric.type == "gauge" else ""
    mine = (("pid", str(os.getpid())),) if mode == _EACH else ()
    samples = tuple(
        Sample(each.name, tuple(sorted((*each.labels.items(), *mine))), each.value)
        for each in metric.samples
        if not each.name.endswith(_CREATED)
    )
    return Family(metric.name, metric.documentation, metric.type, mode, samples)


def _mode(name: str) -> str:
    """The `multiprocess_mode` of a gauge, which no public attribute tells."""
    from prometheus_client import REGISTRY

    gauge = REGISTRY._names_to_collectors.get(name)  # noqa: SLF001 - no public look-up
    mode = str(getattr(gauge, "_multiprocess_mode", _EACH)).removeprefix("live")
    return mode or _EACH


def dump(families: Iterable[Family]) -> str:
    """The families as JSON text."""
    return json.dumps([*families])


def load(text: bytes) -> tuple[Family, ...]:
    """The families of JSON text. Raises ValueError if it holds none."""
    try:
        return tuple(_loaded(*each) for each in json.loads(text))
    except (TypeError, ValueError) as error:
        raise ValueError("this is no list of families") from error


def _loaded(name: str, help_text: str, kind: str, mode: str, samples: list[Any]) -> Family:
    found = (
        Sample(each, tuple((str(label), str(text)) for label, text in labels), float(value))
        for each, labels, value in samples
    )
    return Family(name, help_text, kind, mode, tuple(found))


def _last(_: float, new: float) -> float:
    return new


def _sum(old: float, new: float) -> float:
    return old + new


_TYPES: dict[str, Callable[[float, float], float]] = {
    "counter": _sum,
    "histogram": _sum,
    "summary": _sum,
}
_MODES: dict[str, Callable[[float, float], float]] = {"sum": _sum, "min": min, "max": max}


def merge(replicas: Iterable[Iterable[Family]]) -> tuple[Family, ...]:
    """One family for each name, samples with the same labels as one.

    Counters, histograms and summaries are added up; gauges as their mode says; of anything else
    the last one counts. A family of another type than the first of its name is left out.
    """
    first: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, Labels], float]] = {}
    for families in replicas:
        for family in families:
            known = first.setdefault(family.name, family)
            if known.type != family.type:
                continue
            into = values.setdefault(family.name, {})
            join = _TYPES.get(family.type) or _MODES.get(family.mode, _last)
            for name, labels, value in family.samples:
                key = (name, labels)
                into[key] = join(into[key], value) if key in into else value
    return tuple(
        family._replace(samples=tuple(Sample(*each, value) for each, value in values[name].items()))
        for name, family in first.items()
    )


class Families:
    """Families as a source for mesh.observe.metrics.render."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)

    def __repr__(self) -> str:
        return f"Families({', '.join(family.name for family in self._families)})"

    def collect(self) -> "Iterator[Metric]":
        """The families in prometheus_client's own form."""
        from prometheus_client import Metric

        for family in self._families:
            metric = Metric(family.name, family.help, family.type)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric
