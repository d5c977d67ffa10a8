"""The cookies of browsers: who is logged in, and who is about to; and whose pages may use them."""

from starlette.requests import Request, cookie_parser
from starlette.responses import Response

from mesh.access.sessions import LASTS
from mesh.faces.rest.access import is_ours

SESSION = "mesh_session"
_SAFE = ("GET", "HEAD", "OPTIONS")
Fields = dict[bytes, bytes]


def cookie(fields: Fields, name: str) -> str:
    """The value of a cookie among header fields; empty if there is none."""
    return cookie_parser(fields.get(b"cookie", b"").decode("latin-1")).get(name, "")


def is_from_our_pages(fields: Fields, method: str) -> bool:
    """Whether a request with a cookie comes from a page of this server, or from no page.

    What changes something has to say that it does: all browsers send one of these fields then.
    """
    site, origin = fields.get(b"sec-fetch-site"), fields.get(b"origin")
    if origin is not None and not is_ours(origin, fields):
        return False
    if site is not None:
        return site == b"same-origin" or (site == b"none" and method in _SAFE)
    return origin is not None or method in _SAFE


def begin_session(request: Request, response: Response, token: str) -> None:
    """Has the browser show the session from now on, to our own pages only."""
    response.set_cookie(
        SESSION,
        token,
        max_age=int(LASTS),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def end_session(response: Response) -> None:
    """Has the browser forget the session."""
    response.delete_cookie(SESSION, path="/", httponly=True, samesite="strict")
