"""Dependencies: in process without any mesh, and bound to handles in a replica."""

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator

import pytest

import mesh
from mesh import DefinitionError
from mesh.definition.depends import Dependency, bind
from mesh.definition.graph import resolve
from mesh.definition.manifest import Manifest, describe
from mesh.definition.spec import service_spec


@mesh.service
class Numbers:
    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.closed = False

    @mesh.api
    def double(self, n: int) -> int:
        return 2 * n

    @mesh.api
    async def triple(self, n: int) -> int:
        await asyncio.sleep(0)
        return 3 * n

    @mesh.api
    def count(self, n: int) -> Iterator[int]:
        try:
            yield from range(n)
        finally:
            self.closed = True

    @mesh.api
    async def acount(self, n: int) -> AsyncIterator[int]:
        try:
            for each in range(n):
                yield each
        finally:
            self.closed = True

    def unmarked(self) -> int:
        return 1


@mesh.service
class Sums:
    numbers = mesh.depends(Numbers)

    @mesh.api
    async def sum(self, n: int) -> int:
        return await self.numbers.to_async.double(n) + await self.numbers.triple(n)


def test_in_process_a_dependency_is_an_instance_made_when_first_used():
    Numbers.made = 0
    sums = Sums()
    assert Numbers.made == 0
    assert asyncio.run(sums.sum(2)) == 10
    assert sums.numbers is sums.numbers
    assert sums.numbers.double(4) == 8
    assert Numbers.made == 1


def test_to_async_makes_every_method_awaitable():
    async def main() -> None:
        handle = Sums().numbers.to_async
        assert await handle.double(2) == 4
        assert await handle.triple(2) == 6
        assert [each async for each in handle.count(3)] == [0, 1, 2]
        assert [each async for each in handle.acount(3)] == [0, 1, 2]

    asyncio.run(main())


def test_to_sync_makes_every_method_a_plain_call():
    handle = Sums().numbers.to_sync
    assert handle.double(2) == 4
    assert handle.triple(2) == 6
    assert list(handle.count(3)) == [0, 1, 2]
    assert list(handle.acount(3)) == [0, 1, 2]


def test_a_stream_that_is_left_midway_is_closed():
    sync_side = Sums()
    items = sync_side.numbers.to_sync.acount(3)
    assert next(items) == 0
    items.close()
    assert sync_side.numbers._instance.closed

    async def main() -> None:
        side = Sums()
        items = side.numbers.to_async.count(3)
        assert await anext(items) == 0
        await items.aclose()
        assert side.numbers._instance.closed

    asyncio.run(main())


def test_only_marked_methods_can_be_called_as_if_the_service_were_elsewhere():
    handle = Sums().numbers
    for form in (handle, handle.to_async, handle.to_sync):
        with pytest.raises(AttributeError, match=r"Numbers has no @mesh\.api method 'unmarked'"):
            form.unmarked()
    with pytest.raises(AttributeError):
        handle.missing()


def test_a_handle_can_be_copied():
    assert copy.copy(Sums().numbers).double(2) == 4


def test_a_bound_instance_has_the_handle_also_in_its_constructor():
    @mesh.service
    class Service:
        numbers = mesh.depends(Numbers)

        def __init__(self) -> None:
            self.seen = self.numbers

        @mesh.api
        def method(self) -> int: ...

    handle = object()
    instance = Service.__new__(Service)
    bind(instance, {"numbers": handle})
    instance.__init__()
    assert instance.numbers is instance.seen is handle


def test_on_the_class_a_dependency_names_the_other_service():
    assert isinstance(Sums.numbers, Dependency)
    assert Sums.numbers.on is Numbers
    assert repr(Sums.numbers) == "depends(Numbers)"
    assert service_spec(Sums).dependencies == {"numbers": Numbers}


def test_a_dependency_is_a_service():
    class Plain:
        pass

    def method(self) -> int: ...

    bad = type("Bad", (), {"plain": mesh.depends(Plain), "method": mesh.api(method)})
    with pytest.raises(DefinitionError, match=r"Bad\.plain: Plain is not a service"):
        mesh.service(bad)
    with pytest.raises(DefinitionError, match="expected a service class"):
        mesh.depends("Numbers")


def test_a_service_with_dependencies_needs_room_for_them():
    class Bad:
        __slots__ = ()
        numbers = mesh.depends(Numbers)

        @mesh.api
        def method(self) -> int: ...

    with pytest.raises(DefinitionError, match="Bad: a service with dependencies can't have"):
        mesh.service(Bad)


def service(name: str, **dependencies: type) -> type:
    @mesh.api
    def method(self) -> int: ...

    members = {attribute: mesh.depends(on) for attribute, on in dependencies.items()}
    return mesh.service(name=name)(type("Made", (), {"method": method, **members}))


def test_a_graph_is_everything_that_the_entry_leads_to():
    base = service("base")
    left, right = service("left", base=base), service("right", base=base)
    graph = resolve(service("top", left=left, right=right))
    assert graph.entry.name == "top"
    assert list(graph.services) == ["top", "left", "base", "right"]
    assert graph.services["base"].cls is base


def test_two_services_of_one_name_are_no_graph():
    top = service("top", a=service("same"), b=service("same"))
    with pytest.raises(DefinitionError, match="two services are called 'same'"):
        resolve(top)


def test_a_circle_is_no_graph():
    first = service("first")
    second = service("second", first=first)
    first.second = mesh.depends(second)
    del first.__mesh_options__
    mesh.service(name="first")(first)
    with pytest.raises(DefinitionError, match="in a circle: second -> first -> second"):
        resolve(second)


def test_what_is_no_service_has_no_graph():
    with pytest.raises(DefinitionError, match="int is not a service"):
        resolve(int)


def test_a_manifest_describes_a_graph_to_those_who_never_import_it():
    manifest = describe(resolve(Sums))
    again = Manifest.model_validate_json(manifest.model_dump_json())
    assert again == manifest
    assert again.entry == "Sums"
    sums, numbers = again.services["Sums"], again.services["Numbers"]
    assert sums.depends == {"numbers": "Numbers"}
    assert [(each.name, each.route, each.kind.name) for each in numbers.methods] == [
        ("acount", "/acount", "SERVER_STREAM"),
        ("count", "/count", "SERVER_STREAM"),
        ("double", "/double", "UNARY"),
        ("triple", "/triple", "UNARY"),
    ]
    assert numbers.config.threads == 1
    assert '"name": "Numbers"' in numbers.schema_json
    assert '"title": "Sums"' in sums.docs_json
    assert not numbers.docs_json, "which no gateway shows"
    assert not numbers.models_json
