"""What an endpoint names that is not there."""

from typing import Any

from mesh.config import EndpointConfig, parse
from mesh.control.endpoint_warnings import versions_in, warnings
from mesh.control.records import EndpointRecord

THERE = {"a": frozenset({"main", "v2"})}


def told(**config: Any) -> tuple[str, ...]:
    document = parse(EndpointConfig, config, what="e").model_dump(mode="json")
    return warnings(EndpointRecord("e", "u", 0.0, 0.0, document), THERE.get)


def rule(deployment: str, version: str = "") -> dict[str, Any]:
    return {"headers": {"x": {"present": True}}, "deployment": deployment, "version": version}


def test_an_endpoint_over_what_is_there_has_no_warnings() -> None:
    rules = [rule("a"), rule("a", "main"), rule("a", "v2")]
    assert told(deployments={"a": 1}, mirror={"deployment": "a"}, rules=rules) == ()
    assert told(upstreams=[{"url": "https://x.example"}]) == ()


def test_deployments_that_are_gone_are_named_wherever_they_stand() -> None:
    assert told(
        deployments={"a": 1, "gone": 0},
        mirror={"deployment": "gone"},
        rules=[rule("a"), rule("gone", "v2")],
    ) == (
        "deployments: there is no deployment 'gone' any more",
        "mirror.deployment: there is no deployment 'gone' any more",
        "rules.1.deployment: there is no deployment 'gone' any more",
    )


def test_a_version_that_a_deployment_does_not_have_is_named() -> None:
    assert told(deployments={"a": 1}, rules=[rule("a", "v2"), rule("a", "v3")]) == (
        "rules.1.version: deployment 'a' has no version 'v3'",
    )


def test_what_a_later_release_kept_is_looked_at_as_far_as_it_is_understood() -> None:
    assert warnings(EndpointRecord("e", "u", 0.0, 0.0, {"new": 1}), THERE.get) == ()


def test_the_versions_of_a_deployment_are_main_and_its_canaries() -> None:
    assert versions_in({}) == {"main"}
    assert versions_in({"canary": None}) == {"main"}
    assert versions_in({"canary": {"versions": {"v2": {}}}}) == {"main", "v2"}
