"""The `bentoml.Context` of a call."""

from typing import Any, NoReturn
from urllib.parse import urlencode

from bentoml import Context as Theirs
from starlette.requests import Request
from starlette.responses import Response as Rendered

from mesh.call import Metadata
from mesh.definition.background import Background
from mesh.definition.context import Context, ReplyFields, Response
from mesh.io.spec import MethodSpec

_OK = 200
_COOKIE = (
    *("key", "value", "max_age", "expires", "path", "domain"),
    *("secure", "httponly", "samesite"),
)


class CallContext(Theirs):
    """What BentoML gives to a method, made of the context of the mesh.

    `request` is Starlette's, without the body, which became the arguments; `response` is
    BentoML's own, and what it says is sent when the reply begins.
    """

    def __init__(self, context: Context, method: MethodSpec) -> None:
        super().__init__()
        self.state = context.state
        self._context = context
        self._method = method
        self._request: Request | None = None
        self._response = Theirs.ResponseContext()
        context.response = CallResponse(self._response)

    @property
    def request(self) -> Request:
        """The request that the call came with."""
        if self._request is None:
            self._request = _request(self._context, self._method.route)
        return self._request

    @property
    def response(self) -> Any:
        """What the method says about its reply."""
        return self._response

    @property
    def temp_dir(self) -> str:
        """A folder of the call's own, removed when the reply was sent."""
        return self._context.temp_dir


def _request(context: Context, path: str) -> Request:
    request = context.request
    fields = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in request.headers.raw
        if isinstance(value, str)
    ]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "root_path": "",
        "query_string": urlencode(request.query_items).encode(),
        "headers": fields,
        "state": {},
        "request_id": request.request_id,
    }
    made = Request(scope, _no_body)
    made.metadata = made.headers  # type: ignore[attr-defined]  # BentoML adds it to its requests
    return made


async def _no_body() -> NoReturn:
    raise RuntimeError("the body of the request became the arguments of the method")


class CallResponse(Response):
    """What BentoML's response says, as the replica asks for it when the reply begins."""

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs
        super().__init__()

    @property
    def status_code(self) -> int | None:
        """The status that the method set; None for BentoML's own default."""
        said = int(self._theirs.status_code)
        return None if said == _OK else said

    @status_code.setter
    def status_code(self, _: int | None) -> None:
        pass  # the base's default

    @property
    def background(self) -> Background:
        """The tasks that the method left for after the reply."""
        found = Background()
        for task in self._theirs.background.tasks:
            found.add_task(task.__call__)
        return found

    @background.setter
    def background(self, _: Background) -> None:
        pass  # the base's default

    @property
    def media_type(self) -> str | None:
        """The content-type that the method set; None without."""
        return self._said().get("content-type")

    def metadata(self) -> Metadata:
        """The fields that the method set, cookies behind them."""
        return tuple(pair for pair in self._said().raw if pair[0] != "content-type")

    def _said(self) -> ReplyFields:
        """All fields. Raises ValueError for one that would begin another, or is none."""
        holder = Rendered()
        for cookie in self._theirs.cookies:
            holder.set_cookie(**{name: getattr(cookie, name) for name in _COOKIE})
        cookies = [field for field in holder.raw_headers if field[0] == b"set-cookie"]
        found = ReplyFields()
        for name, value in (*self._theirs.metadata.raw, *cookies):
            found.append(name.decode("latin-1"), value.decode("latin-1"))
        return found
