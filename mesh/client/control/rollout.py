"""Whether a deployment has come as far as it was meant to. Pure."""

from enum import Enum, auto

from mesh.client.control.values import DeploymentView

_THERE = ("running", "scaled-to-zero")
_OVER = ("failed", "terminating", "terminated")


class Progress(Enum):
    """What is to be expected of a deployment."""

    GOING = auto()
    """It is on its way."""
    DONE = auto()
    """It runs, or would if anybody called it."""
    FAILED = auto()
    """It stays as it is until somebody changes it."""


def progress(view: DeploymentView, revision: int) -> Progress:
    """How far a deployment is on its way to `revision`."""
    if view.revision < revision:
        return Progress.GOING
    if view.status in _THERE:
        return Progress.DONE
    return Progress.FAILED if view.status in _OVER else Progress.GOING
