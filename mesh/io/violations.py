"""What pydantic finds wrong with a value, in the mesh's own words."""

from pydantic import ValidationError

from mesh.errors import InvalidArgument, Violation

TITLE = "Input"
"""What the arguments of a call are called in error messages."""


def violations(error: ValidationError) -> tuple[Violation, ...]:
    """Every fault in `error`, with its path, pydantic's type of it and the page about it."""
    return tuple(
        Violation(fault["loc"], fault["type"], fault["msg"], fault.get("url", ""))
        for fault in error.errors(include_context=False, include_input=False)
    )


def invalid_input(found: tuple[Violation, ...]) -> InvalidArgument:
    """The error for these faults in the arguments of a call."""
    # One word form whatever the number: clients of the seed system match this very text.
    return InvalidArgument(f"{len(found)} validation error for {TITLE}", violations=found)


def first_fault(error: ValidationError) -> str:
    """The first fault as one line: where it is, and what."""
    fault = error.errors(include_context=False, include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in fault["loc"])
    return f"{where}: {fault['msg']}" if where else fault["msg"]
