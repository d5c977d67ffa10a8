"""What a command is doing now: a spinner on a terminal, else a line for each step."""

from typing import Self

from rich.console import Console
from rich.text import Text


class Steps:
    """Says what is being done, until `end`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("starting") if console.is_terminal else None
        self._last = ""

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def say(self, step: str) -> None:
        """The next step; said once."""
        if step == self._last:
            return
        self._last = step
        if self._status is not None:
            self._status.update(Text(step))
        else:
            self._console.print(step, markup=False, soft_wrap=True)

    def end(self) -> None:
        """Nothing is being done any more."""
        if self._status is not None:
            self._status.stop()
