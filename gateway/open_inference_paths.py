"""The paths of the Open Inference Protocol over HTTP, without input or output."""

import re
from enum import StrEnum
from typing import NamedTuple

from mesh.errors import Code, MeshError

PREFIX = "/v2"


class What(StrEnum):
    """What a path asks for."""

    SERVER = "server"
    LIVE = "live"
    READY = "ready"
    MODEL = "model"
    MODEL_READY = "model ready"
    CONFIG = "config"
    INDEX = "index"
    INFER = "infer"
    GENERATE = "generate"
    GENERATE_STREAM = "generate_stream"


class Question(NamedTuple):
    """What a path asks for, and of which model and version (empty: any)."""

    what: What
    model: str = ""
    version: str = ""

    @property
    def is_call(self) -> bool:
        """Whether it is a call of the model."""
        return self.what in (What.INFER, What.GENERATE, What.GENERATE_STREAM)


_PLAIN = {
    PREFIX: What.SERVER,
    f"{PREFIX}/health/live": What.LIVE,
    f"{PREFIX}/health/ready": What.READY,
    f"{PREFIX}/repository/index": What.INDEX,
}
_OF_MODEL = {
    "": What.MODEL,
    "ready": What.MODEL_READY,
    "config": What.CONFIG,
    "infer": What.INFER,
    "generate": What.GENERATE,
    "generate_stream": What.GENERATE_STREAM,
}
_MODEL = re.compile(rf"{PREFIX}/models/([^/]+)(?:/versions/([^/]+))?(?:/(\w+))?/?")

NO_STATISTICS = "there are no statistics of models here: see /metrics"
NO_LOADING = "models are loaded and unloaded by deployments"
NO_SHARED_MEMORY = "shared memory is not supported: send the elements"
NO_SETTINGS = "there are no settings of logs and traces here"
_MISSING = (
    (re.compile(rf"{PREFIX}/models(/.+)?/stats"), NO_STATISTICS),
    (re.compile(rf"{PREFIX}/repository/models/[^/]+/(load|unload)"), NO_LOADING),
    (re.compile(rf"{PREFIX}/(system|cuda)sharedmemory/.+"), NO_SHARED_MEMORY),
    (re.compile(rf"{PREFIX}/(models/[^/]+/)?(logging|trace/setting)"), NO_SETTINGS),
)


def question(path: str) -> Question | None:
    """What the path asks for; None if it is none of the protocol's.

    Raises UNIMPLEMENTED, as status 501, for a part of the protocol that is not served.
    """
    plain = _PLAIN.get(path.rstrip("/"))
    if plain is not None:
        return Question(plain)
    for pattern, sentence in _MISSING:
        if pattern.fullmatch(path):
            raise MeshError(sentence, code=Code.UNIMPLEMENTED, http_status=501)
    found = _MODEL.fullmatch(path)
    if found is None:
        return None
    model, version, verb = found.groups("")
    what = _OF_MODEL.get(verb)
    return None if what is None else Question(what, model, version)
