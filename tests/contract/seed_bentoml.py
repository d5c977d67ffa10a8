"""The examples of BentoML's document on input and output types, as its users write them.

Each method is one example, named after it. Nothing here knows of the mesh.
"""

# ruff: noqa: A002, B008, N813, PTH123, UP006, UP035, UP045 - written as its readers write

from pathlib import Path
from typing import Annotated, Any, Dict, Generator, List, Optional

import bentoml
import numpy as np
import pandas as pd
import tensorflow as tf
import torch
from annotated_types import Ge, Gt, Lt, MaxLen, MultipleOf
from bentoml.validators import ContentType, DataframeSchema, DType, Shape
from PIL import Image as im
from PIL.Image import Image
from pydantic import BaseModel, Field


class AdsGenerationParams(BaseModel):
    prompt: str = Field(description="The prompt text")
    industry: str = Field(description="The industry the company belongs to")
    target_audience: str = Field(description="Target audience for the advertisement")
    temperature: float = Field(default=0.0, description="A sampling temperature between 0 and 2")


class MyInputParams(bentoml.IODescriptor):
    data: np.ndarray[tuple[int], np.dtype[np.float16]]


class ImageMetadata(BaseModel):
    description: str = Field(description="Description of the image")
    timestamp: str = Field(description="Timestamp of when the image was captured")


