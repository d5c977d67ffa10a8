"""NumPy's own files, as NumPy writes and reads them, and as nobody should."""

import io
import pickle
import re
from contextlib import suppress
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st

from mesh.io.bodies.npy import read_npy, write_npy
from mesh.io.types.bfloat16 import Bfloat16
from tests.io.arrays import arrays, layouts

versions = st.sampled_from([(1, 0), (2, 0), (3, 0)])


def by_numpy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version, allow_pickle=False)
    return out.getvalue()


@given(arrays, versions)
def test_what_numpy_writes_is_read(array, version):
    for each in layouts(array):
        got = read_npy(by_numpy(each, version))
        np.testing.assert_array_equal(got, array)
        assert (got.shape, got.dtype) == (array.shape, array.dtype.newbyteorder("="))


@given(arrays)
def test_what_is_written_is_what_numpy_writes(array):
    for each in layouts(array):
        assert write_npy(each) == by_numpy(each)


@pytest.mark.parametrize(
    "array", [Bfloat16.of_bits(np.array([0x3FC0], "u2")), np.array([1.5], ml_dtypes.bfloat16)]
)
def test_bfloat16_is_written_as_float32(array):
    got = read_npy(write_npy(array))
    assert (got.dtype, got.tolist()) == (np.float32, [1.5])


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_elements_are_not_copied_where_they_are_in_order(order):
    data = by_numpy(np.ones((30, 20), order=order))
    array = read_npy(data)
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    assert not array.flags.writeable


def test_any_byte_but_zero_is_true():
    data = by_numpy(np.array([False, True]))[:-2] + b"\x02\x00"
    assert read_npy(data).tolist() == [True, False]


def file_of(header: str, elements: bytes = b"\0" * 8) -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + elements


def described(dtype: str, shape: str) -> bytes:
    return file_of(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}")


GOOD = by_numpy(np.arange(6, dtype="f4").reshape(2, 3))
DAMAGED = "this is no npy file, or its header is damaged"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", DAMAGED),
        (b"\x93NUMPY", DAMAGED),
        (b"[1, 2, 3]", DAMAGED),
        (b"\x93NUMPY\x04\x00" + GOOD[8:], DAMAGED),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", DAMAGED),
        (GOOD[:40], DAMAGED),
        (GOOD[:-1], "has 23 bytes of elements, and its header says 24"),
        (GOOD + b"\0", "has 25 bytes of elements, and its header says 24"),
        (b"\x80\x04]\x94.", DAMAGED),
        (file_of("x" * 4097), DAMAGED),
        (file_of("(" * 4000), DAMAGED),
        (file_of("[" * 4000 + "]" * 90), DAMAGED),
        (file_of("-" * 4000 + "1"), DAMAGED),
        (file_of("9" * 4000), DAMAGED),
        (file_of("{"), DAMAGED),
        (file_of("\0"), DAMAGED),
        (file_of("'\xff"), DAMAGED),
        (file_of("{1: 2, 'a': 3}"), DAMAGED),
        (file_of("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}"), DAMAGED),
        (described("'nonsense'", "(1,)"), DAMAGED),
        (described("'<U99999999999999'", "(1,)"), DAMAGED),
        (described("'(1000000,1000000)f8'", "(1,)"), DAMAGED),
        (described("'<f8'", "(1.0,)"), DAMAGED),
        (described("'<f8'", "(-1,)"), "a shape that no array can have"),
        (described("'<f8'", "(True,)"), "a shape that no array can have"),
        (described("'<f8'", repr((1,) * 65)), "a shape that no array can have"),
        (described("'<f8'", f"({2**62}, 8)"), f"its header says {2**68}"),
        (described("'<f8'", f"({2**40}, 0)"), "too many elements or lists that are empty"),
        (described("'<U0'", f"({2**40},)"), "too many elements or lists that are empty"),
        (described("'|O'", "(1,)"), "an array of object is not accepted"),
        (described("'|S8'", "(1,)"), "an array of |S8 is not accepted"),
        (described("'|V8'", "(1,)"), "an array of |V8 is not accepted"),
        (described("'<M8[s]'", "(1,)"), "is not accepted"),
        (described("[('a', '<f8')]", "(1,)"), "is not accepted"),
        (described("'<f16'", "(1,)"), "is not accepted"),
        (file_of("{'descr':'<U1','fortran_order':False,'shape':(1,)}", b"\0\0\x11\0"), "not exist"),
        (file_of("{'descr':'>U1','fortran_order':False,'shape':(1,)}", b"\0\0\xd8\0"), "not exist"),
    ],
)
def test_what_is_no_array_of_numbers_or_text_is_refused_in_plain_words(data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_npy(data)


class Explosive:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_no_pickle_is_read():
    out = io.BytesIO()
    np.lib.format.write_array(out, np.array([Explosive()], object), allow_pickle=True)
    assert pickle.dumps(1)[:1] in out.getvalue()
    with pytest.raises(ValueError, match="an array of object is not accepted"):
        read_npy(out.getvalue())


@pytest.mark.parametrize(
    "array", [np.array([None]), np.ones(1, "V3"), np.array([b"a"]), np.ones(1, "M8[s]")]
)
def test_elements_of_other_types_are_not_written(array):
    with pytest.raises(ValueError, match="can't be written as npy"):
        write_npy(array)


@given(st.binary(max_size=64), st.integers(0, len(GOOD)), st.integers(0, 8))
def test_damage_gives_another_array_or_a_value_error(noise, at, gone):
    for data in (noise, b"\x93NUMPY\x01\x00" + noise, GOOD[:at] + noise + GOOD[at + gone :]):
        with suppress(ValueError):
            read_npy(data).tolist()
