"""What is deleted while something begins to use it: one of the two is refused, whoever is first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from mesh.access.directory import Directory
from mesh.access.principal import OWNER
from mesh.config import DeploymentConfig, EndpointConfig, parse
from mesh.control.instance_types import instance_types
from mesh.control.records import Change
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.control.store.memory import MemoryStore
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import FailedPrecondition, InvalidArgument, MeshError, NotFound, PermissionDenied
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.clusters.instance_types import InstanceTypes
from mesh.faces.cloud.organization.limit_groups import LimitGroups
from mesh.faces.cloud.organization.organizations import Organizations
from mesh.faces.cloud.organization.secrets import Secrets
from mesh.faces.cloud.permission import Asker
from mesh.faces.cloud.wire.organizations import OrganizationChange, OrganizationSent
from mesh.faces.cloud.wire.secrets import SecretSent
from mesh.faces.notes import Doing
from mesh.releases.blobs import DiskBlobs
from mesh.releases.deploying import Deploying
from mesh.releases.described import Descriptions
from mesh.releases.packages import BENTOS, Said
from mesh.releases.registry import Registry
from mesh.releases.uploads import Uploads
from tests.control.store.stores import async_test
from tests.control.test_controller import PaperCluster, controlling, settled
from tests.faces.cloud.shelf import Shelf
from tests.releases.tars import bento

ASKER = Asker(OWNER, Doing("", ""))
TYPE = {"resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}


class Gate:
    """Holds the first write that it is shut for, until it is opened."""

    def __init__(self) -> None:
        self._holds: Callable[[Any], bool] = lambda _written: False
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    def shut(self, holds: Callable[[Any], bool]) -> None:
        self._holds = holds

    def open(self) -> None:
        self._open.set()

    async def pass_(self, written: Any) -> None:
        if self._holds(written):
            self._holds = lambda _written: False
            self.reached.set()
            await self._open.wait()


class GatedCatalogue(MemoryCatalogue):
    gate: Gate

    async def write(self, *changes: Put | Remove) -> None:
        for each in changes:
            await self.gate.pass_(each)
        await super().write(*changes)


class GatedStore(MemoryStore):
    """Its commits and the writes of its catalogue go through a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.catalogue = GatedCatalogue()
        self.catalogue.gate = self.gate

    async def commit(self, change: Change) -> None:
        await self.gate.pass_(change)
        await super().commit(change)


@dataclass
class Mesh:
    gate: Gate
    backing: Backing
    deploying: Deploying

    async def deploy(self) -> None:
        """A deployment with the secret `s` and the instance type `t`."""
        config = {
            "name": "d",
            "release": "tiny:v1",
            "secrets": ["s"],
            "services": {"Main": {"instance_type": "t"}},
        }
        wanted = parse(DeploymentConfig, config, what="config")
        await self.deploying.deploy(wanted, organization="default", by="ann")

    async def deployed(self) -> list[str]:
        return [each.name for each in self.backing.verbs.deployments()]

    async def is_kept(self, kind: Kind, name: str) -> bool:
        return await self.backing.catalogue.entry(kind, name) is not None


@asynccontextmanager
async def mesh() -> AsyncIterator[Mesh]:
    store = GatedStore()
    shelf = Shelf()
    catalogue = store.catalogue
    for entry in (
        Entry(Kind.SECRET, "s", "s", 0, 0, {"type": "env", "items": []}),
        Entry(Kind.INSTANCE_TYPE, "t", "t", 0, 0, {"config": TYPE}),
        Entry(Kind.LIMIT_GROUP, "g", "g", 0, 0, {"config": {}}),
    ):
        await catalogue.write(Put(entry, is_new=True))
    descriptions = Descriptions(catalogue, shelf, lambda: 0.0)
    await descriptions.of(shelf.put("tiny:v1"))  # so that it is deployed at once
    access = await Directory.opened(catalogue, "t0ken")
    async with controlling(PaperCluster(), store) as controller:
        await controller.until_opened()
        deploying = Deploying(
            controller,
            catalogue,
            shelf,
            descriptions,
            wall=lambda: 0.0,
            new_uid=lambda: "u",
            types=lambda: instance_types(catalogue),
        )
        backing = Backing(controller, catalogue, cast("Any", None), access, deploying=deploying)
        yield Mesh(store.gate, backing, deploying)


async def at_once(
    gate: Gate, holds: Callable[[Any], bool], first: Awaitable[Any], then: Awaitable[Any]
) -> list[Any]:
    """What comes of two things of which the second is asked for while the first is written."""
    gate.shut(holds)
    one = asyncio.ensure_future(first)
    await gate.reached.wait()
    other = asyncio.ensure_future(then)
    await settled()
    gate.open()
    return await asyncio.gather(one, other, return_exceptions=True)


def is_deletion(written: Any) -> bool:
    return isinstance(written, Remove)


