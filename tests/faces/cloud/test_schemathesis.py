"""All that the document of the cloud API allows, and some that it forbids, is asked of it."""

import asyncio
from collections.abc import Iterator

import pytest
import schemathesis

from mesh.access.directory import Directory
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.faces.cloud.app import cloud_api
from mesh.faces.cloud.backing import Backing
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.rig import TOKEN, rigged
from tests.faces.everything import Asking, Document, as_told, schema_of, session
from tests.faces.rest.memory import MemoryVerbs


def document() -> Document:
    """What the API says of itself."""
    kept = MemoryCatalogue()
    access = asyncio.run(Directory.opened(kept, TOKEN))
    return cloud_api(Backing(MemoryVerbs(), kept, kept, access)).openapi()


BETWEEN = "a rule that holds between fields"
NULL = "absent and null are the same, and are not enough here"
UNSAID = {
    "a token needs a scope, or deployments that it opens": BETWEEN,
    "endpoint .*: deployments: an endpoint needs one at least, or upstreams": BETWEEN,
    "bento: say which release, as name:version": NULL,
    "content.items: a secret has at least one": NULL,
    "content.items: '.*' is no name of an environment variable": "but of a file it would be one",
    "a token needs a name": "a text of spaces is none",
    ".* is no time: .*": "clients write times in several ways",
    "(endpoint .*: )?upstreams.[0-9]+.url: expected .*": "the schemes and parts of an address",
    "deployment_(ids|weights): there is no deployment .*": "what there is, and is no path",
    "deployment_weights: .* is not among deployment_ids": BETWEEN,
    "a mesh has one cluster, 'default': .*": "what there is, and is no path",
    "there is no metric .*": "one text has all metrics",
    "config.resources: .*": "amounts are numbers or quantities of Kubernetes, within bounds",
    "config.*: there is no such limit; there are .*": "a config is kept as it is sent",
}
"""Lines that refuse what the document allows, and why it cannot say so."""
SAID = document()
api = schema_of(SAID)


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with rigged() as rig, session() as made:
        headers = {TOKEN_HEADER: TOKEN}
        yield Asking(rig.url, headers, made, SAID, UNSAID, is_lenient=True)


@api.parametrize()
@as_told
def test_what_is_asked_is_answered_as_said(case: schemathesis.Case, asking: Asking) -> None:
    asking.ask(case)
