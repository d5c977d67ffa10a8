"""ModelInferRequest as it comes over gRPC."""

from collections.abc import Iterator, Mapping

from google.protobuf.message import DecodeError

from mesh.io.open_inference import tensors
from mesh.io.open_inference.request import SHARED_MEMORY, InferRequest, fault, unique
from mesh.io.types.elements import Array
from mesh.v1.open_inference_pb2 import InferParameter, ModelInferRequest

ENDS = "triton_enable_empty_final_response"
"""The parameter that asks for a message without outputs at the end of a stream."""


def read_proto(body: bytes) -> InferRequest:
    """What the message says. Raises InvalidArgument naming the tensor at fault."""
    try:
        message = ModelInferRequest.FromString(body)
    except DecodeError:
        raise fault(
            "", "The message is no inference.ModelInferRequest", "message_invalid"
        ) from None
    unique((each.name for each in message.inputs), "inputs")
    unique((each.name for each in message.outputs), "outputs")
    for each in message.inputs:
        _check_parameters(each.name, each.parameters)
    for output in message.outputs:
        _check_parameters(output.name, output.parameters)
    return InferRequest(
        message.id,
        dict(_inputs(message)),
        tuple(each.name for each in message.outputs) or None,
        typed=any(each.HasField("contents") for each in message.inputs),
        ends=message.parameters[ENDS].bool_param if ENDS in message.parameters else False,
    )


def _inputs(message: ModelInferRequest) -> Iterator[tuple[str, Array]]:
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        count = len(message.inputs)
        raise fault("", f"There are {len(raw)} raw_input_contents for {count} inputs")
    for number, each in enumerate(message.inputs):
        if raw and each.HasField("contents"):
            both = "the elements are both in contents and in raw_input_contents"
            raise fault(each.name, both)
        yield each.name, _input(each, raw[number] if raw else None)


def _input(tensor: ModelInferRequest.InferInputTensor, raw: bytes | None) -> Array:
    try:
        datatype, shape = tensors.checked(tensor.datatype, tuple(tensor.shape))
        if raw is None:
            return tensors.from_contents(datatype, shape, tensor.contents)
        return tensors.from_raw(datatype, shape, raw)
    except ValueError as error:
        raise fault(tensor.name, str(error)) from None


def _check_parameters(name: str, parameters: Mapping[str, InferParameter]) -> None:
    if any(each.startswith("shared_memory") for each in parameters):
        raise fault(name, SHARED_MEMORY)
    if "classification" in parameters:
        raise fault(name, "classification is not supported")
