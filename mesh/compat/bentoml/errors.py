"""BentoML's exceptions as errors of the mesh, and errors of other services as its exceptions."""

import logging
from http import HTTPStatus

from bentoml.exceptions import BentoMLException
from pydantic import ValidationError

from mesh.compat.bentoml.error_body import REFUSED, UNEXPECTED, error_body
from mesh.errors import Code, InvalidArgument, MeshError
from mesh.io.violations import violations

log = logging.getLogger("mesh.replica")

_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ABORTED,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    422: Code.FAILED_PRECONDITION,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}


def failure(error: Exception) -> MeshError | None:
    """What an exception of a method means to the caller; None for a fault that is not its business.

    The texts of statuses from 500 on, and of 401 and 403, stay in the log.
    """
    if isinstance(error, ValidationError):
        log.info("the method failed: %s", error)
        faults = violations(error)
        count = error.error_count()
        return InvalidArgument(f"{count} validation error for {error.title}", violations=faults)
    if not isinstance(error, BentoMLException):
        return None
    status = int(error.error_code)
    message = str(error)
    if status >= 500:
        log.error("the method failed with status %d", status, exc_info=error)
        message = UNEXPECTED
    elif status in (401, 403):
        log.info("the method refused with status %d: %s", status, message)
        message = REFUSED
    return MeshError(message, code=_CODES.get(status, Code.UNKNOWN), http_status=status)


def exception(error: MeshError) -> Exception:
    """What a caller gets for an error of the service that it calls: the class of the status.

    Its text is the body that a client would get, which is what the callers of BentoML's services
    have always found there.
    """
    if error.code is Code.FAILED_PRECONDITION and error.http_status is None:
        return RuntimeError(error.message)  # a call that would have blocked the event loop
    try:
        status = HTTPStatus(error.status)
    except ValueError:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    cls = BentoMLException.error_mapping.get(status, BentoMLException)
    return cls(error_body(error), error_code=status)
