"""How long calls wait, and the error of one that has waited too long."""

from mesh.errors import DeadlineExceeded

LINK_WAIT = 5.0
"""Seconds that a call waits for a link to a replica of its version to be opened."""


def timed_out(seconds: float | None) -> DeadlineExceeded:
    """The error of a call that took longer than its service's `seconds`."""
    if seconds is None:
        return DeadlineExceeded("the deadline passed before the call was done")
    return DeadlineExceeded(f"Not able to process the request in {seconds:g} seconds")
