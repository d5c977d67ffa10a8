"""The pages: to log in, to register, to make a token, and one for each deployment."""

from html import escape
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from mesh.access.principal import Area, Principal, Verb
from mesh.errors import MeshError, NotFound
from mesh.faces.cloud.backing import Backing
from mesh.faces.cloud.pages.deployment import deployment_page
from mesh.faces.cloud.pages.html import local_path, page
from mesh.faces.cloud.parameters import Text
from mesh.faces.cloud.people.cookies import SESSION, end_session

_FORM = "form.js"
_OVER = """<p role="status">You are logged out: your session is over, or the control plane was
restarted since.</p>
"""
_ERROR = '<p class="error" role="alert"></p>'
_ONCE = """<div id="done" hidden>
<p class="good">{done}</p>
{shown}
</div>"""


def pages(backing: Backing) -> APIRouter:
    """The routes of pages; all are there for people who are not logged in."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login")
    async def login(request: Request, next: Text = "") -> Response:  # noqa: A002  # a parameter
        leads_to = local_path(next or "/login")
        if (principal := _principal(request)) is not None:
            return page("Logged in", _logged_in(principal, leads_to), script=_FORM)
        issuer = backing.login.oidc.issuer if backing.login.oidc else ""
        session = request.cookies.get(SESSION, "")
        if session:
            await backing.access.until_opened()
        was_logged_in = session and not backing.logins.sessions.user(session, backing.wall())
        made = page("Log in", _login(leads_to, issuer, bool(was_logged_in)), script=_FORM)
        if was_logged_in:
            end_session(made)
        return made

    @routes.get("/register")
    async def register(invitation_code: Text = "") -> Response:
        return page("Welcome", _register(invitation_code), script=_FORM)

    @routes.get("/api_tokens")
    async def make_token(request: Request, code: Text = "") -> Response:
        if (principal := _principal(request)) is None:
            return _to_login(request)
        if code and not backing.logins.codes.waits(code, backing.wall()):
            return page("This link is used up", "<p>Start again in the terminal.</p>")
        return page("Make a token", _token(principal, code), script=_FORM)

    @routes.get("/deployments/{name}")
    @routes.get("/codespaces/{name}")
    async def deployment(request: Request, name: str) -> Response:
        if (principal := _principal(request)) is None:
            return _to_login(request)
        try:
            principal.require(Verb.READ, Area.DEPLOYMENTS)
            return await deployment_page(backing, principal, name)
        except NotFound as error:
            return _trouble("Not found", error, 404)
        except MeshError as error:
            return _trouble("Not now", error, error.status)

    return routes


def _principal(request: Request) -> Principal | None:
    found: Principal | None = getattr(request.state, "principal", None)
    return found


def _to_login(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    wanted = quote(request.url.path + query, safe="/")
    return RedirectResponse(f"/login?next={wanted}", 303)


def _trouble(title: str, error: MeshError, status: int) -> Response:
    made = page(title, f"<p>{escape(error.message)}</p>")
    made.status_code = status
    return made


def _field(name: str, label: str, kind: str, complete: str, more: str = "required") -> str:
    return (
        f'<label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" autocomplete="{complete}" {more}>'
    )


def _login(leads_to: str, issuer: str, was_logged_in: bool) -> str:
    provider, before = "", _OVER if was_logged_in else ""
    if issuer:
        href = f"/api/v1/auth/oidc/login?next={quote(leads_to)}"
        name = escape(urlsplit(issuer).netloc)
        provider = f'<a class="button" href="{escape(href)}">Log in with {name}</a>'
    return f"""{before}<form data-path="/api/v1/auth/login" data-next="{escape(leads_to)}">
{_field("name_or_email", "Name or email", "text", "username", "required autofocus")}
{_field("password", "Password", "password", "current-password")}
{_ERROR}
<button>Log in</button>
</form>
{provider}"""


def _logged_in(principal: Principal, leads_to: str) -> str:
    link = "" if leads_to == "/login" else f'<a class="button" href="{escape(leads_to)}">Go on</a>'
    return f"""<p>You are <b>{escape(principal.user)}</b>, {principal.role} of organization
<b>{escape(principal.organization)}</b>.</p>
{link}
<form data-path="/api/v1/auth/logout" data-next="/login">
{_ERROR}
<button class="plain">Log out</button>
</form>"""


def _register(code: str) -> str:
    return f"""<form data-path="/api/v1/auth/register" data-next="/login">
<input type="hidden" name="token" value="{escape(code)}">
{_field("name", "Name", "text", "username", "required autofocus")}
{_field("password", "Password", "password", "new-password", 'required minlength="8"')}
{_ERROR}
<button>Register</button>
</form>"""


def _token(principal: Principal, code: str) -> str:
    if code:
        said = (
            "A command asks for a token of yours. Go on only if you have just started it yourself:"
            " it may then do what you may."
        )
        done, shown = "Done: go back to the terminal.", ""
    else:
        said = "Who has a token may do what you may."
        done = "This is the token; it is shown only now."
        shown = '<p><code id="token"></code></p>'
    return f"""<form data-path="/api/v1/api_tokens">
<p>{said}</p>
<p class="dim">You are {escape(principal.user)}, {principal.role} of organization
{escape(principal.organization)}.</p>
<input type="hidden" name="code" value="{escape(code)}">
{_field("name", "Name of the token", "text", "off", 'required value="from a browser"')}
<label for="days">Good for</label>
<select id="days" name="days"><option value="30">30 days</option><option value="90" selected>90
days</option><option value="365">a year</option><option value="">ever</option></select>
{_ERROR}
<button>Make the token</button>
</form>
{_ONCE.format(done=done, shown=shown)}"""
