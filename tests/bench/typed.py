"""What typed bodies cost: large arrays, frames and files, against BentoML where it has the type."""

import http.client
import io
import json
import os
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa

from mesh.call import JSON
from mesh.definition.spec import service_spec
from tests.bench.load import InvalidRunError
from tests.bench.measures import Figure, Say
from tests.bench.servers import HOST, Server, free_ports, mesh, running
from tests.bench.typed_services import Small

NPY, ARROW = "application/x-npy", "application/vnd.apache.arrow.stream"
SIDE, ROWS, COLUMNS = 1000, 100_000, 10
UPLOAD = 200 * 10**6
"""Bytes of the uploaded file."""
CALLS = 3
"""Calls in a round, of which the fastest counts: what is measured is work, not waiting."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Seconds of each measure in each round, by its name; bytes of memory of each upload."""

    seconds: list[Mapping[str, float]]
    uploads: list[float]
    codec: list[float]


@contextmanager
def bentoml() -> Iterator[Server]:
    """`bentoml serve` with the reference service."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as home:
        env = os.environ | {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}
        command = [
            *(sys.executable, "-m", "bentoml", "serve", "tests.bench.typed_bentoml:Typed"),
            *("--port", str(port), "--host", HOST),
        ]
        with running(command, port, _is_ready, env) as server:
            yield server


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def typed_rounds(rounds: int, say: Say) -> Typed:
    """Measures `rounds` times, the mesh and BentoML in turn."""
    bodies = _bodies()
    target = ["tests.bench.typed_services:Typed"]
    uploads = []
    for at in range(1, rounds + 1):
        say(f"upload {at} of 200 MB")
        # To one that has done nothing else: memory once taken is taken again.
        with mesh(target, _is_ready) as fresh:
            uploads.append(upload_bytes(fresh.server))
    say("starting the mesh and BentoML")
    with mesh(target, _is_ready) as ours, bentoml() as theirs:
        seconds = [
            _round(ours.server, theirs, bodies, lambda step, at=at: say(f"round {at}: {step}"))
            for at in range(1, rounds + 1)
        ]
    return Typed(seconds, uploads, [codec_seconds() for _ in range(rounds)])


@dataclass(frozen=True, slots=True)
class _Bodies:
    array_json: bytes
    array_npy: bytes
    frame_json: bytes
    frame_arrow: bytes


def _bodies() -> _Bodies:
    rng = np.random.default_rng(0)
    array = rng.random((SIDE, SIDE), np.float32)
    npy = io.BytesIO()
    np.save(npy, array)
    frame = pd.DataFrame({f"c{at}": rng.random(ROWS) for at in range(COLUMNS)})
    table = pa.Table.from_pandas(frame)
    arrow = io.BytesIO()
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    return _Bodies(
        json.dumps({"x": array.tolist()}).encode(),
        npy.getvalue(),
        json.dumps({"x": frame.to_dict("records")}).encode(),
        arrow.getvalue(),
    )


def _round(ours: Server, theirs: Server, bodies: _Bodies, say: Say) -> dict[str, float]:
    array, frame = "array 1000 x 1000", "frame 100 000 x 10"
    calls: dict[str, Callable[[], bytes]] = {
        f"{array}, JSON, BentoML": _caller(theirs, "/named_array", bodies.array_json, JSON),
        f"{array}, JSON, mesh": _caller(ours, "/named_array", bodies.array_json, JSON),
        f"{array}, npy, mesh": _caller(ours, "/array", bodies.array_npy, NPY),
        f"{frame}, JSON, BentoML": _caller(theirs, "/named_frame", bodies.frame_json, JSON),
        f"{frame}, JSON, mesh": _caller(ours, "/named_frame", bodies.frame_json, JSON),
        f"{frame}, Arrow, mesh": _caller(ours, "/frame", bodies.frame_arrow, ARROW),
    }
    seconds = {}
    for name, call in calls.items():
        say(name)
        seconds[name] = min(timeit.repeat(call, number=1, repeat=CALLS))
    return seconds


def _caller(server: Server, path: str, body: bytes, media_type: str) -> Callable[[], bytes]:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=120)

    def call() -> bytes:
        connection.request("POST", path, body, {"content-type": media_type, "accept": media_type})
        reply = connection.getresponse()
        data = reply.read()
        if reply.status != 200:
            raise InvalidRunError(f"{path} answers {reply.status}: {data[:200]!r}")
        return data

    return call


def upload_bytes(server: Server) -> float:
    """Bytes by which all processes of the mesh grow at most while a file is uploaded."""
    before = {process: _peak(process, reset=True) for process in server.family()}
    head = (
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="f.bin"\r\n'
        b"content-type: application/octet-stream\r\n\r\n"
    )
    tail = b"\r\n--b--\r\n"
    connection = http.client.HTTPConnection(HOST, server.port, timeout=120)
    fields = {
        "content-type": "multipart/form-data; boundary=b",
        "content-length": str(len(head) + UPLOAD + len(tail)),
    }
    piece = bytes(10**6)
    parts = [head, *[piece] * (UPLOAD // len(piece)), tail]
    connection.request("POST", "/size", iter(parts), fields)
    reply = connection.getresponse()
    answer = reply.read()
    if answer != b"%d" % UPLOAD:
        raise InvalidRunError(f"the upload is answered {reply.status}: {answer[:200]!r}")
    grown = [_peak(process) - size for process, size in before.items()]
    return float(sum(size for size in grown if size > 0))


def _peak(process: psutil.Process, *, reset: bool = False) -> int:
    """The most memory that a process had since the last reset, in bytes; 0 if it is gone."""
    try:
        if reset:
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # proc(5)
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def codec_seconds() -> float:
    """Seconds to read and to write one small call, without a network."""
    method = service_spec(Small).methods["small"]
    body = b'{"a": 3, "b": 0.5, "x": [[0.1, 0.2, 0.3, 0.4]]}'
    result = np.ones((1, 4), np.float32)
    encoder = method.reply_encoder(JSON, "*/*")

    def once() -> None:
        method.decode_arguments(JSON, body)
        encoder.encode(result)

    number = 2000
    return min(timeit.repeat(once, number=number, repeat=5)) / number


def typed_figures(found: Typed) -> list[Figure]:
    """The figures of these rounds."""
    array, frame = "array 1000 x 1000", "frame 100 000 x 10"

    def ratio(one: str, other: str) -> list[float]:
        return [each[one] / each[other] for each in found.seconds]

    return [
        Figure(
            "array as JSON: BentoML's time ÷ mesh's",
            ratio(f"{array}, JSON, BentoML", f"{array}, JSON, mesh"),
            4.0,
            is_least=True,
        ),
        Figure(
            "array: BentoML's JSON ÷ mesh's npy",
            ratio(f"{array}, JSON, BentoML", f"{array}, npy, mesh"),
            20.0,
            is_least=True,
        ),
        Figure(
            "frame: BentoML's JSON ÷ mesh's Arrow",
            ratio(f"{frame}, JSON, BentoML", f"{frame}, Arrow, mesh"),
            20.0,
            is_least=True,
        ),
        Figure(
            "upload of 200 MB: memory at its peak",
            [size / 2**20 for size in found.uploads],
            64.0,
            is_least=False,
            unit="MiB",
        ),
        Figure(
            "a small call: decode and encode",
            [each * 1e6 for each in found.codec],
            40.0,
            is_least=False,
            unit="µs",
        ),
    ]


def typed_json(found: Typed) -> dict[str, object]:
    """The rounds in plain values; times in seconds, memory in bytes."""
    return {
        "seconds": [dict(each) for each in found.seconds],
        "upload_bytes": found.uploads,
        "codec_seconds": found.codec,
    }
