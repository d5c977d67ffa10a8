"""A service whose methods are models of every sort."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
import torch
from pydantic import BaseModel

import mesh
from mesh import DType, Shape

Rows = Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]
Half = Annotated[np.ndarray, DType("float16")]
Brain = Annotated[torch.Tensor, DType("bfloat16")]


class Text(TypedDict):
    text_output: str


@dataclass
class Statistics:
    mean: float
    rows: int
    sums: np.ndarray


class Pair(NamedTuple):
    half: Half
    label: str


class Answer(BaseModel):
    scores: Rows
    best: list[int]
    note: str | None = None


@mesh.service(traffic={"timeout": 20, "max_request_bytes": 2**20}, threads=4)
class Zoo:
    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.started = 0
        self.ended = 0

    @mesh.api
    def double(self, rows: Rows, factor: float = 2.0) -> np.ndarray:
        return (rows * np.float32(factor)).astype(np.float32)

    @mesh.api
    async def echo(self, x: np.ndarray) -> np.ndarray:
        return x

    @mesh.api
    async def half(self, x: Half) -> Pair:
        return Pair(x * 2, "half")

    @mesh.api
    async def brain(self, x: Brain) -> Brain:
        return x * 2

    @mesh.api
    async def add(self, a: int, b: int = 1) -> int:
        return a + b

    @mesh.api
    async def describe(self, rows: Rows) -> Statistics:
        return Statistics(float(rows.mean()), len(rows), rows.sum(axis=0))

    @mesh.api
    async def judge(self, rows: Rows, mode: Literal["min", "max"] = "max") -> Answer:
        best = rows.argmax(axis=1) if mode == "max" else rows.argmin(axis=1)
        return Answer(scores=rows, best=best.tolist())

    @mesh.api
    async def generate(self, text_input: str, times: int = 1) -> Text:
        return {"text_output": text_input * times}

    @mesh.api
    async def tokens(self, text_input: str, fail_after: int = -1) -> AsyncIterator[Text]:
        for number, word in enumerate(text_input.split()):
            if number == fail_after:
                raise mesh.FailedPrecondition("no more words")
            yield {"text_output": word}

    @mesh.api
    def countdown(self, n: int) -> Iterator[int]:
        yield from range(n, 0, -1)

    @mesh.api
    async def shout(self, words: list[str]) -> list[str]:
        return [word.upper() for word in words]

    @mesh.api
    async def size(self, data: bytes) -> int:
        return len(data)

    @mesh.api
    async def blob(self, size: int) -> bytes:
        return b"\xff" * size

    @mesh.api
    async def named(self, x: float) -> dict[str, np.ndarray]:
        return {"plus": np.array([x]), "minus": np.array([-x])}

    @mesh.api
    async def root(self, x: float, /) -> float:
        return x + 1

    @mesh.api
    async def version(self, context: mesh.Context) -> str:
        return context.version

    @mesh.api
    async def wait(self, x: int) -> int:
        self.started += 1
        try:
            await self.go_on.wait()
        finally:
            self.ended += 1
        return x

    @mesh.api
    async def crash(self, x: int) -> int:
        raise ValueError("the secret text")

    @mesh.api
    async def refuse(self, x: int) -> int:
        raise mesh.FailedPrecondition("not before noon")

    # No models

    @mesh.api
    async def anything(self, value: Any) -> Any:
        return value

    @mesh.api
    async def total(self, items: AsyncIterator[int]) -> int:
        return sum([item async for item in items])

    @mesh.api
    async def nested(self, answer: Answer) -> int:
        return len(answer.best)

    @mesh.api(route="/v2/models/own")
    async def own(self, a: int) -> int:
        return a
