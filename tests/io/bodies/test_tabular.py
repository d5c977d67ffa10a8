"""Bodies that are one array or one frame."""

import io

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mesh.errors import UnsupportedMediaType
from mesh.io.media import ARROW, NPY
from mesh.io.spec import method_spec
from tests.io.bodies.rig import FORM, fault, form, part, read, said, splits


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)
BODY = npy(ARRAY)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_array(places: list[int]) -> None:
    found = read("root_array", NPY, splits(BODY, places))
    assert found.dtype == np.float32
    assert (found == ARRAY).all()


def test_the_other_inputs_are_in_the_query_string() -> None:
    found = read("array", NPY, BODY, query="n=5&name=12&other=%FF&x=3")
    assert (found["x"] == ARRAY).all()
    assert (found["n"], found["name"]) == (5, "12")
    assert read("array", f"{NPY}; version=1", BODY)["n"] == 1
    assert read("array", NPY, BODY, query="name=%22a%22")["name"] == "a"


def test_a_wrong_value_in_the_query_string_is_400() -> None:
    assert fault(lambda: read("array", NPY, BODY, query="n=x")) == (
        400, [("int_parsing", ("n",))],
    )  # fmt: skip


def test_a_method_without_one_place_for_it_is_415() -> None:
    with pytest.raises(UnsupportedMediaType, match="arrays has 2 inputs that it could be"):
        read("arrays", NPY, BODY)
    with pytest.raises(UnsupportedMediaType, match="scalars has no input that it could be"):
        read("scalars", NPY, BODY)
    with pytest.raises(UnsupportedMediaType, match="array has no input"):
        read("array", ARROW, b"")


@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY[:20], b"junk", BODY + b"x"])
def test_a_broken_array_is_400_and_named(body: bytes) -> None:
    assert fault(lambda: read("array", NPY, body)) == (400, [("value_error", ("x",))])
    assert said(lambda: read("array", NPY, body)).startswith("Value error, ")
    status, faults = fault(lambda: read("root_array", NPY, body))
    assert (status, [kind for kind, _ in faults]) == (400, ["value_error"])


def test_an_array_of_objects_is_never_read() -> None:
    body = npy(np.array([{"a": 1}], dtype=object))
    assert fault(lambda: read("root_array", NPY, body))[0] == 400


def test_a_part_of_a_form_may_be_an_array() -> None:
    body = form(part("x", BODY, "x.npy", NPY), part("y", b"[1, 2]"))
    found = read("arrays", FORM, body)
    assert (found["x"] == ARRAY).all()
    assert found["y"].tolist() == [1, 2]
    broken = form(part("x", BODY[:-1], "x.npy", NPY), part("y", b"[1, 2]"))
    assert fault(lambda: read("arrays", FORM, broken)) == (400, [("value_error", ("x",))])


def test_a_frame_is_an_arrow_stream() -> None:
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")

    class Frames:
        def frame(self, frame: pd.DataFrame, n: int = 1) -> None: ...

    method = method_spec(Frames, Frames.frame, name="frame", route="/frame")
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    reading = method.reader(ARROW, "n=4")
    for piece in splits(sink.getvalue(), (10, 100)):
        reading.feed(piece)
    bound, _ = reading.finish()
    assert bound.kwargs["n"] == 4
    assert bound.kwargs["frame"]["a"].tolist() == [1, 2]
    broken = method.reader(ARROW)
    broken.feed(sink.getvalue()[:-9])
    assert fault(broken.finish) == (400, [("value_error", ("frame",))])
