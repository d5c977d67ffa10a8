"""The OpenAPI of the cloud API: who may ask, and how what goes wrong is told."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from mesh.faces.cloud.wire.base import Wire

SCHEME = "token"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


class Failure(Wire):
    """What went wrong, in one line."""

    error: str


FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failure, "description": "What was asked for is wrong, or not allowed."}
}
"""The replies that every operation may give instead of its own."""


def describe(app: FastAPI, is_open: Collection[str]) -> None:
    """Has `app` say in its document that all paths but those that are open want a token."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                routes=app.routes,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            made.setdefault("components", {})["securitySchemes"] = {
                SCHEME: {"type": "apiKey", "in": "header", "name": "X-YATAI-API-TOKEN"}
            }
            for path, operations in made.get("paths", {}).items():
                for method in METHODS & operations.keys():
                    operations[method]["security"] = [] if path in is_open else [{SCHEME: []}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's own documentation does
