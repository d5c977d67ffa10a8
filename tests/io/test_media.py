"""Which form of a reply an Accept header means."""

import pytest

from mesh.errors import UnsupportedMediaType
from mesh.io.media import is_call, preferred

OFFERS = {
    "json": ("application/json",),
    "npy": ("application/x-npy",),
    "mixed": ("multipart/mixed",),
}


@pytest.mark.parametrize(
    ("accept", "order"),
    [
        ("", ["json"]),
        ("*/*", ["json"]),
        ("text/html", ["json"]),
        ("application/*", ["json"]),
        ("application/x-npy", ["npy", "json"]),
        ("APPLICATION/X-NPY ; v=1", ["npy", "json"]),
        ("application/x-npy, */*", ["npy", "json"]),
        ("application/x-npy;q=0.5, */*", ["json"]),
        ("application/x-npy;q=0.5, application/json;q=0.4", ["npy", "json"]),
        ("application/x-npy, application/json", ["json"]),
        ("application/x-npy;q=0, */*", ["json"]),
        ("application/json;q=0, application/x-npy;q=0.1", ["npy", "json"]),
        ("application/json;q=0", ["json"]),
        ("multipart/*, application/x-npy;q=0.9", ["mixed", "npy", "json"]),
        ("multipart/mixed;q=0.2, multipart/*, application/x-npy;q=0.9", ["npy", "mixed", "json"]),
        ("application/x-npy, multipart/mixed", ["npy", "mixed", "json"]),
        ("multipart/mixed, application/x-npy", ["mixed", "npy", "json"]),
        ("application/x-npy;q=high", ["json"]),
        ("application/x-npy;q=nan, */*;q=0.1", ["json"]),
        ("application/x-npy;q=9", ["npy", "json"]),
        (",,;q=1,", ["json"]),
    ],
)
def test_the_heaviest_range_that_names_a_form_decides(accept, order):
    assert preferred(accept, OFFERS, "json") == order


def test_pickles_are_refused_whatever_they_are_called():
    for media_type in ("application/vnd.bentoml+pickle", "application/x-Pickle; v=5"):
        with pytest.raises(UnsupportedMediaType, match="can carry code"):
            is_call(media_type)
