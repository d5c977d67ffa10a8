"""The OpenAPI of both APIs: who may ask, and how what goes wrong is told."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict

Scheme = Mapping[str, str]
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
BY_HEADER: Mapping[str, Scheme] = {
    "token": {"type": "apiKey", "in": "header", "name": "X-YATAI-API-TOKEN"}
}
"""A token as clients of BentoCloud show it."""
BY_BEARER: Mapping[str, Scheme] = {"bearer": {"type": "http", "scheme": "bearer"}}
"""A token as all others do."""


class Failure(BaseModel):
    """What went wrong, in one line."""

    model_config = ConfigDict(frozen=True)

    error: str


def _header(description: str, schema: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": dict(schema)}


_LATER = {
    "Retry-After": _header(
        "Seconds after which another try may work.",
        {"type": "integer", "minimum": 0},
        required=False,
    )
}
_WHO = {
    "WWW-Authenticate": _header(
        "How a token is shown.", {"type": "string", "const": "Bearer"}, required=True
    )
}
_MEANT: Mapping[int, tuple[str, Mapping[str, Any]]] = {
    400: ("A parameter or the body is wrong: the line names what in it.", {}),
    401: ("There is no token, or none that is known.", _WHO),
    403: ("Whoever asks may not do this.", {}),
    404: ("There is no such thing.", {}),
    409: ("It is there already, or is being changed by somebody else.", {}),
    413: ("The request is too large.", {}),
    422: ("It cannot be done in the state in which things are.", {}),
    429: ("A limit is reached.", _LATER),
    503: ("Not now; another try may work.", _LATER),
}
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": description, "headers": dict(headers)}
    for status, (description, headers) in _MEANT.items()
}
"""The replies that every operation may give instead of its own."""


def describe(
    app: FastAPI, schemes: Sequence[Mapping[str, Scheme]], is_open: Collection[str] = ()
) -> None:
    """Has `app` say in its document that a token is wanted, shown in one of these ways.

    Not on paths that are open.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                routes=app.routes,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            _secure(made, schemes, is_open)
            for schema in _objects(made):
                # pydantic says which keys there may be, and leaves out that there are no others.
                if "patternProperties" in schema:
                    schema.setdefault("additionalProperties", False)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's own documentation does


def _secure(
    made: dict[str, Any], schemes: Sequence[Mapping[str, Scheme]], is_open: Collection[str]
) -> None:
    known = {name: dict(scheme) for each in schemes for name, scheme in each.items()}
    made.setdefault("components", {})["securitySchemes"] = known
    for path, operations in made.get("paths", {}).items():
        for method in METHODS & operations.keys():
            wanted: list[dict[str, Any]] = [] if path in is_open else [{name: []} for name in known]
            operations[method]["security"] = wanted


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each)
