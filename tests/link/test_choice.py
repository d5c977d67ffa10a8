"""Which deployment and version a caller sends a request to, by the links that it has."""

import asyncio
from dataclasses import replace

import pytest

from mesh.errors import DeadlineExceeded, NotFound, Unavailable
from mesh.traffic.snapshot import Deployment, Endpoint, Snapshot, Version, WeightedDeployment
from tests.link.replicas import Rig, service
from tests.link.rig import run, until


def version(name: str, *replicas: str, weight: int = 50) -> Version:
    return Version(f"{name}-1", name, "s", {"s": service(*replicas)}, weight)


def snapshot(*versions: Version) -> Snapshot:
    endpoint = Endpoint("e", (WeightedDeployment("d", 1),))
    return Snapshot(1, 1, {"e": endpoint}, {"d": Deployment("d", versions)}, "e")


def chosen(rig: Rig, named: str = "") -> str:
    endpoint = rig.dispatcher.snapshot.endpoints["e"]
    deployment, found = rig.dispatcher.choices.choose(endpoint, named=named, key=lambda _: None)
    assert deployment == "d"
    return found.name


def test_a_version_without_a_link_leaves_its_share_to_the_others() -> None:
    async def main() -> None:
        rig = Rig("a", "b")
        rig.hosts["b"].is_up = False
        rig.dispatcher.follow(snapshot(version("main", "a"), version("canary", "b")))
        await rig.replicas.linked("a")
        assert {chosen(rig) for _ in range(50)} == {"main"}
        rig.hosts["b"].is_up = True
        await rig.replicas.next_try()
        await rig.replicas.linked("a", "b")
        assert {chosen(rig) for _ in range(50)} == {"main", "canary"}
        await rig.close()

    run(main())


def test_before_the_first_link_is_open_a_version_with_replicas_is_chosen() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(snapshot(version("main", "a"), version("canary")))
        assert {chosen(rig) for _ in range(50)} == {"main"}
        await rig.close()

    run(main())


def test_a_version_that_is_asked_for_and_not_there_is_not_found() -> None:
    async def main() -> None:
        rig = Rig("a")
        rig.dispatcher.follow(snapshot(version("main", "a"), version("canary")))
        with pytest.raises(NotFound):
            chosen(rig, "other")
        with pytest.raises(Unavailable):
            chosen(rig, "canary")
        assert chosen(rig, "main") == "main"
        await rig.close()

    run(main())


def test_a_version_is_found_by_its_id_and_waited_for() -> None:
    async def main() -> None:
        rig = Rig()
        with pytest.raises(Unavailable, match="'main-1' of deployment 'd' is not served"):
            rig.dispatcher.version("d", "main-1")
        waiting = asyncio.ensure_future(rig.dispatcher.wait_for_version("d", "main-1", None))
        await until(lambda: rig.replicas.pool._waiters)
        rig.dispatcher.follow(snapshot(version("main")))
        await waiting
        assert rig.dispatcher.version("d", "main-1").name == "main"
        with pytest.raises(DeadlineExceeded):
            await rig.dispatcher.wait_for_version("d", "none", rig.replicas.now + 0.001)
        await rig.close()

    run(main())


def test_links_follow_what_changed_in_the_deployments_that_are_other_objects() -> None:
    def deployment(name: str, *replicas: str) -> Deployment:
        return Deployment(name, (version("main", *replicas),))

    async def main() -> None:
        rig = Rig("a", "b", "c", "d")
        first = Snapshot(
            1, 1, {}, {"one": deployment("one", "a", "b"), "two": deployment("two", "c")}
        )
        rig.dispatcher.follow(first)
        await rig.replicas.linked("a", "b", "c")
        link = rig.replicas.pool.link("b")
        changed = {**first.deployments, "one": deployment("one", "b", "d")}
        second = replace(first, number=2, deployments=changed)
        rig.dispatcher.follow(second)
        await rig.replicas.linked("b", "c", "d")
        assert rig.replicas.pool.link("b") is link
        moved = {"two": deployment("two", "b")}  # a replica that another deployment has now
        rig.dispatcher.follow(replace(second, number=3, deployments=moved))
        await rig.replicas.linked("b")
        assert rig.replicas.pool.link("b") is link
        assert rig.replicas.tries == 4
        await rig.close()

    run(main())
