import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from mesh.call import FetchLimits
from mesh.io.files.fetch import BLOCKED, Fetcher
from mesh.io.types.file import File

LOCAL = FetchLimits(networks=("127.0.0.0/8",))
ENDLESS = 1 << 40


class Site(BaseHTTPRequestHandler):
    """Answers by path; what was asked is kept in the server."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answer: Callable[[Site], None] = self.server.answers[self.path.partition("?")[0]]
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        fields = {"Content-Length": str(len(body))}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Sites(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Site)
        self.answers: dict[str, Callable[[Site], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = Event()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Sites]:
    with Sites() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., File]:
    def fetch(uri: str, limits: FetchLimits = LOCAL, **options: Any) -> File:
        return Fetcher(limits, **options).fetch(uri, lambda: tmp_path / "fetched")

    return fetch


def says(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda _host, _port: addresses


def test_content_streams_to_a_file_with_its_type_and_name(
    site: Sites, fetch: Callable[..., File], tmp_path: Path
) -> None:
    site.answers["/a/o%20%C3%A9.png"] = lambda at: at.reply(
        body=b"x" * 300_000, Content_Type="image/png"
    )
    file = fetch(site.url("/a/o%20é.png?size=1"))
    assert file == File(media_type="image/png", filename="o é.png", path=tmp_path / "fetched")
    assert file.read() == b"x" * 300_000


def test_nothing_but_the_request_is_sent(site: Sites, fetch: Callable[..., File]) -> None:
    site.answers["/a"] = lambda at: at.reply(body=b"x")
    fetch(site.url("/a?b=c#d"))
    ((path, headers),) = site.asked
    assert path == "/a?b=c"
    assert {name.lower() for name in headers} == {"host", "accept", "accept-encoding", "user-agent"}
    assert headers["host"] == f"127.0.0.1:{site.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f000001"])
def test_this_machine_is_out_of_reach_whatever_it_is_called(
    site: Sites, fetch: Callable[..., File], host: str
) -> None:
    with pytest.raises(ValueError, match=f"^{BLOCKED}$"):
        fetch(site.url("/a", host), FetchLimits())
    assert site.asked == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://0.0.0.0/",
    ],
)
def test_a_redirect_into_a_private_network_is_blocked(
    site: Sites, fetch: Callable[..., File], target: str
) -> None:
    site.answers["/a"] = lambda at: at.reply(302, Location=target)
    with pytest.raises(ValueError, match=f"^{BLOCKED}$"):
        fetch(site.url("/a"))


def test_redirects_are_followed_so_many_times(site: Sites, fetch: Callable[..., File]) -> None:
    for n, status in enumerate((301, 302, 303, 307, 308)):
        site.answers[f"/{n}"] = lambda at, n=n, status=status: at.reply(status, Location=str(n + 1))
    site.answers["/5"] = lambda at: at.reply(body=b"there")
    assert fetch(site.url("/0")).read() == b"there"


def test_more_redirects_are_refused(site: Sites, fetch: Callable[..., File]) -> None:
    site.answers["/a"] = lambda at: at.reply(302, Location="/a")
    with pytest.raises(ValueError, match="more than 5 redirects"):
        fetch(site.url("/a"))
    assert len(site.asked) == 6


@pytest.mark.parametrize(
    ("location", "fault"),
    [("", "leads nowhere"), ("file:///etc/passwd", "only http"), ("http://a:b@c/", "user name")],
)
def test_a_wrong_redirect_is_refused(
    site: Sites, fetch: Callable[..., File], location: str, fault: str
) -> None:
    site.answers["/a"] = lambda at: at.reply(302, Location=location)
    with pytest.raises(ValueError, match=fault):
        fetch(site.url("/a"))


def test_a_host_with_one_private_address_is_blocked(fetch: Callable[..., File]) -> None:
    with pytest.raises(ValueError, match=f"^{BLOCKED}$"):
        fetch("http://mixed.example/", resolve=says("8.8.8.8", "10.0.0.1"))


def test_the_address_that_was_checked_is_the_one_connected_to(
    site: Sites, fetch: Callable[..., File]
) -> None:
    asked = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    site.answers["/a"] = lambda at: at.reply(body=b"x")
    assert fetch(site.url("/a", "rebinding.example"), resolve=rebinding).read() == b"x"
    assert asked == ["rebinding.example"]
    assert site.asked[0][1]["host"] == f"rebinding.example:{site.port}"


def test_a_host_that_changes_between_redirects_is_checked_again(
    site: Sites, fetch: Callable[..., File]
) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    site.answers["/a"] = lambda at: at.reply(302, Location="/b")
    with pytest.raises(ValueError, match=f"^{BLOCKED}$"):
        fetch(site.url("/a", "rebinding.example"), resolve=lambda *_: next(answers))


def test_the_next_address_is_tried_where_one_does_not_answer(
    site: Sites, fetch: Callable[..., File]
) -> None:
    site.answers["/a"] = lambda at: at.reply(body=b"x")
    url = site.url("/a", "two.example")
    assert fetch(url, resolve=says("127.0.0.2", "127.0.0.1")).read() == b"x"


def test_proxies_of_the_environment_are_not_used(
    site: Sites, fetch: Callable[..., File], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.answers["/a"] = lambda at: at.reply(body=b"x")
    assert fetch(site.url("/a")).read() == b"x"


@pytest.mark.parametrize("status", [304, 400, 404, 500])
def test_an_answer_without_success_is_told_by_its_status(
    site: Sites, fetch: Callable[..., File], tmp_path: Path, status: int
) -> None:
    site.answers["/a"] = lambda at: at.reply(status)
    with pytest.raises(ValueError, match=f"it answered {status}$"):
        fetch(site.url("/a"))
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_not_found_is_told(fetch: Callable[..., File]) -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("details of this network")

    for resolve in (unknown, says()):
        with pytest.raises(ValueError, match=r"its host was not found$"):
            fetch("http://nowhere.example/", resolve=resolve)


def test_a_closed_port_is_told(fetch: Callable[..., File]) -> None:
    with Sites() as gone:
        url = gone.url("/")
    with pytest.raises(ValueError, match=r"the connection failed$"):
        fetch(url)


def declared(at: Site) -> None:
    at.reply(Content_Length=str(ENDLESS))


def chunked(at: Site) -> None:
    at.send_response(200)
    at.send_header("Transfer-Encoding", "chunked")
    at.end_headers()
    while not at.server.over.is_set():
        at.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")


@pytest.mark.parametrize("answer", [declared, chunked])
def test_content_over_the_limit_is_refused_declared_or_not(
    site: Sites, fetch: Callable[..., File], tmp_path: Path, answer: Callable[[Site], None]
) -> None:
    site.answers["/a"] = answer
    limits = FetchLimits(max_bytes=100_000, networks=LOCAL.networks)
    with pytest.raises(ValueError, match=r"larger than 100000 bytes$"):
        fetch(site.url("/a"), limits)
    assert list(tmp_path.iterdir()) == []


def test_content_of_exactly_the_limit_is_taken(site: Sites, fetch: Callable[..., File]) -> None:
    site.answers["/a"] = lambda at: at.reply(body=b"x" * 10)
    limits = FetchLimits(max_bytes=10, networks=LOCAL.networks)
    assert fetch(site.url("/a"), limits).size == 10


def cut_off(at: Site) -> None:
    at.reply(body=b"x", Content_Length="10")
    at.close_connection = True


def compressed(at: Site) -> None:
    at.reply(body=b"x", Content_Encoding="gzip")


def no_http(at: Site) -> None:
    at.wfile.write(b"SSH-2.0-x\r\n")
    at.close_connection = True


def long_head(at: Site) -> None:
    at.reply(X=f"{'x' * 1_000_000}")


@pytest.mark.parametrize("answer", [cut_off, compressed, no_http, long_head])
def test_a_broken_answer_is_an_error_and_leaves_no_file(
    site: Sites, fetch: Callable[..., File], tmp_path: Path, answer: Callable[[Site], None]
) -> None:
    site.answers["/a"] = answer
    with pytest.raises(ValueError, match=r"^the URL could not be fetched: "):
        fetch(site.url("/a"))
    assert list(tmp_path.iterdir()) == []


def silent(at: Site) -> None:
    at.server.over.wait()


def half(at: Site) -> None:
    at.reply(body=b"x", Content_Length="10")
    at.server.over.wait()


def dripping(at: Site) -> None:
    at.reply(Content_Length=str(ENDLESS))
    while not at.server.over.wait(0.01):
        at.wfile.write(b"x")


@pytest.mark.parametrize("answer", [silent, half, dripping])
def test_a_slow_answer_ends_with_the_time_for_the_whole_download(
    site: Sites, fetch: Callable[..., File], tmp_path: Path, answer: Callable[[Site], None]
) -> None:
    site.answers["/a"] = answer
    limits = FetchLimits(max_bytes=2 * ENDLESS, timeout=0.3, networks=LOCAL.networks)
    with pytest.raises(ValueError, match=r"within 0.3 seconds$"):
        fetch(site.url("/a"), limits)
    assert list(tmp_path.iterdir()) == []


def test_a_slow_look_up_ends_too(site: Sites, fetch: Callable[..., File]) -> None:
    def slow(_host: str, _port: int) -> Sequence[str]:
        site.over.wait()
        return ["127.0.0.1"]

    with pytest.raises(ValueError, match=r"within 0.1 seconds$"):
        fetch("http://slow.example/", FetchLimits(timeout=0.1), resolve=slow)


def test_redirects_have_the_time_of_one_download_together(
    site: Sites, fetch: Callable[..., File]
) -> None:
    now = [0.0]

    def later(at: Site) -> None:
        now[0] += 4.0
        at.reply(302, Location="/a")

    site.answers["/a"] = later
    with pytest.raises(ValueError, match=r"within 10 seconds$"):
        fetch(site.url("/a"), clock=lambda: now[0])
    assert len(site.asked) == 3


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=right.example", "-addext", "subjectAltName=DNS:right.example"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", path, "-out", path], check=True, capture_output=True)
    return path


@pytest.fixture
def secure_site(site: Sites, certificate: Path) -> Sites:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_only(certificate, "CERTIFICATE"), certificate)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    return site


def _only(certificate: Path, what: str) -> Path:
    text = certificate.read_text()
    start = text.index(f"-----BEGIN {what}-----")
    path = certificate.with_name("certificate.pem")
    path.write_text(text[start:])
    return path


def test_tls_proves_the_host_of_the_url_not_the_address(
    secure_site: Sites, fetch: Callable[..., File], certificate: Path
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    secure_site.answers["/a"] = lambda at: at.reply(body=b"secret")
    options = {"ssl_context": trusted, "resolve": says("127.0.0.1")}
    url = f"https://right.example:{secure_site.port}/a"
    assert fetch(url, **options).read() == b"secret"
    with pytest.raises(ValueError, match=r"the connection failed$"):
        fetch(url.replace("right", "wrong"), **options)
    with pytest.raises(ValueError, match=r"the connection failed$"):
        fetch(url, resolve=says("127.0.0.1"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [("text/plain; charset=utf-8", "text/plain; charset=utf-8"), ("a\tb", ""), ("é" * 200, "")],
)
def test_a_media_type_that_is_none_is_left_out(
    site: Sites, fetch: Callable[..., File], given: str, kept: str
) -> None:
    site.answers["/a"] = lambda at: at.reply(body=b"x", Content_Type=given)
    assert fetch(site.url("/a")).media_type == kept


def test_a_disk_that_takes_nothing_is_no_fault_of_the_url(site: Sites, tmp_path: Path) -> None:
    site.answers["/a"] = lambda at: at.reply(body=b"x")
    with pytest.raises(FileNotFoundError):
        Fetcher(LOCAL).fetch(site.url("/a"), lambda: tmp_path / "none" / "x")
