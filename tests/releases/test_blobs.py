"""Archives by their digest: on disk, and in stores that are reached by URL."""

import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import fsspec
import pytest

from mesh.errors import ConfigError, InvalidArgument, NotFound, TooLarge, Unavailable
from mesh.releases.blobs import DiskBlobs, Vault, sweep
from mesh.releases.place import open_vault
from mesh.releases.remote_blobs import RemoteBlobs
from tests.control.store.stores import async_test
from tests.releases.tars import inside

LIMIT = 2**30


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["disk", "memory", "s3"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    match request.param:
        case "disk":
            return DiskBlobs(tmp_path / "releases")
        case "memory":
            return RemoteBlobs(f"memory://{tmp_path.name}", tmp_path / "incoming")
    options = {
        "key": "a",
        "secret": "b",
        "client_kwargs": {"endpoint_url": request.getfixturevalue("s3")},
    }
    bucket = tmp_path.name.replace("_", "-")[:40].strip("-")
    fsspec.filesystem("s3", **options).mkdir(bucket)
    return RemoteBlobs(f"s3://{bucket}/releases/", tmp_path / "incoming", **options)


@async_test
async def test_what_is_put_is_read_back_in_pieces_and_deleted(vault: Vault) -> None:
    data = os.urandom(3 * 2**20 + 7)
    kept = await vault.put(chunks(data[:5], b"", data[5:]), LIMIT)
    digest, size = kept
    assert kept == (digest_of(data), len(data))
    assert await vault.size(digest) == size
    pieces = [await vault.read(digest, at, 2**20) for at in range(0, size, 2**20)]
    assert b"".join(pieces) == data
    assert await vault.read(digest, size, 10) == b""
    assert await vault.read(digest, size - 3, 10) == data[-3:]
    assert await vault.put(chunks(data), LIMIT) == kept
    assert [(each.digest, each.size) for each in await vault.all()] == [kept]
    await vault.delete(digest)
    await vault.delete(digest)
    assert await vault.size(digest) is None
    assert await vault.all() == ()
    with pytest.raises(NotFound):
        await vault.read(digest, 0, 10)


@async_test
async def test_what_is_too_large_or_breaks_off_leaves_nothing(vault: Vault) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(2**21)
        raise ConnectionResetError

    with pytest.raises(TooLarge):
        await vault.put(chunks(bytes(2**20), bytes(2**20)), 2**21 - 1)
    with pytest.raises(ConnectionResetError):
        await vault.put(breaking(), LIMIT)
    assert await vault.all() == ()
    assert inside(vault.incoming) == []


@async_test
async def test_only_digests_name_contents(vault: Vault) -> None:
    for wrong in ("", "sha256:..", f"sha256:{'../' * 20}", f"md5:{'a' * 64}", "A" * 64):
        with pytest.raises(InvalidArgument):
            await vault.read(wrong, 0, 10)
        with pytest.raises(InvalidArgument):
            await vault.delete(wrong)


@async_test
async def test_empty_content_is_content(vault: Vault) -> None:
    digest, size = await vault.put(chunks(), LIMIT)
    assert (await vault.size(digest), size) == (0, 0)
    assert await vault.read(digest, 0, 10) == b""


@async_test
async def test_content_takes_little_memory_on_its_way(tmp_path: Path) -> None:
    async def many() -> AsyncIterator[bytes]:
        piece = bytes(2**16)
        for _ in range(1024):
            yield piece

    vault = DiskBlobs(tmp_path)
    tracemalloc.start()
    try:
        await vault.put(many(), LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_what_nobody_sends_any_more_is_swept(tmp_path: Path) -> None:
    for name, age in (("old", 100), ("new", 0)):
        path = tmp_path / f".arriving-{name}"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    sweep(tmp_path, 50, clock=lambda: 1000)
    assert inside(tmp_path) == [".arriving-new"]


@async_test
async def test_a_store_that_fails_is_unavailable_without_its_address(tmp_path: Path) -> None:
    options = {
        "key": "a",
        "secret": "hidden",
        "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"},
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    vault = RemoteBlobs("s3://bucket/hidden", tmp_path, **options)
    with pytest.raises(Unavailable) as caught:
        await vault.size(digest_of(b""))
    assert "hidden" not in caught.value.message


def test_archives_are_beside_the_database_unless_said_otherwise(tmp_path: Path) -> None:
    opened = open_vault("", f"sqlite:///{tmp_path}/state/mesh.db")
    assert repr(opened.vault) == f"<DiskBlobs {tmp_path}/state/releases>"
    assert opened.passing is None
    for said in (f"{tmp_path}/r", f"file://{tmp_path}/r"):
        assert repr(open_vault(said, "memory:").vault) == f"<DiskBlobs {tmp_path}/r>"
    with pytest.raises(ConfigError, match="--releases"):
        open_vault(f"file://{__file__}", "")


def test_archives_of_a_mesh_in_memory_go_with_it() -> None:
    opened = open_vault("", "")
    assert opened.passing is not None
    assert opened.passing.is_dir()
    opened.close()
    assert not opened.passing.exists()


def test_a_missing_driver_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--releases nothing://"):
        open_vault("nothing://bucket/secret", "")
