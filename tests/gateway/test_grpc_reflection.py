"""Reflection of both versions: services, files and symbols of the endpoints that are meant."""

import zlib
from dataclasses import replace

import pytest
from google.protobuf import descriptor_pool, wrappers_pb2
from google.protobuf.descriptor_pb2 import (
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_reflection.v1alpha.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest as Ask,
    ServerReflectionResponse,
)
from hypothesis import given, strategies as st

from gateway.grpc_frames import framed
from gateway.grpc_reflection import PATHS, Index
from mesh.errors import Code
from mesh.traffic.snapshot import Deployment, Replica, Service
from mesh.v1 import inference_pb2
from tests.gateway.asgi_client import Headers, grpc_exchange, grpc_reply
from tests.gateway.typed import Typed, service, table, typed, version
from tests.link.rig import run

pytestmark = pytest.mark.usefixtures("server")

OWN = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "inference.GRPCInferenceService",
    "mesh.v1.Inference",
}
BOTH = pytest.mark.parametrize("path", PATHS)


def file(
    name: str, package: str, *fields: str, imports: tuple[str, ...] = ()
) -> FileDescriptorProto:
    """A file with the message `Ask` of text fields, and the service `S` that takes and gives it."""
    proto = FileDescriptorProto(name=name, package=package, syntax="proto3", dependency=imports)
    message = proto.message_type.add(name="Ask")
    for number, each in enumerate(fields, 1):
        message.field.add(name=each, number=number, type=FieldDescriptorProto.TYPE_STRING,
            label=FieldDescriptorProto.LABEL_OPTIONAL)  # fmt: skip
    message.nested_type.add(name="Inner").enum_type.add(name="Kind").value.add(name="A", number=0)
    made = proto.service.add(name="S")
    made.method.add(name="Ask", input_type=f".{package}.Ask", output_type=f".{package}.Ask")
    return proto


def reflected(name: str, package: str, *files: FileDescriptorProto) -> Service:
    descriptors = zlib.compress(FileDescriptorSet(file=files).SerializeToString())
    return service(name, f"{name}-1", rpc_service=f"{package}.S", descriptors=descriptors)


A = reflected("A", "a.v1", file("app.proto", "a.v1", "text", imports=("mesh/v1/types.proto",)))
B = reflected("B", "b.v1", file("app.proto", "b.v1", "number"))
OTHER_A = reflected("OtherA", "a.v1", file("app.proto", "a.v1", "text", "more"))


async def ask(
    made: Typed, *requests: Ask, path: str = PATHS[0], headers: Headers = ()
) -> list[ServerReflectionResponse]:
    exchange = grpc_exchange(made.gateway, path, headers)
    for number, request in enumerate(requests, 1):
        await exchange.feed(framed(request.SerializeToString()), more=True)
        await exchange.begun(parts=number)  # each is answered before the next comes
    await exchange.feed()
    reply = grpc_reply(await exchange.done())
    assert reply.code == 0, reply.message
    return [ServerReflectionResponse.FromString(each) for each in reply.messages]


def names(reply: ServerReflectionResponse) -> set[str]:
    return {each.name for each in reply.list_services_response.service}


def files(reply: ServerReflectionResponse) -> list[FileDescriptorProto]:
    assert not reply.HasField("error_response"), reply.error_response
    found = reply.file_descriptor_response.file_descriptor_proto
    return [FileDescriptorProto.FromString(each) for each in found]


@BOTH
def test_services_of_all_endpoints_are_listed_and_of_the_one_that_is_named(path: str) -> None:
    async def main() -> None:
        async with typed(table({"a": A, "b": B, "plain": service("P", "p")})) as made:
            everything = Ask(list_services="")
            (listed,) = await ask(made, everything, path=path)
            assert names(listed) == OWN | {"a.v1.S", "b.v1.S"}
            (listed,) = await ask(made, everything, path=f"/e/b{path}")
            assert names(listed) == OWN | {"b.v1.S"}
            headers = [("mesh-endpoint", "plain")]
            (listed,) = await ask(made, everything, path=path, headers=headers)
            assert names(listed) == OWN

    run(main())