def makes_d(written: Any) -> bool:
    return isinstance(written, Change) and any(each.name == "d" for each in written.deployments)


async def delete_secret(backing: Backing) -> Any:
    return await Secrets(backing).delete(ASKER, "s")


async def delete_type(backing: Backing) -> Any:
    return await InstanceTypes(backing).delete("t")


DELETIONS = pytest.mark.parametrize(
    ("kind", "name", "delete", "told"),
    [
        (Kind.SECRET, "s", delete_secret, "there is no secret 's'"),
        (Kind.INSTANCE_TYPE, "t", delete_type, "services.Main.instance_type"),
    ],
)


@DELETIONS
@async_test
async def test_what_is_being_deleted_no_deployment_begins_to_use(
    kind: Kind, name: str, delete: Any, told: str
) -> None:
    async with mesh() as made:
        deleted, refused = await at_once(
            made.gate, is_deletion, delete(made.backing), made.deploy()
        )
        assert not isinstance(deleted, Exception)
        assert isinstance(refused, InvalidArgument)
        assert told in refused.message
        assert not await made.is_kept(kind, name)
        assert await made.deployed() == []


@DELETIONS
@async_test
async def test_what_a_deployment_is_about_to_use_is_not_deleted(
    kind: Kind, name: str, delete: Any, told: str
) -> None:
    async with mesh() as made:
        deployed, refused = await at_once(made.gate, makes_d, made.deploy(), delete(made.backing))
        assert not isinstance(deployed, Exception)
        assert isinstance(refused, FailedPrecondition)
        assert "is used by d" in refused.message
        assert await made.is_kept(kind, name)
        assert await made.deployed() == ["d"]


async def into_group(backing: Backing) -> Any:
    """The organization that is there comes into the group."""
    sent = OrganizationChange.model_validate({"limit_group_name": "g"})
    return await Organizations(backing).change(ASKER, "default", sent)


async def new_in_group(backing: Backing) -> Any:
    """A new organization is in the group."""
    sent = OrganizationSent.model_validate({"name": "lab", "limit_group_name": "g"})
    return await Organizations(backing).make(ASKER, sent)


def is_organization(written: Any) -> bool:
    return isinstance(written, Put) and written.entry.kind is Kind.ORGANIZATION


@pytest.mark.parametrize("assign", [into_group, new_in_group])
@async_test
async def test_a_group_that_is_being_deleted_is_given_to_no_organization(assign: Any) -> None:
    async with mesh() as made:
        deleted, refused = await at_once(
            made.gate, is_deletion, LimitGroups(made.backing).delete("g"), assign(made.backing)
        )
        assert not isinstance(deleted, Exception)
        assert isinstance(refused, NotFound)
        assert not await made.is_kept(Kind.LIMIT_GROUP, "g")
        assert not any(each.limit_group for each in made.backing.access.organizations.all())


@pytest.mark.parametrize("assign", [into_group, new_in_group])
@async_test
async def test_a_group_that_an_organization_is_about_to_get_is_not_deleted(assign: Any) -> None:
    async with mesh() as made:
        assigned, refused = await at_once(
            made.gate,
            is_organization,
            assign(made.backing),
            LimitGroups(made.backing).delete("g"),
        )
        assert assigned.limit_group == "g"
        assert isinstance(refused, FailedPrecondition)
        assert "holds for" in refused.message
        assert await made.is_kept(Kind.LIMIT_GROUP, "g")


async def deploys(made: Mesh) -> Any:
    config = parse(DeploymentConfig, {"name": "d", "release": "tiny:v1"}, what="config")
    await made.deploying.deploy(config, organization="lab", by="ann")


async def leads_outside(made: Mesh) -> Any:
    config = parse(EndpointConfig, {"upstreams": [{"url": "https://x.example"}]}, what="config")
    await made.backing.verbs.apply_endpoint("e", config, organization="lab")


async def keeps_a_secret(made: Mesh) -> Any:
    content = {"type": "env", "items": [{"key": "K", "value": "v"}]}
    sent = SecretSent.model_validate({"name": "n", "content": content})
    lab = Asker(replace(OWNER, organization="lab"), Doing("", ""))
    await Secrets(made.backing).create(lab, sent)


@pytest.mark.parametrize("begin", [deploys, leads_outside, keeps_a_secret])
@async_test
async def test_in_an_organization_that_is_being_deleted_nothing_begins(begin: Any) -> None:
    async with mesh() as made:
        await organization_with_cluster(made)
        deleted, refused = await at_once(
            made.gate, is_organization, Organizations(made.backing).remove("lab"), begin(made)
        )
        assert not isinstance(deleted, Exception)
        assert isinstance(refused, PermissionDenied)
        assert await made.deployed() == []
        assert made.backing.verbs.endpoints() == ()
        assert await made.backing.catalogue.entries(Kind.SECRET, organization="lab") == ()


