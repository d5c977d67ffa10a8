"""The rpcs of inference.GRPCInferenceService that ask about server and models."""

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple, TypeVar

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
OPEN = HEALTH | {f"{SERVICE}ServerMetadata"}
"""Rpcs whose replies tell nothing of what is deployed."""
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


class About(NamedTuple):
    """What a request asks about, besides its message.

    `named` is the version that its metadata asks for (empty: any); of `hidden` deployments it must
    not be told anything.
    """

    snapshot: Snapshot
    endpoint: str
    named: str
    hidden: Container[str]


Answer = Callable[[bytes, About], Message]
"""Makes the reply from the request's message and what else there is of it."""


def _parsed(of: type[MessageT], message: bytes) -> MessageT:
    try:
        return of.FromString(message)
    except DecodeError:
        raise InvalidArgument(f"the message is not an {of.DESCRIPTOR.full_name}") from None


def _found(asked: Any, about: About) -> list[Model]:
    version = asked.version or about.named
    return find(about.snapshot, about.endpoint, asked.name, version, about.hidden)


def _live(_message: bytes, _about: About) -> Message:
    return pb.ServerLiveResponse(live=True)


def _ready(_message: bytes, about: About) -> Message:
    return pb.ServerReadyResponse(ready=is_ready(about.snapshot, about.endpoint))


def _server(_message: bytes, _about: About) -> Message:
    return pb.ServerMetadataResponse(**server_metadata())


def _model_ready(message: bytes, about: About) -> Message:
    found = _found(_parsed(pb.ModelReadyRequest, message), about)
    return pb.ModelReadyResponse(ready=any(model.is_ready for model in found))


def _model(message: bytes, about: About) -> Message:
    found = _found(_parsed(pb.ModelMetadataRequest, message), about)
    return pb.ModelMetadataResponse(**model_metadata(found))


def _config(message: bytes, about: About) -> Message:
    found = _found(_parsed(pb.ModelConfigRequest, message), about)
    config: Any = model_config(found[0])
    return pb.ModelConfigResponse(config=config)


def _index(message: bytes, about: About) -> Message:
    asked = _parsed(pb.RepositoryIndexRequest, message)
    known = models(about.snapshot, about.endpoint, about.hidden)
    listed: Any = index(known, only_ready=asked.ready)
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
    path: str, snapshot: Snapshot, endpoint: str, request: Request, hidden: Container[str]
) -> Callable[[bytes], bytes]:
    """What makes the reply to a message of the rpc at `path`, one of ANSWERS; raises MeshError."""
    about = About(snapshot, endpoint, request.text(b"x-mesh-version"), hidden)

    def reply(message: bytes) -> bytes:
        return ANSWERS[path](message, about).SerializeToString()

    return reply
