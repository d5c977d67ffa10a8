"""gRPC-Web from pages in a real browser, of the gateway's own origin and of others."""

import base64
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from playwright.sync_api import Browser, Page, sync_playwright

from gateway.grpc_frames import framed
from mesh.cluster.start import Session
from mesh.errors import Code
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh
from tests.e2e.reflected import Reflected
from tests.e2e.services import Shop
from tests.e2e.test_docs_page import BROWSERS

SERVICE = "shop.v1.ShopService"
SOURCES = Path(__file__).parent / "web"
FETCH = """async ([url, type, body]) => {
    const bytes = Uint8Array.from(atob(body), (each) => each.charCodeAt(0));
    const headers = {"content-type": type, "x-grpc-web": "1"};
    let reply;
    try {
        reply = await fetch(url, {method: "POST", headers, body: bytes});
    } catch (error) {
        return {error: String(error)};
    }
    const data = new Uint8Array(await reply.arrayBuffer());
    return {
        status: reply.status,
        code: reply.headers.get("grpc-status"),
        version: reply.headers.get("x-mesh-version"),
        body: btoa(String.fromCharCode(...data)),
    };
}"""
"""What a page does that has no library."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: Any) -> None:
        pass


def origin_of(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ThreadingHTTPServer]]:
    """Two origins of one folder with an empty page; the mesh knows the first of them."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "index.html").write_text("<!doctype html><title>a page</title>")
    (folder / "favicon.ico").write_bytes(b"")
    servers = [
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        for _ in range(2)
    ]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield servers
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def served(ray_session: Session, pages: list[ThreadingHTTPServer]) -> Iterator[LocalMesh]:
    place = Place(control_port=None, web_origins=(origin_of(pages[0]),))
    running = RunningMesh(place, session=ray_session)
    mesh = LocalMesh(running)
    try:
        mesh.deploy(Shop, name="web")
        yield mesh
    finally:
        mesh.close()
        running.stop()  # and with it the deployment; the controller is that of the other tests


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        # Without its sandbox, which root can't have; it sees nothing but our own pages.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def fetched(
    page: Page, served: LocalMesh, rpc: str, body: bytes, kind: str = "application/grpc-web+proto"
) -> dict[str, Any]:
    text = base64.b64encode(framed(body)).decode()
    found: dict[str, Any] = page.evaluate(FETCH, [f"{served.url}/{SERVICE}/{rpc}", kind, text])
    return found


TRAILERS = b"\x80\x00\x00\x00\x0fgrpc-status:0\r\n"


def test_a_page_of_the_gateways_own_origin_calls_a_method(page: Page, served: LocalMesh) -> None:
    page.goto(f"{served.url}/e/web/")
    reply = fetched(page, served, "Total", b"\x0a\x02ab")
    assert (reply["status"], reply["version"]) == (200, "main")
    assert base64.b64decode(reply["body"]) == framed(b"\x09" + bytes(7) + b"\x40") + TRAILERS
    reply = fetched(page, served, "Count", b"\x08\x02")
    assert base64.b64decode(reply["body"]) == framed(b"\x08\0") + framed(b"\x08\x01") + TRAILERS


def test_a_page_of_an_allowed_origin_calls_a_method_and_reads_its_status(
    page: Page, served: LocalMesh, pages: list[ThreadingHTTPServer]
) -> None:
    page.goto(origin_of(pages[0]))
    reply = fetched(page, served, "Total", b"\x0a\x02ab")
    assert base64.b64decode(reply["body"]).endswith(TRAILERS)
    assert reply["version"] == "main"
    assert fetched(page, served, "Nope", b"")["code"] == str(int(Code.UNIMPLEMENTED))


def test_a_page_of_another_origin_cannot_call(
    page: Page, served: LocalMesh, pages: list[ThreadingHTTPServer]
) -> None:
    page.goto(origin_of(pages[1]))
    assert "Failed to fetch" in fetched(page, served, "Total", b"\x0a\x02ab")["error"]


def test_allowed_origins_are_those_of_grpc_web_and_of_nothing_else(
    served: LocalMesh, pages: list[ThreadingHTTPServer]
) -> None:
    asks = {"origin": origin_of(pages[0]), "access-control-request-method": "POST"}
    named = "access-control-request-headers"
    reply = httpx.options(f"{served.url}/e/web/total", headers={**asks, named: "content-type"})
    assert "access-control-allow-origin" not in reply.headers
    reply = served.http.post("/e/web/total", json={"items": []}, headers={"origin": asks["origin"]})
    assert (reply.json(), "access-control-allow-origin" in reply.headers) == (0.0, False)
    url = f"{served.url}/{SERVICE}/Total"
    reply = httpx.options(url, headers={**asks, named: "content-type,x-grpc-web"})
    assert reply.headers["access-control-allow-origin"] == asks["origin"]
    assert "access-control-allow-credentials" not in reply.headers


# Clients that others maintain


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of tests/e2e/web with what it imports, where npm can get that."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    for source in SOURCES.iterdir():
        shutil.copy(source, folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install the clients: {done.stderr.strip()[-200:]}")
    bundler = [str(folder / "node_modules/.bin/esbuild"), "clients.js", "--bundle"]
    made = subprocess.run(
        [*bundler, "--format=iife", "--outfile=bundle.js", "--log-level=error"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return (folder / "bundle.js").read_text()


@pytest.fixture(scope="module")
def files(served: LocalMesh) -> str:
    """The service's files with all that they import, for the page."""
    with grpc.insecure_channel(served.target) as channel:
        client = Reflected(channel, SERVICE)
        found: dict[str, FileDescriptorProto] = {}
        wanted = [client.service.file]
        for each in wanted:
            proto = FileDescriptorProto()
            each.CopyToProto(proto)
            found[each.name] = proto
            wanted += [file for file in each.dependencies if file.name not in found]
    ordered = FileDescriptorSet(file=reversed(found.values()))
    return base64.b64encode(ordered.SerializeToString()).decode()


@pytest.mark.parametrize("client", ["connect", "google"])
def test_a_client_that_others_maintain_works_from_another_origin(
    page: Page,
    served: LocalMesh,
    pages: list[ThreadingHTTPServer],
    bundle: str,
    files: str,
    client: str,
) -> None:
    page.goto(origin_of(pages[0]))
    page.add_script_tag(content=bundle)

    def call(rpc: str, **request: Any) -> Any:
        return page.evaluate(
            f"(given) => window.{client}(...given)", [served.url, files, SERVICE, rpc, request]
        )

    assert call("Total", items=["a", "bc"]) == [3]
    assert call("Count", n=3) == [0, 1, 2]
    failed = call("NoPrice", item="x")
    assert failed["message"] == "no price of x"
    assert failed["code"] == ("NotFound" if client == "connect" else int(Code.NOT_FOUND))
    assert call("Total", items=[]) == [0]