@async_test
async def test_an_organization_with_a_deployment_on_its_way_is_not_deleted() -> None:
    async with mesh() as made:
        await organization_with_cluster(made)
        config = parse(DeploymentConfig, {"name": "late", "release": "late:v1"}, what="config")
        shelf = cast("Shelf", made.deploying.releases)
        shelf.put("late:v1")
        shelf.hold()
        await made.deploying.deploy(config, organization="lab", by="ann")
        assert await made.deployed() == []
        with pytest.raises(FailedPrecondition, match=r"\(late\)"):
            await Organizations(made.backing).remove("lab")
        await made.deploying.close()


@async_test
async def test_the_registry_takes_nothing_of_an_organization_that_was_deleted(
    tmp_path: Path,
) -> None:
    async with mesh() as made:
        await organization_with_cluster(made)
        verbs, catalogue = made.backing.verbs, made.backing.catalogue
        registry = Registry(catalogue, DiskBlobs(tmp_path), verbs, wall=lambda: 0.0)
        await registry.create_repository(BENTOS, "lab", "tiny", Said(), "me")
        await made.backing.access.organizations.remove("lab")
        with pytest.raises(PermissionDenied, match="organization 'lab' was deleted"):
            await registry.create_repository(BENTOS, "lab", "other", Said(), "me")
        with pytest.raises(PermissionDenied, match="organization 'lab' was deleted"):
            await registry.create(BENTOS, "lab", "tiny", "v1", Said(), "me")


@async_test
async def test_an_organization_in_which_a_deployment_is_about_to_begin_is_not_deleted() -> None:
    async with mesh() as made:
        await organization_with_cluster(made)
        deployed, refused = await at_once(
            made.gate, makes_d, deploys(made), Organizations(made.backing).remove("lab")
        )
        assert not isinstance(deployed, Exception)
        assert isinstance(refused, FailedPrecondition)
        assert await made.deployed() == ["d"]


async def organization_with_cluster(made: Mesh) -> None:
    organizations = made.backing.access.organizations
    await organizations.make("lab", "owner")
    await organizations.change("lab", clusters={"default": ""})


@asynccontextmanager
async def released(folder: Path) -> AsyncIterator[tuple[Mesh, Callable[[], Awaitable[None]]]]:
    """With a real registry that has the release, and what deletes it."""
    async with mesh() as made:
        registry = Registry(
            made.backing.catalogue, DiskBlobs(folder), made.backing.verbs, wall=lambda: 0.0
        )
        await registry.create_repository(BENTOS, "default", "tiny", Said(), "me")
        package = await registry.create(BENTOS, "default", "tiny", "v1", Said(), "me")
        uploads = Uploads(registry)
        package = await uploads.start(package)
        package = await uploads.whole(package, whole(), None, is_done=True)
        await made.deploying._descriptions.of(await registry.release("tiny:v1"))
        made.deploying.releases = registry
        yield made, lambda: registry.delete(package)


async def whole() -> AsyncIterator[bytes]:
    yield bento()


@async_test
async def test_a_release_that_is_being_deleted_no_deployment_begins_to_run(tmp_path: Path) -> None:
    async with released(tmp_path) as (made, delete):
        deleted, refused = await at_once(made.gate, is_deletion, delete(), made.deploy())
        assert deleted is None
        assert isinstance(refused, MeshError)
        assert "tiny" in refused.message
        assert await made.deployed() == []


@async_test
async def test_a_release_that_a_deployment_begins_to_run_is_not_deleted(tmp_path: Path) -> None:
    async with released(tmp_path) as (made, delete):
        deployed, refused = await at_once(made.gate, makes_d, made.deploy(), delete())
        assert not isinstance(deployed, BaseException)
        assert isinstance(refused, MeshError)
        assert refused.message == "bento tiny:v1 is used by deployment d"
        assert await made.deployed() == ["d"]


@async_test
async def test_no_archive_is_looked_for_while_control_is_held(tmp_path: Path) -> None:
    async with released(tmp_path) as (made, _):
        held: list[bool] = []

        class Watched(DiskBlobs):
            async def size(self, digest: str) -> int | None:
                held.append(is_held(made))
                return await super().size(digest)

        registry = cast("Registry", made.deploying.releases)
        made.deploying.releases = replace(registry, vault=Watched(tmp_path))
        await made.deploy()
        assert await made.deployed() == ["d"]
        assert held
        assert not any(held)


@async_test
async def test_no_nodes_are_looked_for_while_control_is_held() -> None:
    async with mesh() as made:
        held: list[bool] = []

        async def nodes() -> tuple[()]:
            held.append(is_held(made))
            return ()

        await delete_type(replace(made.backing, nodes=nodes))
        assert not await made.is_kept(Kind.INSTANCE_TYPE, "t")
        assert held == [False]


def is_held(made: Mesh) -> bool:
    return cast("Any", made.backing.verbs)._changing.locked()
