"""Contents that are one array or one frame."""

from typing import Any

from mesh.errors import InvalidArgument, Violation
from mesh.io import arrow
from mesh.io.bodies import npy
from mesh.io.fields import InputField
from mesh.io.media import ARROW, NPY
from mesh.io.violations import TITLE, invalid_input


def reads(field: InputField, media_type: str) -> bool:
    """Whether a content of this media type can be the input's value, or an item of its list."""
    if field.kind is None:
        return False
    schema = field.kind.json_schema()
    if media_type == NPY:
        return schema.get("type") == "tensor"
    return media_type == ARROW and (
        schema.get("type") == "dataframe" or schema.get("format") == "series"
    )


def decoded(content: bytes, media_type: str, *path: str, title: str = TITLE) -> Any:
    """The wire value of an NPY or ARROW content.

    Raises InvalidArgument naming `path` if it is broken.
    """
    try:
        return _read(content, media_type)
    except InvalidArgument as error:
        raise error.within(*path) from None
    except ValueError as error:
        fault = Violation(path, "value_error", f"Value error, {error}")
        raise invalid_input((fault,), title) from None


def _read(content: bytes, media_type: str) -> Any:
    if media_type == NPY:
        return npy.read_npy(content)
    return arrow.read_stream(content)
