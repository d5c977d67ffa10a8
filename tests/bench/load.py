"""Load generators: how wrk and h2load are run, and what they say in one form."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("wrk", "h2load")
INSTALL = "apt-get install wrk nghttp2-client (Debian, Ubuntu)"
GRACE = 60.0
"""Seconds that a run may take beyond those it was asked for."""
WARM_UP = 1.0
"""Seconds of load before the one that counts."""
CONNECTIONS = 4
"""HTTP/2 connections at most; calls in flight are divided among them."""
GRPC_HEADER = 5
"""Bytes before each message of gRPC: compressed or not, and the length."""


class InvalidRunError(Exception):
    """The load met errors, so its figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load: requests per second, and percentiles in seconds."""

    rate: float
    p50: float
    p99: float


def missing_tools() -> list[str]:
    """The load generators that are not installed."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def run_wrk(url: str, body: str, in_flight: int, seconds: float) -> Load:
    """Posts JSON over HTTP/1.1, one request at a time on each of `in_flight` connections.

    Raises InvalidRunError unless every reply is a success.
    """
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        script = Path(folder, "post.lua")
        script.write_text(lua(body))
        for length in (WARM_UP, seconds):
            output = _run(
                [
                    *("wrk", "--latency", "--threads", "1", "--connections", str(in_flight)),
                    *("--duration", f"{length:.0f}s", "--timeout", "10s"),
                    *("--script", str(script), url),
                ],
                length,
            )
            load = parse_wrk(output)
        return load


def lua(body: str) -> str:
    """The script that makes wrk post `body` as JSON."""
    return (
        'wrk.method = "POST"\n'
        f"wrk.body = [==[{body}]==]\n"
        'wrk.headers["Content-Type"] = "application/json"\n'
    )


def run_h2load(
    url: str,
    message: bytes,
    reply_size: int,
    in_flight: int,
    seconds: float,
    *,
    options: Sequence[str] = (),
) -> Load:
    """Calls a gRPC method with one message, with `in_flight` calls at once.

    A failed call of gRPC is a success of HTTP to h2load, with a status in trailers that it does
    not read; but it has no message. So the bytes of all messages are counted: each must be of
    `reply_size` bytes. For that the number of calls must be known: the warm-up tells.

    Raises InvalidRunError unless every call is a success.
    """
    connections = min(CONNECTIONS, in_flight)
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(framed(message))
        command = [
            *("h2load", "--threads", "1", "--clients", str(connections)),
            *("--max-concurrent-streams", str(in_flight // connections)),
            *options,
            *("--header", "content-type: application/grpc", "--header", "te: trailers"),
            *("--data", str(body)),
        ]
        warm_up = _run([*command, "--duration", f"{WARM_UP:g}", url], WARM_UP)
        number = max(in_flight, round(rate_of(warm_up) * seconds))
        counted = [*command, "--requests", str(number), "--log-file", str(log), url]
        output = _run(counted, seconds)
        return parse_h2load(output, log.read_text(), number, reply_size + GRPC_HEADER)


def framed(message: bytes) -> bytes:
    """An uncompressed message as gRPC sends it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _run(command: Sequence[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + GRACE, check=False
        )
    except subprocess.TimeoutExpired:
        raise InvalidRunError(f"{command[0]} did not end in time") from None
    if done.returncode:
        raise InvalidRunError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m|h)", text)
    if match is None:
        raise InvalidRunError(f"no time: {text!r}")
    return float(match[1]) * _UNITS[match[2]]


def _find(pattern: str, output: str) -> re.Match[str]:
    match = re.search(pattern, output, re.MULTILINE)
    if match is None:
        raise InvalidRunError(f"the load generator says nothing of {pattern!r}:\n{output}")
    return match


def parse_wrk(output: str) -> Load:
    """The figures in what wrk prints. Raises InvalidRunError if it met errors."""
    for pattern in (r"Non-2xx or 3xx responses: \d+", r"Socket errors: .*"):
        if match := re.search(pattern, output):
            raise InvalidRunError(f"wrk: {match[0]}")
    if not int(_find(r"(\d+) requests in ", output)[1]):
        raise InvalidRunError("wrk: no request was answered")
    return Load(
        rate=float(_find(r"Requests/sec:\s+([\d.]+)", output)[1]),
        p50=_seconds(_find(r"^\s+50%\s+(\S+)", output)[1]),
        p99=_seconds(_find(r"^\s+99%\s+(\S+)", output)[1]),
    )


def rate_of(output: str) -> float:
    """Requests per second in what h2load prints. Raises InvalidRunError if a request failed.

    Requests that it broke off because its time was over have not failed.
    """
    counts = _find(r"requests: (\d+) total, .* (\d+) failed, (\d+) errored, (\d+) timeout", output)
    statuses = _find(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    total, good = int(counts[1]), int(statuses[1])
    if not (total and good) or any(map(int, counts.groups()[1:] + statuses.groups()[1:])):
        raise InvalidRunError(f"h2load: {counts[0]}; {statuses[0]}")
    return float(_find(r"finished in \S+, ([\d.]+) req/s", output)[1])


def parse_h2load(output: str, log: str, number: int, reply_size: int) -> Load:
    """The figures of `number` calls, in what h2load prints and in its log of every request.

    `reply_size` is how many bytes of data each reply has. Raises InvalidRunError unless every
    call is a success.
    """
    rate = rate_of(output)
    for pattern in (r"(\d+) succeeded", r"(\d+) 2xx"):
        if int((found := _find(pattern, output))[1]) != number:
            raise InvalidRunError(f"h2load: {found[0]} of {number} requests")
    data = int(_find(r"traffic: .* \((\d+)\) data", output)[1])
    if data != number * reply_size:
        raise InvalidRunError(
            f"h2load: {number} calls were answered with {data} bytes of messages, not "
            f"{number * reply_size}: calls failed"
        )
    times = sorted(_durations(log.splitlines()))
    if len(times) != number:
        raise InvalidRunError(f"h2load: {len(times)} of {number} calls were answered")
    return Load(rate, times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)])


def _durations(lines: Iterable[str]) -> Iterable[float]:
    """Seconds of each request in h2load's log: its start, its status, its microseconds."""
    for line in lines:
        _, status, duration = line.split("\t")
        if status != "200":
            raise InvalidRunError(f"h2load: a request ended with status {status}")
        yield int(duration) / 1e6
