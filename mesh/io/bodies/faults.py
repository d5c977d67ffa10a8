"""What can be wrong with a body beyond its values, in pydantic's shape."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from mesh.errors import InvalidArgument, TooLarge, Violation
from mesh.io.violations import invalid_input, violations

_TEXT = TypeAdapter(str)
_JSON = TypeAdapter(Any)


def broken(form: str, what: str) -> InvalidArgument:
    """The error for a body that is not in the form that its media type promises."""
    return invalid_input((Violation((), f"{form}_invalid", f"Broken {form}: {what}"),))


def too_large(name: str, message: str) -> TooLarge:
    """The error for a field over a limit."""
    fault = Violation((name,), "too_large", message)
    return TooLarge(f"field {name!r}: {message}", violations=(fault,))


def text_of(data: bytes, *path: str | int) -> str:
    """The UTF-8 text; raises InvalidArgument (`string_unicode`) for the field at `path`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        return str(_TEXT.validator.validate_python(data))  # for pydantic's own words about it
    except ValidationError as error:
        raise invalid_input(violations(error)).within(*path) from None


def json_of(data: bytes | str, *path: str | int) -> Any:
    """The value of a JSON document; raises InvalidArgument (`json_invalid`) for that field."""
    try:
        return _JSON.validator.validate_json(data)
    except ValidationError as error:
        raise invalid_input(violations(error)).within(*path) from None


def json_or_text(text: str, *path: str | int) -> Any:
    """The value of a text if that is JSON, else the text itself.

    Raises InvalidArgument for JSON that is nested too deep to be read.
    """
    try:
        return from_json(text)
    except ValueError as error:
        if "recursion" in str(error):
            return json_of(text, *path)
        return text
