"""Deployments on the wire ↔ settings, by tables and by chance."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mesh.config import DeploymentConfig, parse
from mesh.errors import InvalidArgument, MeshError
from mesh.faces.cloud.deployments.translation import (
    config_of,
    kebab,
    merged,
    quantity,
    tag_of,
    wire_of,
)
from mesh.faces.cloud.wire.deployments import SentDeployment, sent

names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
env_names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
stages = st.sampled_from(["", "build", "runtime", "all"])
extras = st.none() | st.fixed_dictionaries({"bento_function_overrides": st.just({"a": 1})})


@st.composite
def envs(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = draw(st.dictionaries(env_names, st.tuples(texts, stages), max_size=3))
    return [{"name": k, "value": value, "stage": stage} for k, (value, stage) in found.items()]


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    kinds = draw(st.lists(st.sampled_from(["cpu", "gpu", "memory", "qps"]), unique=True))
    window = st.none() | st.integers(0, 3600)
    return {
        "metrics": [
            {"type": kind, "value": quantity(kind, draw(st.integers(1, 2**40)))} for kind in kinds
        ],
        "scale_up_behavior": draw(st.sampled_from(["fast", "stable", "disabled"])),
        "scale_down_behavior": draw(st.sampled_from(["fast", "stable", "disabled"])),
        "scale_up_stabilization_window": draw(window),
        "scale_down_stabilization_window": draw(window),
        "scaling_strategy": draw(st.none() | st.just("x")),
    }


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    wait = draw(st.none() | st.integers(0, 600))
    least = draw(st.integers(0, 4))
    scaling = {
        "min_replicas": least,
        "max_replicas": max(1, least + draw(st.integers(0, 4))),
        "policy": draw(st.none() | policies()),
    }
    traffic = st.fixed_dictionaries({"traffic": st.just({"timeout": 5})})
    return {
        "instance_type": draw(st.none() | st.just("cpu.1")),
        "scaling": draw(st.none() | st.just(scaling)),
        "envs": draw(envs()),
        "deployment_strategy": draw(st.none() | st.sampled_from(["Recreate", "RollingUpdate"])),
        "cold_start_timeout": wait,
        "coldstart_timeout": wait,
        "config_overrides": draw(st.just({}) | st.just({"other": 1}) | traffic),
        "extras": draw(extras),
        "enable_image_builder_colocation": draw(st.none() | st.booleans()),
    }


@st.composite
def versions(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "bento": f"{draw(names)}:{draw(names)}",
        "envs": draw(envs()),
        "secrets": draw(st.lists(names, unique=True, max_size=2)),
        "services": draw(st.dictionaries(st.sampled_from(["Main", "Part"]), services())),
    }


@st.composite
def canaries(draw: st.DrawFn) -> dict[str, Any]:
    found = draw(st.dictionaries(names.filter(lambda n: n != "main"), versions(), min_size=1))
    each = 100 // len(found)
    weights = {name: draw(st.integers(0, each)) for name in found}
    by = draw(st.sampled_from(["random", "header", "query"]))
    return {
        "route_type": by,
        "route_by": None if by == "random" else "x-user",
        "versions": {name: {**each, "weight": weights[name]} for name, each in found.items()},
    }


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    labels = draw(st.dictionaries(env_names, texts, max_size=3))
    return {
        "name": draw(names),
        "description": draw(texts),
        "labels": [{"key": key, "value": value} for key, value in labels.items()],
        "access_authorization": draw(st.booleans()),
        "dev": draw(st.booleans()),
        "distributed": draw(st.booleans()),
        "weight": draw(st.none() | st.integers(0, 9)),
        **draw(versions()),
        "canary": draw(st.none() | canaries()),
    }


@settings(max_examples=100, deadline=None)
@given(deployments())
def test_what_is_sent_comes_back_and_means_the_same(wire: dict[str, Any]) -> None:
    config = config_of(wire)
    again = wire_of(config.model_dump(mode="json"))
    assert again == wire
    assert config_of(again, config) == config_of(again) == config


@settings(max_examples=50, deadline=None)
@given(deployments())
def test_nothing_sent_changes_nothing(wire: dict[str, Any]) -> None:
    assert merged(wire, {}) == wire


def test_settings_that_the_wire_does_not_have_stay() -> None:
    config = parse(
        DeploymentConfig,
        {
            "name": "d",
            "target": "app.svc:TinyService",
            "placement": "pack",
            "progress_deadline": 9.0,
            "services": {"Main": {"threads": 3, "replicas": 2}},
        },
        what="d",
    )
    wire = wire_of(config.model_dump(mode="json"))
    assert wire["bento"] == "tiny-service:local"
    assert wire["services"]["Main"]["scaling"]["min_replicas"] == 2
    assert config_of(wire, config) == config
    changed = config_of(merged(wire, {"envs": [{"name": "A", "value": "1"}]}), config)
    assert (changed.target, changed.placement) == ("app.svc:TinyService", "pack")
    assert changed.services["Main"].threads == 3


KEPT = {
    "name": "d",
    "bento": "a:1",
    "labels": [{"key": "k", "value": "v"}],
    "envs": [{"name": "A", "value": "1", "stage": "build"}],
    "services": {"Main": {"coldstart_timeout": 5, "cold_start_timeout": 5, "extras": {"x": 1}}},
}


@pytest.mark.parametrize(
    ("given", "key", "found"),
    [
        ({}, "labels", KEPT["labels"]),
        ({"labels": None}, "labels", KEPT["labels"]),
        ({"labels": []}, "labels", []),
        ({"envs": None}, "envs", []),
        (
            {"envs": [{"name": "A", "value": "2"}]},
            "envs",
            [{"name": "A", "value": "2", "stage": "build"}],
        ),
        (
            {"services": {"Main": {"extras": None}}},
            "services",
            {"Main": {"coldstart_timeout": 5, "cold_start_timeout": 5, "extras": None}},
        ),
        (
            {"services": {"Main": {"cold_start_timeout": None}}},
            "services",
            {"Main": {"coldstart_timeout": None, "cold_start_timeout": None, "extras": {"x": 1}}},
        ),
        (
            {"services": {"Main": {"coldstart_timeout": 7}}},
            "services",
            {"Main": {"coldstart_timeout": 7, "cold_start_timeout": 7, "extras": {"x": 1}}},
        ),
        ({"services": {}}, "services", {}),
        ({"canary": None}, "canary", None),
    ],
)
def test_what_is_absent_stays_and_what_is_null_is_cleared(
    given: dict[str, Any], key: str, found: Any
) -> None:
    assert merged(KEPT, given)[key] == found


def test_two_names_of_one_limit_do_not_disagree() -> None:
    both = {"services": {"Main": {"coldstart_timeout": 1, "cold_start_timeout": 2}}}
    with pytest.raises(InvalidArgument, match="two names of one thing"):
        merged(KEPT, both)


def test_a_canary_without_a_release_has_that_of_main() -> None:
    config = config_of(merged({"name": "d"}, {"bento": "a:1", "canary": {"versions": {"b": {}}}}))
    assert config.canary.versions["b"].release == "a:1"


def test_what_no_json_has_is_refused() -> None:
    body = SentDeployment.model_validate(
        {"services": {"Main": {"extras": {"x": float("nan")}}, "Part": {}}}
    )
    with pytest.raises(MeshError, match="JSON"):
        sent(body)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("cpu", 80.0, "80"),
        ("memory", 2.0 * 2**30, "2Gi"),
        ("memory", 1000.0, "1000"),
        ("qps", 0.5, "0.5"),
    ],
)
def test_numbers_are_written_as_quantities(kind: str, value: float, text: str) -> None:
    assert quantity(kind, value) == text


def test_names_become_labels() -> None:
    assert kebab("TinyService_2") == "tiny-service-2"
    assert tag_of({"target": "a.b:Main"}) == "main:local"