@BOTH
@pytest.mark.parametrize(
    "symbol", ["a.v1.S", "a.v1.S.Ask", "a.v1.Ask", "a.v1.Ask.Inner", "a.v1.Ask.Inner.Kind"]
)
def test_a_symbol_leads_to_its_file_with_all_that_it_imports(path: str, symbol: str) -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            (reply,) = await ask(made, Ask(file_containing_symbol=symbol), path=path)
            found = files(reply)
            assert found[0].name == "app.proto"
            pool = descriptor_pool.DescriptorPool()
            for each in reversed(found):
                pool.Add(each)
            assert pool.FindServiceByName("a.v1.S").methods[0].name == "Ask"

    run(main())


@pytest.mark.parametrize("name", sorted(OWN))
def test_the_gateways_own_services_can_be_described(name: str) -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            (reply,) = await ask(made, Ask(file_containing_symbol=name))
            pool = descriptor_pool.DescriptorPool()
            for each in reversed(files(reply)):
                pool.Add(each)
            assert pool.FindServiceByName(name).methods

    run(main())


def test_a_file_is_found_by_its_name() -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            replies = await ask(
                made, *(Ask(file_by_filename=name) for name in
                ("app.proto", "mesh/v1/types.proto", "google/protobuf/struct.proto"))
            )  # fmt: skip
            assert [files(each)[0].name for each in replies] == [
                "app.proto",
                "mesh/v1/types.proto",
                "google/protobuf/struct.proto",
            ]

    run(main())


def test_what_is_not_there_is_not_found_and_the_stream_goes_on() -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            replies = await ask(
                made,
                Ask(file_by_filename="none.proto"),
                Ask(file_containing_symbol="a.v1.None"),
                Ask(file_containing_symbol=""),
                Ask(all_extension_numbers_of_type="a.v1.Ask"),
                Ask(file_containing_extension=ExtensionRequest(containing_type="a.v1.Ask")),
                Ask(host="here"),
                Ask(list_services="*"),
            )
            codes = [each.error_response.error_code for each in replies]
            assert codes == [Code.NOT_FOUND] * 5 + [Code.INVALID_ARGUMENT, 0]
            assert replies[5].valid_host == "here"
            assert replies[0].original_request.file_by_filename == "none.proto"

    run(main())


def test_two_files_of_one_name_are_both_there() -> None:
    async def main() -> None:
        async with typed(table({"a": A, "b": B})) as made:
            first, second = await ask(
                made, Ask(file_containing_symbol="a.v1.S"), Ask(file_containing_symbol="b.v1.S")
            )
            assert files(first)[0].name == "app.proto"
            assert files(second)[0].name == "b/main/app.proto"
            assert files(second)[0].package == "b.v1"
            (alone,) = await ask(made, Ask(file_by_filename="app.proto"), path=f"/e/b{PATHS[0]}")
            assert files(alone)[0].package == "b.v1"

    run(main())


def test_a_file_that_imports_one_of_a_taken_name_is_not_the_one_that_imports_the_other() -> None:
    common = file("common.proto", "common.v1", "text", imports=("app.proto",))
    both = [
        reflected(name, package, file("app.proto", package, "text"), common)
        for name, package in (("A", "a.v1"), ("B", "b.v1"))
    ]

    async def main() -> None:
        async with typed(table({"a": both[0], "b": both[1]})) as made:
            replies = await ask(
                made,
                Ask(file_by_filename="common.proto"),
                Ask(file_by_filename="b/main/common.proto"),
            )
            packages = [{each.package for each in files(reply)} for reply in replies]
            assert packages == [{"common.v1", "a.v1"}, {"common.v1", "b.v1"}]

    run(main())


def test_well_known_files_are_there_once_whatever_compiler_made_them() -> None:
    wrappers = FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    wrappers.message_type[0].field[0].json_name = "value"  # as protoc writes it
    rare = FileDescriptorProto(name="google/protobuf/rare.proto", package="google.protobuf")
    imports = (wrappers.name, rare.name)
    contract = reflected("W", "w.v1", rare, wrappers, file("w.proto", "w.v1", imports=imports))

    async def main() -> None:
        async with typed(table({"w": contract, "a": A})) as made:
            (reply,) = await ask(made, Ask(file_containing_symbol="w.v1.S"))
            assert [each.name for each in files(reply)] == ["w.proto", *imports]
            (reply,) = await ask(made, Ask(file_by_filename=f"w/main/{wrappers.name}"))
            assert reply.error_response.error_code == Code.NOT_FOUND

    run(main())


