"""OpenID Connect: what a provider says of itself, where browsers are sent, whom a token names.

Pure. Times are seconds since the Unix epoch.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt

from mesh.access.login_config import OidcConfig
from mesh.access.principal import Role
from mesh.errors import Unauthenticated, Unavailable

SCOPES = ("openid", "email", "profile")
SKEW = 60.0
"""Seconds that the clock of a provider may be off."""
_SAFE = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Algorithms with a public key. With one that has none, whoever has our secret could be anybody."""
_ORDER = (Role.ADMIN, Role.DEVELOPER, Role.API_USER, Role.GUEST)


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider says of itself."""

    issuer: str
    authorization: str
    token: str
    keys: str
    algorithms: tuple[str, ...]
    takes_basic: bool = True
    """Whether it takes the client's secret as HTTP's basic authentication; else in the body."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Somebody who was sent to the provider.

    `binding` is a secret of their browser, `leads_to` the path that they wanted.
    """

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    binding: str = field(repr=False)
    redirect_url: str
    leads_to: str = "/"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider vouches for; `email` only if it has verified it."""

    issuer: str
    subject: str
    name: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


def provider_of(document: Any, issuer: str) -> Provider:
    """Reads a discovery document. Raises Unavailable for one that is wrong."""
    found = document if isinstance(document, dict) else {}
    # As the specification has it: equal, but for the slash that people leave out.
    if str(found.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise Unavailable(f"the OpenID provider at {issuer} says that it is another")
    authorization, token, keys = places = tuple(
        str(found.get(key, "")) for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    )
    scheme = urlsplit(issuer).scheme
    if any(urlsplit(each).scheme not in ("https", scheme) for each in places):
        raise Unavailable(f"the OpenID provider at {issuer} does not say where its parts are")
    said = found.get("id_token_signing_alg_values_supported")
    offered = said if isinstance(said, list) else ["RS256"]
    methods = found.get("token_endpoint_auth_methods_supported")
    return Provider(
        str(found["issuer"]),
        authorization,
        token,
        keys,
        algorithms=tuple(each for each in _SAFE if each in offered),
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
    )


def authorization_url(provider: Provider, config: OidcConfig, state: str, flow: Flow) -> str:
    """Where a browser is sent to log in."""
    digest = hashlib.sha256(flow.verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": flow.redirect_url,
        "scope": " ".join(SCOPES),
        "state": state,
        "nonce": flow.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in provider.authorization else "?"
    return f"{provider.authorization}{joint}{urlencode(query)}"


def keys_in(document: Any) -> list[dict[str, Any]]:
    """The keys of a key set; none for what is no key set."""
    found = document.get("keys") if isinstance(document, dict) else None
    every = found if isinstance(found, list) else []
    return [each for each in every if isinstance(each, dict)]


def key_id(token: str) -> str:
    """The name of the key that a token says it is signed with; empty if it says none.

    Raises Unauthenticated for what is no token.
    """
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except jwt.PyJWTError:
        raise Unauthenticated("what the OpenID provider gave is no token") from None


def identity(
    token: str, keys: Any, provider: Provider, config: OidcConfig, nonce: str, now: float
) -> Identity:
    """Whom an ID token names.

    `keys` is the provider's key set. Raises Unauthenticated for a token that is not signed by it,
    not of it, not for us, not of this login, or not good now.
    """
    claims = _signed(token, keys, provider, config)
    if not all(_is_text(each) for each in claims.values() if isinstance(each, str)):
        raise _wrong("has text that cannot be written down")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _wrong("is not of this login")
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp", config.client_id if len(audiences) == 1 else "")
    if party != config.client_id:
        raise _wrong("is for somebody else")
    if _seconds(claims, "exp") + SKEW <= now:
        raise _wrong("has expired")
    if max(_seconds(claims, "iat"), _seconds(claims, "nbf", 0.0)) - SKEW > now:
        raise _wrong("is of the future")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise _wrong("names nobody")
    return _identity(claims, provider)


def _signed(token: str, keys: Any, provider: Provider, config: OidcConfig) -> dict[str, Any]:
    wanted = key_id(token)
    try:
        known = jwt.PyJWKSet.from_dict({"keys": keys_in(keys)}).keys
        able = [each for each in known if not wanted or each.key_id == wanted]
        if not able or not provider.algorithms:
            raise _wrong("is signed with a key that is not the provider's")
        found: dict[str, Any] = jwt.decode(
            token,
            able[0],
            algorithms=list(provider.algorithms),
            audience=config.client_id,
            issuer=provider.issuer,
            # Times are compared with our own clock.
            options={
                "require": ["exp", "iat", "iss", "aud", "sub"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _wrong(f"does not hold: {type(error).__name__}") from None
    return found


def _is_text(value: str) -> bool:
    """Whether UTF-8 has it: JSON also has halves of surrogate pairs."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identity(claims: Mapping[str, Any], provider: Provider) -> Identity:
    def text(key: str) -> str:
        value = claims.get(key)
        return value if isinstance(value, str) else ""

    email = text("email") if claims.get("email_verified") is True else ""
    name = text("preferred_username") or text("email") or claims["sub"]
    return Identity(
        provider.issuer,
        claims["sub"],
        name,
        email,
        text("given_name"),
        text("family_name"),
        claims,
    )


def role_of(found: Identity, config: OidcConfig, otherwise: Role) -> Role:
    """The most that the claims of somebody give; `otherwise` if they give nothing."""
    said = found.claims.get(config.role_claim) if config.role_claim else ()
    values: Sequence[Any] = said if isinstance(said, list) else (said,)
    roles = {
        config.roles[each] for each in values if isinstance(each, str) and each in config.roles
    }
    return next((each for each in _ORDER if each in roles), otherwise)


def _seconds(claims: Mapping[str, Any], key: str, otherwise: float | None = None) -> float:
    value = claims.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(f"has no time in {key}")
    return float(value)


def _wrong(why: str) -> Unauthenticated:
    return Unauthenticated(f"the token of the OpenID provider {why}")
