"""An infer request as it comes over HTTP: JSON, and behind it tensors as bytes."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from mesh.errors import InvalidArgument
from mesh.io.open_inference import tensors
from mesh.io.open_inference.request import SHARED_MEMORY, InferRequest, fault, unique
from mesh.io.types.elements import Array

_SIZE = "binary_data_size"


def read_json(body: bytes, header: int | None) -> InferRequest:
    """What the request says; the JSON are its first `header` bytes, or all.

    Raises InvalidArgument naming the tensor at fault.
    """
    if header is not None and header > len(body):
        raise fault("", f"The header of {header} bytes is longer than the body")
    said = parsed(body if header is None else body[:header])
    inputs = _objects(said, "inputs")
    outputs = _objects(said, "outputs")
    parameters = _object(said, "parameters", "")
    binary = memoryview(body)[len(body) if header is None else header :]
    wanted = {each["name"]: _object(each, "parameters", each["name"]) for each in outputs}
    for name, each in wanted.items():
        _check_parameters(name, each)
    return InferRequest(
        identity(said),
        dict(_inputs(inputs, binary)),
        tuple(wanted) or None,
        {name: _truth(each["binary_data"], name) for name, each in wanted.items()
         if "binary_data" in each},
        _truth(parameters.get("binary_data_output", False), ""),
    )  # fmt: skip


def parsed(text: bytes) -> dict[str, Any]:
    """The object of a JSON text. Raises InvalidArgument."""
    try:
        said = from_json(text)
    except ValueError as error:
        raise fault("", f"Invalid JSON: {error}", "json_invalid") from None
    if not isinstance(said, dict):
        raise fault("", "The request is no JSON object")
    return said


def identity(said: dict[str, Any]) -> str:
    """The request's id, empty if it has none. Raises InvalidArgument."""
    found = said.get("id", "")
    if not isinstance(found, str):
        raise fault("id", "The id is no text")
    return found


def _objects(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = said.get(name, [])
    if not isinstance(found, list):
        raise fault(name, "This is no list of tensors")
    for each in found:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise fault(name, "There is a tensor without a name")
    unique((each["name"] for each in found), name)
    return found


def _object(said: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    found = said.get(key, {})
    if not isinstance(found, dict):
        raise fault(name, f"{key} is no JSON object")
    return found


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise fault(name, "whether elements are binary is true or false")
    return value


def _inputs(inputs: list[dict[str, Any]], binary: memoryview) -> Iterator[tuple[str, Array]]:
    position = 0
    for each in inputs:
        name = each["name"]
        parameters = _object(each, "parameters", name)
        _check_parameters(name, parameters)
        try:
            datatype, shape = tensors.checked(each.get("datatype"), each.get("shape"))
            if _SIZE not in parameters:
                yield name, tensors.from_json(datatype, shape, each.get("data"))
                continue
            size = _size(parameters[_SIZE], len(binary) - position)
            yield name, tensors.from_raw(datatype, shape, binary[position : position + size])
            position += size
        except ValueError as error:
            raise fault(name, str(error)) from None
    if position != len(binary):
        more = len(binary) - position
        raise InvalidArgument(f"{more} bytes behind the JSON belong to no input")


def _size(said: Any, left: int) -> int:
    if type(said) is not int or said < 0:
        raise ValueError(f"{_SIZE} is no number of bytes")
    if said > left:
        raise ValueError(f"{_SIZE} is {said}, and {left} bytes are left behind the JSON")
    return said


def _check_parameters(name: str, parameters: dict[str, Any]) -> None:
    if any(each.startswith("shared_memory") for each in parameters):
        raise fault(name, SHARED_MEMORY)
    if "classification" in parameters:
        raise fault(name, "classification is not supported")