def test_the_gateways_own_files_are_made_once() -> None:
    first, second = Index([]), Index([("a/main", A)])
    ours = inference_pb2.DESCRIPTOR.name
    assert first._files[ours] is second._files[ours]
    assert "app.proto" not in first._files
    assert "a.v1.S" not in first._symbols


def test_of_two_services_of_one_name_the_endpoint_says_which(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fields(made: Typed, headers: Headers = ()) -> int:
        (reply,) = await ask(made, Ask(file_containing_symbol="a.v1.Ask"), headers=headers)
        return len(files(reply)[0].message_type[0].field)

    async def main() -> None:
        snapshot = table({"a": A, "other": OTHER_A})
        async with typed(snapshot) as made:
            assert await fields(made) == 1
            assert "a.v1.S of a/main and not the other one of other/main" in caplog.text
            assert await fields(made, [("x-mesh-endpoint", "other")]) == 2
        both = Deployment("a", (version(A), version(OTHER_A, "next", 0)))
        async with typed(table({"a": both})) as made:
            assert await fields(made) == 1
            assert await fields(made, [("mesh-version", "next")]) == 2

    run(main())


def test_a_new_snapshot_is_seen_by_a_stream_that_is_open() -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            exchange = grpc_exchange(made.gateway, PATHS[0])
            request = framed(Ask(list_services="").SerializeToString())
            await exchange.feed(request, more=True)
            await exchange.begun(parts=1)
            renamed = reflected("A", "a.v2", file("app.proto", "a.v2", "text"))
            await made.follow(table({"a": renamed}, number=2))
            await exchange.feed(request, more=True)
            await exchange.feed()
            reply = grpc_reply(await exchange.done())
            first, second = map(ServerReflectionResponse.FromString, reply.messages)
            assert names(first) - OWN == {"a.v1.S"}
            assert names(second) - OWN == {"a.v2.S"}

    run(main())


def test_an_index_holds_until_the_services_are_others(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        # An index is made of all services anew, and then tells of those that cannot be read.
        broken = service("X", "x", rpc_service="x.v1.S", descriptors=zlib.compress(b"\xff"))
        listing = Ask(list_services="")
        async with typed(table({"x": broken})) as made:
            await ask(made, listing)
            more = replace(broken, replicas=(*broken.replicas, Replica("y", "y")))
            made.dispatcher.follow(table({"x": more}, number=2))
            await ask(made, listing)
            assert caplog.text.count("x.v1.S cannot be read") == 1
            made.dispatcher.follow(table({"x": broken, "a": A}, number=3))
            (listed,) = await ask(made, listing)
            assert names(listed) == OWN | {"a.v1.S"}
            assert caplog.text.count("x.v1.S cannot be read") == 2

    run(main())


def test_descriptors_that_cannot_be_read_hide_no_others(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        broken = service("X", "x", rpc_service="x.v1.S", descriptors=zlib.compress(b"\xff"))
        async with typed(table({"x": broken, "a": A})) as made:
            (listed,) = await ask(made, Ask(list_services=""))
            assert names(listed) == OWN | {"a.v1.S"}
            assert "x.v1.S" in caplog.text

    run(main())


def test_a_message_that_is_none_ends_the_stream_as_invalid() -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            for body, code in (
                (framed(b"\xff"), Code.INVALID_ARGUMENT),
                (b"\0\0", Code.INVALID_ARGUMENT),
                (framed(bytes(2**16 + 1)), Code.RESOURCE_EXHAUSTED),
            ):
                exchange = grpc_exchange(made.gateway, PATHS[0])
                await exchange.feed(body)
                assert grpc_reply(await exchange.done()).code == code
            await ask(made, Ask(list_services=""))

    run(main())


def test_an_endpoint_or_a_version_that_does_not_exist_is_not_found() -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            body = framed(Ask(list_services="").SerializeToString())
            for name in ("x-mesh-endpoint", "x-mesh-version"):
                exchange = grpc_exchange(made.gateway, PATHS[0], [(name, "none")])
                await exchange.feed(body)
                assert grpc_reply(await exchange.done()).code == Code.NOT_FOUND

    run(main())


@given(st.binary(max_size=100))
def test_any_bytes_are_answered_or_invalid(message: bytes) -> None:
    async def main() -> None:
        async with typed(table({"a": A})) as made:
            exchange = grpc_exchange(made.gateway, PATHS[0])
            await exchange.feed(framed(message))
            assert grpc_reply(await exchange.done()).code in (0, Code.INVALID_ARGUMENT)

    run(main())
