"""Two services: one turns a PNG into a tensor, the other says which digit is on it."""

import base64
import os
from io import BytesIO
from pathlib import Path
from typing import Annotated

import joblib
import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, BeforeValidator, Field

import mesh
from mesh import DType, InvalidArgument, Shape

MODEL = "DIGITS_MODEL"
"""Environment variable with the model's file; a relative path is relative to this folder."""
GREY_PER_LEVEL = 15
"""Brightness of a PNG per level of ink: the data set has 16 levels above white paper's 0."""
_SAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAQklEQVR4nCXG0RSAQBAAwHkJrEEGR5LBGmRwJBmc"
    "QQYZrMEZXAZ9NF8DfTYQc+zgWQHaKtgQx583sk4YK3OCq+7uA+pcD5w3y1QPAAAAAElFTkSuQmCC"
)


def _from_base64(value: object) -> object:
    # JSON has no bytes, so HTTP sends text. Bytes, as gRPC and other services send them, pass.
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Png = Annotated[bytes, BeforeValidator(_from_base64), Field(examples=[_SAMPLE])]
"""A picture in PNG: bytes over gRPC, base64 text in JSON."""
Pixels = Annotated[np.ndarray, Shape((1, 64)), DType("float32")]
"""Levels of ink, 0 to 16, of 8 rows with 8 pixels each."""


class Reading(BaseModel):
    """What is on a picture, and the name of the model that says so."""

    digit: int
    model: str


@mesh.service
class Preprocess:
    """Pictures of any size, as the models want them."""

    @mesh.api
    def pixels(self, image: Png) -> Pixels:
        """The picture in shades of grey, 8 by 8 pixels."""
        try:
            with Image.open(BytesIO(image), formats=["PNG"]) as picture:
                grey = picture.convert("L")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            # The error's own text names an object in memory.
            raise InvalidArgument("image: not a PNG that can be read") from error
        if grey.size != (8, 8):
            grey = grey.resize((8, 8))
        return np.asarray(grey, np.float32).reshape(1, 64) / GREY_PER_LEVEL


@mesh.service
class DigitClassifier:
    """Says which handwritten digit a picture shows."""

    preprocess = mesh.depends(Preprocess)

    def __init__(self) -> None:
        path = Path(__file__).parent / os.environ.get(MODEL, "models/v1.joblib")
        self.name = path.stem
        self.model = joblib.load(path)

    @mesh.api
    async def classify(self, image: Png) -> Reading:
        """The digit on a PNG: `{"image": "<base64>"}` over HTTP, bytes over gRPC."""
        pixels = await self.preprocess.to_async.pixels(image)
        # A fraction of a millisecond: not worth a thread.
        return Reading(digit=int(self.model.predict(pixels)[0]), model=self.name)
