"""Which files of a folder go into a release."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pathspec

from mesh.errors import ConfigError

IGNORES = (".meshignore", ".bentoignore")
"""Files with patterns of what is left out, as git has them."""
NEVER = (
    "__pycache__/",
    "*.py[cod]",
    ".git/",
    ".hg/",
    ".svn/",
    ".venv/",
    "venv/",
    ".tox/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".ipynb_checkpoints/",
    ".DS_Store",
    ".env",
)
"""What no release needs, or what must not be in one."""


def chosen(
    folder: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[Path]:
    """The files of `folder`, relative to it, in order: those of `include` (empty: all).

    Patterns are those of `.gitignore`. Left out are `exclude`, `NEVER`, and what files of `IGNORES`
    at the top say; a link counts as the file it leads to, which must be in the folder.

    Raises ConfigError for a pattern that is none, and for a link that leads out.
    """
    wanted = _spec(include or ("*",), "--include")
    unwanted = _spec((*NEVER, *_ignored(folder), *exclude), "--exclude")
    yield from sorted(_walk(folder, folder.resolve(), wanted, unwanted))


def _walk(
    folder: Path, root: Path, wanted: pathspec.PathSpec[Any], unwanted: pathspec.PathSpec[Any]
) -> Iterator[Path]:
    for current, folders, names in os.walk(folder):
        here = Path(current).relative_to(folder)
        folders[:] = [name for name in folders if not unwanted.match_file(f"{here / name}/")]
        for name in names:
            path = here / name
            if unwanted.match_file(str(path)) or not wanted.match_file(str(path)):
                continue
            file = folder / path
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                raise ConfigError(f"{path}: a link that leads out of {folder}")
            if file.is_file():
                yield path


def _ignored(folder: Path) -> list[str]:
    lines = []
    for name in IGNORES:
        file = folder / name
        if file.is_file():
            lines += file.read_text().splitlines()
    return lines


def _spec(patterns: Sequence[str], flag: str) -> pathspec.PathSpec[Any]:
    try:
        return pathspec.PathSpec.from_lines("gitignore", patterns)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{flag}: {error}") from error
