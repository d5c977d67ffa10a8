"""Where the token of a mesh's owner is, as people and shells are told."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from mesh.client.control.whereabouts import TOKEN


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """`said` is for people, `typed` a word of a shell's command that stands for the token."""

    said: str
    typed: str


IN_VARIABLE = TokenPlace(f"${TOKEN}", f'"${TOKEN}"')
"""In the environment of whoever has started the mesh."""


def in_file(path: Path) -> TokenPlace:
    """In a file, whose content is not told."""
    return TokenPlace(str(path), f'"$(cat {shlex.quote(str(path))})"')


def nowhere(token: str) -> TokenPlace:
    """Nowhere but in this process: so it is told itself."""
    return TokenPlace(token, shlex.quote(token))


def bentoml_login(control_url: str, token: TokenPlace) -> str:
    """The command that has BentoML's own command use a mesh."""
    return f"bentoml cloud login --endpoint {control_url} --api-token {token.typed}"
