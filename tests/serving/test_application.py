"""What is told of a deployment before it runs."""

import mesh
from mesh.config import DeploymentConfig, EndpointConfig
from mesh.serving.application import Release, application


@mesh.service(name="Shop")
class Main:
    @mesh.api
    def buy(self, what: str, number: int) -> int:
        return 1


@mesh.service(name="Shop")
class Moved:
    @mesh.api
    def buy(self, colour: str, what: str, number: int) -> int:
        return 1


def _config() -> DeploymentConfig:
    canary = {"versions": {"v2": {"target": "b:Shop", "weight": 10}}}
    return DeploymentConfig.model_validate({"name": "shop", "target": "a:Shop", "canary": canary})


def test_a_canary_that_breaks_clients_of_main_is_warned_of() -> None:
    releases = {"main": Release(Main, "a:Shop"), "v2": Release(Moved, "b:Shop")}
    (said,) = application(_config(), releases).warnings
    assert said.startswith("v2: clients made from the .proto of main break: shop.v1.BuyRequest.")
    same = {"main": Release(Main, "a:Shop"), "v2": Release(Main, "b:Shop")}
    assert application(_config(), same).warnings == ()


def test_keys_of_upstreams_go_to_the_controller() -> None:
    upstreams = [{"url": "https://x.example", "api_key": "s3cret"}, {"url": "https://y.example"}]
    endpoint = EndpointConfig.model_validate({"upstreams": upstreams})
    releases = {"main": Release(Main, "a:Shop"), "v2": Release(Main, "b:Shop")}
    document = application(_config(), releases, {"out": endpoint}).document
    with_key, without = document["endpoints"]["out"]["upstreams"]
    assert with_key["api_key"] == "s3cret"
    assert "api_key" not in without, "an empty one would take the key away"
