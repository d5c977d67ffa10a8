"""Amounts as people and Kubernetes write them."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_SUFFIXES = {
    "": 1,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_DIGITS = 30  # more make no number of bytes, and may make none at all
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


def _cpu(value: object) -> object:
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, suffix = match.groups()
        if suffix in (None, "m"):
            return float(number) / (1000 if suffix else 1)
    return value


def _memory(value: object) -> object:
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, suffix = match.groups()
        if suffix != "m" and len(number) < _DIGITS:
            return int(float(number) * _SUFFIXES[suffix or ""])
    return value


def _amount(value: object) -> object:
    if isinstance(value, str):
        value = value.removesuffix("%")
        if match := _QUANTITY.fullmatch(value):
            number, suffix = match.groups()
            return float(number) * (1e-3 if suffix == "m" else _SUFFIXES[suffix or ""])
    return value


Cores = Annotated[float, BeforeValidator(_cpu), Field(ge=0, allow_inf_nan=False)]
"""CPU cores: a number, or a Kubernetes quantity (`"500m"` is 0.5)."""
Bytes = Annotated[int, BeforeValidator(_memory)]
"""Bytes: a number, or a Kubernetes quantity (`"2Gi"`)."""
Amount = Annotated[float, BeforeValidator(_amount), Field(gt=0, allow_inf_nan=False)]
"""A number above zero, also as text, with a suffix (`"2Gi"`) or a percent sign (`"80%"` is 80)."""
