"""The snapshot, put together of parts that stay what they are."""

from collections.abc import Iterator
from dataclasses import replace

from mesh.control.endpoints import within
from mesh.control.records import DeploymentRecord, EndpointRecord, Intent, State
from mesh.control.routes import Routes
from mesh.traffic.snapshot import Deployment, Endpoint, Grant, LoadBalance, WeightedDeployment


def deployment(name: str, intent: Intent = Intent.RUN) -> DeploymentRecord:
    return DeploymentRecord(name, "u", 0.0, 0.0, 1, intent)


def endpoint(name: str, **config: object) -> EndpointRecord:
    return EndpointRecord(name, "u", 0.0, 0.0, {"deployments": {"d": 1}, **config})


STATE = State({name: deployment(name) for name in ("d", "e")})


def test_every_deployment_has_an_endpoint_of_its_name_whatever_else_leads_to_it() -> None:
    state = replace(STATE, endpoints={"public": endpoint("public")})
    snapshot = Routes().snapshot(state, 7, None)
    assert list(snapshot.endpoints) == ["public", "d", "e"]
    assert snapshot.endpoints["e"].deployments == (WeightedDeployment("e", 1),)
    assert (snapshot.epoch, snapshot.number) == (7, 1)


def test_one_more_endpoint_does_not_take_the_requests_that_name_none() -> None:
    routes = Routes()
    assert routes.snapshot(STATE, 7, None).default_endpoint == "d"
    late = replace(endpoint("late"), created_at=1.0)
    state = replace(STATE, endpoints={"late": late})
    assert routes.snapshot(state, 7, None).default_endpoint == "d"
    at_once = replace(STATE, endpoints={"at-once": endpoint("at-once")})
    assert routes.snapshot(at_once, 7, None).default_endpoint == "at-once"
    said = replace(late, config={**late.config, "default": True}, updated_at=2.0)
    both = {"at-once": endpoint("at-once"), "late": said}
    assert routes.snapshot(replace(STATE, endpoints=both), 7, None).default_endpoint == "late"


def test_an_endpoint_that_is_not_understood_stops_no_other() -> None:
    strange = replace(endpoint("strange"), config={"deployments": {"d": 1}, "news": 1})
    snapshot = Routes().snapshot(replace(STATE, endpoints={"strange": strange}), 7, None)
    assert snapshot.endpoints["strange"].deployments == ()
    assert snapshot.endpoints["e"].deployments == (WeightedDeployment("e", 1),)


def test_an_endpoint_with_the_name_of_a_deployment_goes_before_the_deployments_own() -> None:
    state = replace(STATE, endpoints={"e": endpoint("e")})
    snapshot = Routes().snapshot(state, 7, None)
    assert snapshot.endpoints["e"].deployments == (WeightedDeployment("d", 1),)


def test_an_endpoint_of_another_organization_does_not_go_before_a_deployments_own() -> None:
    theirs = replace(endpoint("e", default=True), organization="other")
    snapshot = Routes().snapshot(replace(STATE, endpoints={"e": theirs}), 7, None)
    assert snapshot.endpoints["e"].deployments == (WeightedDeployment("e", 1),)
    assert snapshot.default_endpoint == "d"


def test_what_has_not_changed_is_the_same_object_and_no_change_is_no_snapshot() -> None:
    routes = Routes()
    routes.put("d", Deployment("d", ()))
    routes.put("e", Deployment("e", ()))
    first = routes.snapshot(STATE, 7, None)
    routes.put("d", Deployment("d", ()))
    assert routes.snapshot(STATE, 7, first) is first
    routes.put("d", Deployment("d", (), spills=False))
    second = routes.snapshot(STATE, 7, first)
    assert second.number == 2
    assert second.deployments["e"] is first.deployments["e"]
    assert second.endpoints["e"] is first.endpoints["e"]


def test_what_is_deleted_is_not_there_and_what_is_terminated_leads_nowhere() -> None:
    state = State(
        {"d": deployment("d", Intent.DELETE)},
        endpoints={"public": replace(endpoint("public"), intent=Intent.TERMINATE)},
    )
    routes = Routes()
    routes.put("d", Deployment("d", ()))
    routes.put("d", None)
    snapshot = routes.snapshot(state, 7, None)
    assert snapshot.deployments == {}
    assert list(snapshot.endpoints) == ["public"]
    assert snapshot.endpoints["public"].is_terminated
    assert snapshot.endpoints["public"].deployments == ()


def test_an_endpoint_has_what_its_settings_say_and_the_keys_that_are_kept_apart() -> None:
    config = {"load_balance": "overflow", "upstreams": [{"url": "https://else.example"}]}
    record = replace(endpoint("public", **config), keys={0: "k3y"})
    snapshot = Routes().snapshot(replace(STATE, endpoints={"public": record}), 7, None)
    found = snapshot.endpoints["public"]
    assert found.load_balance is LoadBalance.OVERFLOW
    assert found.upstreams[0].api_key == "k3y"
    assert "k3y" not in repr(snapshot)


def test_an_endpoint_leads_to_no_deployment_of_another_organization() -> None:
    config = {
        "deployments": {"d": 1, "e": 3},
        "mirror": {"deployment": "e", "percent": 10},
        "rules": [{"headers": {"x": {"exact": "1"}}, "deployment": "e"}],
    }
    mine = replace(STATE, endpoints={"public": endpoint("public", **config)})
    routes = Routes()
    first = routes.snapshot(mine, 7, None)
    made = first.endpoints["public"]
    assert made.reachable == ("d", "e")
    assert made.mirror is not None
    deployments = {**STATE.deployments, "e": replace(deployment("e"), organization="other")}
    theirs = replace(mine, deployments=deployments)
    second = routes.snapshot(theirs, 7, first)
    found = second.endpoints["public"]
    assert found.deployments == (WeightedDeployment("d", 1),)
    assert found.mirror is None
    assert found.rules[0].deployment == "e of default"
    assert second.endpoints["e"].deployments == (WeightedDeployment("e", 1),), "it has its own"
    assert routes.snapshot(replace(theirs), 7, second) is second
    third = routes.snapshot(mine, 7, second)
    assert third.endpoints["public"] == made


def test_only_the_deployments_that_an_endpoint_names_are_looked_up() -> None:
    class Owners(dict[str, str]):
        def __iter__(self) -> Iterator[str]:
            raise AssertionError("all deployments are gone through")

        items = keys = values = None  # type: ignore[assignment]

    made = Endpoint("e", (WeightedDeployment("d", 1), WeightedDeployment("gone", 1)))
    assert within(made, "acme", Owners(d="acme", other="other")) is made
    found = within(made, "other", Owners(d="acme", other="other"))
    assert found.deployments == (WeightedDeployment("gone", 1),)


def test_new_grants_make_a_new_snapshot_and_equal_ones_none() -> None:
    routes = Routes()
    first = routes.snapshot(STATE, 7, None)
    grants = {b"digest": Grant("org", everything=True)}
    routes.grant(grants)
    second = routes.snapshot(STATE, 7, first)
    assert (second.number, second.grants) == (2, grants)
    assert second.deployments is first.deployments
    routes.grant(dict(grants))
    assert routes.snapshot(STATE, 7, second) is second
    grants.clear()  # the giver's own business
    assert second.grants
