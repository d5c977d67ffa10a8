"""The one error type of the mesh, its codes, and what each code is in HTTP.

A failure is a `MeshError` from the place where it is found to the edge where it becomes a
status; foreign exceptions are turned into one where the foreign library is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Self


class Code(IntEnum):
    """What went wrong: the canonical codes of gRPC, with their numbers.

    The meaning of each is that of https://grpc.io/docs/guides/status-codes/.
    """

    CANCELLED = 1
    """The caller gave the call up."""
    UNKNOWN = 2
    """An error from elsewhere that fits nothing below."""
    INVALID_ARGUMENT = 3
    """The input is wrong, whatever the state of the system."""
    DEADLINE_EXCEEDED = 4
    """The time limit passed before the call was done."""
    NOT_FOUND = 5
    """The thing asked for does not exist."""
    ALREADY_EXISTS = 6
    """The thing to be made exists."""
    PERMISSION_DENIED = 7
    """The caller is known and may not do this."""
    RESOURCE_EXHAUSTED = 8
    """A limit is reached: too many calls, too large a message, a quota."""
    FAILED_PRECONDITION = 9
    """The system is not in a state in which this can be done."""
    ABORTED = 10
    """A conflict with something concurrent; try the whole again."""
    OUT_OF_RANGE = 11
    """Past the end of a valid range."""
    UNIMPLEMENTED = 12
    """There is no such operation here."""
    INTERNAL = 13
    """A fault of the service or of the mesh itself."""
    UNAVAILABLE = 14
    """Not now; another try may work."""
    DATA_LOSS = 15
    """Data is lost or damaged for good."""
    UNAUTHENTICATED = 16
    """The caller has not said who it is."""


HTTP_STATUS: Mapping[Code, int] = MappingProxyType(
    {
        Code.CANCELLED: 499,
        Code.UNKNOWN: 500,
        Code.INVALID_ARGUMENT: 400,
        Code.DEADLINE_EXCEEDED: 504,
        Code.NOT_FOUND: 404,
        Code.ALREADY_EXISTS: 409,
        Code.PERMISSION_DENIED: 403,
        Code.RESOURCE_EXHAUSTED: 429,
        Code.FAILED_PRECONDITION: 422,
        Code.ABORTED: 409,
        Code.OUT_OF_RANGE: 400,
        Code.UNIMPLEMENTED: 404,
        Code.INTERNAL: 500,
        Code.UNAVAILABLE: 503,
        Code.DATA_LOSS: 500,
        Code.UNAUTHENTICATED: 401,
    }
)
"""HTTP status of each code, where the error does not choose its own."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault in one part of the input.

    `path` leads from the outermost name inwards; `type` is machine-readable (pydantic's error
    types, such as `missing`); `url` explains the type and may be empty.
    """

    path: tuple[str | int, ...]
    type: str
    message: str
    url: str = ""

    def detail(self) -> dict[str, object]:
        """The fault as replies have it in JSON, in pydantic's form."""
        found: dict[str, object] = {
            "type": self.type,
            "loc": list(self.path),
            "msg": self.message,
        }
        if self.url:
            found["url"] = self.url
        return found


def _code(code: "Code | str") -> Code:
    if isinstance(code, str):
        try:
            return Code[code]
        except KeyError:
            raise ValueError(f"{code!r} is no code: {', '.join(Code.__members__)}") from None
    return Code(code)


class MeshError(Exception):
    """A failed call or operation: a code and one sentence for the caller.

    `code` is a Code, or the name of one such as "NOT_FOUND". `retry_after` is in seconds.
    `http_status` replaces the code's usual status, for services that answer with one of their own
    (418, say); a subclass may set it for all its instances. Raises TypeError or ValueError for
    what is none of these: an error that can't be told must not get on its way.
    """

    code: Code = Code.INTERNAL
    http_status: int | None = None
    trailers: tuple[tuple[str, str | bytes], ...] = ()
    """Metadata that a method had set for the end of its reply before it failed; for gateways."""

    def __init__(
        self,
        message: str = "",
        *,
        code: Code | str | None = None,
        violations: tuple[Violation, ...] = (),
        retry_after: float | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = str(message)
        if code is not None:
            self.code = _code(code)
        if http_status is not None:
            self.http_status = int(http_status)
        self.violations = tuple(violations)
        for each in self.violations:
            if not isinstance(each, Violation):
                raise TypeError(f"violations are Violation(path, type, message), not {each!r}")
        self.retry_after = None if retry_after is None else float(retry_after)

    @property
    def status(self) -> int:
        """The HTTP status that the caller sees."""
        return self.http_status or HTTP_STATUS[self.code]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code.name}, {self.message!r})"

    def within(self, *path: str | int) -> Self:
        """Puts `path` before the path of each violation; returns the error itself."""
        self.violations = tuple(
            Violation((*path, *v.path), v.type, v.message, v.url) for v in self.violations
        )
        return self


class InvalidArgument(MeshError):
    """The input is wrong: 400, INVALID_ARGUMENT."""

    code = Code.INVALID_ARGUMENT


class NotFound(MeshError):
    """The thing asked for does not exist: 404, NOT_FOUND."""

    code = Code.NOT_FOUND


class AlreadyExists(MeshError):
    """What is to be made is there already."""

    code = Code.ALREADY_EXISTS


class PermissionDenied(MeshError):
    """The caller may not do this: 403, PERMISSION_DENIED."""

    code = Code.PERMISSION_DENIED


class Unauthenticated(MeshError):
    """The caller has not said who it is: 401, UNAUTHENTICATED."""

    code = Code.UNAUTHENTICATED


class FailedPrecondition(MeshError):
    """Not in this state: 422, FAILED_PRECONDITION."""

    code = Code.FAILED_PRECONDITION


class Overloaded(MeshError):
    """A limit is reached: 429, RESOURCE_EXHAUSTED."""

    code = Code.RESOURCE_EXHAUSTED


class QuotaExceeded(MeshError):
    """A limit that an administrator has set; the message names it and its value."""

    code = Code.RESOURCE_EXHAUSTED
    http_status = 403


class TooLarge(MeshError):
    """A body is over its limit: 413, RESOURCE_EXHAUSTED."""

    code = Code.RESOURCE_EXHAUSTED
    http_status = 413


class UnsupportedMediaType(MeshError):
    """A body of a media type that the method does not take: 415, INVALID_ARGUMENT."""

    code = Code.INVALID_ARGUMENT
    http_status = 415


class Unimplemented(MeshError):
    """There is no such method: 404, UNIMPLEMENTED."""

    code = Code.UNIMPLEMENTED


class Unavailable(MeshError):
    """Nobody can take the call now: 503, UNAVAILABLE."""

    code = Code.UNAVAILABLE


class DeadlineExceeded(MeshError):
    """The time limit passed: 504, DEADLINE_EXCEEDED."""

    code = Code.DEADLINE_EXCEEDED


class Cancelled(MeshError):
    """The caller gave the call up: 499, CANCELLED."""

    code = Code.CANCELLED


class Internal(MeshError):
    """A fault of the service or the mesh: 500, INTERNAL."""

    code = Code.INTERNAL


class DefinitionError(MeshError, TypeError):
    """A service class that cannot be served; raised when the class is decorated.

    The message names the class, the method and the parameter.
    """

    code = Code.INVALID_ARGUMENT


class ConfigError(MeshError, ValueError):
    """A setting, flag or deployment file that is wrong; the message names it."""

    code = Code.INVALID_ARGUMENT
