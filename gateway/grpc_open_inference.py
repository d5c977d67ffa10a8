"""The rpcs of inference.GRPCInferenceService that ask about server and models."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from gateway import open_inference_paths as missing
from gateway.forward import Request
from gateway.open_inference_metadata import index, model_config, model_metadata, server_metadata
from gateway.open_inference_models import Model, find, is_ready, models
from mesh.errors import InvalidArgument
from mesh.traffic.snapshot import Snapshot
from mesh.v1 import open_inference_pb2 as pb

SERVICE = "/inference.GRPCInferenceService/"
INFER = f"{SERVICE}ModelInfer"
STREAM = f"{SERVICE}ModelStreamInfer"
HEALTH = frozenset({f"{SERVICE}ServerLive", f"{SERVICE}ServerReady"})
"""Rpcs that need no endpoint."""
MISSING: Mapping[str, str] = {
    f"{SERVICE}ModelStatistics": missing.NO_STATISTICS,
    **{f"{SERVICE}RepositoryModel{verb}": missing.NO_LOADING for verb in ("Load", "Unload")},
    **{
        f"{SERVICE}{kind}SharedMemory{verb}": missing.NO_SHARED_MEMORY
        for kind in ("System", "Cuda")
        for verb in ("Status", "Register", "Unregister")
    },
    **{f"{SERVICE}{name}": missing.NO_SETTINGS for name in ("TraceSetting", "LogSettings")},
}
"""Rpcs by path that are not served, and why."""

MessageT = TypeVar("MessageT", bound=Message)
Answer = Callable[[bytes, Snapshot, str, str], Message]
"""Makes the reply from the request's message, the routing table, the endpoint, and the version
that the metadata asks for (empty: any)."""


def _parsed(of: type[MessageT], message: bytes) -> MessageT:
    try:
        return of.FromString(message)
    except DecodeError:
        raise InvalidArgument(f"the message is not an {of.DESCRIPTOR.full_name}") from None


def _found(asked: Any, snapshot: Snapshot, endpoint: str, named: str) -> list[Model]:
    return find(snapshot, endpoint, asked.name, asked.version or named)


def _live(_message: bytes, _snapshot: Snapshot, _endpoint: str, _named: str) -> Message:
    return pb.ServerLiveResponse(live=True)


def _ready(_message: bytes, snapshot: Snapshot, endpoint: str, _named: str) -> Message:
    return pb.ServerReadyResponse(ready=is_ready(snapshot, endpoint))


def _server(_message: bytes, _snapshot: Snapshot, _endpoint: str, _named: str) -> Message:
    return pb.ServerMetadataResponse(**server_metadata())


def _model_ready(message: bytes, snapshot: Snapshot, endpoint: str, named: str) -> Message:
    found = _found(_parsed(pb.ModelReadyRequest, message), snapshot, endpoint, named)
    return pb.ModelReadyResponse(ready=any(model.is_ready for model in found))


def _model(message: bytes, snapshot: Snapshot, endpoint: str, named: str) -> Message:
    found = _found(_parsed(pb.ModelMetadataRequest, message), snapshot, endpoint, named)
    return pb.ModelMetadataResponse(**model_metadata(found))


def _config(message: bytes, snapshot: Snapshot, endpoint: str, named: str) -> Message:
    found = _found(_parsed(pb.ModelConfigRequest, message), snapshot, endpoint, named)
    config: Any = model_config(found[0])
    return pb.ModelConfigResponse(config=config)


def _index(message: bytes, snapshot: Snapshot, endpoint: str, _named: str) -> Message:
    asked = _parsed(pb.RepositoryIndexRequest, message)
    listed: Any = index(models(snapshot, endpoint), only_ready=asked.ready)
    return pb.RepositoryIndexResponse(models=listed)


ANSWERS: Mapping[str, Answer] = {
    f"{SERVICE}ServerLive": _live,
    f"{SERVICE}ServerReady": _ready,
    f"{SERVICE}ServerMetadata": _server,
    f"{SERVICE}ModelReady": _model_ready,
    f"{SERVICE}ModelMetadata": _model,
    f"{SERVICE}ModelConfig": _config,
    f"{SERVICE}RepositoryIndex": _index,
}
"""Rpcs by path that the gateway itself answers."""


def answer(
    path: str, snapshot: Snapshot, endpoint: str, request: Request
) -> Callable[[bytes], bytes]:
    """What makes the reply to a message of the rpc at `path`, one of ANSWERS; raises MeshError."""
    named = request.text(b"x-mesh-version")

    def reply(message: bytes) -> bytes:
        return ANSWERS[path](message, snapshot, endpoint, named).SerializeToString()

    return reply
