from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.file import File


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.remove()


@pytest.mark.parametrize(
    ("filename", "end"),
    [
        ("cat.png", "-cat.png"),
        ("../../cat.png", "-cat.png"),
        ("C:\\cat.png", "-cat.png"),
        ("/etc/passwd", "-passwd"),
        ("a\0b", "-ab"),
    ],
)
def test_content_is_kept_in_the_folder_under_a_base_name(
    folder: Folder, filename: str, end: str
) -> None:
    path = CallIntake(folder).keep(File(b"content", filename=filename))
    assert path.parent == folder.path
    assert path.name.endswith(end)
    assert path.read_bytes() == b"content"


@given(st.text())
def test_no_name_leads_out_of_the_folder(filename: str) -> None:
    folder = Folder()
    try:
        path = CallIntake(folder).keep(File(b"x", filename=filename))
        assert path.resolve().parent == folder.path.resolve()
        assert list(folder.path.iterdir()) == [path]
    finally:
        folder.remove()


def test_files_of_one_name_are_kept_apart(folder: Folder) -> None:
    intake = CallIntake(folder)
    paths = {intake.keep(File(bytes([n]), filename="a")) for n in range(9)}
    assert {path.read_bytes() for path in paths} == {bytes([n]) for n in range(9)}


def test_a_file_in_the_folder_is_not_copied_and_may_be_kept_twice(folder: Folder) -> None:
    uploaded = folder.path / "body-1"
    uploaded.write_bytes(b"content")
    intake = CallIntake(folder)
    file = File(filename="a.txt", path=uploaded)
    first, second = intake.keep(file), intake.keep(file)
    assert first != second
    assert first.stat().st_ino == second.stat().st_ino == uploaded.stat().st_ino
    assert first.name.endswith("-a.txt")


def test_a_file_elsewhere_is_copied(folder: Folder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"content")
    kept = CallIntake(folder).keep(File(path=elsewhere))
    kept.write_bytes(b"changed")
    assert elsewhere.read_bytes() == b"content"


def test_a_link_out_of_the_folder_is_copied(folder: Folder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"content")
    link = folder.path / "link"
    link.symlink_to(elsewhere)
    kept = CallIntake(folder).keep(File(path=link))
    kept.write_bytes(b"changed")
    assert elsewhere.read_bytes() == b"content"


def test_a_url_is_fetched_into_the_folder(folder: Folder) -> None:
    def fetch(uri: str, new_path: Callable[[], Path]) -> File:
        path = new_path()
        path.write_bytes(uri.encode())
        return File(media_type="a/b", filename="c.txt", path=path)

    intake = CallIntake(folder, fetch)
    fetched = intake.fetch("https://example.com")
    assert fetched.path is not None
    assert fetched.path.parent == folder.path
    kept = intake.keep(File(uri="https://example.com"))
    assert kept.read_bytes() == b"https://example.com"
    assert kept.name.endswith("-c.txt")


def test_without_a_way_to_fetch_urls_are_refused(folder: Folder) -> None:
    intake = CallIntake(folder)
    for use in (intake.fetch, lambda uri: intake.keep(File(uri=uri))):
        with pytest.raises(ValueError, match="URLs are not accepted"):
            use("https://example.com")
    assert not folder.made


def test_after_the_call_nothing_is_kept(folder: Folder) -> None:
    folder.remove()
    with pytest.raises(FileNotFoundError):
        CallIntake(folder).keep(File(b"x"))
