"""What a server answers, in the form in which answers are compared."""

import json
import re
from dataclasses import dataclass, fields
from typing import Any

import httpx

from tests.differential.cases import Case

HEADERS = (
    *("access-control-allow-credentials", "access-control-allow-headers"),
    *("access-control-allow-methods", "access-control-allow-origin"),
    *("access-control-expose-headers", "access-control-max-age"),
    *("accept-ranges", "allow", "content-disposition", "location", "server", "set-cookie", "vary"),
    *("cache-control", "content-encoding"),
    *("x-custom", "x-dropped", "x-multi", "x-other", "x-own", "x-total"),
)
"""Header fields whose values are compared."""
IDENTIFIERS = ("x-bentoml-request-id", "x-bentoml-trace-id")
"""Header fields whose values differ with each reply: only their form is compared."""
OPAQUE = ("content-length", "etag", "last-modified", "transfer-encoding")
"""Header fields of which only their presence is compared."""
BROKEN = "broken off"


@dataclass(frozen=True)
class Answer:
    """One reply. `body` is what bodies of its media type promise; `raw` the bytes."""

    status: int
    media_type: str
    body: Any
    headers: dict[str, list[str]]
    raw: bytes

    def differences(self, other: "Answer") -> frozenset[str]:
        """The fields that differ; `spacing` is for one JSON value in other bytes."""
        names = {field.name for field in fields(self)} - {"headers", "raw"}
        found = {name for name in names if getattr(self, name) != getattr(other, name)}
        for name in self.headers.keys() | other.headers.keys():
            if self.headers.get(name) != other.headers.get(name):
                found.add(name)
        if "body" not in found and self.raw != other.raw and not _has_url(self.raw):
            found.add("spacing")
        return frozenset(found)


def ask(client: httpx.Client, case: Case) -> Answer:
    """The answer of one server to one case."""
    request = client.build_request(case.verb, case.path, content=case.content, headers=case.fields)
    try:
        reply = client.send(request, stream=True)
        raw = b""
        broken = False
        try:
            for chunk in reply.iter_raw():
                raw += chunk
        except httpx.RemoteProtocolError:
            broken = True
        finally:
            reply.close()
    except httpx.RemoteProtocolError as error:
        return Answer(0, "", str(error), {}, b"")
    media_type = reply.headers.get("content-type", "")
    body: Any = raw if not broken else (raw, BROKEN)
    if media_type == "application/json" and not broken:
        body = _parsed(raw)
    found = {name: reply.headers.get_list(name) for name in HEADERS if name in reply.headers}
    found |= {name: [_form(reply.headers[name])] for name in IDENTIFIERS if name in reply.headers}
    found |= {name: ["there"] for name in OPAQUE if name in reply.headers}
    if "allow" in found:
        found["allow"] = sorted(found["allow"][0].split(", "))
    if "location" in found:
        found["location"] = [re.sub(r"^http://[^/]*", "", each) for each in found["location"]]
    return Answer(reply.status_code, media_type, body, found, raw)


def _form(value: str) -> str:
    return re.sub("[0-9a-f]", "f", value)


def _parsed(raw: bytes) -> Any:
    """The value; tokens that JSON has not are told apart; links lose their version."""
    try:
        value = json.loads(raw, parse_constant=lambda token: ("constant", token))
    except ValueError:
        return raw
    return _without_versions(value)


def _without_versions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_versions(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_versions(each) for each in value]
    if isinstance(value, str):
        return re.sub(
            r"https://errors\.pydantic\.dev/[^/]*/", "https://errors.pydantic.dev/", value
        )
    return value


def _has_url(raw: bytes) -> bool:
    return b"https://errors.pydantic.dev/" in raw
