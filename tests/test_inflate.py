"""Compressed data, whole and damaged, of both encodings."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from mesh.inflate import PIECE, WINDOWS, DamagedError, TooLongError, inflated

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
ENCODINGS = st.sampled_from(sorted(WINDOWS))


@given(st.binary(max_size=1000), st.integers(0, 300), ENCODINGS)
def test_data_comes_back_in_small_pieces(data: bytes, repeats: int, encoding: str) -> None:
    whole = data * repeats
    pieces = list(inflated(COMPRESS[encoding](whole), encoding, len(whole)))
    assert b"".join(pieces) == whole
    assert all(len(piece) <= PIECE for piece in pieces)


@given(st.binary(min_size=1, max_size=1000), ENCODINGS)
def test_one_byte_over_the_limit_is_too_long(data: bytes, encoding: str) -> None:
    with pytest.raises(TooLongError):
        list(inflated(COMPRESS[encoding](data), encoding, len(data) - 1))


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=20), st.data(), ENCODINGS)
def test_what_is_cut_off_or_goes_on_is_damaged(
    data: bytes, more: bytes, draw: st.DataObject, encoding: str
) -> None:
    compressed = COMPRESS[encoding](data)
    cut = compressed[: draw.draw(st.integers(0, len(compressed) - 1))]
    for broken in (cut, compressed + more, compressed * 2):
        with pytest.raises(DamagedError):
            list(inflated(broken, encoding, 1000))


def test_no_more_is_made_of_a_bomb_than_is_wanted() -> None:
    pieces = inflated(gzip.compress(bytes(50 * 2**20)), "gzip", 10 * PIECE)
    made: list[int] = []
    with pytest.raises(TooLongError):
        made.extend(map(len, pieces))
    assert sum(made) <= 10 * PIECE
