"""How people get in, as whoever starts a mesh sets it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.access.people import checked_role
from mesh.access.principal import Role
from mesh.errors import ConfigError, MeshError

ISSUER, CLIENT, SECRET = "MESH_OIDC_ISSUER", "MESH_OIDC_CLIENT_ID", "MESH_OIDC_CLIENT_SECRET"
REDIRECT, CLAIM, ROLES = "MESH_OIDC_REDIRECT_URL", "MESH_OIDC_ROLE_CLAIM", "MESH_OIDC_ROLES"
ROLE, OPEN = "MESH_LOGIN_ROLE", "MESH_OPEN_REGISTRATION"  # names of variables


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """A provider of OpenID Connect, and this mesh as its client.

    `redirect_url` is where the provider sends browsers back to; empty: where they came from. What
    the claim `role_claim` says (a text, or several) gives the role that `roles` has for it. Each
    question to it may take `patience` seconds.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    redirect_url: str = ""
    role_claim: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    patience: float = 10.0


@dataclass(frozen=True, slots=True)
class LoginConfig:
    """`role` is that of users who were not invited: of a provider, or of an open registration.

    It is the least with which somebody can log in from a command: that of those who call
    deployments. With `is_open` anybody may register.
    """

    role: Role = Role.API_USER
    is_open: bool = False
    oidc: OidcConfig | None = None


NO_LOGIN = LoginConfig()
"""As nobody has set it: users with passwords, whom administrators invite."""


def login_config(environ: Mapping[str, str]) -> LoginConfig:
    """As variables of the environment say it. Raises ConfigError, naming the variable."""
    return LoginConfig(
        _role(ROLE, environ.get(ROLE) or Role.API_USER),
        _flag(environ.get(OPEN, "")),
        _oidc(environ) if environ.get(ISSUER) else None,
    )


def _oidc(environ: Mapping[str, str]) -> OidcConfig:
    issuer, client = environ[ISSUER], environ.get(CLIENT, "")
    if not issuer.startswith(("https://", "http://")):
        raise ConfigError(f"{ISSUER}: {issuer!r} is no https://…")
    if not client:
        raise ConfigError(f"{ISSUER} is there without {CLIENT}")
    pairs = (each.partition("=") for each in environ.get(ROLES, "").split(",") if each.strip())
    return OidcConfig(
        issuer,
        client,
        environ.get(SECRET, ""),
        environ.get(REDIRECT, ""),
        environ.get(CLAIM, ""),
        {value.strip(): _role(ROLES, role.strip()) for value, _, role in pairs},
    )


def _role(variable: str, text: str) -> Role:
    try:
        return checked_role(text)
    except MeshError as error:
        raise ConfigError(f"{variable}: {error.message}") from None


def _flag(text: str) -> bool:
    if text.lower() in ("", "0", "no", "false"):
        return False
    if text.lower() in ("1", "yes", "true"):
        return True
    raise ConfigError(f"{OPEN}: {text!r} is neither yes nor no")
