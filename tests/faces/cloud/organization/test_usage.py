"""What an organization used, by hour and by day."""

import asyncio
import time

import pytest

from mesh.control.store.catalogue import Used
from mesh.control.store.memory import MemoryStore
from mesh.faces.cloud.organization.usage import series
from tests.faces.cloud.rig import Rig, rigged

PATH = "/api/v1/current_org/usage_metrics"


def used(hour: float, deployment: str = "d", **values: float) -> Used:
    return Used(hour, "default", deployment, "", **values)  # type: ignore[arg-type]  # of two types


def test_what_was_used_is_told_for_the_last_hours_and_days() -> None:
    store = MemoryStore()
    this = time.time() // 3600 * 3600
    kept = (
        used(this, replica_seconds=60.5, requests=7, errors=1),
        used(this, "other", replica_seconds=1.0),
        Used(this, "default", "d", "gpu.1", 30.0),
        Used(this, "acme", "d", "", 99.0, 99, 99),
    )
    asyncio.run(store.journal.add_used(*kept))
    with rigged(lambda: store) as rig:
        hours = rig.asked.get(PATH, params={"metrics": "", "granularity": "", "debug": ""}).json()
        assert hours["granularity"] == "hour"
        assert {key: sum(map(float, values)) for key, values in hours["data"].items()} == {
            "replica_seconds": 91.5,
            "replica_seconds.gpu.1": 30.0,
            "requests": 7.0,
            "errors": 1.0,
        }
        assert {len(values) for values in hours["data"].values()} == {24}
        days = rig.asked.get(PATH, params={"granularity": "day", "metrics": "requests"}).json()
        assert days["data"].keys() == {"requests"}
        assert len(days["data"]["requests"]) == 30
        assert sum(map(float, days["data"]["requests"])) == 7
        of_one = rig.asked.get(PATH, params={"deployment": "other"}).json()["data"]
        assert sum(map(float, of_one["replica_seconds"])) == 1


@pytest.mark.parametrize("wrong", [{"granularity": "week"}, {"metrics": "requests,cost"}])
def test_what_is_not_measured_is_refused(rig: Rig, wrong: dict[str, str]) -> None:
    assert rig.asked.get(PATH, params=wrong).status_code == 400


def test_values_fall_into_their_steps() -> None:
    found = [used(7200.0, requests=1), used(10_800.0, requests=2), used(14_400.0, requests=4)]
    assert series(found, ["requests"], 7200.0, 7200.0, 2) == {"requests": ("3", "4")}
