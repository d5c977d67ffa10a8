"""`@service` and `@api`: what a class means, and which classes there can't be."""

import subprocess
import sys
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import BaseModel, Field

import mesh
from mesh import Context, DefinitionError, DType, Shape
from mesh.call import JSON, CallKind
from mesh.definition.spec import is_service, service_spec


@mesh.service
class Greeter:
    """Says hello.

    In many ways.
    """

    @mesh.api
    def greet(self, name: str) -> str:
        """To one."""
        return f"Hello {name}"

    @mesh.api(route="/all/of-them", name="everyone", idempotent=True)
    async def greet_all(self, names: list[str], ctx) -> list[str]:
        return [f"Hello {name}" for name in names]

    def unmarked(self) -> int:
        return 1


def test_the_decorator_returns_the_class_itself():
    assert isinstance(Greeter, type)
    assert Greeter().greet("A") == "Hello A"
    assert is_service(Greeter)


def test_a_service_has_its_methods_by_the_names_that_callers_say():
    spec = service_spec(Greeter)
    assert (spec.name, spec.cls) == ("Greeter", Greeter)
    assert spec.doc == "Says hello.\n\nIn many ways."
    assert {
        name: (method.attribute, method.route, method.idempotent, method.kind)
        for name, method in spec.methods.items()
    } == {
        "greet": ("greet", "/greet", False, CallKind.UNARY),
        "everyone": ("greet_all", "/all/of-them", True, CallKind.UNARY),
    }
    assert spec.methods["everyone"].context_parameter == "ctx"


def test_settings_of_the_decorator_are_the_services_config():
    @mesh.service(
        name="other",
        resources={"cpu": "500m", "memory": "1Gi", "gpu": 0.5},
        traffic={"timeout": 3, "max_concurrency": 8},
        fetch={"max_bytes": "1Ki", "networks": ["127.0.0.0/8"]},
        threads=4,
        replicas=2,
        envs={"A": "b"},
    )
    class Service:
        @mesh.api
        def method(self) -> int: ...

    spec = service_spec(Service)
    assert spec.name == "other"
    assert (spec.config.resources.cpu, spec.config.resources.memory) == (0.5, 2**30)
    assert (spec.config.traffic.timeout, spec.config.traffic.max_concurrency) == (3, 8)
    assert (spec.config.fetch.max_bytes, spec.config.fetch.networks) == (1024, ("127.0.0.0/8",))
    assert (spec.config.threads, spec.config.replicas) == (4, 2)
    assert spec.config.envs == {"A": "b"}


def test_annotations_in_quotes_may_name_what_is_local_to_the_function():
    class Item(BaseModel):
        a: int

    @mesh.service
    class Service:
        class Reply(BaseModel):
            b: int

        @mesh.api
        def method(self, item: "Item") -> "Reply":
            return self.Reply(b=item.a)

    method = service_spec(Service).methods["method"]
    assert method.decode_arguments(JSON, b'{"item":{"a":1}}')[0].kwargs == {"item": Item(a=1)}
    assert method.reply_encoder(JSON).encode(Service.Reply(b=2)) == b'{"b":2}'


def test_a_plain_call_gets_plain_defaults_where_fields_are_written():
    @mesh.service
    class Service:
        @mesh.api
        def method(
            self,
            n: int = Field(default=3, ge=0),
            *,
            tags: list[str] = Field(default_factory=list),  # noqa: B008 - how pydantic spells it
        ) -> Any:
            return n, tags

    assert Service().method() == (3, [])
    method = service_spec(Service).methods["method"]
    assert method.decode_arguments(JSON, b"")[0].kwargs == {"n": 3, "tags": []}
    with pytest.raises(mesh.InvalidArgument):
        method.decode_arguments(JSON, b'{"n":-1}')


def test_methods_are_inherited_and_may_be_replaced():
    class Base:
        @mesh.api
        def one(self) -> int: ...

        @mesh.api
        def two(self) -> int: ...

    @mesh.service
    class Service(Base):
        @mesh.api
        def one(self) -> str: ...

        def two(self) -> int: ...  # no longer callable

    assert list(service_spec(Service).methods) == ["one"]


def test_a_subclass_of_a_service_is_no_service_until_it_is_decorated():
    class Sub(Greeter):
        pass

    assert not is_service(Sub)
    with pytest.raises(
        DefinitionError, match=r"Sub is not a service: decorate with @mesh\.service"
    ):
        service_spec(Sub)
    assert service_spec(mesh.service(Sub)).name == "Sub"


PROGRAM = """
from __future__ import annotations
import sys
import cloudpickle
import mesh
from pydantic import BaseModel

class Item(BaseModel):
    a: int

def made():
    class Local(BaseModel):
        b: int

    @mesh.service(name="shipped", traffic={"timeout": 5})
    class Service:
        other = mesh.depends(Other)

        @mesh.api
        def method(self, item: Item, n: int = 1) -> list[Local]:
            return [Local(b=item.a)]
    return Service

@mesh.service
class Other:
    @mesh.api
    def f(self, item: Item) -> int: return 1

sys.stdout.buffer.write(cloudpickle.dumps(made()))
"""
READER = """
import pickle, sys
from mesh.definition.graph import resolve
cls = pickle.loads(sys.stdin.buffer.read())
graph = resolve(cls)
method = graph.entry.methods["method"]
arguments, _ = method.decode_arguments("", b'{"item":{"a":7}}')
reply = method.reply_encoder("").encode(cls().method(**arguments.kwargs))
print(sorted(graph.services), graph.entry.config.traffic.timeout, reply.decode())
"""


