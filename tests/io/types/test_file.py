from pathlib import Path

import pytest

from mesh.io.types.file import File


def on_disk(folder: Path, content: bytes = b"content") -> File:
    path = folder / "there"
    path.write_bytes(content)
    return File(filename="a.txt", path=path)


def test_a_file_in_memory_and_one_on_disk_read_alike(tmp_path: Path) -> None:
    for file in (File(b"content", filename="a.txt"), on_disk(tmp_path)):
        assert file.read() == b"content"
        assert file.size == 7
        with file.open() as stream:
            assert stream.read(3) == b"con"


def test_a_file_saves_under_a_path_or_under_its_own_name_in_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    for file in (File(b"content", filename="a.txt"), on_disk(tmp_path)):
        assert file.save(target) == target / "a.txt"
        assert file.save(str(tmp_path / "b.txt")).read_bytes() == b"content"
        assert (target / "a.txt").read_bytes() == b"content"


@pytest.mark.parametrize(("filename", "saved"), [("../up.txt", "up.txt"), ("/etc/x", "x")])
def test_saving_into_a_folder_stays_in_it(tmp_path: Path, filename: str, saved: str) -> None:
    assert File(b"x", filename=filename).save(tmp_path) == tmp_path / saved


@pytest.mark.parametrize("filename", ["", "..", "/"])
def test_a_file_without_a_name_needs_more_than_a_folder(tmp_path: Path, filename: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        File(b"x", filename=filename).save(tmp_path)


def test_the_content_behind_a_url_is_not_there_yet(tmp_path: Path) -> None:
    file = File(uri="https://example.com/a.txt")
    for use in (file.read, file.open, lambda: file.size, lambda: file.save(tmp_path / "a")):
        with pytest.raises(ValueError, match="yet to be fetched"):
            use()


def test_a_file_takes_another_name() -> None:
    file = File(b"x", "text/plain", "a.txt")
    assert file.named("b.txt") == File(b"x", "text/plain", "b.txt")
    assert file.named("b.md", "text/markdown") == File(b"x", "text/markdown", "b.md")
