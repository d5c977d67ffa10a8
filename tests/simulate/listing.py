"""Lists of deployments: 10 000 of them, kept in SQLite, over HTTP."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from mesh.config import DeploymentConfig, parse
from mesh.control.changes import applied
from mesh.control.endpoint_changes import Moment
from mesh.control.plan import Application, VersionDocument
from mesh.control.records import Change, State
from mesh.control.store import open_store
from mesh.faces.addresses import PlaneConfig
from mesh.faces.plane import ControlPlane
from tests.cluster.fake_cluster import FakeCluster, World
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.shelf import document
from tests.simulate.rows import Row, Say

COUNT = 10_000
PAGE = 100
PIECE = 500
ROUNDS = 50
TOKEN = "t0ken"
SUBJECT = "10 000 deployments listed"


def app(number: int) -> Application:
    settings = {
        "name": f"deployment-{number:05}",
        "release": f"release-{number % 100}:v{number}",
        "labels": {"team": f"team-{number % 10}"},
        "envs": {"A": "1", "B": "2"},
        "services": {
            "Main": {"scaling": {"min_replicas": 0, "max_replicas": 3}, "instance_type": "cpu.1"}
        },
        "annotations": {"bento": {"uid": f"u{number}", "manifest": {"service": "service:Main"}}},
    }
    found = VersionDocument.model_validate(document("service", f"sha256:{number:064x}", "Main"))
    config = parse(DeploymentConfig, settings, what="deployment")
    return Application(config=config, versions={"main": found})


async def fill(url: str) -> None:
    """Keeps all deployments, as they are wanted."""
    store = open_store(url, None)
    for begin in range(0, COUNT, PIECE):
        changes = [
            applied(State(), app(number), {}, Moment(1e9 + number, f"uid-{number}", "owner"))
            for number in range(begin, begin + PIECE)
        ]
        await store.commit(
            Change(
                deployments=tuple(each for change in changes for each in change.deployments),
                revisions=tuple(each for change in changes for each in change.revisions),
                versions=tuple(each for change in changes for each in change.versions),
            )
        )
    await store.close()


def rows(say: Say) -> Iterator[Row]:
    """What lists take, from when they are asked for until all of them is there."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'state.db'}"
        say(f"keeping {COUNT} deployments")
        asyncio.run(fill(url))
        config = PlaneConfig("127.0.0.1", 0, "127.0.0.1", 0, token=TOKEN)
        world = World(resources={"CPU": 1e6, "GPU": 0.0, "memory": 2.0**60})
        plane = ControlPlane(config, lambda: FakeCluster(world), lambda: open_store(url, None))
        say("starting the control plane")
        base = f"http://{plane.start().http}"
        try:
            with httpx.Client(
                base_url=base, headers={TOKEN_HEADER: TOKEN}, timeout=300, trust_env=False
            ) as client:
                yield from measured(client, say)
        finally:
            plane.stop()


def measured(client: httpx.Client, say: Say) -> Iterator[Row]:
    def listed(**query: Any) -> tuple[float, int]:
        begun = time.perf_counter()
        found = client.get("/api/v2/deployments", params=query).raise_for_status()
        return time.perf_counter() - begun, len(found.json()["items"])

    say("waiting for the control plane")
    while client.get("/api/v2/deployments", params={"q": "status:deploying", "count": 1}).json()[
        "total"
    ]:
        time.sleep(1)  # between two looks at another thread
    say("reading pages")
    pages = [listed(start=start * PAGE % COUNT, count=PAGE) for start in range(ROUNDS)]
    yield Row(SUBJECT, "a page of 100, p50", median(took for took, _ in pages) * 1e3, 50, "ms")
    labeled = [listed(q="label:team=team-3", count=PAGE) for _ in range(ROUNDS)]
    yield Row(
        SUBJECT, "a page of 100 by label, p50", median(t for t, _ in labeled) * 1e3, 150, "ms"
    )
    say("reading everything")
    took, there = listed(count=COUNT)
    assert there == COUNT, there
    yield Row(SUBJECT, "all of them", took, 10, "s")
