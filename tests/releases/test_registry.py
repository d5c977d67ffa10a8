"""The registry without a face: states of uploads, what goes and what stays."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mesh.control.records import DeploymentRecord, RevisionRecord
from mesh.control.store.catalogue import Entry, Kind, Put, Remove
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import (
    AlreadyExists,
    Cancelled,
    Code,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    QuotaExceeded,
    TooLarge,
    Unavailable,
)
from mesh.releases.archive import ArchiveLimits
from mesh.releases.blobs import DiskBlobs, Vault
from mesh.releases.packages import BENTOS, MODELS, Family, Package, Said, Status, model_tags
from mesh.releases.registry import Limits, Registry
from mesh.releases.remote_blobs import RemoteBlobs
from mesh.releases.tidy import YOUNG, tidy
from mesh.releases.uploads import Uploads
from mesh.releases.uses import Use
from tests.control.store.stores import async_test
from tests.releases.tars import BENTO, MODEL, bento, file, inside, tar

WEIGHTS = tar(file("./model.yaml", MODEL), file("./weights.bin", b"w" * 100))
HUGGING = {"metadata": {"registry": "huggingface"}}


@dataclass
class Deployments:
    """What is deployed: the configs of deployments, by name."""

    configs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def deployments(self) -> tuple[DeploymentRecord, ...]:
        return tuple(DeploymentRecord(name, name, 0, 0, 1) for name in self.configs)

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        async with self.changing:
            yield

    def current(self, name: str) -> RevisionRecord:
        return RevisionRecord(name, 1, name, 0, self.configs[name], {})


class Shelf:
    """A registry with a clock of its own."""

    def __init__(
        self, folder: Path, limits: Limits | None = None, vault: Vault | None = None
    ) -> None:
        self.now = 1_000_000_000.0
        self.deployed = Deployments()
        self.vault = vault or DiskBlobs(folder)
        self.registry = Registry(
            MemoryCatalogue(), self.vault, self.deployed, limits or Limits(), self.wall
        )
        self.uploads = Uploads(self.registry)

    def wall(self) -> float:
        self.now += 1
        return self.now

    async def made(self, family: Family = BENTOS, version: str = "v1", **manifest: Any) -> Package:
        name = "tiny" if family is BENTOS else "weights"
        with suppress(AlreadyExists):
            await self.registry.create_repository(family, "default", name, Said(), "me")
        said = Said(manifest=manifest)
        return await self.registry.create(family, "default", name, version, said, "me")

    async def started(self, **manifest: Any) -> Package:
        return await self.uploads.start(await self.made(**manifest))

    async def pushed(
        self, content: bytes = b"", family: Family = BENTOS, **manifest: Any
    ) -> Package:
        package = await self.uploads.start(await self.made(family, **manifest))
        content = content or (bento() if family is BENTOS else WEIGHTS)
        return await self.uploads.whole(package, chunks(content), None, is_done=True)

    async def again(self, package: Package) -> Package:
        return await self.registry.package(
            package.family, package.organization, package.repository, package.version
        )

    async def digests(self) -> set[str]:
        return {kept.digest for kept in await self.vault.all()}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "releases")


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@async_test
async def test_an_upload_goes_from_pending_to_success(shelf: Shelf) -> None:
    package = await shelf.made()
    assert package.status is Status.PENDING
    package = await shelf.uploads.start(package)
    assert (package.status, package.digest) == (Status.UPLOADING, "")
    made = await shelf.uploads.whole(package, chunks(bento()), None, is_done=True)
    assert made == await shelf.again(package)
    assert (made.status, made.digest, made.size) == (
        Status.SUCCESS,
        digest_of(bento()),
        len(bento()),
    )
    assert await shelf.digests() == {made.digest}


@async_test
async def test_what_fails_says_why_and_leaves_nothing(shelf: Shelf) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bento()[:700]
        raise Cancelled("the client went away")

    package = await shelf.started()
    for content, error in (
        (breaking(), Cancelled),
        (chunks(b"no tar"), InvalidArgument),
        (chunks(bento(document=BENTO.replace(b"tiny", b"other"))), InvalidArgument),
    ):
        package = await shelf.uploads.start(package)
        with pytest.raises(error) as caught:
            await shelf.uploads.whole(package, content, None, is_done=True)
        found = await shelf.again(package)
        assert (found.status, found.reason) == (Status.FAILED, caught.value.message)
        with pytest.raises(FailedPrecondition):
            await shelf.registry.release("tiny:v1")
    assert await shelf.digests() == set()
    assert inside(shelf.vault.incoming) == []
    package = await shelf.uploads.start(package)
    made = await shelf.uploads.whole(package, chunks(bento()), None, is_done=True)
    assert (made.status, made.reason) == (Status.SUCCESS, "")


@async_test
async def test_steps_in_a_wrong_order_are_refused(shelf: Shelf) -> None:
    package = await shelf.made()
    with pytest.raises(FailedPrecondition, match="start_upload"):
        await shelf.uploads.whole(package, chunks(bento()), None, is_done=True)
    with pytest.raises(FailedPrecondition, match="start_upload"):
        await shelf.uploads.start_parts(package)
    with pytest.raises(FailedPrecondition, match="nothing was uploaded"):
        await shelf.uploads.finish(package, "success", "")
    with pytest.raises(InvalidArgument):
        await shelf.uploads.finish(package, "great", "")
    package = await shelf.uploads.start(package)
    with pytest.raises(FailedPrecondition, match="nothing was uploaded"):
        await shelf.uploads.finish(package, "success", "")
    with pytest.raises(InvalidArgument, match="upload_id"):
        await shelf.uploads.join(package, "f" * 32, [(1, "x")])


@async_test
async def test_of_two_uploads_at_once_the_second_is_told(shelf: Shelf) -> None:
    first_began, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        first_began.set()
        await go_on.wait()
        yield bento()

    package = await shelf.started()
    first = asyncio.create_task(shelf.uploads.whole(package, slow(), None, is_done=True))
    await first_began.wait()
    for second in (
        shelf.uploads.whole(package, chunks(b"other"), None, is_done=True),
        shelf.uploads.start(package),
        shelf.uploads.finish(package, "failed", ""),
    ):
        with pytest.raises(MeshError, match="is being uploaded already") as caught:
            await second
        assert caught.value.status == 409
    go_on.set()
    assert (await first).digest == digest_of(bento())


@async_test
async def test_why_parts_are_no_archive_is_kept_until_they_are_one(shelf: Shelf) -> None:
    package = await shelf.uploads.start_parts(await shelf.started())
    upload = package.upload_id
    content = bento(file("./data", bytes(range(256)) * 20))
    wanted = []
    for number, piece in enumerate((content[:3000], content[3000:]), 1):
        part = await shelf.uploads.part(upload, number, chunks(piece), None)
        wanted.append((number, part.etag))
    with pytest.raises(InvalidArgument, match="whole tar") as told:
        await shelf.uploads.join(package, upload, wanted[:1])
    kept = await shelf.again(package)
    assert (kept.status, kept.reason) == (Status.UPLOADING, told.value.message)
    failed = await shelf.uploads.finish(kept, "failed", "Unavailable at the client")
    assert (failed.status, failed.reason) == (Status.FAILED, told.value.message)
    again = await shelf.uploads.start_parts(await shelf.uploads.start(failed))
    with pytest.raises(InvalidArgument, match="whole tar"):
        await shelf.uploads.join(again, again.upload_id, wanted[:1])
    joined = await shelf.uploads.join(again, again.upload_id, wanted)
    assert joined.reason == ""


@async_test
async def test_parts_come_in_any_order_and_again_and_stay_when_a_try_breaks_off(
    shelf: Shelf,
) -> None:
    content = bento(file("./data", bytes(range(256)) * 20))
    pieces = [content[at : at + 3000] for at in range(0, len(content), 3000)]
    package = await shelf.uploads.start_parts(await shelf.started())
    upload = package.upload_id
    etags = {}
    for number in (2, 1, 2, 2):
        part = await shelf.uploads.part(upload, number, chunks(pieces[number - 1]), None)
        etags[number] = part.etag
    # A new try of the client: the same upload, and what is there stays.
    package = await shelf.uploads.start_parts(await shelf.uploads.start(package))
    assert package.upload_id == upload
    wanted = [(1, etags[1]), (2, etags[2])]
    with pytest.raises(InvalidArgument, match="whole tar"):
        await shelf.uploads.join(package, upload, wanted)
    for number in range(3, len(pieces) + 1):
        part = await shelf.uploads.part(upload, number, chunks(pieces[number - 1]), None)
        wanted.append((number, f'"{part.etag}"'))
    with pytest.raises(InvalidArgument, match="order"):
        await shelf.uploads.join(package, upload, wanted[::-1])
    with pytest.raises(FailedPrecondition, match="etag"):
        await shelf.uploads.join(package, upload, [(1, etags[2]), *wanted[1:]])
    joined = await shelf.uploads.join(package, upload, wanted)
    assert (joined.status, joined.arrived) == (
        Status.UPLOADING,
        (digest_of(content), len(content)),
    )
    assert await shelf.uploads.join(joined, upload, wanted) == joined
    done = await shelf.uploads.finish(joined, "success", "")
    assert (done.status, done.digest) == (Status.SUCCESS, digest_of(content))
    assert inside(shelf.vault.incoming) == []
    assert await shelf.registry.catalogue.count_entries(Kind.UPLOAD) == 0
    with pytest.raises(NotFound):
        await shelf.uploads.part(upload, 1, chunks(b"late"), None)


@async_test
async def test_no_more_comes_than_archives_may_hold(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Limits(ArchiveLimits(size=20_000), part=12_000))
    with pytest.raises(TooLarge):
        await shelf.made(size_bytes=20_001)
    package = await shelf.started()
    with pytest.raises(TooLarge):
        await shelf.uploads.whole(package, chunks(b""), 20_001, is_done=True)
    package = await shelf.uploads.start(package)
    with pytest.raises(TooLarge):
        await shelf.uploads.whole(package, chunks(bytes(20_001)), None, is_done=True)
    package = await shelf.uploads.start_parts(await shelf.uploads.start(package))
    with pytest.raises(TooLarge):
        await shelf.uploads.part(package.upload_id, 1, chunks(bytes(12_001)), None)
    await shelf.uploads.part(package.upload_id, 1, chunks(bytes(12_000)), None)
    with pytest.raises(TooLarge):
        await shelf.uploads.part(package.upload_id, 2, chunks(bytes(8_001)), None)
    for number in (0, -1, 10_001):
        with pytest.raises(InvalidArgument):
            await shelf.uploads.part(package.upload_id, number, chunks(b""), None)


@async_test
async def test_an_archive_goes_with_the_last_version_that_has_it(shelf: Shelf) -> None:
    first = await shelf.pushed()
    content = bento()
    other = await shelf.uploads.start(await shelf.made(version="v2"))
    with pytest.raises(InvalidArgument):  # it is of v1
        await shelf.uploads.whole(other, chunks(content), None, is_done=True)
    assert await shelf.digests() == {first.digest}
    twin = replace(first, organization="other", uid="twin")
    async with shelf.registry.changing(first) as changing:
        changing.changes.append(Put(twin.entry()))
    await shelf.registry.delete(first)
    assert await shelf.digests() == {first.digest}
    await shelf.registry.delete(twin)
    assert await shelf.digests() == set()
    with pytest.raises(NotFound):
        await shelf.again(first)


@async_test
async def test_what_a_deployment_uses_is_not_deleted(shelf: Shelf) -> None:
    model = await shelf.pushed(family=MODELS)
    release = await shelf.pushed(models=["weights:v1"])
    canary = {"versions": {"new": {"release": "tiny:v1"}}}
    shelf.deployed.configs = {"d1": {"release": "tiny:v1"}, "d2": {"canary": canary}, "d3": {}}
    for package in (release, model):
        with pytest.raises(MeshError, match="used by deployment d1, deployment d2") as caught:
            await shelf.registry.delete(package)
        assert (caught.value.status, caught.value.code) == (409, Code.FAILED_PRECONDITION)
    shelf.deployed.configs = {}
    with pytest.raises(MeshError, match="used by bento tiny:v1"):
        await shelf.registry.delete(model)
    await shelf.registry.delete(release)
    await shelf.registry.delete(model)
    assert await shelf.digests() == set()


@async_test
async def test_a_deletion_that_waits_for_archives_holds_up_no_deployment(shelf: Shelf) -> None:
    release = await shelf.pushed()
    async with shelf.registry.naming():
        deletion = asyncio.create_task(shelf.registry.delete(release))
        for _ in range(20):  # as far as it goes
            await asyncio.sleep(0)
        assert not deletion.done()
        assert not shelf.deployed.changing.locked()
    await deletion
    assert await shelf.digests() == set()


@async_test
async def test_a_release_is_found_with_the_digests_of_its_models(shelf: Shelf) -> None:
    services = [{"models": [{"tag": "llama:x", "registry": "huggingface"}, {"tag": "weights:v1"}]}]
    manifest = {"models": ["llama:x", "weights:v1"], "services": services}
    assert model_tags(manifest) == ("weights:v1",)
    release = await shelf.pushed(**manifest)
    with pytest.raises(FailedPrecondition, match="needs model weights:v1"):
        await shelf.registry.release("tiny:v1")
    started = await shelf.uploads.start(await shelf.made(MODELS))
    with pytest.raises(FailedPrecondition, match="weights:v1 was not uploaded"):
        await shelf.registry.release("tiny:v1")
    model = await shelf.uploads.whole(started, chunks(WEIGHTS), None, is_done=True)
    for tag in ("tiny:v1", "tiny", "tiny:latest"):
        found = await shelf.registry.release(tag)
        assert (found.tag, found.digest) == ("tiny:v1", release.digest)
        assert found.models == {"weights:v1": model.digest}
    await shelf.vault.delete(release.digest)
    with pytest.raises(FailedPrecondition, match="lost"):
        await shelf.registry.release("tiny")


@async_test
async def test_a_release_is_there_until_it_is_deleted_or_its_archive_replaced(shelf: Shelf) -> None:
    package = await shelf.pushed()
    release = await shelf.registry.release("tiny:v1")
    assert await shelf.registry.is_there(release)
    assert not await shelf.registry.is_there(release, "another")
    assert not await shelf.registry.is_there(replace(release, digest=digest_of(b"another")))
    await shelf.registry.delete(package)
    assert not await shelf.registry.is_there(release)
    await shelf.pushed()  # of the same tag, and another one
    assert not await shelf.registry.is_there(release)


@async_test
async def test_latest_is_the_newest_that_was_uploaded(shelf: Shelf) -> None:
    await shelf.pushed()
    for number in range(2, 30):
        await shelf.made(version=f"v{number}")
    assert (await shelf.registry.package(BENTOS, "default", "tiny", "latest")).version == "v1"
    with pytest.raises(AlreadyExists):
        await shelf.made(version="latest")


@async_test
async def test_a_model_that_is_kept_elsewhere_needs_no_upload(shelf: Shelf) -> None:
    model = await shelf.made(MODELS, **HUGGING)
    assert (model.status, model.digest) == (Status.SUCCESS, "")


@async_test
async def test_what_was_pushed_before_stays_until_the_new_is_there_and_nobody_uses_it(
    shelf: Shelf,
) -> None:
    first = await shelf.pushed()
    shelf.deployed.configs = {"d1": {"release": "tiny:v1"}}
    again = await shelf.uploads.start(first)
    with pytest.raises(InvalidArgument):
        await shelf.uploads.whole(again, chunks(b"bad"), None, is_done=True)
    assert (await shelf.again(first)).digest == first.digest
    again = await shelf.uploads.start(again)
    content = bento(file("new"))
    new = await shelf.uploads.whole(again, chunks(content), None, is_done=True)
    shelf.now += 10 * YOUNG + 10**10  # the files were written at the real time
    await tidy(shelf.registry)
    assert await shelf.digests() == {first.digest, new.digest}
    shelf.deployed.configs = {}
    await tidy(shelf.registry)
    assert await shelf.digests() == {new.digest}


@async_test
async def test_uploads_that_were_given_up_are_cleared_away(shelf: Shelf) -> None:
    package = await shelf.uploads.start_parts(await shelf.started())
    await shelf.uploads.part(package.upload_id, 1, chunks(b"part"), None)
    await tidy(shelf.registry)
    assert (await shelf.again(package)).upload_id == package.upload_id
    shelf.now += 10**10
    await tidy(shelf.registry)
    assert inside(shelf.vault.incoming) == []
    assert await shelf.registry.catalogue.count_entries(Kind.UPLOAD) == 0
    assert (await shelf.again(package)).upload_id == ""


@async_test
async def test_what_cannot_be_cleared_away_is_logged_and_the_rest_is_cleared(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk fails")

    first = await shelf.pushed()
    other = await shelf.pushed(family=MODELS)
    await shelf.registry.catalogue.write(Remove(first.entry()), Remove(other.entry()))
    shelf.now += 10 * YOUNG + 10**10
    digits = first.digest.partition(":")[2]
    (stuck,) = shelf.vault.incoming.parent.glob(f"sha256/??/{digits[2:]}")
    stuck.unlink()
    stuck.mkdir()  # is no file that can be unlinked
    monkeypatch.setattr("mesh.releases.tidy.sweep", broken)
    await tidy(shelf.registry)
    assert await shelf.digests() == {first.digest}
    assert "the disk fails" in caplog.text
    assert f"{first.digest} is not deleted" in caplog.text


@async_test
async def test_a_version_that_is_deleted_meanwhile_does_not_keep_others(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = {each: BENTO.replace(b"v1", each.encode()) for each in ("v1", "v2")}
    first, other = [
        await shelf.pushed(bento(document=text), version=version)
        for version, text in documents.items()
    ]
    for package in (first, other):
        again = await shelf.uploads.start(package)
        content = bento(file("new"), document=documents[package.version])
        await shelf.uploads.whole(again, chunks(content), None, is_done=True)
    assert (await shelf.again(first)).earlier
    uses_of = Registry.uses_of

    async def deleting(registry: Registry, package: Package) -> tuple[Use, ...]:
        if package.uid == other.uid:  # the newest comes first
            await registry.catalogue.write(Remove(package.entry()))
        return await uses_of(registry, package)

    monkeypatch.setattr(Registry, "uses_of", deleting)
    await tidy(shelf.registry)
    assert (await shelf.again(first)).earlier == ()


@async_test
async def test_a_full_disk_is_told_and_noted(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(**_: object) -> tuple[int, str]:
        return os.open("/dev/full", os.O_WRONLY), str(tmp_path / "arriving")

    package = await shelf.started()
    in_parts = await shelf.uploads.start_parts(package)
    monkeypatch.setattr("mesh.releases.blobs.mkstemp", full)
    with pytest.raises(Unavailable, match="no room"):
        await shelf.uploads.part(in_parts.upload_id, 1, chunks(b"part"), None)
    assert (await shelf.again(package)).status is Status.UPLOADING  # it may be sent again
    with pytest.raises(Unavailable, match="no room"):
        await shelf.uploads.whole(package, chunks(bento()), None, is_done=True)
    found = await shelf.again(package)
    assert (found.status, "no room" in found.reason) == (Status.FAILED, True)


class Slow(MemoryCatalogue):
    """Lets others go on before it writes."""

    async def write(self, *changes: Put | Remove) -> None:
        await asyncio.sleep(0)
        await super().write(*changes)


@async_test
async def test_versions_that_come_at_once_are_counted_one_by_one(shelf: Shelf) -> None:
    shelf.registry = replace(shelf.registry, catalogue=Slow())
    group = Entry(Kind.LIMIT_GROUP, "small", "g", 0, 0, {"config": {"bento_count": 1}})
    owner = Entry(Kind.ORGANIZATION, "default", "o", 0, 0, {"limit_group": "small"})
    await shelf.registry.catalogue.write(Put(group), Put(owner))
    await shelf.registry.create_repository(BENTOS, "default", "tiny", Said(), "me")
    made = await asyncio.gather(
        *(shelf.made(version=each) for each in ("v1", "v2")), return_exceptions=True
    )
    assert [type(each) for each in made] == [Package, QuotaExceeded]
    assert await shelf.registry.count(BENTOS, "default") == 1


@async_test
async def test_quotas_of_the_organization_hold(shelf: Shelf) -> None:
    config = {"bento_count": 1, "bento_size": "12Ki"}
    catalogue = shelf.registry.catalogue
    group = Entry(Kind.LIMIT_GROUP, "small", "g", 0, 0, {"config": config})
    owner = Entry(Kind.ORGANIZATION, "default", "o", 0, 0, {"limit_group": "small"})
    await catalogue.write(Put(group), Put(owner))
    with pytest.raises(QuotaExceeded, match="bento_size"):
        await shelf.made(size_bytes=13_000)
    await shelf.pushed()
    with pytest.raises(QuotaExceeded, match="bento_count"):
        await shelf.made(version="v2")
    package = await shelf.uploads.start(
        await shelf.registry.package(BENTOS, "default", "tiny", "v1")
    )
    with pytest.raises(QuotaExceeded, match="bento_size"):
        await shelf.uploads.whole(package, chunks(b""), 13_000, is_done=True)
    large = chunks(bento(file("x", bytes(13_000))))
    with pytest.raises(TooLarge):
        await shelf.uploads.whole(package, large, None, is_done=True)
    await shelf.pushed(family=MODELS)


@async_test
async def test_a_registry_keeps_its_archives_where_a_url_says(tmp_path: Path) -> None:
    vault = RemoteBlobs(f"memory://{tmp_path.name}", tmp_path)
    shelf = Shelf(tmp_path, vault=vault)
    made = await shelf.pushed()
    assert await vault.read(made.digest, 0, 2**20) == bento()
    assert (await shelf.registry.release("tiny")).digest == made.digest
    assert inside(tmp_path) == []
    await shelf.registry.delete(made)
    assert await shelf.digests() == set()


@async_test
async def test_parts_go_with_the_version_that_is_deleted(shelf: Shelf) -> None:
    package = await shelf.uploads.start_parts(await shelf.started())
    await shelf.uploads.part(package.upload_id, 1, chunks(b"part"), None)
    await shelf.registry.delete(package)
    assert inside(shelf.vault.incoming) == []
    assert await shelf.registry.catalogue.count_entries(Kind.UPLOAD) == 0


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "a b", "ä", "a" * 129, "a\n"])
@async_test
async def test_names_that_are_none_are_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await shelf.registry.create_repository(BENTOS, "default", name, Said(), "me")
    await shelf.made()
    with pytest.raises(InvalidArgument):
        await shelf.registry.create(BENTOS, "default", "tiny", name, Said(), "me")
