"""Any bytes as requests of real services, typed and generic: a status, and the next call works."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Le
from hypothesis import given, settings, strategies as st

import mesh
from gateway.grpc_frames import framed
from mesh.errors import Code
from mesh.io.arguments import encode_call, encode_item
from tests.gateway.asgi_client import call_raw
from tests.gateway.rig import World, world
from tests.gateway.services import MAX_BYTES, Demo
from tests.link.rig import run
from tests.replica.rig import Running, snapshot, version

pytestmark = pytest.mark.usefixtures("server")

MATRIX = np.arange(8, dtype="<f4").tobytes()
VALID = [
    ("/demo.v1.DemoService/Greet", [b"\x0a\x03you\x10\x02"]),
    ("/demo.v1.DemoService/Double", [b"\x0a\x28\x08\x0c\x12\x02\x02\x04\x1a\x20" + MATRIX]),
    ("/demo.v1.DemoService/Add", [b"\x0a\x03\x01\x02\x03"]),
    ("/demo.v1.DemoService/Count", [b"\x08\x03"]),
    ("/demo.v1.DemoService/Total", [b"\x08\x05\x10\x01", b"\x10\x02"]),
    ("/demo.v1.DemoService/Running", [b"\x08\x05", b"\x10\x02"]),
    ("/mesh.v1.Inference/Call", [encode_call("greet", {"name": "you"})]),
    ("/mesh.v1.Inference/CallClientStream", [encode_call("total", {}), encode_item(3)]),
]
FINE = {0, Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED, Code.RESOURCE_EXHAUSTED}
"""INTERNAL would mean that something gave way."""
MOST = 100
"""What a number may ask for. A stream has no time limit of its own, and memory has an end."""


@mesh.service(name="Demo", traffic={"timeout": 20, "max_request_bytes": MAX_BYTES}, threads=2)
class Bounded(Demo):
    """Demo, in which no number that comes of changed bytes means work without end."""

    @mesh.api
    async def greet(self, name: str, times: Annotated[int, Le(MOST)] = 1) -> str:
        return f"hello {name}" * times

    @mesh.api
    async def count(self, n: Annotated[int, Le(MOST)]) -> AsyncIterator[int]:
        for number in range(n):
            yield number


def bounded() -> AbstractAsyncContextManager[World]:
    """A world with one replica of Bounded."""
    table = snapshot(version(Bounded, {"Demo": ("one",)}))
    return world(Running(Bounded(), "one"), table=table)


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path, and the body of a request that was right before bytes were changed."""
    path, messages = draw(st.sampled_from(VALID))
    body = bytearray(b"".join(map(framed, messages)))
    in_frames = draw(st.booleans())  # prefixes are changed as well
    if not in_frames:
        body = bytearray(draw(st.sampled_from(messages)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["set", "cut", "put", "end"])):
            case "set":
                body[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del body[place : place + draw(st.integers(1, 8))]
            case "put":
                body[place:place] = draw(st.binary(min_size=1, max_size=12))
            case _:
                del body[place:]
    # The flag of compression without an encoding is INTERNAL by gRPC's own rules.
    whole = bytes(body) if in_frames else framed(bytes(body))
    return path, whole if not whole.startswith(b"\x01") else b"\0" + whole[1:]


async def check(made: World, path: str, body: bytes, places: list[int]) -> None:
    cuts = sorted(place % (len(body) + 1) for place in places)
    bounds = zip([0, *cuts], [*cuts, len(body)], strict=True)
    reply = await call_raw(made.gateway, path, *(body[start:end] for start, end in bounds))
    if reply.code not in FINE:
        assert reply.code == Code.INTERNAL
        assert "grpc-encoding" in reply.message, (reply.message, body)


@settings(max_examples=60)
@given(st.lists(st.tuples(broken(), st.lists(st.integers(0), max_size=3)), min_size=5, max_size=30))
def test_requests_that_were_right_before_bytes_were_changed(
    requests: list[tuple[tuple[str, bytes], list[int]]],
) -> None:
    async def main() -> None:
        async with bounded() as made:
            for (path, body), places in requests:
                await check(made, path, body, places)
            await made.still_serves()

    run(main())


PATHS = st.text(max_size=40) | st.lists(
    st.sampled_from(["", "e", "demo", "demo.v1.DemoService", "Greet", "mesh.v1.Inference", "Call",
        "..", "grpc.health.v1.Health", "Check", "%2f"]), max_size=5,
).map("/".join)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(PATHS, min_size=5, max_size=30))
def test_any_path_has_a_status(paths: list[str]) -> None:
    async def main() -> None:
        async with bounded() as made:
            for path in paths:
                reply = await call_raw(made.gateway, f"/{path}", framed(b""))
                assert reply.code in FINE | {Code.NOT_FOUND}, path
            await made.still_serves()

    run(main())


def test_a_number_that_is_too_large_is_refused() -> None:
    async def main() -> None:
        async with bounded() as made:
            for path, body in [
                ("/demo.v1.DemoService/Count", b"\x08\xff\xff\xff\xff\x0f"),
                ("/demo.v1.DemoService/Greet", b"\x0a\x03you\x10\xff\xff\xff\xff\xff\x0f"),
            ]:
                reply = await call_raw(made.gateway, path, framed(body))
                assert reply.code == Code.INVALID_ARGUMENT, reply.message

    run(main())


def test_the_requests_that_are_broken_are_right_before() -> None:
    async def main() -> None:
        async with bounded() as made:
            for path, messages in VALID:
                body = b"".join(map(framed, messages))
                reply = await call_raw(made.gateway, path, body)
                assert reply.code == 0, (path, reply.message)

    run(main())


def test_any_head_has_a_status() -> None:
    values = st.text(st.characters(max_codepoint=255), max_size=20)
    names = st.sampled_from(
        ["grpc-timeout", "grpc-encoding", "grpc-accept-encoding", "x-mesh-endpoint",
         "mesh-version", "traceparent", "x-request-id", "x-a-bin", "host", "x-mesh-version"]
    )  # fmt: skip

    @settings(max_examples=60)
    @given(st.lists(st.lists(st.tuples(names, values), max_size=4), min_size=5, max_size=20))
    def tried(heads: list[list[tuple[str, str]]]) -> None:
        async def main() -> None:
            async with bounded() as made:
                for head in heads:
                    path, messages = VALID[0]
                    body = framed(messages[0])
                    reply = await call_raw(made.gateway, path, body, headers=head)
                    late = {Code.DEADLINE_EXCEEDED, Code.NOT_FOUND}
                    assert reply.code in FINE | late, (head, reply.message)
                await made.still_serves()

        run(main())

    tried()
