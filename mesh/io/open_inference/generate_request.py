"""A generate request: inputs by name, as JSON has them."""

from mesh.io.open_inference.interface import Interface
from mesh.io.open_inference.json_request import identity, parsed
from mesh.io.open_inference.request import InferRequest, fault

_ID, _PARAMETERS = "id", "parameters"


def read_generate(body: bytes, model: Interface) -> InferRequest:
    """What the request says: inputs are at the top or in `parameters`, where others are ignored.

    Raises InvalidArgument.
    """
    said = parsed(body or b"{}")
    number = identity(said) if _ID not in model.inputs else ""
    inputs = {name: value for name, value in said.items() if name in model.inputs}
    own = {_ID, _PARAMETERS, *inputs}
    others = [name for name in said if name not in own]
    if others:
        raise fault(others[0], f"there is no such input; there is {', '.join(model.inputs)}")
    if _PARAMETERS not in model.inputs:
        parameters = said.get(_PARAMETERS, {})
        if not isinstance(parameters, dict):
            raise fault(_PARAMETERS, "parameters is no JSON object")
        for name, value in parameters.items():
            if name in model.inputs:
                inputs.setdefault(name, value)
    return InferRequest(number, inputs)
