"""Config and manifest → what should run."""

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from mesh.call import CallKind, FetchLimits
from mesh.config import ServiceConfig, ServiceOverrides, VersionConfig
from mesh.control.desired import DesiredDeployment, Strategy, launch_of
from mesh.control.plan import (
    application,
    effective,
    plan,
    planned_again,
    planned_alone,
    recorded,
)
from mesh.control.records import RevisionRecord
from mesh.errors import ConfigError
from mesh.traffic.snapshot import Method, SplitBy


def service(name: str, **config: Any) -> dict[str, Any]:
    method = {"name": "predict", "route": "/predict", "kind": 1}
    return {"name": name, "methods": [method], "config": config, "schema_json": "{}"}


def graph(target: str = "app:Main", **config: Any) -> dict[str, Any]:
    services = {"Main": service("Main", **config), "Part": service("Part")}
    return {"manifest": {"entry": "Main", "services": services}, "source": {"target": target}}


def document(
    config: dict[str, Any] | None = None, endpoints: dict[str, Any] | None = None, **versions: Any
) -> bytes:
    value = {
        "config": {"name": "d", "target": "app:Main", **(config or {})},
        "versions": versions or {"main": graph()},
        "endpoints": endpoints or {},
    }
    return json.dumps(value).encode()


def planned(*args: Any, code: dict[str, bytes] | None = None, **kwargs: Any) -> DesiredDeployment:
    return plan(application(document(*args, **kwargs)), revision=1, code=code)


def canaries(**weights: int) -> dict[str, Any]:
    versions = {name: {"target": "app:Main", "weight": w} for name, w in weights.items()}
    return {"canary": {"versions": versions}}


def test_a_version_has_all_services_of_its_graph() -> None:
    (main,) = planned().versions
    assert (main.name, main.entry, main.weight) == ("main", "Main", 100)
    assert set(main.services) == {"Main", "Part"}
    assert main.services["Main"].methods == {
        "predict": Method("predict", "/predict", CallKind.UNARY)
    }


def test_documents_that_are_rarely_read_are_kept_compressed() -> None:
    value = json.loads(document())
    main = value["versions"]["main"]["manifest"]["services"]["Main"]
    main["docs_json"] = json.dumps({"openapi": "3.1.0"})
    main["models_json"] = json.dumps({"predict": {}})
    (version,) = plan(application(json.dumps(value).encode()), revision=1).versions
    assert zlib.decompress(version.services["Main"].docs) == main["docs_json"].encode()
    assert zlib.decompress(version.services["Main"].models) == main["models_json"].encode()
    assert version.services["Part"].docs == b""
    assert version.services["Part"].models == b""


def test_main_has_what_the_canaries_leave() -> None:
    versions = planned(canaries(x=20, y=5), main=graph(), x=graph("x:M"), y=graph("y:M")).versions
    assert {v.name: v.weight for v in versions} == {"main": 75, "x": 20, "y": 5}


def test_a_promotion_keeps_the_id_whatever_the_weights_and_numbers_of_replicas() -> None:
    before = planned(canaries(x=20), main=graph(), x=graph("x:M"))
    after = planned({"replicas": 4}, main=graph("x:M"))
    assert after.versions[0].id == before.versions[1].id
    assert before.versions[0].id != before.versions[1].id
    assert after.versions[0].id.startswith("d-")


@pytest.mark.parametrize(
    "other",
    [
        planned(main=graph("other:Main")),
        planned(main=graph(resources={"cpu": 1})),
        planned(main=graph(traffic={"timeout": 3})),
        planned({"envs": {"A": "1"}}),
        planned({"services": {"Part": {"threads": 4}}}),
        planned(code={"main": b"class"}),
    ],
)
def test_whatever_makes_a_replica_different_makes_another_id(other: DesiredDeployment) -> None:
    assert other.versions[0].id != planned().versions[0].id


def test_code_is_kept_with_its_version() -> None:
    (main,) = planned(code={"main": b"class"}).versions
    assert main.source.code == b"class"


def test_the_most_particular_number_of_replicas_holds() -> None:
    config = {"replicas": 2, "services": {"Part": {"replicas": 5}}}
    (main,) = planned(config, main=graph(replicas=9)).versions
    assert {s.name: s.min_replicas for s in main.services.values()} == {"Main": 2, "Part": 5}


