"""What people send to get in, and what they are told."""

from typing import Annotated

from pydantic import Field

from mesh.access.logins import Newcomer
from mesh.access.passwords import LONGEST, SHORTEST
from mesh.faces.cloud.wire.base import Sent, UserView, Wire, said

Word = Field(default="", max_length=1000)
Secret = Field(default="", max_length=4096, repr=False)
NewPassword = Annotated[
    str, Field(max_length=4096, repr=False), said(minLength=SHORTEST, maxLength=LONGEST)
]


class LoginSent(Sent):
    """Who wants in."""

    name_or_email: str = Word
    password: str = Secret


class NewcomerSent(Sent):
    """Who wants to be a user; `token` is that of an invitation, or of setup."""

    name: str = Word
    email: str = Word
    password: str = Secret
    first_name: str | None = Word
    last_name: str | None = Word
    token: str | None = Secret

    def newcomer(self) -> Newcomer:
        """The same without the token."""
        return Newcomer(
            self.name, self.email, self.password, self.first_name or "", self.last_name or ""
        )


class PasswordSent(Sent):
    """Another password."""

    current_password: str = Secret
    new_password: NewPassword


class CodeView(Wire):
    """A code to log in with a browser."""

    code: str


class OidcInfoView(Wire):
    """With whom else people can log in."""

    enabled: bool = False
    client_id: str = ""
    provider_url: str = ""
    scopes: tuple[str, ...] = ()


class OidcDebugView(Wire):
    """Nothing: what a provider says of somebody is not told again."""


class OidcCallbackView(Wire):
    """Who has logged in with a provider."""

    user: UserView
    debug_info: OidcDebugView = OidcDebugView()


class LoggedOutView(Wire):
    """Who was logged in is not any more."""

    logged_out: bool = True
