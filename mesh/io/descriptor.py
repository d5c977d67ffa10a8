"""The base of users' models whose fields may be of any type that the mesh knows."""

from pydantic import BaseModel, ConfigDict


class IODescriptor(BaseModel):
    """A pydantic model that also takes arrays, tensors, frames, images and files as fields."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
