"""The base of users' models whose fields may be of any type that the mesh knows."""

from pydantic import BaseModel, ConfigDict


class IODescriptor(BaseModel):
    """A pydantic model that also takes arrays, tensors, frames, images and files as fields.

        class Sample(mesh.IODescriptor):
            label: str
            pixels: Annotated[np.ndarray, Shape((28, 28)), DType("uint8")]
            scan: Path

    Fields are read and written as parameters and results of the same type are.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
