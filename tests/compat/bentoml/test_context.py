"""What a method finds in its `bentoml.Context`, and what becomes of what it says there."""

import bentoml
import pytest

from mesh.compat.bentoml.context import CallContext
from mesh.compat.bentoml.services import adapt
from mesh.definition.context import Context
from mesh.definition.spec import service_spec


@bentoml.service(path_prefix="/v1")
class Service:
    @bentoml.api
    def ask(self, ctx: bentoml.Context) -> str:
        return ""


METHOD = service_spec(adapt(Service)).methods["ask"]


def made(**more: object) -> tuple[Context, CallContext]:
    context = Context(**more)  # type: ignore[arg-type]
    return context, CallContext(context, METHOD)


def test_a_request_has_headers_query_cookies_and_state() -> None:
    _, theirs = made(
        metadata=(("x-in", "a"), ("cookie", "flavour=sweet"), ("x-bin", b"\x00")),
        query="a=1&a=2&b=%C3%A9",
    )
    request = theirs.request
    assert isinstance(theirs, bentoml.Context)
    assert (request.headers["X-In"], request.metadata["x-in"]) == ("a", "a")
    assert request.cookies == {"flavour": "sweet"}
    assert request.query_params.getlist("a") == ["1", "2"]
    assert request.query_params["b"] == "é"
    assert (request.method, request.url.path) == ("POST", "/v1/ask")
    request.state.mine = 1
    assert theirs.request.state.mine == 1


def test_state_is_that_of_the_replica() -> None:
    state: dict[str, object] = {}
    _, theirs = made(state=state)
    theirs.state["seen"] = 1
    assert state == {"seen": 1}


def test_what_is_said_about_the_reply_is_in_its_head() -> None:
    context, theirs = made()
    theirs.response.status_code = 202
    theirs.response.headers["Content-Type"] = "text/csv"
    theirs.response.metadata.append("x-a", "1")
    theirs.response.headers.append("x-a", "2")
    theirs.response.set_cookie("k", "v", max_age=10)
    response = context.response
    assert response.status_code == 202
    assert response.media_type == "text/csv"
    assert response.metadata() == (
        ("x-a", "1"),
        ("x-a", "2"),
        ("set-cookie", "k=v; Max-Age=10; Path=/; SameSite=lax"),
    )


def test_nothing_said_is_nothing_sent() -> None:
    context, _ = made()
    assert context.response.status_code is None
    assert context.response.media_type is None
    assert context.response.metadata() == ()
    assert not context.response.background


@pytest.mark.parametrize("is_async", [True, False])
def test_background_work_is_kept_for_later(is_async: bool) -> None:
    done: list[int] = []

    async def later(number: int) -> None:
        done.append(number)

    context, theirs = made()
    theirs.response.background.add_task(later if is_async else done.append, 1)
    assert len(context.response.background.take()) == 1
    assert done == []


def test_the_temporary_folder_is_that_of_the_call() -> None:
    context, theirs = made()
    assert theirs.temp_dir == context.temp_dir


@pytest.mark.parametrize("name", ["x-a", "content-type"])
def test_a_field_that_would_begin_another_is_refused(name: str) -> None:
    context, theirs = made()
    theirs.response.headers[name] = "text/csv\r\nset-cookie: a=b"
    with pytest.raises(ValueError, match="is no value of a header field"):
        context.response.metadata()
