"""What an endpoint may be set to."""

from typing import Any

import pytest

from mesh.config import EndpointConfig, parse
from mesh.errors import ConfigError


def config(**settings: Any) -> EndpointConfig:
    return parse(EndpointConfig, settings, what="e")


@pytest.mark.parametrize(
    ("upstreams", "said"),
    [
        ([{"url": "ftp://host"}], "upstreams.0.url: expected http, https, grpc, grpcs and a host"),
        ([{"url": "http://u:p@host"}], "upstreams.0.url: a key goes into api_key"),
        ([{"url": "http://host:99999"}], "upstreams.0.url: port out of range"),
        ([{"url": "http://host:0"}], "upstreams.0.url: 0 is no port to call"),
        ([{"url": "grpc://host:1/path"}], "upstreams.0.url: a gRPC address has no path"),
        ([{"url": "http://host", "wieght": 1}], "upstreams.0.wieght: there is no such setting"),
    ],
)
def test_an_upstream_that_cannot_be_called_is_named(
    upstreams: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        config(upstreams=upstreams)
    assert said in refused.value.message


@pytest.mark.parametrize("key", ["two words", "line\nfeed", "k\u00e9y"])
def test_a_key_that_no_header_field_takes_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match=r"^e: upstreams\.0\.api_key: a key is of") as refused:
        config(upstreams=[{"url": "http://host", "api_key": key}])
    assert key not in refused.value.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "deployments: an endpoint needs one at least"),
        ({"session": {"header": "a", "cookie": "b"}}, "session: give header or cookie"),
        ({"session": {"cookie": "a b"}}, "session: header and cookie are names"),
        (
            {"mirror": {"deployment": "A"}},
            "mirror.deployment: a name has small letters, digits and hy",
        ),
        (
            {"rules": [{"headers": {"x": {"regex": "("}}, "deployment": "a"}]},
            "rules.0.headers.x: regex: missing )",
        ),
        (
            {"rules": [{"headers": {"x": {"exact": "a", "present": True}}, "deployment": "a"}]},
            "rules.0.headers.x: give exactly one of exact, prefix, regex, present",
        ),
    ],
)
def test_what_leads_nowhere_or_says_two_things_is_named(
    settings: dict[str, Any], said: str
) -> None:
    deployments = {"deployments": {"a": 1}} if settings else {}
    with pytest.raises(ConfigError) as refused:
        config(**deployments, **settings)
    assert said in refused.value.message
