"""What BentoML's clients return, in a form that can be compared."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image


def described(value: Any) -> Any:
    """Types, element types, shapes and contents; names of files without what is random in them."""
    match value:
        case np.ndarray():
            return ("ndarray", str(value.dtype), value.shape, repr(value.tolist()))
        case torch.Tensor():
            return ("tensor", str(value.dtype), tuple(value.shape), repr(value.tolist()))
        case pd.DataFrame():
            return ("frame", repr(value.to_dict("list")), [str(each) for each in value.dtypes])
        case Image.Image():
            return ("image", value.format, value.size, value.mode, value.tobytes())
        case Path():
            return (
                "path",
                value.suffix,
                re.sub("^tmp[a-z0-9_]{8}", "", value.name),
                value.read_bytes(),
            )
        case list() | tuple():
            return (type(value).__name__, [described(each) for each in value])
        case dict():
            return {key: described(each) for key, each in value.items()}
        case _:
            return (type(value).__name__, repr(value))


def failure(error: Exception) -> Any:
    """The type, status and text of an error; documentation links lose their version."""
    text = re.sub(r"https://errors\.pydantic\.dev/[^/]*/", "", str(error))
    return (type(error).__name__, getattr(error, "error_code", None), text)


def result(client: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call of a sync client comes to."""
    try:
        value = getattr(client, name)(*args, **kwargs)
        if isinstance(value, Iterator):
            return ("stream", [described(each) for each in value])
        return described(value)
    except Exception as error:  # noqa: BLE001 - whatever the client raises is compared
        return failure(error)


async def async_result(
    client: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a call of an async client comes to."""
    try:
        value = getattr(client, name)(*args, **kwargs)
        if isinstance(value, AsyncIterator):
            return ("stream", [described(each) async for each in value])
        return described(await value)
    except Exception as error:  # noqa: BLE001 - as above
        return failure(error)
