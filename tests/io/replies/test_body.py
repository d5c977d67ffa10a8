"""Bodies of replies, read while they are sent."""

from pathlib import Path

import pytest

from mesh.errors import Internal
from mesh.io.replies.body import PIECE, ReplyBody, body_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(PIECE) + b"end")
    return path


def test_a_file_is_read_a_piece_at_a_time(path: Path):
    body = body_of("a/b", b"head", path, b"", b"tail")
    assert body.size == 4 + PIECE + 3 + 4
    assert body.data is None
    assert [len(piece) for piece in body.pieces()] == [4, PIECE, 3, 4]


@pytest.mark.parametrize(("parts", "data"), [((), b""), ((b"a",), b"a"), ((b"a", b"b"), None)])
def test_what_is_in_memory_is_at_hand(parts, data):
    assert body_of("a/b", *parts).data == data


def test_a_file_that_is_gone_cannot_be_promised(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        body_of("a/b", tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"short", "shrank"), (bytes(2 * PIECE), "grew"), (None, "cannot be")]
)
def test_a_file_that_changes_breaks_the_reply_off(path: Path, content, reason):
    body = body_of("a/b", path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Internal, match=reason):
        list(body.pieces())


def test_nothing_is_read_of_what_nobody_asks_for():
    assert ReplyBody("a/b", (Path("/nowhere"),)).data is None
