"""What a method knows about its call, and says about its reply."""

import pytest

from mesh import Context


def test_headers_are_found_whatever_their_case():
    metadata = (("x-a", "1"), ("x-a", "2"), ("key-bin", b"\0"), ("accept", "*/*"))
    headers = Context(metadata=metadata).request.headers
    assert headers["X-A"] == "2"
    assert headers.getlist("x-A") == ["1", "2"]
    assert headers.get("missing", "d") == "d"
    assert "Accept" in headers
    assert list(headers) == ["x-a", "accept"]
    assert len(headers) == 2
    assert headers.raw == metadata
    with pytest.raises(KeyError):
        headers["key-bin"]


def test_the_query_is_a_dict():
    request = Context(query="a=1&b=%C3%A9&a=2&c=").request
    assert request.query_params == {"a": "2", "b": "é", "c": ""}
    assert request.query_items[0] == ("a", "1")
    assert Context().request.query_params == {}


def test_a_call_knows_where_it_runs():
    state = {"a": 1}
    context = Context(
        method="m", request_id="r", deployment="d", version="canary", state=state, deadline=None
    )
    assert (context.request.method, context.request.request_id) == ("m", "r")
    assert (context.deployment, context.version) == ("d", "canary")
    assert context.state is state
    assert context.time_left() is None


def test_the_time_left_shrinks_to_zero():
    now = 10.0
    context = Context(deadline=12.5, clock=lambda: now)
    assert context.time_left() == 2.5
    now = 20.0
    assert context.time_left() == 0.0
    assert context.deadline == 12.5


def test_a_reply_keeps_repeated_headers():
    response = Context().response
    assert response.status_code is None
    response.headers.append("X-Multi", "1")
    response.headers.append("x-multi", "2")
    response.headers["X-One"] = "a"
    response.headers["x-one"] = "b"
    assert response.metadata() == (("x-multi", "1"), ("x-multi", "2"), ("x-one", "b"))
    assert response.headers.getlist("X-MULTI") == ["1", "2"]
    assert dict(response.headers) == {"x-multi": "2", "x-one": "b"}
    del response.headers["X-multi"]
    assert len(response.headers) == 1
    with pytest.raises(KeyError):
        del response.headers["x-multi"]


def test_a_content_type_is_the_replys_media_type():
    response = Context().response
    assert response.media_type is None
    response.headers["Content-Type"] = "text/html"
    assert response.media_type == "text/html"
    assert response.metadata() == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-a", "1\r\nset-cookie: b"), ("x a", "1"), ("", "1"), ("x:", "1"), ("é", "1"), ("x-a", 1)],
)
def test_no_value_starts_a_header_of_its_own(name, value):
    headers = Context().response.headers
    with pytest.raises(ValueError, match="of a header field"):
        headers[name] = value
    with pytest.raises(ValueError, match="of a header field"):
        headers.append(name, value)
    assert len(headers) == 0
