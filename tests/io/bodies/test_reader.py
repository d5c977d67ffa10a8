"""Whatever a body is called and whatever is in it, it is read or refused in order."""

from contextlib import suppress

from hypothesis import given, settings, strategies as st

from mesh.call import CALL, JSON
from mesh.errors import MeshError
from mesh.io.arguments import encode_call
from mesh.io.media import NPY
from tests.io.bodies.rig import FORM, URLENCODED, form, part, read, splits
from tests.io.bodies.test_tabular import BODY as ARRAY

METHODS = (
    *("scalars", "lists", "model", "file", "optional", "files", "mixed", "nested", "many"),
    *("named", "either", "array", "root_text", "root_int", "root_file", "root_bytes"),
    *("root_model", "root_array"),
)
GOOD = {
    FORM: form(
        part("file", b"\r\n--five\xff", "a/b", "text/plain"), part("text", b"1"),
        part("doc.image", b"x", "i"), part("docs.0.image", b"x", "i"), part("point", b'{"x": 1}'),
        part("files", b"1", "f"), part("files", b"data:,2"), part("x", ARRAY, "x", NPY),
    ),
    URLENCODED: b"text=1&number=2&doc.image=data:,a&docs.0.image=data:,b&numbers=1&numbers=2&%FF=%",
    JSON: b'{"text": "a", "number": 1, "doc": {"image": "data:,a"}, "x": [[1, 2], [3, 4]]}',
    CALL: encode_call("scalars", {"text": "a", "number": 2**70, "x": [1.5], "doc": {"a": b"b"}}),
    NPY: ARRAY,
}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(METHODS),
    st.sampled_from(sorted(GOOD)),
    st.binary(max_size=40),
    st.integers(0, 1000),
    st.integers(0, 50),
    st.lists(st.integers(0, 1000), max_size=4),
)
def test_damage_is_read_or_refused_in_order(
    method: str, media_type: str, noise: bytes, at: int, gone: int, places: list[int]
) -> None:
    good = GOOD[media_type]
    body = good[:at] + noise + good[at + gone :]
    with suppress(MeshError):
        read(method, media_type, splits(body, places))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(METHODS), st.text(max_size=60), st.binary(max_size=200))
def test_any_media_type_and_any_body_is_read_or_refused_in_order(
    method: str, media_type: str, body: bytes
) -> None:
    with suppress(MeshError):
        read(method, media_type, body)
    with suppress(MeshError):
        read(method, "multipart/form-data;" + media_type, body)


@settings(deadline=None)
@given(
    st.sampled_from(["scalars", "nested", "many", "named", "model", "files"]),
    st.lists(
        st.tuples(
            st.sampled_from(["doc", "docs", "files", "text", "anything", "point"]),
            st.lists(st.sampled_from(["0", "1", "2", "image", "pages", "-1", "", "é"]), max_size=4),
            st.sampled_from([b"", b"1", b"{}", b"[]", b"[{}]", b'{"pages": [1]}', b"null", b"x"]),
            st.booleans(),
        ),
        max_size=8,
    ),
)
def test_any_names_are_read_or_refused_in_order(
    method: str, parts: list[tuple[str, list[str], bytes, bool]]
) -> None:
    body = form(
        *(
            part(".".join([name, *steps]), content, "f" if is_file else None)
            for name, steps, content, is_file in parts
        )
    )
    with suppress(MeshError):
        read(method, FORM, body)
