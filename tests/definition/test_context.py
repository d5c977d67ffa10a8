"""What a method knows about its call, and says about its reply."""

import gc
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mesh import Context
from mesh.definition.cookies import read_cookies
from mesh.io.files.folder import Folder


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
    assert headers.getbytes("Key-Bin") == [b"\0"]
    assert headers.getbytes("x-a") == []
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


def test_binary_values_of_a_reply_are_for_names_that_say_so():
    response = Context().response
    response.headers["X-A-Bin"] = b"\0\xff"
    response.headers.append("x-a-bin", b"")
    assert response.metadata() == (("x-a-bin", b"\0\xff"), ("x-a-bin", b""))
    assert dict(response.headers) == {}
    with pytest.raises(ValueError, match="no value of a header field"):
        response.headers["x-a"] = b"text"
    del response.headers["x-a-bin"]
    assert response.metadata() == ()


def test_trailers_are_set_like_headers():
    response = Context().response
    assert response.trailing() == ()
    response.trailers["X-Cost"] = "3"
    response.trailers.append("x-cost", "4")
    response.trailers["x-key-bin"] = b"\0"
    assert response.trailing() == (("x-cost", "3"), ("x-cost", "4"), ("x-key-bin", b"\0"))
    assert response.metadata() == ()
    with pytest.raises(ValueError, match="no name"):
        response.trailers["not a name"] = "x"
    for wrong in ("a\nb", "\ud800"):
        with pytest.raises(ValueError, match="no value of a header field"):
            response.trailers["x-cost"] = wrong


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


def test_cookies_of_a_request_are_a_dict():
    metadata = (("cookie", 'a=1; b="x y"; c=d=e; a=2'), ("cookie", "; d=; odd; =1"))
    request = Context(metadata=metadata).request
    assert request.cookies == {"a": "1", "b": "x y", "c": "d=e", "d": ""}
    assert Context().request.cookies == {}


@given(st.text())
def test_no_cookie_header_is_too_odd_to_be_read(header):
    assert all(name for name in read_cookies(header))


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_a_cookie_comes_back_as_it_was_set(value):
    response = Context().response
    response.set_cookie("key", value)
    (header,) = response.headers.getlist("set-cookie")
    sent_back = header.partition("; Path=/")[0]
    assert read_cookies(sent_back) == {"key": value}
    assert response.cookies == {"key": value}


def test_a_reply_sets_several_cookies():
    response = Context().response
    response.set_cookie("k", "v", max_age=10)
    response.set_cookie(
        "s", "t", path="/a", domain="b.c", secure=True, httponly=True, samesite=None
    )
    response.set_cookie("e", expires=datetime(2026, 3, 1, tzinfo=UTC), samesite="strict")
    response.delete_cookie("old")
    first, second, third, last = response.headers.getlist("set-cookie")
    assert first == "k=v; Max-Age=10; Path=/; SameSite=lax"
    assert second == "s=t; Domain=b.c; HttpOnly; Path=/a; Secure"
    assert "expires=Sun, 01 Mar 2026 00:00:00 GMT" in third
    assert SimpleCookie(last)["old"]["max-age"] == "0"
    assert response.cookies == {"k": "v", "s": "t", "e": ""}
    assert [name for name, _ in response.metadata()] == ["set-cookie"] * 4


@pytest.mark.parametrize(
    "said",
    [
        {"key": "a b"},
        {"key": ""},
        {"key": "a", "path": "/; Domain=evil"},
        {"key": "a", "domain": "b\r\nx: y"},
        {"key": "a", "samesite": "never"},
    ],
)
def test_a_cookie_says_nothing_that_it_must_not(said):
    response = Context().response
    with pytest.raises(ValueError, match=r"cookie|samesite|[Kk]ey"):
        response.set_cookie(**said)
    assert response.metadata() == ()
    assert response.cookies == {}


def test_a_call_has_a_folder_of_its_own_once_it_is_asked_for():
    folder = Folder()
    context = Context(folder=folder)
    assert not folder.made
    assert context.temp_dir == str(folder.path)
    assert context.temp_dir == context.temp_dir
    folder.remove()


def test_outside_of_a_replica_the_folder_goes_with_the_context():
    context = Context()
    path = Path(context.temp_dir)
    assert path.is_dir()
    del context
    gc.collect()
    assert not path.exists()


def test_background_work_is_kept_in_order_and_taken_once():
    background = Context().response.background
    background.add_task(pow, 2, 3)
    background.add_task(int, "11", base=2)
    assert len(background) == 2
    assert [task() for task in background.take()] == [8, 3]
    assert background.take() == []
