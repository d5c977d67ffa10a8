"""What the Open Inference Protocol tells of server and models, as JSON has it.

The protocol's messages have the same fields.
"""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

from gateway.open_inference_models import Model

PLATFORM = "serving-mesh"
EXTENSIONS = ("binary_tensor_data", "generate", "model_configuration", "model_repository")

_TYPES = {"BYTES": "TYPE_STRING"}


@cache
def server_metadata() -> dict[str, Any]:
    """Name, version and extensions; nobody's to change, for what is installed is read once."""
    return {"name": PLATFORM, "version": version(PLATFORM), "extensions": list(EXTENSIONS)}


def model_metadata(found: list[Model]) -> dict[str, Any]:
    """Name, versions and tensors of a model, which is given in each of its versions."""
    model = found[0]
    return {
        "name": model.name,
        "versions": [each.version for each in found],
        "platform": PLATFORM,
        **{
            side: [
                {key: tensor[key] for key in ("name", "datatype", "shape")}
                for tensor in model.document[side]
            ]
            for side in ("inputs", "outputs")
        },
    }


def model_config(model: Model) -> dict[str, Any]:
    """What of Triton's config has a meaning here."""
    inputs = [
        _tensor(each) | ({"optional": True} if each.get("optional") else {})
        for each in model.document["inputs"]
    ]
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "max_batch_size": 0,
        "input": inputs,
        "output": [_tensor(each) for each in model.document["outputs"]],
        "model_transaction_policy": {"decoupled": model.document["streams"]},
    }


def _tensor(tensor: dict[str, Any]) -> dict[str, Any]:
    datatype = tensor["datatype"]
    return {
        "name": tensor["name"],
        "data_type": _TYPES.get(datatype, f"TYPE_{datatype}"),
        "dims": tensor["shape"],
    }


def index(found: Iterable[Model], *, only_ready: bool) -> list[dict[str, Any]]:
    """The repository index: an entry for each model in each version."""
    return [
        {
            "name": model.name,
            "version": model.version,
            "state": "READY" if model.is_ready else "UNAVAILABLE",
            "reason": "" if model.is_ready else "no replica is ready",
        }
        for model in found
        if model.is_ready or not only_ready
    ]
