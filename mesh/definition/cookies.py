"""Cookies: those of a request, and those that a reply sets (RFC 6265)."""

from datetime import datetime
from email.utils import format_datetime
from http.cookies import CookieError, SimpleCookie


def read_cookies(header: str) -> dict[str, str]:
    """The cookies in a Cookie header by name; the first of a name counts, what is none is left out.

    Browsers send the cookie of the longest path first.
    """
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.partition("=")
        name = name.strip()
        if name and equals:
            found.setdefault(name, _unquoted(value.strip()))
    return found


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    cookie: SimpleCookie = SimpleCookie()
    return cookie.value_decode(value)[0]


def set_cookie_header(
    key: str,
    value: str = "",
    *,
    max_age: int | None = None,
    expires: datetime | str | int | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: str | None = "lax",
) -> str:
    """The value of a Set-Cookie header; see `Response.set_cookie`. Raises ValueError."""
    if samesite is not None and samesite.lower() not in ("strict", "lax", "none"):
        raise ValueError(f"samesite is strict, lax, none or not said, not {samesite!r}")
    attributes: dict[str, object] = {
        "max-age": max_age,
        "expires": _date(expires),
        "path": path,
        "domain": domain,
        "secure": secure or None,
        "httponly": httponly or None,
        "samesite": samesite,
    }
    texts = (part for part in (key, path, domain, expires) if isinstance(part, str))
    if any(set(";\r\n\0") & set(text) for text in texts):
        raise ValueError(f"a cookie {key!r} cannot have a semicolon or a line break in it")
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie[key] = value
        for name, said in attributes.items():
            if said is not None:
                cookie[key][name] = said
    except CookieError as error:
        raise ValueError(str(error)) from None
    return cookie[key].OutputString()


def _date(expires: datetime | str | int | None) -> str | int | None:
    return format_datetime(expires, usegmt=True) if isinstance(expires, datetime) else expires
