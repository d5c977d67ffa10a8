"""Plain values → settings, and what is wrong with them in one line."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mesh.errors import ConfigError


class Settings(BaseModel):
    """Settings are checked when they are made and never change; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def parse(model: type[ConfigT], value: object, *, what: str) -> ConfigT:
    """Makes a `model` of plain values.

    Raises ConfigError with one line that begins with `what` and names each wrong key.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise ConfigError(f"{what}: {sentence(faults)}") from None


def sentence(faults: Iterable[Mapping[str, Any]]) -> str:
    """Faults as pydantic lists them (`loc`, `type`, `msg`), in one line that names each key."""
    return "; ".join(
        f"{_key(fault['loc'])}{_sentence(fault['type'], fault['msg'])}" for fault in faults
    )


def _key(location: Iterable[str | int]) -> str:
    key = ".".join(str(part) for part in location if part != "[key]")
    return f"{key}: " if key else ""


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such setting"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
