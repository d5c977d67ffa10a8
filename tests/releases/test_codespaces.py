"""Codespaces without a face: what is kept of them, and what is made of them."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.errors import FailedPrecondition, NotFound, TooLarge
from mesh.releases.archive import check
from mesh.releases.codespace import KEPT, READY, CodeLimits, file_of
from mesh.releases.codespaces import Codespaces
from mesh.releases.packages import BENTOS, Package
from mesh.releases.tidy import YOUNG, tidy
from tests.control.store.stores import async_test
from tests.releases.test_registry import Shelf

D = ("default", "d")


class Bench:
    """Codespaces of a shelf with a bare release."""

    def __init__(self, folder: Path, limits: CodeLimits | None = None) -> None:
        self.folder = folder
        self.shelf = Shelf(folder)
        self.spaces = Codespaces(self.shelf.uploads, limits or CodeLimits())

    async def bare(self, **more: Any) -> Package:
        made = await self.shelf.made(BENTOS, dev=True, service="svc:Main", **more)
        return await self.shelf.uploads.finish(made, "success", "")

    async def kept(self, content: bytes) -> bool:
        return await self.shelf.vault.size(file_of(content).digest) is not None

    async def inside(self, digest: str) -> dict[str, bytes]:
        size = await self.shelf.vault.size(digest)
        assert size is not None
        archive = io.BytesIO(await self.shelf.vault.read(digest, 0, size))
        with tarfile.open(fileobj=archive) as tar:
            return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@async_test
async def test_the_same_files_make_the_same_archive(bench: Bench) -> None:
    source = await bench.bare()
    await bench.spaces.add(*D, {"b.py": b"b", "a/a.py": b"a"}, source.uid)
    space = await bench.spaces.add(*D, {READY: b""}, source.uid)
    digest, size = await bench.spaces.build(space, source)
    path = bench.folder / "sha256" / digest[7:9] / digest[9:]
    assert path.stat().st_size == size
    assert check(path, "bento.yaml").entries == 3
    await bench.spaces.add(*D, {"b.py": b"other"}, source.uid)
    space = await bench.spaces.add(*D, {"b.py": b"b"}, source.uid)
    assert await bench.spaces.build(space, source) == (digest, size)


@async_test
async def test_what_no_codespace_has_any_more_is_dropped(bench: Bench) -> None:
    source = await bench.bare()
    await bench.spaces.add(*D, {"a": b"shared", "b": b"own"}, source.uid)
    await bench.spaces.add("default", "e", {"a": b"shared"}, source.uid)
    bench.shelf.now += 2 * YOUNG
    await tidy(bench.shelf.registry)
    assert await bench.kept(b"own")
    await bench.spaces.remove(*D, ["b"])
    assert not await bench.kept(b"own")
    await bench.spaces.forget(*D)
    assert await bench.spaces.find(*D) is None
    assert await bench.kept(b"shared")
    await bench.spaces.forget("default", "e")
    assert not await bench.kept(b"shared")


@async_test
async def test_only_the_last_archives_are_kept(bench: Bench) -> None:
    source = await bench.bare()
    digests = []
    for number in range(KEPT + 1):
        files = {"a": b"%d" % number, READY: b""}
        space = await bench.spaces.add(*D, files, source.uid)
        assert space.is_behind
        digests.append((await bench.spaces.build(space, source))[0])
    found = await bench.spaces.find(*D)
    assert found is not None
    assert not found.is_behind
    assert found.archives == tuple(digests[1:])
    assert await bench.shelf.vault.size(digests[0]) is None


@async_test
async def test_a_codespace_that_went_meanwhile_is_not_built(bench: Bench) -> None:
    source = await bench.bare()
    space = await bench.spaces.add(*D, {READY: b""}, source.uid)
    await bench.spaces.forget(*D)
    with pytest.raises(NotFound):
        await bench.spaces.build(space, source)
    assert await bench.spaces.find(*D) is None


@async_test
async def test_scripts_are_said_to_be_there(bench: Bench) -> None:
    source = await bench.bare(image={"commands": []})
    files = {"setup.sh": b"apt-get install ffmpeg", READY: b""}
    space = await bench.spaces.add(*D, files, source.uid)
    digest, _ = await bench.spaces.build(space, source)
    said = yaml.safe_load((await bench.inside(digest))["bento.yaml"])
    assert said["docker"] == {"setup_script": "setup.sh"}


@async_test
async def test_a_release_is_made_of_whole_files_only(bench: Bench) -> None:
    source = await bench.bare()
    space = await bench.spaces.add(*D, {"svc.py": b""}, source.uid)
    with pytest.raises(FailedPrecondition):
        await bench.spaces.release(space, source, "v2", "me")
    space = await bench.spaces.add(*D, {READY: b""}, source.uid)
    made = await bench.spaces.release(space, source, "v2", "me")
    assert (made.tag, made.manifest["dev"], made.status.value) == ("tiny:v2", False, "success")
    said = yaml.safe_load((await bench.inside(made.digest))["bento.yaml"])
    assert (said["version"], "dev" in said) == ("v2", False)


@async_test
async def test_there_is_an_end_to_files(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CodeLimits(files=2, size=10))
    source = await bench.bare()
    await bench.spaces.add(*D, {"a": b"12345", "b": b"12345"}, source.uid)
    with pytest.raises(TooLarge):
        await bench.spaces.add(*D, {"c": b""}, source.uid)
    with pytest.raises(TooLarge):
        await bench.spaces.add(*D, {"a": b"123456"}, source.uid)
    assert not await bench.kept(b"123456")
