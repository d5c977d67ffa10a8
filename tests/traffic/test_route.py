import pytest
from hypothesis import given, strategies as st

from mesh.call import CallKind
from mesh.errors import NotFound
from mesh.traffic.route import endpoint_of, method_of
from mesh.traffic.snapshot import EMPTY, Endpoint, Method, Service, Snapshot, Version

ENDPOINTS = {name: Endpoint(name, ()) for name in ("digits", "words", "127", "localhost")}
SNAPSHOT = Snapshot(endpoints=ENDPOINTS, default_endpoint="digits")


def route(
    *, authority: str = "", header: str = "", path: str = "/", snapshot: Snapshot = SNAPSHOT
) -> tuple[str, str]:
    return endpoint_of(snapshot, authority=authority, header=header, path=path)


def test_a_request_that_names_nothing_is_for_the_default_endpoint() -> None:
    assert route(path="/classify") == ("digits", "/classify")


def test_the_header_goes_before_the_prefix_and_the_prefix_before_the_authority() -> None:
    everything = route(authority="digits.example.com", header="words", path="/e/127/classify")
    assert everything == ("words", "/classify")
    assert route(authority="digits.example.com", path="/e/words/x") == ("words", "/x")
    assert route(authority="words.example.com", path="/x") == ("words", "/x")


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/e/words/classify", "/classify"),
        ("/e/words/a/b", "/a/b"),
        ("/e/words/e/digits/x", "/e/digits/x"),
        ("/e/words//x", "//x"),
        ("/e/words/", "/"),
        ("/e/words", "/"),
    ],
)
def test_the_prefix_is_cut_off_and_the_rest_keeps_its_slash(path: str, rest: str) -> None:
    assert route(path=path) == ("words", rest)


@pytest.mark.parametrize("path", ["/e", "/", "/edge/words/x", "/mesh.v1.Inference/Call", "*", ""])
def test_other_paths_are_left_alone(path: str) -> None:
    assert route(path=path) == ("digits", path)


@pytest.mark.parametrize(
    "authority",
    [
        "words.example.com",
        "words.example.com:3000",
        "words.localhost:3000",
        "WORDS.Example.com",
        "words.example.com.",
    ],
)
def test_the_first_label_of_the_authority_names_an_endpoint(authority: str) -> None:
    assert route(authority=authority) == ("words", "/")


@pytest.mark.parametrize(
    "authority",
    [
        "",
        "localhost",
        "localhost:3000",
        "localhost.",
        "localhost.:3000",
        "words",
        "words:3000",
        "127.0.0.1",
        "127.0.0.1:3000",
        "[::1]:3000",
        "[::ffff:127.0.0.1]:3000",
        "unknown.example.com",
        ".example.com",
    ],
)
def test_any_other_authority_means_the_default_endpoint(authority: str) -> None:
    assert route(authority=authority) == ("digits", "/")


@pytest.mark.parametrize("how", [{"header": "nope"}, {"path": "/e/nope/classify"}])
def test_an_unknown_endpoint_is_not_found_by_its_name(how: dict[str, str]) -> None:
    with pytest.raises(NotFound, match="'nope'"):
        route(authority="words.example.com", **how)


def test_a_prefix_without_a_name_is_not_found() -> None:
    with pytest.raises(NotFound):
        route(path="/e//classify")


@pytest.mark.parametrize("default", ["", "gone"])
def test_without_a_default_a_request_must_name_its_endpoint(default: str) -> None:
    snapshot = Snapshot(endpoints=ENDPOINTS, default_endpoint=default)
    assert route(snapshot=snapshot, header="words") == ("words", "/")
    with pytest.raises(NotFound, match="no default endpoint"):
        route(snapshot=snapshot)
    with pytest.raises(NotFound, match="no default endpoint"):
        route(snapshot=EMPTY)


@given(authority=st.text(), header=st.text(), path=st.text())
def test_whatever_a_client_sends_leads_to_a_known_endpoint_or_to_not_found(
    authority: str, header: str, path: str
) -> None:
    try:
        name, _ = route(authority=authority, header=header, path=path)
    except NotFound:
        return
    assert name in ENDPOINTS


def test_a_path_leads_to_a_method_of_the_entry_service() -> None:
    classify = Method("classify", "/v2/classify", CallKind.UNARY)
    entry = Service("Digits", {"classify": classify})
    other = Service("Features", {"extract": Method("extract", "/extract", CallKind.UNARY)})
    version = Version("1", "main", "Digits", {"Features": other, "Digits": entry}, 100)
    assert method_of(version, "/v2/classify") == (entry, classify)
    for path in ("/classify", "/extract", "/v2/classify/", "", "/"):
        with pytest.raises(NotFound, match=r"^Not Found$"):
            method_of(version, path)


def test_a_version_without_its_entry_service_has_no_methods() -> None:
    with pytest.raises(NotFound):
        method_of(Version("1", "main", "Digits", {}, 100), "/classify")
