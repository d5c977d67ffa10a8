"""Bare servers to compare with: `python -m tests.bench.references uvicorn|grpc PORT`.

`uvicorn` does the same JSON and NumPy work as the measured service, in one function. `grpc` is
a `grpc.aio` server that sends back what it got, or a stream of 1000 small messages.
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import numpy as np
import uvicorn
import uvloop

HOST = "127.0.0.1"


async def application(_: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application: JSON with `x` in, twice `x` out."""
    parts = []
    more = True
    while more:
        event = await receive()
        parts.append(event.get("body", b""))
        more = event.get("more_body", False)
    array = np.array(json.loads(b"".join(parts))["x"], np.float32)
    body = json.dumps((array * 2).tolist()).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def serve_uvicorn(port: int) -> None:
    """Serves `application` with the fastest loop and parser that uvicorn knows."""
    uvicorn.run(
        application,
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="error",
        access_log=False,
    )


async def serve_grpc(port: int) -> None:
    """Echoes the bytes of mesh.v1.Inference/Call; CallServerStream gives 1000 numbers."""

    async def echo(request: bytes, _: object) -> bytes:
        return request

    async def count(_: bytes, __: object) -> AsyncIterator[bytes]:
        for number in range(1000):
            # As a protobuf message whose field 1 is the number.
            digits = bytes((number & 127 | 128, number >> 7)) if number > 127 else bytes((number,))
            yield b"\x08" + digits

    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(echo),
        "CallServerStream": grpc.unary_stream_rpc_method_handler(count),
    }
    sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=sizes)
    generic = grpc.method_handlers_generic_handler("mesh.v1.Inference", handlers)
    server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    kind, number = sys.argv[1], int(sys.argv[2])
    if kind == "uvicorn":
        serve_uvicorn(number)
    else:
        uvloop.run(serve_grpc(number))
