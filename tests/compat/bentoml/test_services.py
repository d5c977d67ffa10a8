"""What becomes of a BentoML service: spec, refusals, hooks, the loader."""

import logging
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import bentoml
import pytest

from mesh.compat.bentoml.services import adapt
from mesh.config import DeploymentConfig
from mesh.definition.foreign import adapted
from mesh.definition.graph import resolve
from mesh.definition.loader import load
from mesh.definition.manifest import describe
from mesh.definition.spec import is_service, service_spec
from mesh.edge import Cors, Dialect
from mesh.errors import ConfigError
from mesh.serving.application import Release, application


@bentoml.service(name="Low", traffic={"timeout": 7}, threads=3)
class Low:
    """The lower one."""

    @bentoml.api
    def echo(self, x: int) -> int:
        return x


DEPLOYED: list[str] = []


@bentoml.service(
    workers=2,
    traffic={"max_concurrency": 5},
    resources={"cpu": "500m", "memory": 1, "gpu": 0.5},
    path_prefix="v1/",
    http={"cors": {"enabled": True, "access_control_allow_origins": "http://a.example"}},
    metrics={"namespace": "shelf", "duration": {"min": 1, "max": 5, "factor": 2}},
)
class High:
    low = bentoml.depends(Low)

    @bentoml.on_deployment
    def prepare() -> None:
        DEPLOYED.append("High")

    @bentoml.api(route="/deep")
    async def ask(self, x: int = 1) -> int:
        return x


def serviced(**settings: Any) -> Any:
    @bentoml.service(**settings)
    class Small:
        @bentoml.api
        def echo(self, x: int) -> int:
            return x

    return Small


def test_a_service_and_those_below_it_become_a_graph() -> None:
    graph = resolve(adapt(High))
    assert graph.entry.name == "High"
    assert set(graph.services) == {"High", "Low"}
    assert graph.entry.dependencies == {"low": adapt(Low)}
    assert graph.services["Low"].doc == "The lower one."


def test_a_service_is_adapted_once() -> None:
    assert adapt(Low) is adapt(Low)
    assert is_service(adapt(Low))
    assert issubclass(adapt(Low), Low.inner)


def test_several_services_may_be_made_of_one_class() -> None:
    class Plain:
        @bentoml.api
        def echo(self, x: int) -> int:
            return x

    one, two = (bentoml.service(name=name)(Plain) for name in ("One", "Two"))
    assert [service_spec(adapt(each)).name for each in (one, two)] == ["One", "Two"]


def test_settings_are_carried_over() -> None:
    config = service_spec(adapt(High)).config
    assert config.replicas == 2
    assert config.traffic.max_concurrency == 3  # of five in all, by each of two
    assert (config.resources.cpu, config.resources.memory, config.resources.gpu) == (
        0.5,
        2**30,
        0.5,
    )
    low = service_spec(adapt(Low)).config
    assert (low.traffic.timeout, low.threads, low.replicas) == (7, 3, 1)


def elastic(resources: dict[str, object], traffic: dict[str, object], workers: int = 1) -> type:
    @bentoml.service(resources=resources, traffic=traffic, workers=workers)
    class Elastic:
        @bentoml.api
        def echo(self, x: int) -> int:
            return x

    return adapt(Elastic)


def test_gpus_and_the_queue_are_carried_over() -> None:
    made = elastic(
        {"gpu": 1, "gpu_type": "nvidia-tesla-t4"}, {"concurrency": 5, "external_queue": True}, 2
    )
    config = service_spec(made).config
    assert (config.resources.gpu, config.resources.gpu_type) == (1, "T4")
    assert config.traffic.external_queue
    assert config.traffic.concurrency == 3  # of five in all, by each of two


def test_gpus_and_queues_that_cannot_be_are_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = service_spec(elastic({"gpu": 1, "gpu_type": "toaster-9000"}, {})).config
    assert (config.resources.gpu, config.resources.gpu_type) == (1, "")
    config = service_spec(elastic({"gpu_type": "nvidia-l4"}, {"external_queue": True})).config
    assert (config.resources.gpu_type, config.traffic.external_queue) == ("", False)
    assert "resources.gpu_type (toaster-9000 is none of Ray's accelerator types)" in caplog.text
    assert "traffic.external_queue (without concurrency)" in caplog.text
    assert "resources.gpu_type (without gpu)" in caplog.text


