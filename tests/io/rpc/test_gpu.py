"""Tensors of a GPU in a typed service; on a machine without one nothing of this can be tried."""

from typing import Annotated, Any

import numpy as np
import pytest

import mesh
from mesh import DType
from mesh.io.value import from_tensor
from tests.io.rpc.rig import Rig

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

Halves = Annotated[torch.Tensor, DType("float16")]


@mesh.service
class OnGpu:
    @mesh.api
    def double(self, x: Annotated[torch.Tensor, DType("float32")]) -> torch.Tensor:
        return x.cuda() * 2

    @mesh.api
    def half(self, x: Annotated[torch.Tensor, DType("float32")]) -> Halves:
        return x.cuda().half()

    @mesh.api
    def brain(self, x: Annotated[torch.Tensor, DType("float32")]) -> torch.Tensor:
        return x.cuda().bfloat16()

    @mesh.api
    def parts(self, x: Annotated[torch.Tensor, DType("float32")]) -> list[torch.Tensor]:
        return list(x.cuda().T.unbind())


ON_GPU = Rig(OnGpu)


@pytest.mark.parametrize("rows", [2, 100_000])
def test_a_result_on_a_gpu_comes_back_as_its_elements(rows: int) -> None:
    array = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    tensor = {"data_type": "DATA_TYPE_FLOAT32", "shape": [rows, 4]}
    request: Any = ON_GPU.message("DoubleRequest", x=tensor)
    request.x.data = array.tobytes()
    reply: Any = ON_GPU.raw_call("double", request.SerializeToString())
    np.testing.assert_array_equal(from_tensor(reply.result), array * 2)


def test_smaller_elements_and_views_come_back_too() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    request: Any = ON_GPU.message("HalfRequest", x={"data_type": "DATA_TYPE_FLOAT32"})
    request.x.shape.extend(array.shape)
    request.x.data = array.tobytes()
    body = request.SerializeToString()
    half: Any = ON_GPU.raw_call("half", body)
    assert from_tensor(half.result).dtype == np.float16
    brain: Any = ON_GPU.raw_call("brain", body)
    np.testing.assert_array_equal(np.asarray(from_tensor(brain.result), np.float32), array)
    parts: Any = ON_GPU.raw_call("parts", body)
    assert [from_tensor(each).tolist() for each in parts.result] == array.T.tolist()
