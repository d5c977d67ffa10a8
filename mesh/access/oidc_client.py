"""Questions to a provider of OpenID Connect."""

from collections.abc import Callable
from typing import Any

import httpx

from mesh.access.login_config import OidcConfig
from mesh.access.oidc import Flow, Provider, key_id, keys_in, provider_of
from mesh.errors import Unauthenticated, Unavailable

KNOWN = 3600.0
"""Seconds for which what a provider says of itself is not asked again."""
LARGEST = 2**20
"""Bytes of an answer."""
_DISCOVERY = "/.well-known/openid-configuration"


class OidcClient:
    """A provider, as it was last seen. For one event loop; `wall` gives seconds.

    All raise Unavailable where the provider does not answer as it should.
    """

    def __init__(self, config: OidcConfig, wall: Callable[[], float]) -> None:
        self._config = config
        self._wall = wall
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, Any] | None = None

    def __repr__(self) -> str:
        return f"<OidcClient {self._config.issuer}>"

    async def provider(self) -> Provider:
        """What it says of itself."""
        if self._provider is None or self._wall() > self._provider[0] + KNOWN:
            issuer = self._config.issuer
            document = await self._asked("GET", issuer.rstrip("/") + _DISCOVERY)
            self._provider = (self._wall(), provider_of(document, issuer))
        return self._provider[1]

    async def keys(self, token: str) -> Any:
        """Its key set: asked again where the key of `token` is not in it, for keys change."""
        if self._keys is None or self._wall() > self._keys[0] + KNOWN or not self._has(token):
            provider = await self.provider()
            self._keys = (self._wall(), await self._asked("GET", provider.keys))
        return self._keys[1]

    def _has(self, token: str) -> bool:
        wanted = key_id(token)
        known = keys_in(self._keys[1]) if self._keys else ()
        return any(each.get("kid", "") == wanted for each in known)

    async def id_token(self, code: str, flow: Flow) -> str:
        """The ID token for the code of a login. Raises Unauthenticated for a wrong code."""
        provider = await self.provider()
        config = self._config
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_url,
            "code_verifier": flow.verifier,
            "client_id": config.client_id,
        }
        basic = None
        if config.client_secret and provider.takes_basic:
            basic = httpx.BasicAuth(config.client_id, config.client_secret)
            del form["client_id"]
        elif config.client_secret:
            form["client_secret"] = config.client_secret
        document = await self._asked("POST", provider.token, data=form, auth=basic)
        token = document.get("id_token") if isinstance(document, dict) else None
        if not isinstance(token, str):
            raise Unavailable("the OpenID provider gave no ID token")
        return token

    async def _asked(self, method: str, url: str, **options: Any) -> Any:
        try:
            async with httpx.AsyncClient(
                timeout=self._config.patience, follow_redirects=False
            ) as client:
                response = await client.request(method, url, **options)
                if len(response.content) > LARGEST:
                    raise Unavailable("the OpenID provider answers too much")
                if method == "POST" and 400 <= response.status_code < 500:
                    raise Unauthenticated("the OpenID provider does not take this code")
                if response.status_code != 200:
                    raise Unavailable(f"the OpenID provider answers {response.status_code}")
                return response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable(
                f"the OpenID provider does not answer: {type(error).__name__}"
            ) from error