def test_settings_are_changed_one_by_one() -> None:
    decorated = ServiceConfig.model_validate(
        {"resources": {"cpu": 2, "gpu": 1}, "traffic": {"timeout": 5, "max_concurrency": 7}}
    )
    overrides = ServiceOverrides.model_validate(
        {"resources": {"cpu": 1}, "traffic": {"timeout": None}, "envs": {"B": "3"}}
    )
    version = VersionConfig(target="m:A", envs={"A": "1", "B": "2"})
    found = effective(decorated, version, overrides)
    assert (found.resources.cpu, found.resources.gpu) == (1, 1)
    assert (found.traffic.timeout, found.traffic.max_concurrency) == (None, 7)
    assert found.envs == {"A": "1", "B": "3"}


def test_what_may_be_fetched_reaches_the_replica_that_is_started() -> None:
    config = {"services": {"Part": {"fetch": {"timeout": 2, "networks": ["10.0.0.0/8"]}}}}
    (main,) = planned(config).versions
    launch = launch_of("demo", main, main.services["Part"])
    assert launch.fetch == FetchLimits(timeout=2, networks=("10.0.0.0/8",))
    assert launch_of("demo", main, main.services["Main"]).fetch == FetchLimits()


@pytest.mark.parametrize(
    ("fetch", "place"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks.0"),
        ({"networks": ["here"]}, "networks.0"),
        ({"timeout": 0}, "timeout"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"redirects": -1}, "redirects"),
        ({"proxy": "x"}, "proxy"),
    ],
)
def test_wrong_limits_of_what_may_be_fetched_are_refused(fetch: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError, match=rf"services\.Part\.fetch: {place}: "):
        planned({"services": {"Part": {"fetch": fetch}}})


def test_settings_for_a_service_that_is_not_there_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"services: there is no service Prat; .*Main, Part"):
        planned({"services": {"Prat": {"replicas": 2}}})


def test_a_wrong_setting_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigError, match=r"services\.Part\.traffic: timeout: "):
        planned({"services": {"Part": {"traffic": {"timeout": -1}}}})


def test_versions_without_a_graph_are_refused() -> None:
    with pytest.raises(ConfigError, match="disagree about x"):
        planned(canaries(x=20), main=graph())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"{", "deployment: not JSON"),
        (b"[]", "deployment: "),
        (document({"nmae": "x"}), "config.nmae: there is no such setting"),
        (
            document(main=graph() | {"source": {"target": "m:A", "code": "gASV"}}),
            "versions.main.source.code: there is no such setting",
        ),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_the_place(value: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        application(value)
    assert message in str(caught.value)


def test_the_split_and_the_endpoints_are_taken_over() -> None:
    split = {"canary": {"route_type": "header", "route_by": "x-user"}}
    value = document(split, endpoints={"public": {"deployments": {"d": 2}}})
    deployment = plan(application(value), revision=3)
    assert (deployment.split_by, deployment.split_key) == (SplitBy.HEADER, "x-user")
    assert deployment.revision == 3
    assert application(value).endpoints["public"].deployments == {"d": 2}


def test_what_is_kept_of_a_plan_gives_the_plan_again() -> None:
    value = document(
        {
            "services": {
                "Main": {
                    "scaling": {"min_replicas": 0, "max_replicas": 4},
                    "deployment_strategy": "Recreate",
                    "config_overrides": {"traffic": {"concurrency": 8, "external_queue": True}},
                }
            },
            **canaries(x=20),
        },
        main=graph(),
        x=graph("x:M"),
    )
    applied = application(value)
    deployment = plan(applied, revision=1, code={"x": b"code"})
    records = {each.id: each for each in recorded(applied, deployment)}
    revision = RevisionRecord(
        "d",
        1,
        "u",
        0.0,
        applied.config.model_dump(mode="json"),
        {each.name: each.id for each in deployment.versions},
    )
    assert planned_again(revision, records) == deployment
    main, canary = deployment.versions
    assert planned_alone(records[main.id], "main") == replace(main, weight=0)
    assert planned_alone(records[canary.id], "x") == replace(canary, weight=0)
    service = main.services["Main"]
    assert (service.min_replicas, service.max_replicas) == (0, 4)
    assert service.strategy is Strategy.RECREATE
    assert (service.concurrency, service.max_concurrency, service.queue_limit) == (8, 8, 1000)
    assert service.cold_start == 60.0


def test_another_generation_is_another_version() -> None:
    applied = application(document())
    one, two = (plan(applied, revision=1, generation=number) for number in (0, 1))
    assert one.versions[0].id != two.versions[0].id


def test_a_canary_mirrors_what_main_says_and_it_does_not() -> None:
    found = planned(
        {"envs": {"A": "1"}, "services": {"Main": {"replicas": 4}}, **canaries(next=10)},
        main=graph(),
        next=graph(),
    )
    main, canary = found.versions
    assert canary.services["Main"].envs == {"A": "1"}
    assert canary.services["Main"].min_replicas == 4
    assert canary.id == main.id, "nothing makes their replicas differ"
