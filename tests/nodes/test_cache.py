"""Folders that a node makes once."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesh.errors import InvalidArgument
from mesh.nodes.cache import NodeCache

ONE, TWO, THREE = "1" * 16, "2" * 16, "3" * 16
BIG = 64 * 2**10


def filled(path: Path) -> None:
    path.mkdir()
    (path / "content").write_bytes(os.urandom(BIG))


def never(path: Path) -> None:
    raise AssertionError(path)


def test_a_folder_is_made_once_however_many_ask_at_once(tmp_path: Path) -> None:
    cache = NodeCache(tmp_path, 2**30)
    made: list[Path] = []
    begun, go_on = threading.Event(), threading.Event()

    def slowly(path: Path) -> None:
        begun.set()
        assert go_on.wait(60)
        made.append(path)
        filled(path)

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(cache.lease, "releases", ONE, slowly)
        assert begun.wait(60)
        assert not cache.has("releases", ONE)
        others = [threads.submit(cache.lease, "releases", ONE, slowly) for _ in range(3)]
        go_on.set()
        paths = {each.result(60).path for each in (first, *others)}
    assert made == list(paths)
    assert cache.has("releases", ONE)


def test_what_could_not_be_made_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    cache = NodeCache(tmp_path, 2**30)

    def fails(path: Path) -> None:
        filled(path)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.lease("releases", ONE, fails)
    assert not (tmp_path / "releases" / ONE).exists()
    assert cache.lease("releases", ONE, filled).path.is_dir()


def test_what_somebody_left_half_made_is_made_anew(tmp_path: Path) -> None:
    cache = NodeCache(tmp_path, 2**30)
    left = tmp_path / "releases" / ONE
    left.mkdir(parents=True)
    (left / "half").touch()
    with cache.lease("releases", ONE, filled) as lease:
        assert {path.name for path in lease.path.iterdir()} == {"content"}


def test_what_was_not_used_for_longest_is_removed_first_and_never_what_is_in_use(
    tmp_path: Path,
) -> None:
    cache = NodeCache(tmp_path, 2 * BIG + BIG // 2)
    held = cache.lease("releases", ONE, filled)
    cache.lease("models", TWO, filled).close()
    for number, lock in enumerate((f"releases-{ONE}", f"models-{TWO}")):
        os.utime(tmp_path / "locks" / lock, (number, number))
    cache.lease("releases", THREE, filled).close()
    assert (tmp_path / "releases" / ONE).is_dir()
    assert not (tmp_path / "models" / TWO).exists()
    assert not cache.has("models", TWO)
    held.close()
    held.close()
    os.utime(tmp_path / "locks" / f"releases-{ONE}", (0, 0))
    cache.lease("models", TWO, filled).close()
    assert not (tmp_path / "releases" / ONE).exists()
    assert cache.lease("releases", THREE, never).path.is_dir()


@pytest.mark.parametrize("name", ["", "../x", "1/2", "X" * 16])
def test_only_digests_name_folders(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument):
        NodeCache(tmp_path, 1).lease("releases", name, never)
