"""One request in its two forms, the same for every server."""

import json

import numpy as np

from mesh.io.arguments import encode_call
from mesh.v1.inference_pb2 import CallReply

ROWS = [[0.1, 0.2, 0.3, 0.4]]
JSON_BODY = json.dumps({"x": ROWS})
CALL = encode_call("double", {"x": np.array(ROWS, np.float32)})
"""A serialized mesh.v1.CallRequest with a Tensor."""
RPC = "/mesh.v1.Inference/Call"


def is_right_json(body: bytes) -> bool:
    """Whether this is the answer over HTTP."""
    return bool(np.allclose(json.loads(body), np.array(ROWS) * 2))


def is_right_reply(body: bytes) -> bool:
    """Whether this is the answer over gRPC."""
    data = CallReply.FromString(body).value.tensor.data
    return bool(np.allclose(np.frombuffer(data, "<f4"), np.array(ROWS) * 2))
