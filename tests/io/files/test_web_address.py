import pytest
from hypothesis import given, strategies as st

from mesh.io.files.web_address import WebAddress, web_address


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://example.com", "example.com", "/"),
        ("https://example.com:443/a?b=c#d", "example.com", "/a?b=c"),
        ("http://EXAMPLE.com:8080/a b".replace(" ", "%20"), "example.com:8080", "/a%20b"),
        ("http://bücher.example/é?ü", "xn--bcher-kva.example", "/%C3%A9?%C3%BC"),
        ("http://[::1]:3/x", "[::1]:3", "/x"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, target: str) -> None:
    address = web_address(url)
    assert (address.authority, address.target) == (authority, target)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://example.com", "only http"),
        ("file:///etc/passwd", "only http"),
        ("//example.com", "only http"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("http://user@example.com", "user name"),
        ("http://user:pass@example.com", "user name"),
        ("http://good.example\\@evil.example", "backslashes"),
        ("http://example.com/a b", "spaces"),
        ("http://example.com/\r\nx: y", "control"),
        ("\thttp://example.com", "control"),
        ("http://exa,mple.com", "no host"),
        ("http://" + "a" * 300, "no host"),
        ("http://" + "ü" * 5000, "no host"),
        ("http://example.com:99999", "port"),
        ("http://example.com:0", "port 0"),
        ("http://example.com:x", "port"),
        ("http://[::1", "can't be read"),
        ("http://[fe80::1%25eth0]/", "host"),
        ("http://a/" + "b" * 9000, "longer than"),
        ("http://a/\ud800", "can't be read"),
    ],
)
def test_a_wrong_url_is_told_what_is_wrong(url: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"Invalid URL: .*{fault}"):
        web_address(url)


@pytest.mark.parametrize(
    ("location", "authority", "target"),
    [
        ("b", "example.com", "/b"),
        ("/c?d", "example.com", "/c?d"),
        ("//other.example/x", "other.example", "/x"),
        ("https://other.example", "other.example", "/"),
    ],
)
def test_a_redirect_is_relative_to_where_it_came_from(
    location: str, authority: str, target: str
) -> None:
    address = web_address("http://example.com/a").joined(location)
    assert (address.authority, address.target) == (authority, target)


@pytest.mark.parametrize("location", ["file:///x", "http://a@b/", "//a b", "javascript:1"])
def test_a_redirect_leads_to_nothing_that_could_not_have_been_given(location: str) -> None:
    with pytest.raises(ValueError, match="Invalid URL"):
        web_address("http://example.com/a").joined(location)


@given(st.text(max_size=60) | st.text("ab.:/@[]%?#\\1é", max_size=30))
def test_any_text_is_an_address_in_ascii_or_an_error(rest: str) -> None:
    try:
        address = web_address(f"http://{rest}")
    except ValueError as error:
        assert str(error).startswith("Invalid URL")
    else:
        assert isinstance(address, WebAddress)
        assert (address.host + address.target).isascii()
        assert address.target.startswith("/")
        assert not set(" \r\n@") & set(address.authority)