def test_the_prefix_is_in_the_routes_and_the_edge() -> None:
    spec = service_spec(adapt(High))
    assert spec.methods["ask"].route == "/v1/deep"
    assert spec.edge.prefix == "/v1"


def test_the_edge_says_what_clients_of_bentoml_expect() -> None:
    edge = service_spec(adapt(High)).edge
    assert edge.dialect is Dialect.BENTOML
    assert edge.cors == Cors(origins=("http://a.example",))
    assert edge.metrics == "shelf"
    assert edge.buckets == (1, 2, 4, 5)
    assert not edge.asks_ready
    assert describe(resolve(adapt(High))).services["High"].edge == edge


def test_metrics_that_are_off_have_no_namespace() -> None:
    assert service_spec(adapt(serviced(metrics={"enabled": False}))).edge.metrics == ""


def test_deployment_hooks_run_once_before_the_deployment() -> None:
    config = DeploymentConfig(name="high", target="x:High")
    made = application(config, {"main": Release(adapt(High), "x:High")})
    DEPLOYED.clear()
    made.prepare()
    assert DEPLOYED == ["High"]


def test_everything_that_cannot_be_carried_over_is_named_at_once() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    class Middleware:
        def __init__(self, app: Any) -> None: ...

    @bentoml.service(cmd=["serve-it"], ssl={"enabled": True})
    class Hard:
        elsewhere = bentoml.depends(url="http://elsewhere")
        other = bentoml.depends(deployment="other")

        @bentoml.task
        def later(self, x: int) -> int:
            return x

    Hard.mount_asgi_app(app, path="/app")
    Hard.add_asgi_middleware(Middleware)
    with pytest.raises(ConfigError) as raised:
        adapt(Hard)
    message = raised.value.message
    assert message.startswith("Hard cannot run on the mesh: ")
    for part in ("later is a @bentoml.task", "elsewhere depends on a URL", "/app", "cmd"):
        assert part in message
    for part in ("other depends on a deployment", "Middleware", "ssl"):
        assert part in message
    assert "\n" not in message


def test_a_setting_that_is_wrong_is_named() -> None:
    with pytest.raises(ConfigError, match=r"traffic\.timeout"):
        adapt(serviced(traffic={"timeout": -1}))


def test_a_variable_that_must_be_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OF_NOBODY", raising=False)
    with pytest.raises(ConfigError, match="OF_NOBODY"):
        adapt(serviced(envs=[{"name": "OF_NOBODY"}]))


def test_variables_are_taken_from_here_or_from_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_HERE", "here")
    envs = [
        {"name": "OF_HERE"},
        {"name": "OF_SERVICE", "value": "service"},
        {"name": "OF_BUILD", "value": "build", "stage": "build"},
    ]
    assert service_spec(adapt(serviced(envs=envs))).config.envs == {
        "OF_HERE": "here",
        "OF_SERVICE": "service",
    }


def test_what_is_served_otherwise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @bentoml.service(http={"port": 3333}, backlog=128)
    class Noted:
        @bentoml.api(batchable=True)
        def echo(self, x: list[int]) -> list[int]:
            return x

    with caplog.at_level(logging.WARNING, "mesh.compat"):
        adapt(Noted)
    assert "http.port, backlog" in caplog.text
    assert "Noted.echo is batchable" in caplog.text


def test_the_loader_finds_services_of_bentoml(tmp_path: Path) -> None:
    Path(tmp_path, "shop_of_bentos.py").write_text(
        "import bentoml\n"
        "@bentoml.service\n"
        "class Below:\n"
        "    @bentoml.api\n"
        "    def echo(self, x: int) -> int: return x\n"
        "@bentoml.service\n"
        "class Above:\n"
        "    below = bentoml.depends(Below)\n"
        "    @bentoml.api\n"
        "    def echo(self, x: int) -> int: return x\n"
    )
    found = load("shop_of_bentos:Above", [str(tmp_path)])
    assert service_spec(found).name == "Above"
    assert load("shop_of_bentos", [str(tmp_path)]) is found
    assert Release.of_class(sys.modules["shop_of_bentos"].Above).target == "shop_of_bentos:Above"


def test_what_is_no_foreign_service_is_left_alone() -> None:
    for value in (1, int, ModuleType("m"), None):
        assert adapted(value) is value


def test_a_legacy_service_is_refused() -> None:
    legacy = pytest.importorskip("bentoml.legacy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BentoML's own about its legacy
        service = legacy.Service("old")
    with pytest.raises(ConfigError, match="legacy API"):
        adapted(service)
