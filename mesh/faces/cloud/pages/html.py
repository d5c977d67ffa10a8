"""What all pages have in common: their form, and what their browser may load and do."""

import secrets
from functools import cache
from html import escape
from importlib.resources import files

from starlette.responses import HTMLResponse, Response

_STATIC = files("mesh.faces.cloud.pages") / "static"


@cache
def _static(name: str) -> str:
    return (_STATIC / name).read_text()


def page(
    title: str, body: str, *, script: str = "", wide: bool = False, onward: str = ""
) -> HTMLResponse:
    """A whole page. `body` is HTML; `script` a file of ours.

    With `onward` it leads there at once.
    """
    nonce = secrets.token_urlsafe(16)
    refresh = f'<meta http-equiv="refresh" content="0;url={escape(onward)}">' if onward else ""
    code = f'<script nonce="{nonce}">{_static(script)}</script>' if script else ""
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{escape(title)} · Serving Mesh</title>
<link rel="icon" href="data:,">
<style nonce="{nonce}">{_static("page.css")}</style>
</head>
<body>
<main{' class="wide"' if wide else ""}>
<h1>{escape(title)}</h1>
{body}
</main>
{code}
</body>
</html>
"""
    return HTMLResponse(text, headers=_headers(nonce))


def _headers(nonce: str) -> dict[str, str]:
    policy = (
        "default-src 'none'",
        f"style-src 'nonce-{nonce}'",
        f"script-src 'nonce-{nonce}'",
        "img-src data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }


def onward(path: str, response: Response) -> HTMLResponse:
    """A page that leads on to a path of ours, with the cookies of `response`.

    A page, for a browser that was sent on from another server would not show our cookies.
    """
    made = page("Logged in", f'<p><a href="{escape(path)}">Go on</a></p>', onward=path)
    made.raw_headers += [each for each in response.raw_headers if each[0] == b"set-cookie"]
    return made


def local_path(text: str) -> str:
    """A path of this server; `/login` for what leads anywhere else."""
    leads_away = text.startswith(("//", "/\\")) or not text.startswith("/")
    return "/login" if leads_away or not text.isprintable() or "\\" in text else text
