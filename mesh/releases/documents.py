"""What stands at the top of an archive: `bento.yaml` of a release, `model.yaml` of a model."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from mesh.config.parsed import parse
from mesh.errors import ConfigError, InvalidArgument

BENTO = "bento.yaml"
MODEL = "model.yaml"
_DEPTH = 100
_PIECES = 200_000


class _Document(BaseModel):
    """What all have. What is not known is left alone: later clients write more."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    creation_time: datetime | None = None


class _Service(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1)


class BentoDocument(_Document):
    """`bento.yaml`, as far as the registry reads it. `service` is `module:attribute`."""

    service: str = Field(min_length=1)
    bentoml_version: str = ""
    entry_service: str = ""
    services: tuple[_Service, ...] = ()


class ModelDocument(_Document):
    """`model.yaml`, as far as the registry reads it."""

    module: str | None = ""
    api_version: str | None = ""


_MODELS: Mapping[str, type[_Document]] = {BENTO: BentoDocument, MODEL: ModelDocument}


def check_document(document: str, text: bytes, name: str, version: str) -> None:
    """Looks whether `text` is a `bento.yaml` or `model.yaml` of this name and version.

    Raises InvalidArgument, saying what is wrong with it.
    """
    try:
        found = parse(_MODELS[document], _read(document, text), what=document)
    except ConfigError as error:
        raise InvalidArgument(error.message) from None
    if (found.name, found.version) != (name, version):
        raise InvalidArgument(
            f"{document} in the archive is of {found.name[:200]!r} {found.version[:200]!r},"
            f" not of {name!r} {version!r}"
        )


def _read(document: str, text: bytes) -> Any:
    """Plain values of YAML. Its nesting is looked at first: the parser itself has no limit."""
    try:
        depth = 0
        for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEPTH or count > _PIECES:
                raise InvalidArgument(f"{document} in the archive is nested too deep or too long")
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  # a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = " ".join(str(error).split())[:200]
        raise InvalidArgument(f"{document} in the archive is not YAML: {line}") from None


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A pure one where there is no other; it takes ten times as long."""
