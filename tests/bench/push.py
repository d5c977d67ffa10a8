"""Pushes of a large release: how fast, and what they take of the control plane's memory."""

import io
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import httpx

from tests.bench.measures import Figure, Say
from tests.faces.cloud.asked import TOKEN_HEADER
from tests.faces.cloud.rig import TOKEN, rigged

SIZE = 2**30
"""Bytes of the release."""
PART = 100 * 2**20
THREADS = 10
"""As the official client sends parts."""
MOST_MIB = 64.0
"""What a push may take of the control plane's memory, in MiB."""
VERSIONS = "/api/v1/bento_repositories/tiny/bentos"
DOCUMENT = "service: service:Tiny\nname: tiny\nversion: {}\n"


@dataclass(frozen=True, slots=True)
class Pushed:
    """One push: seconds from its start to the last reply, and bytes of memory that it took."""

    seconds: float
    memory: int

    @property
    def rate(self) -> float:
        """MB in a second."""
        return SIZE / 1e6 / self.seconds


@dataclass(frozen=True, slots=True)
class Pushes:
    """A round: through the API, in parts, and back."""

    proxy: Pushed
    parts: Pushed
    pull: Pushed


def push_rounds(rounds: int, say: Say) -> list[Pushes]:
    """Measures each way so often."""
    return [_round(number, rounds, say) for number in range(1, rounds + 1)]


def _round(number: int, rounds: int, say: Say) -> Pushes:
    found: dict[str, Pushed] = {}
    with tempfile.TemporaryDirectory() as name:
        for version, push in (("proxy", _proxy), ("parts", _in_parts)):
            say(f"round {number} of {rounds}: a push of {SIZE // 2**20} MiB, {version}")
            archive = _archive(Path(name, "archive.tar"), version)
            with _plane() as (client, pid):
                found[version] = _measured(pid, partial(push, client, version, archive))
                if version == "proxy":
                    found["pull"] = _measured(pid, partial(_pull, client, version))
    return Pushes(**found)


def _archive(path: Path, version: str) -> Path:
    text = DOCUMENT.format(version).encode()
    info = tarfile.TarInfo("./bento.yaml")
    info.size = len(text)
    large = tarfile.TarInfo("./weights.bin")
    large.size = SIZE
    with path.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w:") as tar:
            tar.addfile(info, io.BytesIO(text))
        file.seek(1024)  # what was written at the end is the end no more
        file.write(large.tobuf() + bytes(512))
        file.truncate(1024 + 512 + SIZE + 10240)
    return path


@contextmanager
def _plane() -> Iterator[tuple[httpx.Client, int]]:
    """A control plane in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        headers = {TOKEN_HEADER: TOKEN}
        try:
            with httpx.Client(base_url=url, headers=headers, timeout=600, trust_env=False) as made:
                _registered(made)
                yield made, process.pid
        finally:
            process.communicate("\n")


def _registered(client: httpx.Client) -> None:
    client.post("/api/v1/bento_repositories", json={"name": "tiny"}).raise_for_status()
    for version in ("proxy", "parts"):
        client.post(VERSIONS, json={"version": version}).raise_for_status()


def _proxy(client: httpx.Client, version: str, archive: Path) -> None:
    client.patch(f"{VERSIONS}/{version}/start_upload").raise_for_status()
    with archive.open("rb") as file:
        client.put(f"{VERSIONS}/{version}/upload", content=file).raise_for_status()


def _in_parts(client: httpx.Client, version: str, archive: Path) -> None:
    path = f"{VERSIONS}/{version}"
    client.patch(f"{path}/start_upload").raise_for_status()
    upload = client.patch(f"{path}/start_multipart_upload").json()["upload_id"]

    def send(number: int) -> dict[str, object]:
        wanted = {"upload_id": upload, "part_number": number}
        shown = client.patch(f"{path}/presign_multipart_upload_url", json=wanted).json()
        pieces = _pieces(archive, (number - 1) * PART)
        reply = httpx.put(shown["presigned_upload_url"], content=pieces, timeout=600)
        reply.raise_for_status()
        return {"part_number": number, "etag": reply.headers["etag"]}

    with ThreadPoolExecutor(THREADS) as pool:
        count = -(-archive.stat().st_size // PART)
        parts = list(pool.map(send, range(1, count + 1)))
    body = {"upload_id": upload, "parts": parts}
    client.patch(f"{path}/complete_multipart_upload", json=body).raise_for_status()
    client.patch(f"{path}/finish_upload", json={"status": "success"}).raise_for_status()


def _pieces(archive: Path, start: int) -> Iterator[bytes]:
    with archive.open("rb") as file:
        file.seek(start)
        left = PART
        while left and (piece := file.read(min(2**16, left))):
            left -= len(piece)
            yield piece


def _pull(client: httpx.Client, version: str) -> None:
    with client.stream("GET", f"{VERSIONS}/{version}/download") as reply:
        reply.raise_for_status()
        assert sum(map(len, reply.iter_raw())) > SIZE


def _measured(pid: int, work: Callable[[], None]) -> Pushed:
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is that of now
    before = _kilobytes(pid, "VmHWM")
    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    return Pushed(seconds, max(0, _kilobytes(pid, "VmHWM") - before) * 1024)


def _kilobytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def push_figures(found: list[Pushes]) -> list[Figure]:
    """The figures to reach."""
    figures = []
    for way in ("proxy", "parts", "pull"):
        of_it: list[Pushed] = [getattr(each, way) for each in found]
        rate = sum(each.rate for each in of_it) / len(of_it)
        title = f"{SIZE // 2**20} MiB {way}, {rate:.0f} MB/s: memory of the control plane"
        memory = [each.memory / 2**20 for each in of_it]
        figures.append(Figure(title, memory, MOST_MIB, is_least=False, unit="MiB"))
    return figures


def push_json(found: list[Pushes]) -> list[Mapping[str, object]]:
    """Everything in plain values: seconds and bytes."""
    return [asdict(each) for each in found]


def main() -> None:
    """A control plane, until something is read."""
    with rigged() as rig:
        print(rig.url, flush=True)  # that is how it is told
        sys.stdin.readline()


if __name__ == "__main__":
    main()
