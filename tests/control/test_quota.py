"""The limits of an organization, as decisions."""

from collections.abc import Mapping
from typing import Any

import pytest

from mesh.config import DeploymentConfig
from mesh.config.limits import Limits
from mesh.control.desired import DesiredDeployment, DesiredService, DesiredVersion, Strategy
from mesh.control.quota import (
    Asked,
    Limited,
    Reserved,
    check_count,
    check_deployment,
    check_size,
    reserved,
)
from mesh.control.records import Intent
from mesh.errors import QuotaExceeded
from mesh.launch import Source

GIB = 2**30


def limited(**limits: Any) -> Limited:
    return Limited("small", Limits.model_validate(limits))


def desired(
    name: str = "d",
    *,
    replicas: tuple[int, int] = (1, 2),
    versions: Mapping[str, str] = {"main": "v1"},
    intent: Intent = Intent.RUN,
    strategy: Strategy = Strategy.ROLLING,
) -> DesiredDeployment:
    """Replicas of 2 cores, 1 GiB and half a device; `versions` has the ids of versions."""
    low, high = replicas
    service = DesiredService("S", low, high, cpu=2, memory=GIB, gpu=0.5, strategy=strategy)
    made = tuple(
        DesiredVersion(identity, version, 0, "S", {"S": service}, Source("m:S"))
        for version, identity in versions.items()
    )
    return DesiredDeployment(name, 1, made, intent=intent)


def check(limits: Limited, asked: Asked, *others: DesiredDeployment) -> None:
    check_deployment(limits, asked, others)


def asked(found: DesiredDeployment, *, before: Reserved | None = None, **config: Any) -> Asked:
    settings = DeploymentConfig.model_validate({"name": found.name, "target": "m:S", **config})
    return Asked(settings, found, before or Reserved(), before is None)


def test_what_a_deployment_reserves_is_that_of_all_replicas_it_may_have() -> None:
    assert reserved(desired()) == Reserved(4, 2 * GIB, 1)
    assert reserved(desired(versions={"main": "v1", "canary": "v2"})) == Reserved(8, 4 * GIB, 2)
    assert reserved(desired(versions={"main": "v1", "canary": "v1"})) == Reserved(4, 2 * GIB, 1)
    assert reserved(desired(intent=Intent.TERMINATE)) == Reserved()


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"resource_cpu_limit": "7"}, "resource_cpu_limit of the group 'small' is 7 cores"),
        ({"resource_memory_limit": "3Gi"}, "resource_memory_limit"),
        ({"resource_gpu_limit": 1}, "is 1 GPUs: d may reserve 1, other deployments 1"),
        ({"deployment_count": 1}, "is 1: there are 1, and 1 more are asked for"),
    ],
)
def test_all_deployments_together_stay_within_the_limits(limits: dict[str, Any], told: str) -> None:
    with pytest.raises(QuotaExceeded, match=told):
        check(limited(**limits), asked(desired()), desired("e"))
    check(limited(**limits), asked(desired()))


def test_limits_that_are_just_reached_are_kept() -> None:
    limits = {"resource_cpu_limit": 8, "resource_memory_limit": "4Gi", "resource_gpu_limit": "2"}
    check(limited(**limits, deployment_count=2), asked(desired()), desired("e"))


def test_what_was_there_before_a_limit_was_lowered_may_shrink_and_stay() -> None:
    small = limited(resource_cpu_limit=1, deployment_count=0)
    check(small, asked(desired(), before=reserved(desired())))
    check(small, asked(desired(replicas=(1, 1)), before=reserved(desired())))
    with pytest.raises(QuotaExceeded, match="d may reserve 6"):
        check(small, asked(desired(replicas=(1, 3)), before=reserved(desired())))


def test_services_that_must_scale_to_zero_may_keep_no_replica() -> None:
    check(limited(must_scale_to_zero=True), asked(desired(replicas=(0, 2))))
    with pytest.raises(QuotaExceeded, match=r"must_scale_to_zero .* S of version main keeps 1"):
        check(limited(must_scale_to_zero=True), asked(desired()))


def test_settings_have_only_values_that_are_allowed() -> None:
    rules = {"access_authorization": [True], "deployment_strategy": ["Recreate"]}
    limits = limited(allow_deployment_config=rules)
    good = asked(desired(strategy=Strategy.RECREATE), access_authorization=True)
    check(limits, good)
    with pytest.raises(QuotaExceeded, match=r"access_authorization .* is true: d has false"):
        check(limits, asked(desired(strategy=Strategy.RECREATE)))
    with pytest.raises(QuotaExceeded, match="is Recreate: S of version main has RollingUpdate"):
        check(limits, asked(desired(), access_authorization=True))
    empty = {"access_authorization": [], "deployment_strategy": None}
    check(limited(allow_deployment_config=empty), asked(desired()))


def test_services_name_instance_types_where_they_must_and_only_those_allowed() -> None:
    types = [{"name": "cpu.1", "active": True}, {"name": "cpu.2", "active": False}]
    limits = limited(allow_custom_resource=False, resource_instance_list=types)

    def named(kind: str) -> Asked:
        return asked(desired(), services={"S": {"instance_type": kind}})

    check(limits, named("cpu.1"))
    with pytest.raises(QuotaExceeded, match=r"is cpu\.1: S of version main names cpu\.2"):
        check(limits, named("cpu.2"))
    with pytest.raises(QuotaExceeded, match="S of version main names no instance type"):
        check(limits, asked(desired(), services={"S": {"resources": {"cpu": 1}}}))
    narrow = limited(filter_down_resource_instance_names=["cpu.4"])
    with pytest.raises(QuotaExceeded, match="filter_down_resource_instance_names"):
        check(narrow, named("cpu.1"))
    check(limited(), asked(desired()))


def test_counts_and_sizes_name_the_limit_its_value_and_what_was_asked() -> None:
    check_count(limited(), "bento_count", 3, there=2)
    check_count(limited(), "bento_count", None, there=2)
    with pytest.raises(QuotaExceeded, match="bento_count of the group 'small' is 2: there are 2"):
        check_count(limited(), "bento_count", 2, there=2)
    check_size(limited(), "bento_size", 10, 10)
    with pytest.raises(QuotaExceeded, match=r"bento_size .* is 10 bytes: this has 11"):
        check_size(limited(), "bento_size", 10, 11)


def test_keys_that_mean_nothing_here_are_let_be() -> None:
    limits = Limits.model_validate({"plan_type": "pro", "bento_size": "", "model_size": None})
    assert limits == Limits()
