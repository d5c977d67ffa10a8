import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesh.io.files.folder import Folder


def test_a_folder_is_made_when_it_is_first_asked_for_and_nobody_else_sees_in(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path)
    assert not folder.made
    assert list(tmp_path.iterdir()) == []
    assert folder.path.parent == tmp_path
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.made


def test_several_threads_get_one_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: folder.path, range(64)))) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_is_removed_with_everything_in_it_and_may_be_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (folder.path / "a").mkdir()
    (folder.path / "a" / "b").write_bytes(b"x")
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []
    assert not folder.made


def test_locked_folders_go_too_and_links_out_of_them_lead_nowhere(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(b"x")
    kept.chmod(0o500)
    folder = Folder(tmp_path)
    locked = folder.path / "locked"
    locked.mkdir()
    (locked / "file").write_bytes(b"x")
    (folder.path / "link").symlink_to(kept)
    locked.chmod(0)
    folder.remove()
    assert list(tmp_path.iterdir()) == [kept]
    assert (kept / "file").exists()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o500


def test_what_somebody_else_removed_is_no_error(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.path.rmdir()
    folder.remove()


def test_a_folder_that_was_never_made_leaves_nothing_and_comes_no_more(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.remove()
    with pytest.raises(FileNotFoundError, match="call has ended"):
        _ = folder.path
    assert list(tmp_path.iterdir()) == []
