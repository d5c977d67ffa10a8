"""Two services: one turns a picture into a tensor, the other says which digit is on it."""

import os
from pathlib import Path
from typing import Annotated

import joblib
import numpy as np
from PIL.Image import Image
from pydantic import BaseModel

import mesh
from mesh import ContentType, DType, Shape

MODEL = "DIGITS_MODEL"
"""Environment variable with the model's file; a relative path is relative to this folder."""
GREY_PER_LEVEL = 15
"""Brightness of a PNG per level of ink: the data set has 16 levels above white paper's 0."""
Picture = Annotated[bytes, ContentType("image/*")]
"""A picture's file, which goes on to `Preprocess` as it came."""
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
    def pixels(self, image: Image) -> Pixels:
        """The picture in shades of grey, 8 by 8 pixels."""
        grey = image.convert("L").resize((8, 8))
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
    async def classify(self, image: Picture) -> Reading:
        """The digit on a picture."""
        pixels = await self.preprocess.to_async.pixels(image)
        # A fraction of a millisecond: not worth a thread.
        return Reading(digit=int(self.model.predict(pixels)[0]), model=self.name)
