"""The language of `q`."""

from hypothesis import given, strategies as st

from mesh.faces.cloud.query import Wanted, wanted


def test_each_kind_of_piece_is_read() -> None:
    found = wanted(
        "cat label:team=vision label:gpu -label:old is:dev not:big status:running status:failed"
        " creator:@me sort:created_at-asc bento:n:v",
        me="ann",
    )
    assert found == Wanted(
        words=("cat",),
        is_={"dev": True, "big": False},
        labels=("team=vision", "gpu"),
        without=("old",),
        terms={"status": ("running", "failed"), "creator": ("ann",), "bento": ("n:v",)},
        sort="created_at",
        ascending=True,
    )


def test_labels_are_wanted_with_and_without_values() -> None:
    q = wanted("label:team=vision -label:old")
    assert q.labels_allow({"team": "vision"})
    assert not q.labels_allow({"team": "audio"})
    assert not q.labels_allow({"team": "vision", "old": ""})


@given(st.text())
def test_whatever_is_written_is_read(text: str) -> None:
    found = wanted(text)
    assert all(text.count(word) for word in found.words)