def test_a_class_that_is_sent_by_value_is_a_service_where_it_arrives():
    pytest.importorskip("cloudpickle")
    sent = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    got = subprocess.run(
        [sys.executable, "-c", READER], input=sent.stdout, capture_output=True, check=True
    )
    assert got.stdout.decode() == "['Other', 'shipped'] 5.0 [{\"b\":7}]\n"


def test_importing_the_api_loads_neither_ray_nor_grpc():
    code = "import mesh, sys; print({'ray', 'grpc', 'torch', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "set()\n"


def test_the_decorators_keep_their_names_whatever_is_imported_later():
    code = (
        "import mesh; from mesh.definition.graph import resolve; import mesh.faces.plane;"
        "print(mesh.api.__module__, mesh.service.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "mesh.definition.methods mesh.definition.decorators\n"


def test_the_public_api_is_what_all_says():
    for name in mesh.__all__:
        assert getattr(mesh, name) is not None
    assert callable(mesh.service)


def refused(cls: Any, **options: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        mesh.service(**options)(cls)
    assert not is_service(cls)
    assert "\n" not in caught.value.message
    return caught.value.message


def with_method(**functions: Any) -> type:
    return type("Bad", (), {name: mesh.api(func) for name, func in functions.items()})


def method(self) -> int: ...


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resources": {"gpuu": 1}}, "Bad: resources.gpuu: there is no such setting"),
        ({"resources": {"gpu": 1.5}}, "Bad: resources: gpu must be below 1"),
        ({"traffic": {"timeout": -1}}, "Bad: traffic.timeout: input should be greater than 0"),
        ({"threads": 0}, "Bad: threads: input should be greater than 0"),
        ({"envs": {"A": 1}}, "Bad: envs.A: input should be a valid string"),
        ({"name": "no name"}, "Bad: 'no name' is no name for a service"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(options, message):
    assert message in refused(with_method(method=method), **options)


def test_a_wrong_annotation_is_refused_where_the_class_is_defined():
    def bad(self, x: Annotated[list[int], Shape((2,))]) -> int: ...

    assert refused(with_method(bad=bad)) == (
        "Bad.bad: parameter 'x': Shape says nothing about list[int]"
    )


def test_a_service_has_at_least_one_method():
    assert refused(type("Bad", (), {})) == "Bad has no method marked with @mesh.api"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"route": "no-slash"}, "Bad.method: route 'no-slash' is no path such as '/method'"),
        ({"route": "/"}, "Bad.method: route '/' is no path such as '/method'"),
        ({"route": "/a?b"}, "route '/a?b' is no path"),
        ({"route": "/livez"}, "Bad.method: the gateway answers '/livez' itself"),
        ({"route": "/e/x"}, "Bad.method: the gateway answers '/e/x' itself"),
        ({"route": "/docs.json"}, "Bad.method: the gateway answers '/docs.json' itself"),
        ({"route": "/endpoints.json"}, "Bad.method: the gateway answers '/endpoints.json' itself"),
        ({"route": "/static_content/x"}, "the gateway answers '/static_content/x' itself"),
        ({"name": "a-b"}, "Bad.method: 'a-b' is no name for a method"),
        ({"name": "other"}, "Bad: two methods are called 'other'"),
        ({"route": "/other"}, "Bad: two methods have the route '/other'"),
    ],
)
def test_a_wrong_name_or_route_is_refused(options, message):
    def marked(self) -> int: ...

    @mesh.api
    def other(self) -> int: ...

    bad = type("Bad", (), {"method": mesh.api(**options)(marked), "other": other})
    assert message in refused(bad)


def test_only_instance_methods_are_called():
    @mesh.api
    def func() -> int: ...

    for kind in (staticmethod, classmethod):
        assert "only instance methods" in refused(type("Bad", (), {"func": kind(func)}))
        with pytest.raises(DefinitionError, match="goes on an instance method"):
            mesh.api(kind(method))
    with pytest.raises(DefinitionError, match="goes on an instance method"):
        mesh.api(int)


def test_only_classes_are_services():
    with pytest.raises(DefinitionError, match=r"@mesh\.service goes on a class"):
        mesh.service(lambda: 1)
    with pytest.raises(DefinitionError, match="int is not a service"):
        service_spec(int)


def test_a_context_is_known_to_services():
    @mesh.service
    class Service:
        @mesh.api
        def method(
            self, x: Annotated[np.ndarray, Shape((-1,)), DType("int8")], call: Context
        ) -> int: ...

    assert service_spec(Service).methods["method"].context_parameter == "call"
