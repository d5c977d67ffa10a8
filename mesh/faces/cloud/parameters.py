"""Query parameters as BentoCloud's clients send them: what is not given may be there, but empty."""

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

COUNT = 10
"""How many are listed if nobody says."""


def _absent(value: object) -> object:
    return None if value == "" else value


Number = Annotated[Annotated[int, Field(ge=0, lt=2**31)] | None, BeforeValidator(_absent), Query()]
"""A number; None if it is absent or empty."""
Flag = Annotated[bool | None, BeforeValidator(_absent), Query()]
"""True or false; None if it is absent or empty."""
Text = Annotated[str, Query(max_length=1000)]
"""A text; empty if it is absent."""
