"""What went wrong with a command, as its user reads it, and the exit code that says so."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.text import clean
from mesh.client.failure import headline
from mesh.errors import ConfigError, MeshError

FAILED, WRONG = 1, 2


class WrongUsage(ConfigError):
    """What was typed is wrong: exit code 2.

    `hint`, one line that may be empty, says what could have been typed.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def exit_code(error: MeshError) -> int:
    """The exit code of a command that ends with this error."""
    return WRONG if isinstance(error, WrongUsage) else FAILED


def told(error: MeshError) -> Text:
    """What went wrong in one line, and below it what could be done."""
    text = _line("error:", " ".join(error.message.split()))
    if isinstance(error, WrongUsage) and error.hint:
        text.append(f"\n{error.hint}", "dim")
    return text


def call_told(error: MeshError) -> Text:
    """A call that failed: its code and message, a line for each fault, when to try again."""
    text = _line("error:", f"{error.code.name}: {' '.join(headline(error).split())}".rstrip(": "))
    for each in error.violations:
        path = ".".join(map(str, each.path)) or "body"
        text.append(f"\n  {clean(path)}: {clean(' '.join(each.message.split()))}")
    if error.retry_after is not None:
        text.append(f"\n  try again in {error.retry_after:g} s")
    return text


def _line(word: str, message: str) -> Text:
    return Text.assemble((word, "bold red"), " ", clean(message))


def show(text: Text) -> None:
    """Writes to stderr, where nothing is broken over lines."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


@contextmanager
def calling() -> Iterator[None]:
    """Ends the command with exit code 1 if a call in the block fails, and says why."""
    try:
        yield
    except ConfigError:
        raise  # no call was made
    except MeshError as error:
        show(call_told(error))
        raise typer.Exit(FAILED) from None
