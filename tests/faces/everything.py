"""Everything that the document of an API allows, and some that it forbids, is asked of it.

All checks of schemathesis are made. Those which want a document to say all that is refused are
told what it cannot say; each such thing stands in a table of the test, with its reason.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_schema_validator import OAS31Validator
from schemathesis import checks
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoverageScenario

Document = dict[str, Any]
EXAMPLES = 5
"""Of each operation, besides those at the bounds of its schema."""
as_told = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# 413 and 422 are about limits and the state of things, of which a document knows nothing.
ACCEPTED = ["2xx", "401", "403", "404", "409", "413", "422", "429"]
CONFIG = {
    "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}},
    "generation": {"with-security-parameters": False},  # the token is that of the owner, always
}
QUERY = ParameterLocation.QUERY
OTHERS = (ParameterLocation.PATH, QUERY, ParameterLocation.HEADER)
"""Where a request has something besides its body."""
UNKNOWN = CoverageScenario.OBJECT_UNEXPECTED_PROPERTIES


def schema_of(document: Document) -> schemathesis.BaseSchema:
    """What there is to be asked."""
    config = schemathesis.Config.from_dict(CONFIG)
    return schemathesis.openapi.from_dict(document, config=config)


@contextmanager
def session() -> Iterator[requests.Session]:
    """One connection for all requests, without the cookies that some of them are given."""
    with requests.Session() as made:
        made.trust_env = False
        made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield made


class Asking:
    """Asks what it is given, and checks the replies.

    `unsaid` are lines, as patterns, that refuse what the document allows; with `is_lenient` bodies
    may have numbers and truth values as texts, one for the other, and null for what is absent.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        session: requests.Session,
        document: Document,
        unsaid: Mapping[str, str],
        *,
        is_lenient: bool,
    ) -> None:
        self._asked = {"base_url": url, "headers": dict(headers), "session": session}
        # Faults of several places stand in one line.
        self._unsaid = re.compile(f"(?s:(?:(?:{'|'.join(unsaid)})(?:; |$))+)")
        self._leniently = cache(_Lenient(document).validator) if is_lenient else None
        self._guarded: set[str] = set()

    def ask(self, case: schemathesis.Case) -> None:
        """Asks one thing."""
        operation = case.operation.label
        excluded = [checks.positive_data_acceptance, checks.negative_data_rejection]
        if operation in self._guarded:
            excluded.append(checks.ignored_auth)  # was made of this operation
        reply = case.call_and_validate(
            **self._asked,
            additional_checks=[failure_in_one_line, self.accepted, self.refused],
            excluded_checks=excluded,
        )
        if reply.status_code == 200:
            self._guarded.add(operation)

    def accepted(
        self, context: schemathesis.CheckContext, reply: schemathesis.Response, case: Any
    ) -> None:
        """What the document allows is accepted, but for what it cannot say."""
        try:
            checks.positive_data_acceptance(context, reply, case)
        except AssertionError:
            if not self._unsaid.fullmatch(reply.json()["error"]):
                raise

    def refused(
        self, context: schemathesis.CheckContext, reply: schemathesis.Response, case: Any
    ) -> None:
        """What the document forbids is refused, but for bodies that are read leniently."""
        try:
            checks.negative_data_rejection(context, reply, case)
        except AssertionError:
            data = case.meta.phase.data
            if getattr(data, "scenario", None) is UNKNOWN and data.parameter_location is QUERY:
                return  # is ignored; schemathesis overlooks it where a number is beside it
            if self._leniently is None or any(map(case.meta.is_negative_at, OTHERS)):
                raise
            if not self._leniently(case.operation.path, case.method.lower()).is_valid(case.body):
                raise


def failure_in_one_line(
    _: schemathesis.CheckContext, reply: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Whatever goes wrong is told in one line of JSON, which clients show as it is."""
    if reply.status_code < 300 or reply.request.method == "HEAD":
        return
    text = reply.content.decode()
    told = json.loads(text)
    assert list(told) == ["error"], text
    assert told["error"], text
    assert "\n" not in text + told["error"], text
    assert "x-trace-id" not in reply.headers


TRUTHS = r"(?i)^(0|1|t|f|true|false|y|n|yes|no|on|off)$"


class _Lenient:
    """A document with null, numbers and truth values as clients send them."""

    def __init__(self, document: Document) -> None:
        self._document = _leniently(copy.deepcopy(document))

    def validator(self, path: str, method: str) -> OAS31Validator:
        """What the body of an operation may be."""
        operation = self._document["paths"][path][method]
        [schema] = [each["schema"] for each in operation["requestBody"]["content"].values()]
        return OAS31Validator({**schema, "components": self._document["components"]})


def _leniently(value: Any) -> Any:
    if isinstance(value, list):
        return [_leniently(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _leniently(each) for key, each in value.items()}
    if isinstance(fields := found.get("properties"), dict):
        wanted = found.get("required", ())
        found["properties"] = {
            name: each if name in wanted else {"anyOf": [each, {"type": "null"}]}
            for name, each in fields.items()
        }
    match found.get("type"):
        case "boolean":
            return {"anyOf": [found, {"enum": [0, 1]}, {"type": "string", "pattern": TRUTHS}]}
        case "integer" | "number":
            text = {"type": "string", "pattern": r"^\s*[-+]?[0-9._]+([eE][-+]?[0-9]+)?\s*$"}
            return {"anyOf": [found, {"type": "boolean"}, text]}
    return found
