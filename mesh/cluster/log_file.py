"""What a replica's process wrote: one file, read in pieces from anywhere."""

import codecs
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from mesh.cluster.contract import LogChunk


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a process writes: a file on the node `node_id`, from the byte `since` on.

    `path` is empty if it writes to no file.
    """

    node_id: str
    path: str = ""
    since: int = 0


def one_log(node_id: str) -> LogPlace:
    """Has this process write to one file what it prints and what it logs, in order.

    For workers of Ray, which have a file for each of the two, and lines of Ray's own at their
    beginning. The file is open here even where Ray rotates it and puts a pipe in between.
    """
    sys.stdout.flush()
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a process that is killed flushes nothing
    path = next(filter(_is_own_log, _open_files()), "")
    return LogPlace(node_id, path, Path(path).stat().st_size if path else 0)


def _open_files() -> list[str]:
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(fd.readlink()))
        except OSError:  # the one of this listing
            continue
    return found


def _is_own_log(path: str) -> bool:
    return path.endswith(f"-{os.getpid()}.err")


def read_log(place: LogPlace, after: int, limit: int) -> LogChunk:
    """At most `limit` bytes of a log on this machine, as of `contract.Cluster.logs`.

    Raises OSError if the file is not here.
    """
    with Path(place.path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = _start(after, limit, size, place.since)
        file.seek(start)
        data = file.read(limit)
    # The end of a log begins with a whole line, unless a line is all there is.
    skipped = data.find(b"\n") + 1 if after < 0 and start > place.since else 0
    return _whole(data[skipped:], start + skipped, full=len(data) == limit)


def _start(after: int, limit: int, size: int, since: int) -> int:
    """The first byte to read. A file that is shorter than what was read is a new one."""
    if after < 0:
        return max(since, size - limit)
    return max(since, after) if after <= size else 0


def _whole(data: bytes, start: int, *, full: bool) -> LogChunk:
    """Text that ends with a whole character, and with a whole line if there may be more."""
    if full and (end := data.rfind(b"\n") + 1):
        data = data[:end]
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    held = len(decoder.getstate()[0])
    if held and full and not text:  # a limit below one character: give what there is
        return LogChunk(decoder.decode(b"", final=True), start + len(data))
    return LogChunk(text, start + len(data) - held)
