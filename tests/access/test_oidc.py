"""Tokens of an OpenID provider: whom they name, and which do not hold."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mesh.access.directory import Directory
from mesh.access.login_config import LoginConfig, OidcConfig, login_config
from mesh.access.oidc import Flow, authorization_url, identity, provider_of, role_of
from mesh.access.oidc_client import OidcClient
from mesh.access.oidc_logins import OidcLogins
from mesh.access.principal import Role
from mesh.access.throttle import FREE
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import ConfigError, Unauthenticated, Unavailable

ISSUER = "https://id.example.com"
CONFIG = OidcConfig(
    ISSUER, "mesh", "s3cret", role_claim="groups", roles={"ops": Role.ADMIN, "ml": Role.DEVELOPER}
)
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
}
PROVIDER = provider_of(DOCUMENT, ISSUER)
KEY, FOREIGN = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
NOW = 1_000_000.0
CLAIMS = {
    "iss": ISSUER,
    "aud": "mesh",
    "sub": "42",
    "iat": NOW - 1,
    "exp": NOW + 300,
    "nonce": "n",
    "email": "ann@example.com",
    "email_verified": True,
}


def keys(key: Any = KEY) -> Any:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}


def signed(key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    found = {name: each for name, each in {**CLAIMS, **claims}.items() if each is not None}
    return jwt.encode(found, key, algorithm, headers={"kid": "1"})


def named(token: str) -> Any:
    return identity(token, keys(), PROVIDER, CONFIG, "n", NOW)


def test_failed_logins_from_one_address_are_worth_a_note_until_they_come_too_often() -> None:
    now = [NOW]
    directory = Directory.closed(MemoryCatalogue(), "t0ken")

    def wall() -> float:
        return now[0]

    logins = OidcLogins(directory, wall, LoginConfig(), CONFIG, OidcClient(CONFIG, wall))
    assert [logins.is_worth_a_note("here") for _ in range(FREE + 2)] == [True] * FREE + [False] * 2
    assert logins.is_worth_a_note("elsewhere")
    now[0] += 1.0
    assert [logins.is_worth_a_note("here") for _ in range(2)] == [True, False]


def test_a_token_names_a_user() -> None:
    found = named(signed(given_name="Ann", preferred_username="ann"))
    assert (found.subject, found.name, found.first_name) == ("42", "ann", "Ann")
    assert found.email == "ann@example.com"
    assert named(signed(email_verified=False)).email == ""
    assert named(signed(aud=["mesh", "other"], azp="mesh")).subject == "42"


@pytest.mark.parametrize(
    "token",
    [
        signed(FOREIGN),
        signed("public key as a secret, long enough to be one", "HS256"),
        signed("", "none"),
        signed(iss="https://other.example.com"),
        signed(aud="other"),
        signed(aud=["mesh", "other"]),
        signed(aud=["mesh", "other"], azp="other"),
        signed(nonce="other"),
        signed(nonce=None),
        signed(nonce="\ud800"),
        signed(sub="\udc00"),
        signed(preferred_username="\ud800"),
        signed(exp=NOW - 61),
        signed(exp=None),
        signed(iat=NOW + 61),
        signed(nbf=NOW + 61),
        signed(sub=""),
        signed(sub=None),
        signed()[:-4] + "AAAA",
        "",
        "a.b.c",
    ],
)
def test_a_token_that_does_not_hold_names_nobody(token: str) -> None:
    with pytest.raises(Unauthenticated):
        named(token)


def test_a_key_of_another_name_is_not_tried() -> None:
    other = {"keys": [{**keys()["keys"][0], "kid": "2"}]}
    for found in (other, {"keys": []}, {}, [], None):
        with pytest.raises(Unauthenticated):
            identity(signed(), found, PROVIDER, CONFIG, "n", NOW)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {**DOCUMENT, "issuer": "https://other.example.com"},
        {**DOCUMENT, "jwks_uri": "http://id.example.com/keys"},
        {**DOCUMENT, "token_endpoint": ""},
    ],
)
def test_a_provider_that_does_not_say_what_it_is_is_none(document: Any) -> None:
    with pytest.raises(Unavailable):
        provider_of(document, ISSUER)


def test_a_browser_is_sent_without_any_secret() -> None:
    flow = Flow("nonce", "verifier", "binding", "http://mesh/back")
    url = authorization_url(PROVIDER, CONFIG, "state", flow)
    assert url.startswith(f"{ISSUER}/authorize?response_type=code&client_id=mesh&")
    assert "code_challenge_method=S256" in url
    assert not any(word in url for word in ("verifier", "binding", "s3cret"))
    assert "s3cret" not in repr(CONFIG)


def test_the_most_that_a_claim_gives_is_the_role() -> None:
    def role(groups: Any) -> Role:
        return role_of(named(signed(groups=groups)), CONFIG, Role.GUEST)

    assert role(["ml", "ops", 1]) is Role.ADMIN
    assert role("ml") is Role.DEVELOPER
    assert role(["x"]) is role(None) is role({}) is Role.GUEST


def test_the_environment_says_how_people_get_in() -> None:
    assert login_config({}) == LoginConfig(Role.API_USER, is_open=False, oidc=None)
    environ = {
        "MESH_OIDC_ISSUER": ISSUER,
        "MESH_OIDC_CLIENT_ID": "mesh",
        "MESH_OIDC_CLIENT_SECRET": "s3cret",
        "MESH_OIDC_ROLE_CLAIM": "groups",
        "MESH_OIDC_ROLES": "ops=admin, ml=developer",
        "MESH_LOGIN_ROLE": "guest",
        "MESH_OPEN_REGISTRATION": "yes",
    }
    assert login_config(environ) == LoginConfig(Role.GUEST, is_open=True, oidc=CONFIG)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MESH_OIDC_ISSUER", "id.example.com"),
        ("MESH_OIDC_ISSUER", ISSUER),
        ("MESH_LOGIN_ROLE", "king"),
        ("MESH_OPEN_REGISTRATION", "perhaps"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        login_config({name: value})
