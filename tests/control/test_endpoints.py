"""What becomes of an endpoint's settings in the routing table."""

from mesh.config import EndpointConfig
from mesh.control.endpoints import endpoint_of_config
from mesh.traffic.snapshot import (
    HeaderMatch,
    LoadBalance,
    MatchKind,
    Mirror,
    Rule,
    Session,
    Upstream,
    WeightedDeployment,
)


def test_deployments_keep_their_order_and_weights() -> None:
    made = endpoint_of_config("shop", EndpointConfig(deployments={"b": 3, "a": 0}))
    assert made.name == "shop"
    assert made.deployments == (WeightedDeployment("b", 3), WeightedDeployment("a", 0))
    assert made.is_plain


def test_everything_else_that_can_be_set_is_in_the_endpoint() -> None:
    config = EndpointConfig.model_validate(
        {
            "deployments": {"a": 1},
            "load_balance": "overflow",
            "overflow_scale_out_delay": 2.5,
            "mirror": {"deployment": "b", "percent": 10},
            "rules": [
                {
                    "headers": {
                        "X-User": {"exact": "ada"},
                        "x-a": {"prefix": "p"},
                        "x-b": {"regex": "r+"},
                        "x-c": {"present": True},
                        "x-d": {"present": False},
                    },
                    "deployment": "c",
                    "version": "v2",
                }
            ],
            "session": {"header": "X-Session"},
        }
    )
    made = endpoint_of_config("shop", config)
    assert (made.load_balance, made.scale_out_delay) == (LoadBalance.OVERFLOW, 2.5)
    assert made.mirror == Mirror("b", 10.0)
    assert made.rules == (
        Rule(
            (
                HeaderMatch("x-user", MatchKind.EXACT, "ada"),
                HeaderMatch("x-a", MatchKind.PREFIX, "p"),
                HeaderMatch("x-b", MatchKind.REGEX, "r+"),
                HeaderMatch("x-c", MatchKind.PRESENT),
                HeaderMatch("x-d", MatchKind.ABSENT),
            ),
            "c",
            "v2",
        ),
    )
    assert made.session == Session(header="x-session")
    assert not made.is_plain


def test_upstreams_have_a_name_each_and_the_key_that_the_store_gives() -> None:
    config = EndpointConfig.model_validate(
        {
            "upstreams": [
                {"url": "https://one.example/v1", "api_key": "own", "weight": 2, "model": "m"},
                {"url": "https://one.example/v2"},
                {"url": "grpc://two.example:50051", "api_key": "own"},
            ],
            "session": {"cookie": "sid", "ttl": 60},
        }
    )
    made = endpoint_of_config("shop", config, {2: "stored"})
    assert made.upstreams == (
        Upstream("one.example", "https://one.example/v1", 2, "own", "m"),
        Upstream("one.example#2", "https://one.example/v2"),
        Upstream("two.example:50051", "grpc://two.example:50051", 1, "stored"),
    )
    assert [upstream.is_grpc for upstream in made.upstreams] == [False, False, True]
    assert made.session == Session(cookie="sid", ttl=60)
