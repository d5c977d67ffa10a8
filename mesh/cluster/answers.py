"""How the controller's actor answers: with values, for Ray pickles exceptions badly."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.errors import Code, ConfigError, FailedPrecondition, MeshError, NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation that failed; `code` is a number of `Code`."""

    code: int
    message: str


def answer(work: Callable[[], Any]) -> Any:
    """What `work` returns, or Refused for the MeshError that it raises."""
    try:
        return work()
    except MeshError as error:
        return Refused(error.code.value, error.message)


_ERRORS: dict[Code, type[MeshError]] = {
    Code.INVALID_ARGUMENT: ConfigError,
    Code.NOT_FOUND: NotFound,
    Code.FAILED_PRECONDITION: FailedPrecondition,
    Code.UNAVAILABLE: Unavailable,
}


def accept(answered: Any) -> Any:
    """The other end of `answer`: the value. Raises the MeshError that Refused stands for."""
    if isinstance(answered, Refused):
        code = Code(answered.code)
        raise _ERRORS.get(code, MeshError)(answered.message, code=code)
    return answered
