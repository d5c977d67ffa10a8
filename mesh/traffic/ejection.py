"""When a server outside the mesh that cannot be reached is left alone for a while."""

from typing import NamedTuple

FAILURES = 3
"""Connections in a row that could not be opened, after which a server is left alone."""
PAUSE = 10.0
"""Seconds for which it is."""


class Health(NamedTuple):
    """How it went with a server: failures in a row, and until when it is left alone."""

    failures: int = 0
    until: float = 0.0

    def failed(self, now: float) -> "Health":
        """After one more connection could not be opened.

        One failure after a pause begins the next pause.
        """
        failures = self.failures + 1
        return Health(failures, now + PAUSE if failures >= FAILURES else self.until)

    def is_out(self, now: float) -> bool:
        """Whether it is to be left alone."""
        return now < self.until


WELL = Health()
