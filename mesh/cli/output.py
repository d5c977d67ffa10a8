"""Where the results of a call go: to people, to programs, or as they are into a file."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from rich.console import Console
from rich.text import Text

from mesh.cli.kept import Keeper, KeptFile
from mesh.cli.shown import kept_text, shown
from mesh.cli.text import clean
from mesh.errors import ConfigError
from mesh.io.bodies.npy import write_npy
from mesh.io.files.name import guess_media_type
from mesh.io.json_text import json_text


class Output(ABC):
    """Takes one result, or the items of a stream as they come. What it takes is seen at once."""

    @abstractmethod
    def result(self, value: Any) -> None:
        """Takes the one result. Raises ConfigError where a file cannot be written."""

    @abstractmethod
    def item(self, value: Any) -> None:
        """Takes an item of a stream; raises as `result`."""

    @abstractmethod
    def end(self) -> None:
        """Nothing more comes, perhaps because the call failed."""


class ForPeople(Output):
    """On a terminal. Pieces of text are put together, as those of a language model are meant."""

    def __init__(self, console: Console, keeper: Keeper) -> None:
        self._console = console
        self._keeper = keeper
        self._is_within_line = False

    def result(self, value: Any) -> None:
        """Shows the result; files are kept."""
        self._show(self._keeper.kept(value))

    def item(self, value: Any) -> None:
        """Shows the item; bytes by their number only, for they are pieces of something."""
        if not isinstance(value, str):
            self.end()
            self._show(value if isinstance(value, bytes) else self._keeper.kept(value))
        elif value:
            self._console.print(Text(clean(value)), end="", soft_wrap=True)
            self._console.file.flush()
            self._is_within_line = not value.endswith("\n")

    def end(self) -> None:
        """Ends the line."""
        if self._is_within_line:
            self._console.print()
            self._is_within_line = False

    def _show(self, value: Any) -> None:
        # Tables need to know where lines end, and what is to be copied must not be broken.
        wraps = not hasattr(value, "iloc")
        self._console.print(shown(value, self._console.width), soft_wrap=wraps)
        self._console.file.flush()


class ForPrograms(Output):
    """JSON: one line for a result, or for each item. Files are kept, and their paths told."""

    def __init__(self, stream: BinaryIO, keeper: Keeper) -> None:
        self._stream = stream
        self._keeper = keeper

    def result(self, value: Any) -> None:
        """Writes a line."""
        self._line(_plain(self._keeper.kept(value)))

    def item(self, value: Any) -> None:
        """Writes a line."""
        self._line(value if isinstance(value, bytes) else _plain(self._keeper.kept(value)))

    def end(self) -> None:
        """Leaves stdout open."""

    def _line(self, value: Any) -> None:
        self._stream.write(json_text(value) + b"\n")
        self._stream.flush()


class Raw(Output):
    """What a result holds: the bytes of a file, text, an array as .npy where `name` says so.

    Everything else is JSON, with a line for each item. `opened` gives where to write, when the
    first is there.
    """

    def __init__(self, opened: Callable[[], BinaryIO], name: str, keeper: Keeper) -> None:
        self._opened = opened
        self._name = name
        self._keeper = keeper
        self._stream: BinaryIO | None = None

    def result(self, value: Any) -> None:
        """Writes the content."""
        self.item(value)

    def item(self, value: Any) -> None:
        """Writes the content of an item behind that of the others."""
        if self._stream is None:
            self._stream = self._opened()
        for piece in self._pieces(value):
            self._stream.write(piece)
        self._stream.flush()

    def end(self) -> None:
        """Leaves what it wrote to open."""

    def _pieces(self, value: Any) -> Any:
        match value:
            case Path():
                with value.open("rb") as file:
                    while data := file.read(1 << 20):
                        yield data
            case bytes():
                yield value
            case str():
                yield value.encode()
            case np.ndarray() if guess_media_type(self._name) == "application/x-npy":
                yield write_npy(value)
            case _:
                yield json_text(_plain(self._keeper.kept(value))) + b"\n"


class ToFile(Raw):
    """As Raw, into a file of one's own, of which `tell` is told at the end."""

    def __init__(self, path: Path, keeper: Keeper, tell: Callable[[Text], None]) -> None:
        super().__init__(lambda: _opened(path), path.name, keeper)
        self._path = path
        self._tell = tell

    def item(self, value: Any) -> None:
        """Writes the content of an item. Raises ConfigError if it cannot be written."""
        try:
            super().item(value)
        except OSError as error:
            raise _unwritable(self._path, error) from None

    def end(self) -> None:
        """Closes the file, if there is one."""
        if self._stream is not None:
            self._stream.close()
            self._tell(kept_text(KeptFile(self._path, self._path.stat().st_size)))


def output(out: str, *, as_json: bool, keeper: Callable[[Path], Keeper]) -> Output:
    """Where results go: stdout, or for `--out` a file, a folder, or `-` for stdout as they are.

    `keeper` keeps files in a folder; without `--out` that is the current one.
    """
    here = Path()
    stdout = sys.stdout
    if out == "-":
        return Raw(lambda: stdout.buffer, "", keeper(here))
    path = Path(out)
    if out and not (path.is_dir() or out.endswith("/")):
        tell = Console(stderr=True, highlight=False, soft_wrap=True).print
        return ToFile(path, keeper(path.parent), tell)
    if as_json or not stdout.isatty():
        return ForPrograms(stdout.buffer, keeper(path))
    return ForPeople(Console(file=stdout, highlight=False), keeper(path))


def _plain(value: Any) -> Any:
    """The value with the path of each file for the file."""
    match value:
        case KeptFile():
            return str(value.path)
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
    return value


def _opened(path: Path) -> BinaryIO:
    return path.open("wb")


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"--out {path}: {error.strerror}")
