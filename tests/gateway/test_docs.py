"""The docs page: its paths, its files, and what browsers are told about them."""

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from mesh.traffic.snapshot import Snapshot
from tests.gateway.asgi_client import Reply
from tests.gateway.rig import World, in_world, world
from tests.gateway.services import Demo
from tests.link.rig import run
from tests.replica.rig import Running, snapshot, version

FILES = ("page.js", "page.css", "icon.svg", "swagger-ui.css", "swagger-ui-bundle.js")
PATHS = ("/", "/docs.json", *(f"/static_content/{name}" for name in FILES))


def policy(reply: Reply) -> dict[str, str]:
    """The page's content security policy by directive."""
    directives = reply.header("content-security-policy").split("; ")
    return {name: value for name, _, value in (each.partition(" ") for each in directives)}


@in_world
async def test_the_document_describes_the_entry_service_and_names_its_release(
    made: World,
) -> None:
    reply = await made.get("/docs.json")
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    document = json.loads(reply.body)
    validate(document)
    assert document["info"]["title"] == "Demo"
    assert document["info"]["version"] == "main-1"
    assert "/v2/sum" in document["paths"]


@in_world
async def test_every_path_is_also_below_the_path_of_an_endpoint(made: World) -> None:
    for path in PATHS:
        reply = await made.get(path)
        below = await made.get(f"/e/demo{path}")
        assert reply.status == below.status == 200, path
        assert reply.body == below.body, path
        assert (await made.get(f"/e/other{path}")).status == 404


@in_world
async def test_head_has_the_head_of_get_and_no_body(made: World) -> None:
    for path in PATHS:
        whole = await made.get(path)
        head = await made.get(path, verb="HEAD")
        assert (head.status, head.body) == (200, b""), path
        for name in ("content-type", "content-length", "etag"):
            assert head.header(name) == whole.header(name), (path, name)
        assert whole.header("content-length") == str(len(whole.body))


@in_world
async def test_who_has_the_newest_content_is_told_so(made: World) -> None:
    for path in PATHS:
        tag = (await made.get(path)).header("etag")
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            reply = await made.get(path, headers=[("if-none-match", known)])
            assert (reply.status, reply.body) == (304, b""), (path, known)
            assert reply.header("etag") == tag
            assert not reply.header("content-length")
        other = await made.get(path, headers=[("if-none-match", '"other"')])
        assert other.status == 200


@in_world
async def test_browsers_ask_again_each_time_and_take_media_types_as_they_are(made: World) -> None:
    types = {
        "/": "text/html",
        "/static_content/page.js": "text/javascript",
        "/static_content/page.css": "text/css",
        "/static_content/icon.svg": "image/svg+xml",
    }
    for path, media_type in types.items():
        reply = await made.get(path)
        assert reply.header("content-type").partition(";")[0] == media_type
        assert reply.header("cache-control") == "no-cache"
        assert reply.header("x-content-type-options") == "nosniff"


@in_world
async def test_the_page_runs_nothing_but_its_own_files(made: World) -> None:
    directives = policy(await made.get("/"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    assert "unsafe" not in str(directives)


@in_world
async def test_the_page_names_its_files_relative_to_itself(made: World) -> None:
    page = (await made.get("/")).body.decode()
    for name in FILES:
        if name.endswith((".js", ".css", ".svg")):
            assert f'"static_content/{name}"' in page
    assert "http" not in page


@in_world
async def test_the_page_of_an_endpoint_is_at_a_path_that_ends_with_a_slash(made: World) -> None:
    reply = await made.get("/e/demo")
    assert (reply.status, reply.header("location")) == (308, "demo/")
    assert (await made.get("/e/demo/")).status == 200


@pytest.mark.parametrize(
    "name", ["", "nothing.js", "../docs.py", "swagger-ui/LICENSE", "LICENSE", "index.html/"]
)
def test_only_files_of_the_page_can_be_had(name: str) -> None:
    async def main() -> None:
        async with world() as made:
            assert (await made.get(f"/static_content/{name}")).status == 404

    run(main())


@in_world
async def test_the_page_takes_nothing_but_get_and_head(made: World) -> None:
    for path in PATHS:
        reply = await made.get(path, verb="PUT")
        assert (reply.status, reply.header("allow")) == (405, "GET, HEAD")
        assert (await made.post(path, {})).status == 404


@in_world
async def test_a_service_that_is_not_ready_has_a_page_but_no_document(made: World) -> None:
    made.links.dispatcher.follow(snapshot(version(Demo, {}), number=2))
    assert (await made.get("/")).status == 200
    assert (await made.get("/docs.json")).status >= 400


def test_without_endpoints_there_is_no_page() -> None:
    async def main() -> None:
        async with world(Running(Demo(), "one"), table=Snapshot()) as made:
            assert (await made.get("/")).status == 404
            assert (await made.get("/docs.json")).status == 404

    run(main())


def test_the_vendored_files_come_with_their_licence() -> None:
    folder = Path(__file__).parents[2] / "gateway/static/swagger-ui"
    for name in ("LICENSE", "NOTICE", "README.md", "swagger-ui-bundle.js.LICENSE.txt"):
        assert (folder / name).read_text()
