"""What pydantic finds wrong with a value, in the mesh's own words."""

from typing import Any

from pydantic import BaseModel, ValidationError

from mesh.errors import InvalidArgument, Violation
from mesh.io.descriptor import IODescriptor

TITLE = "Input"
"""What the arguments of a call are called in error messages."""
MOST = 1000
"""Faults that a caller is told of: an answer must not be many times as long as the question."""


def root_title(annotation: Any) -> str:
    """What a body is called in error messages if it is the value of this annotation."""
    name: str = getattr(annotation, "__name__", "")
    plain = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return name if plain and issubclass(annotation, IODescriptor) else f"{name}IODescriptor"


def violations(error: ValidationError) -> tuple[Violation, ...]:
    """The faults in `error`, with their paths, pydantic's types of them and the pages about these.

    Of more than MOST, which a small body can have, the first.
    """
    return tuple(
        Violation(fault["loc"], fault["type"], fault["msg"], fault.get("url", ""))
        for fault in error.errors(include_context=False, include_input=False)[:MOST]
    )


def invalid_input(found: tuple[Violation, ...], title: str = TITLE) -> InvalidArgument:
    """The error for these faults in the arguments of a call, which are called `title`."""
    # One word form whatever the number: clients of the seed system match this very text.
    return InvalidArgument(f"{len(found)} validation error for {title}", violations=found)


def first_fault(error: ValidationError) -> str:
    """The first fault as one line: where it is, and what."""
    fault = error.errors(include_context=False, include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in fault["loc"])
    return f"{where}: {fault['msg']}" if where else fault["msg"]
