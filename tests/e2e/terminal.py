"""A command at a terminal, whose user reads and types."""

import os
import pty
import re
import signal
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.e2e.clients import eventually

LONG = 240.0
"""Seconds that something may take on a machine that is busy."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """Runs a command for as long as a block lasts."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self._written = bytearray()
        self._top, under = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=under,
            stdout=under,
            stderr=under,
            start_new_session=True,  # else passwords were read from the terminal of the tests
        )
        os.close(under)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._top)

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._top, 2**16)
            except OSError:  # so it ends once nobody writes any more
                return
            self._written += piece

    @property
    def text(self) -> str:
        """What stands there, without what moves the cursor."""
        return _CONTROL.sub("", self._written.decode(errors="replace"))

    def reads(self, text: str, after: int = 0) -> int:
        """Waits for a text after a place; returns the place behind it."""

        def there() -> bool:
            if text in self.text[after:]:
                return True
            assert self.process.poll() is None, self.text
            return False

        try:
            eventually(there, text, LONG)
        except AssertionError as error:
            raise AssertionError(f"not there: {text}\n{self.text}") from error
        return self.text.index(text, after) + len(text)

    def types(self, keys: str) -> None:
        """Types what the terminal shows."""
        os.write(self._top, keys.encode())

    def presses(self, keys: str) -> None:
        """Types what is not shown, a key of a menu or a secret, once the command waits for it.

        Before that the terminal makes lines of what is typed, and a carriage return a newline.
        """
        eventually(lambda: not self._echoes, "it waits for keys", LONG)
        os.write(self._top, keys.encode())

    @property
    def _echoes(self) -> bool:
        modes: int = termios.tcgetattr(self._top)[3]
        return bool(modes & termios.ECHO)

    def interrupt(self) -> int:
        """Presses Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(LONG)
