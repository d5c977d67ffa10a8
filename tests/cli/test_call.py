"""`mesh call` and `mesh describe`, run as a user runs them, against a real mesh."""

import json
import os
import pty
import re
import signal
import subprocess
import termios
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mesh.testing import LocalMesh
from tests.cli.conftest import COMMAND, ROOT, Start
from tests.e2e.clients import eventually

PATIENCE = 60.0
"""Seconds in which a command ends on a busy machine."""
both = pytest.mark.parametrize("protocol", ["--http", "--grpc"])


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def run(start: Start, *arguments: str, stdin: bytes = b"") -> Done:
    process = start(*arguments)
    out, err = process.communicate(stdin, PATIENCE)
    assert b"Traceback" not in err, err.decode()
    return Done(process.returncode, out.decode(), err.decode())


@both
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["text", "x=grüße"], "grüße"),
        (["types.whole", "x=5"], 5),
        (["types.Types.numbers", "x=1", "x=2"], [1, 2]),
        (["array", "x=[[1,2],[3,4]]"], [[1, 2], [3, 4]]),
        (["nested", "x.sub.a=1"], {"sub": {"a": 1, "b": "x"}, "many": []}),
        (["frame", 'x=[{"a": 1, "b": "q"}]'], [{"a": 1, "b": "q"}]),
        (["tensor", "x=[[1,2,3,4]]"], [[2, 4, 6, 8]]),
        (["root_text", "hi"], "hi"),
        (["nothing"], None),
        (["unions.number_or_text", "v=hi"], "str hi"),
        (["unions.number_or_text", "v=5"], "int 5"),
        (["unions.part_or_number", "v.name=n"], "Part"),
        (["unions.one_or_many", "v=a", "v=b"], 2),
    ],
)
def test_a_result_is_json_where_no_terminal_is(
    start: Start, protocol: str, arguments: list[str], expected: object
) -> None:
    done = run(start, "call", *arguments, protocol)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == expected


@both
def test_files_and_arrays_go_in_and_come_out(start: Start, protocol: str, tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), "red").save(tmp_path / "photo.png")
    np.save(tmp_path / "x.npy", np.ones((2, 2), np.float32))
    done = run(start, "call", "image", "x=@photo.png", "scale=2", protocol)
    assert json.loads(done.out) == "image.png"
    with Image.open(tmp_path / "image.png") as image:
        assert image.size == (6, 4)
    done = run(start, "call", "array", "x=@x.npy", "--out", "y.npy", protocol)
    assert np.load(tmp_path / "y.npy").dtype == np.float32
    assert done.err.startswith("y.npy")
    piped = run(start, "call", "file", "x=@-", "note=n", protocol, stdin=b"piped")
    assert json.loads(piped.out) == "piped||n"


@both
def test_a_file_is_kept_under_its_name_and_overwrites_none(
    start: Start, protocol: str, tmp_path: Path
) -> None:
    names = [json.loads(run(start, "call", "speech", f"text={n}", protocol).out) for n in (1, 2)]
    assert names == ["output.mp3", "output-1.mp3"]
    assert [(tmp_path / name).read_text() for name in names] == ["1", "2"]
    assert run(start, "call", "speech", "text=raw", "--out", "-", protocol).out == "raw"
    done = run(start, "call", "several", "n=2", "--out", "inner/", protocol)
    assert json.loads(done.out) == ["inner/0.txt", "inner/1.txt"]


@both
def test_items_are_printed_as_they_arrive(start: Start, protocol: str) -> None:
    process = start("call", "talk.forever", "word=hi", protocol)
    assert process.stdout is not None
    assert process.stdout.readline() == b'"hi"\n'  # and the call goes on
    assert process.poll() is None


def test_lines_of_stdin_are_sent_as_they_come(start: Start) -> None:
    process = start("call", "talk.double", "numbers=@-", "times=10", "--grpc")
    assert process.stdin is not None
    assert process.stdout is not None
    for number in (1, 2):
        process.stdin.write(b"%d\n" % number)
        process.stdin.flush()
        assert process.stdout.readline() == b"%d\n" % (10 * number)
    process.stdin.close()
    assert process.wait(PATIENCE) == 0


def test_a_stream_is_sent_by_repeating_its_name_and_as_bytes(start: Start) -> None:
    assert run(start, "call", "talk.total", "numbers=1", "numbers=2", "--grpc").out == "3\n"
    content = bytes(300_000)
    done = run(start, "call", "talk.size", "chunks=@-", "--grpc", stdin=content)
    assert done.out == "300000\n"


@both
@pytest.mark.parametrize("method", ["waits", "forever"])
def test_an_interrupt_cancels_the_call_and_exits_with_130(
    served: LocalMesh, start: Start, protocol: str, method: str
) -> None:
    arguments = ["word=hi"] if method == "forever" else []
    process = start("call", f"talk.{method}", *arguments, protocol)
    if method == "forever":  # it is in the middle of its stream, and not of its first item
        assert process.stdout is not None
        assert process.stdout.readline() == b'"hi"\n'
    eventually(lambda: in_flight(served, method) == 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, b"")
    eventually(lambda: in_flight(served, method) == 0)


def test_an_interrupt_ends_a_call_that_waits_for_stdin(start: Start) -> None:
    process = start("call", "talk.double", "numbers=@-", "--grpc")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"1\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"2\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130


@both
def test_a_failed_call_is_told_with_its_code_and_exits_with_1(start: Start, protocol: str) -> None:
    done = run(start, "call", "fails", "kind=missing", protocol)
    assert (done.code, done.out, done.err) == (1, "", "error: NOT_FOUND: no such thing\n")
    done = run(start, "call", "nix.text", "x=a", protocol)
    assert (done.code, done.err) == (1, "error: NOT_FOUND: there is no endpoint 'nix'\n")
    done = run(start, "call", "talk.waits", "--timeout", "0.5", protocol)
    assert done.code == 1
    assert done.err.startswith("error: DEADLINE_EXCEEDED: ")


