"""Typed gRPC beside a bare `grpc.aio` server that sends back what it got."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
from google.protobuf import message_factory

from mesh.definition.spec import service_spec
from mesh.io.rpc.descriptors import pool_of
from mesh.v1.types_pb2 import DataType
from tests.bench.load import GRPC_HEADER, run_h2load
from tests.bench.measures import Figure, Say
from tests.bench.payload import CALL, ROWS
from tests.bench.rpc_services import Rpc
from tests.bench.servers import HOST, Server, grpc_aio, mesh

BARE = "/mesh.v1.Inference/"
TYPED = f"/{service_spec(Rpc).rpc.full_name}/"
LARGE = 4 * 2**20
"""Bytes of the elements of the large array."""
ITEMS = 1000
"""Items of a stream."""
WIDE = ("--window-bits", "24", "--connection-window-bits", "28")
"""Options of h2load with which its windows hold nothing up."""
IN_FLIGHT = {"small": 64, "large": 4, "stream": 4}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: its path, its message, and the bytes of all messages of its reply."""

    path: str
    message: bytes
    reply: int


def rpc_rounds(rounds: int, seconds: float, say: Say) -> list[Mapping[str, float]]:
    """Calls per second by name in each round: `typed small` and `bare small`, and so on."""
    found = []
    say("starting the servers")
    with (
        mesh(["tests.bench.rpc_services:Rpc"], _answers) as ours,
        grpc_aio() as bare,
    ):
        calls = _calls(ours.server, bare)
        for number in range(1, rounds + 1):
            rates = {}
            for name, (server, asked) in calls.items():
                say(f"round {number} of {rounds}: {name}")
                in_flight = IN_FLIGHT[name.split()[1]]
                rates[name] = run_h2load(
                    server.url + asked.path,
                    asked.message,
                    asked.reply,
                    in_flight,
                    seconds,
                    options=WIDE,
                ).rate
            found.append(rates)
        say("stopping the servers")
    return found


def _calls(ours: Server, bare: Server) -> dict[str, tuple[Server, Asked]]:
    """Every call by name; those that are compared stand side by side."""
    small, large = (
        _request("DoubleRequest", np.array(ROWS, np.float32)),
        _request("EchoRequest", np.ones(LARGE // 4, np.float32)),
    )
    count = _message("CountRequest", n=ITEMS)
    named = {
        "bare small": (bare, f"{BARE}Call", small),
        "typed small": (ours, f"{TYPED}Double", small),
        "generic small": (ours, f"{BARE}Call", CALL),
        "bare large": (bare, f"{BARE}Call", large),
        "typed large": (ours, f"{TYPED}Echo", large),
        "bare stream": (bare, f"{BARE}CallServerStream", count),
        "typed stream": (ours, f"{TYPED}Count", count),
    }
    return {
        name: (server, Asked(path, message, _reply_size(server.port, path, message)))
        for name, (server, path, message) in named.items()
    }


def rpc_figures(rounds: Sequence[Mapping[str, float]]) -> list[Figure]:
    """The ratios that are to be reached."""

    def ratio(title: str, one: str, other: str, limit: float) -> Figure:
        return Figure(title, [each[one] / each[other] for each in rounds], limit, is_least=True)

    return [
        ratio("typed gRPC ÷ grpc.aio, 64 in flight", "typed small", "bare small", 2.0),
        ratio("4 MB echo over gRPC ÷ grpc.aio", "typed large", "bare large", 0.5),
        ratio("stream of 1000 over gRPC ÷ grpc.aio", "typed stream", "bare stream", 1.0),
        ratio("generic ÷ typed gRPC, 64 in flight", "generic small", "typed small", 0.7),
    ]


def rpc_json(rounds: Sequence[Mapping[str, float]]) -> dict[str, object]:
    """Everything in plain values: calls per second."""
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    return {"medians": medians, "rounds": [dict(each) for each in rounds]}


def _message(name: str, **values: object) -> bytes:
    rpc = service_spec(Rpc).rpc
    descriptor = pool_of(rpc.files).FindMessageTypeByName(f"{rpc.contract.package}.{name}")
    made: bytes = message_factory.GetMessageClass(descriptor)(**values).SerializeToString()
    return made


def _request(name: str, array: np.ndarray) -> bytes:
    tensor = {
        "data_type": DataType.DATA_TYPE_FLOAT32,
        "shape": array.shape,
        "data": array.tobytes(),
    }
    return _message(name, x=tensor)


def _reply_size(port: int, path: str, message: bytes) -> int:
    """Bytes of the messages of a reply, all but one with their prefixes, as h2load counts them."""
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"{HOST}:{port}", options) as channel:
        replies = list(channel.unary_stream(path)(message, timeout=30))
    return sum(map(len, replies)) + GRPC_HEADER * (len(replies) - 1)


def _answers(port: int) -> bool:
    try:
        return bool(_reply_size(port, f"{TYPED}Count", _message("CountRequest", n=1)))
    except grpc.RpcError:
        return False