@bentoml.service
class Seed:
    """Every example, and every row of the tables."""

    @bentoml.api
    def standard_types(
        self,
        prompt: str = Field(description="The prompt text"),
        temperature: float = Field(
            default=0.0, description="A sampling temperature between 0 and 2"
        ),
        max_tokens: int = Field(default=1000, description="max tokens to use"),
    ) -> Generator[str, None, None]:
        yield prompt
        yield f" {temperature} {max_tokens}"

    @bentoml.api
    def example_input(
        self,
        input: np.ndarray = Field(examples=[[0.1, 0.4, 0.2, 1.0]]),
    ) -> np.ndarray:
        return input * 2

    @bentoml.api
    def nullable_input(
        self,
        prompt: int = Field(description="The prompt text"),
        temperature: Optional[float] = Field(
            default=None, description="A sampling temperature between 0 and 2"
        ),
        max_tokens: Optional[float] = Field(default=None, description="max tokens to use"),
    ) -> Generator[str, None, None]:
        yield f"{prompt} {temperature} {max_tokens}"

    @bentoml.api
    def pydantic_model(self, params: AdsGenerationParams) -> str:
        return f"{params.prompt} {params.industry} {params.target_audience} {params.temperature}"

    @bentoml.api(input_spec=AdsGenerationParams)
    def model_at_the_top(self, **params: Any) -> str:
        prompt = params["prompt"]
        industry = params["industry"]
        target_audience = params["target_audience"]
        temperature = params["temperature"]
        return f"{prompt} {industry} {target_audience} {temperature}"

    @bentoml.api
    def io_descriptor(self, params: MyInputParams) -> str:
        return f"{params.data.dtype} {params.data.tolist()}"

    @bentoml.api
    def file_to_text(self, audio: Path) -> str:
        return f"{audio.suffix} {audio.read_text()}"

    @bentoml.api
    def mp3_to_text(self, audio: Annotated[Path, ContentType("audio/mp3")]) -> str:
        return audio.read_text()

    @bentoml.api
    def text_to_file(self, text: str, context: bentoml.Context) -> Path:
        with open(Path(context.temp_dir) / "output.mp3", "wb") as f:
            f.write(text.encode())
        return Path(context.temp_dir) / "output.mp3"

    @bentoml.api
    def append_string_to_eof(
        self,
        context: bentoml.Context,
        txt_file: Annotated[Path, ContentType("text/plain")],
        input_string: str,
    ) -> Annotated[Path, ContentType("text/plain")]:
        with open(txt_file, "a") as file:
            file.write(input_string)
        return txt_file

    @bentoml.api
    def pdf_first_page_as_image(
        self, pdf: Annotated[Path, ContentType("application/pdf")]
    ) -> Image:
        with open(pdf, "rb") as file:
            pages = [im.new("RGB", (4, len(file.read())))]
        return pages[0].resize(pages[0].size, im.Resampling.LANCZOS)

    @bentoml.api
    def speed_up_audio(
        self,
        context: bentoml.Context,
        audio: Annotated[Path, ContentType("audio/mpeg")],
        velocity: float,
    ) -> Annotated[Path, ContentType("audio/mp3")]:
        output_path = Path(context.temp_dir) / "output.mp3"
        output_path.write_bytes(audio.read_bytes()[:: int(velocity)])
        return output_path

    @bentoml.api
    def data_as_bytes(self, text: str) -> Annotated[bytes, ContentType("audio/mpeg")]:
        return text.encode()

    @bentoml.api
    def tensor_of_shape_and_dtype(
        self,
        input: Annotated[torch.Tensor, Shape((1, 4)), DType("float32")] = Field(
            description="A 1x4 tensor with float32 dtype"
        ),
    ) -> np.ndarray:
        assert input.dtype == torch.float32
        return (input * 2).numpy()

    @bentoml.api
    def frame_of_records(
        self,
        input: Annotated[
            pd.DataFrame,
            DataframeSchema(orient="records", columns=["petal_length", "petal_width"]),
        ],
    ) -> int:
        return int((input["petal_length"] * input["petal_width"]).sum())

    @bentoml.api
    def frame_of_columns(
        self, input: Annotated[pd.DataFrame, DataframeSchema(orient="columns")]
    ) -> Annotated[pd.DataFrame, DataframeSchema(orient="columns")]:
        return input * 2

    @bentoml.api
    def image_resize(self, image: Image, height: int = 64, width: int = 64) -> Image:
        size = height, width
        return image.resize(size, im.Resampling.LANCZOS)

    @bentoml.api
    def image_file(self, input: Annotated[Path, ContentType("image/jpeg")]) -> int:
        with im.open(input) as image:
            return image.width

    @bentoml.api
    def image_and_json(self, image: Image, metadata: ImageMetadata) -> dict:
        return {"size": image.size, **metadata.model_dump()}

    @bentoml.api
    def list_of_images(self, images: List[Image]) -> Image:
        return im.new("RGB", (sum(image.width for image in images), len(images)))

    @bentoml.api
    def list_of_files(self, files: List[Path]) -> List[Dict]:
        return [{"suffix": file.suffix, "text": file.read_text()} for file in files]

    @bentoml.api
    def validate_data(
        self,
        prompt: Annotated[str, MaxLen(1000)],
        temperature: Annotated[float, Ge(0), Lt(2)],
        max_tokens: Annotated[int, Gt(0), MultipleOf(100)],
    ) -> int:
        return max_tokens

    @bentoml.api
    def json_input(self, input1: str, input2: int) -> str:
        return f"{input1} {input2}"

    @bentoml.api
    def torch_input(self, input1: torch.Tensor) -> torch.Tensor:
        return input1 + 1

    @bentoml.api
    def numpy_input(self, input1: np.ndarray) -> np.ndarray:
        return input1 + 1

    @bentoml.api
    def tensorflow_input(self, input1: tf.Tensor) -> tf.Tensor:
        return input1 + 1

    @bentoml.api
    def tabular_input(self, input1: pd.DataFrame) -> pd.DataFrame:
        return input1 + 1

    @bentoml.api
    def image_input(self, input1: str, input2: Image) -> str:
        return f"{input1} {input2.format} {input2.size}"

    @bentoml.api
    def path_input(self, input1: str, input2: Path) -> str:
        return f"{input1} {input2.read_bytes()[:4]!r}"

    @bentoml.api
    def str_output(self) -> str:
        return "text"

    @bentoml.api
    def bytes_output(self) -> bytes:
        return b"bytes"

    @bentoml.api
    def int_output(self) -> int:
        return 3

    @bentoml.api
    def float_output(self) -> float:
        return 1.1

    @bentoml.api
    def dict_output(self) -> dict:
        return {}

    @bentoml.api
    def list_output(self) -> list:
        return []

    @bentoml.api
    def image_output(self) -> Image:
        return im.new("RGB", (3, 2))

    @bentoml.api
    def path_output(self, context: bentoml.Context) -> Path:
        path = Path(context.temp_dir, "page.html")
        path.write_text("<p>")
        return path

    @bentoml.api
    def custom_file_output(
        self, context: bentoml.Context
    ) -> Annotated[Path, ContentType("custom-type/x")]:
        path = Path(context.temp_dir, "result")
        path.write_text("custom")
        return path