@both
def test_each_field_that_is_wrong_has_a_line(start: Start, protocol: str) -> None:
    wrong = ["prompt=123456", "temperature=1", "tokens=50"]
    done = run(start, "call", "bounded", *wrong, protocol)
    assert done.code == 1
    assert done.err.splitlines() == [
        "error: INVALID_ARGUMENT: 2 validation error for Input",
        "  prompt: String should have at most 5 characters",
        "  tokens: Input should be a multiple of 100",
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["whole", "x=abc"], b"", "x: expected int, not 'abc'\nwhole(x: int) -> int"),
        (["whole"], b"", "whole() lacks 'x'\nwhole(x: int) -> int"),
        (["talk.Types.total"], b"", "talk serves Talk: calls enter there, not at Types"),
        (["talk.total", "numbers=1"], b"",
         "total() takes a stream, which goes over gRPC: add --grpc"),
        (["talk.total", "numbers=@-", "--grpc"], b"1\nx\n",
         "numbers: line 2: expected int, not 'x'"),
        (["text", "x=a", "--header", "x"], b"", "--header 'x': give name=value"),
        *(
            (["text", "x=a", "--header", given, protocol], b"", message)
            for protocol in ("--http", "--grpc")
            for given, message in (
                ("bad name=1", "--header 'bad name': a name is letters, digits"),
                ("x-a=é", "--header 'x-a': a value is text of printable ASCII"),
                ("x-a-bin=?", "--header 'x-a-bin=?': the value of a name in -bin is base64"),
            )
        ),
        (['document', 'x={"title": "t", "scan": "none"}'], b"",
         "x: there is no file 'none'\ndocument("),
    ],
)  # fmt: skip
def test_what_is_typed_wrongly_is_told_and_exits_with_2(
    start: Start, arguments: list[str], stdin: bytes, message: str
) -> None:
    done = run(start, "call", *arguments, stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")


def test_where_nobody_answers_the_call_fails(start: Start) -> None:
    done = run(start, "call", "text", "x=a", "--url", "http://127.0.0.1:1")
    assert (done.code, done.err.partition(": ")[2].partition(":")[0]) == (1, "UNAVAILABLE")
    done = run(start, "call", "text", "x=a", "--url", "http://127.0.0.1:port")
    assert done.code == 1
    assert "give http://host:port" in done.err


def test_headers_and_versions_go_along(start: Start) -> None:
    done = run(start, "call", "status", "--header", "x-in=me")
    assert json.loads(done.out) == {"agent": "me"}
    for protocol in ("--http", "--grpc"):
        done = run(start, "call", "text", "x=a", "--header", "x-blob-bin=AAE", protocol)
        assert (done.code, done.out) == (0, '"a"\n'), done.err
    done = run(start, "call", "status", "--version", "v9")
    assert (done.code, "v9" in done.err) == (1, True)


def test_a_reader_that_goes_away_is_no_fault(start: Start) -> None:
    process = start("call", "count", "n=1000000")
    assert process.stdout is not None
    assert process.stdout.readline() == b"0\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.wait(PATIENCE)


def test_on_a_terminal_results_are_for_people(served: LocalMesh, tmp_path: Path) -> None:
    assert "float64  (2,)  min 1  max 2.5  mean 1.75" in on_terminal(
        served, tmp_path, "call", "array", "x=[1,2.5]"
    )
    assert on_terminal(served, tmp_path, "call", "letters", "word=abc") == "abc\r\n"
    assert on_terminal(served, tmp_path, "call", "text", "x=abc", "--json") == '"abc"\r\n'
    assert "output.mp3  2 bytes" in on_terminal(served, tmp_path, "call", "speech", "text=hi")


def test_all_endpoints_of_a_mesh_are_described(served: LocalMesh, start: Start) -> None:
    done = run(start, "describe", served.url)
    assert (done.code, done.err) == (0, "")
    assert "types (default)  Types  Every type in and out." in done.out
    assert "talk  Talk  Streams both ways." in done.out
    assert "main 100%, 1 replica" in done.out
    rows = [line.split("  ") for line in done.out.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["total", "client stream", "numbers: stream[int]", "int", "The sum of what comes."] in (
        cells
    )


def test_one_endpoint_is_described_by_its_own_address(served: LocalMesh, start: Start) -> None:
    for url in (f"{served.url}/e/talk", f"grpc://{served.target}/e/talk"):
        done = run(start, "describe", url, "--json")
        (only,) = json.loads(done.out)["services"]
        assert (only["name"], "endpoint" in only) == ("Talk", False)
        signatures = {each["name"]: each["signature"] for each in only["methods"]}
        assert signatures["double"] == (
            "double(numbers: stream[int], times: int = 2) -> stream[int]"
        )


def in_flight(served: LocalMesh, method: str) -> float:
    """Calls of the method that have not ended, as the gateway counts them."""
    pattern = rf'mesh_requests_in_flight{{[^}}]*method="{method}"[^}}]*}} (\S+)'
    return sum(map(float, re.findall(pattern, served.http.get("/metrics").text)))


def on_terminal(served: LocalMesh, folder: Path, *arguments: str) -> str:
    """What a command shows on a terminal of 80 columns without colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    env = {**os.environ, "MESH_URL": served.url, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env
    )
    os.close(theirs)
    shown = bytearray()
    with suppress(OSError):  # which a terminal raises that nobody has open any more
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert process.wait(PATIENCE) == 0, shown
    return shown.decode()
