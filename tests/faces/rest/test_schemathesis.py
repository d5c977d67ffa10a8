"""All that the document of the control API allows, and some that it forbids, is asked of it."""

from collections.abc import Iterator

import pytest
import schemathesis

from mesh.faces.rest.app import PREFIX, rest_api
from mesh.releases.deploying import Deploying
from tests.faces.cloud.rig import TOKEN, rigged
from tests.faces.everything import Asking, Document, as_told, schema_of, session
from tests.faces.rest.memory import MemoryVerbs

BETWEEN = "a rule that holds between fields"
UNSAID = {
    "config: say target or release, and not both": BETWEEN,
    "body: deployments: an endpoint needs one at least, or upstreams": BETWEEN,
    "endpoint .*: there is no deployment .*": "what there is, and is no path",
    "session: give header or cookie": BETWEEN,
    "rules.[0-9]+.headers.*: give exactly one of exact, prefix, regex, present": BETWEEN,
    "upstreams.[0-9]+.url: expected .*": "the schemes and parts of an address",
    "upstreams.[0-9]+.api_key: a key is of ASCII .*": "told without the key",
    "config.services.*: replicas and scaling exclude each other": BETWEEN,
    "config.canary: route_by goes with route_type header or query, .*": BETWEEN,
    "config.canary: progression.version: .*": BETWEEN,
    "config.canary.progression: steps: each must be greater than .*": BETWEEN,
    ".*: input should be greater than (or equal to )?0": "amounts may be texts, such as 2Gi",
    "config: .*": "what /builds is sent is read as it would be in a file",
}
"""Lines that refuse what the document allows, and why it cannot say so."""
# Only what it is called is looked at.
SAID: Document = rest_api(MemoryVerbs(), Deploying.__new__(Deploying)).openapi()
api = schema_of(SAID)


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with rigged() as rig, session() as made:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        yield Asking(f"{rig.url}{PREFIX}", headers, made, SAID, UNSAID, is_lenient=False)


@api.parametrize()
@as_told
def test_what_is_asked_is_answered_as_said(case: schemathesis.Case, asking: Asking) -> None:
    asking.ask(case)
