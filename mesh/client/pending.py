"""A call that is to be made: what both clients know of it before anything is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.client.description import MethodDescription, ServiceDescription
from mesh.client.options import Options
from mesh.client.outgoing import is_once, outgoing
from mesh.client.tries import Tries


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A method with its arguments, as `outgoing` makes them, and what the caller streams to it."""

    method: MethodDescription
    arguments: Mapping[str, Any]
    items: Any
    options: Options
    tries: Tries


def pending(
    service: ServiceDescription,
    options: Options,
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> PendingCall:
    """A call of the service's method; its time runs from now.

    Raises AttributeError if the service has no such method, TypeError for arguments that it does
    not take, ValueError for a file that is not there. Reads files that stand inside of others.
    """
    method = service.method(name)
    given = method.bind(args, kwargs)
    items = given.pop(method.stream) if method.stream else None
    arguments = {key: outgoing(value, key, method) for key, value in given.items()}
    can_repeat = items is None and not any(map(is_once, arguments.values()))
    tries = Tries(options, can_repeat=can_repeat, idempotent=method.idempotent)
    return PendingCall(method, arguments, items, options, tries)
