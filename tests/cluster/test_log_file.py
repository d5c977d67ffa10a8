"""A log that is read in pieces."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mesh.cluster.log_file import LogPlace, read_log


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "log"


def log(path: Path, text: str, since: int = 0) -> LogPlace:
    path.write_bytes(text.encode())
    return LogPlace("node", str(path), since)


@given(text=st.text(st.sampled_from("ab\nä🙂"), max_size=60), limit=st.integers(1, 20))
def test_the_pieces_make_up_the_whole(path: Path, text: str, limit: int) -> None:
    place = log(path, text)
    read, after = b"", 0
    while (piece := read_log(place, after, limit)).next > after:
        read += piece.text.encode()
        after = piece.next
    assert after == len(text.encode())
    if limit >= 4:  # a character fits
        assert read == text.encode()


def test_a_piece_that_is_not_the_last_ends_with_a_line(path: Path) -> None:
    place = log(path, "one\ntwo\nthree\n")
    assert read_log(place, 0, 10).text == "one\ntwo\n"
    assert read_log(place, 8, 10).text == "three\n"


def test_the_end_of_a_log_is_whole_lines(path: Path) -> None:
    place = log(path, "one\ntwo\nthree\n")
    assert read_log(place, -1, 8).text == "three\n"
    assert read_log(place, -1, 100).text == "one\ntwo\nthree\n"


def test_what_ray_wrote_at_the_beginning_is_left_out(path: Path) -> None:
    place = log(path, ":job_id:1\none\n", since=10)
    assert read_log(place, -1, 100).text == "one\n"
    assert read_log(place, 0, 100).text == "one\n"


def test_a_file_that_was_begun_anew_is_read_from_its_beginning(path: Path) -> None:
    assert read_log(log(path, "new\n"), 100, 100).text == "new\n"


def test_a_character_that_is_not_complete_waits_for_its_rest(path: Path) -> None:
    place = log(path, "")
    path.write_bytes("a🙂".encode()[:3])
    first = read_log(place, 0, 100)
    assert (first.text, first.next) == ("a", 1)
    path.write_bytes("a🙂".encode())
    assert read_log(place, first.next, 100).text == "🙂"


def test_bytes_that_are_no_text_do_no_harm(path: Path) -> None:
    place = log(path, "")
    path.write_bytes(b"a\xffb\n")
    assert read_log(place, 0, 100).text == "a\ufffdb\n"
