"""One round trip of a link between two processes: `python -m tests.bench.link SECONDS`.

Prints the median in seconds, with one call at a time, over what links use within a machine.
"""

import asyncio
import subprocess
import sys
import time

import uvloop

from mesh.call import CALL as CALL_TYPE, CallHead, ReplyHead
from mesh.clock import monotonic
from mesh.link.call import ReplicaCall
from mesh.link.ends import CallerLink, ReplicaEnd
from mesh.link.reach import Listener, connect
from tests.bench.payload import CALL

HOST = "127.0.0.1"
LIMIT = 60.0
"""Seconds until a call's deadline: calls of a graph have one too."""


async def serve() -> None:
    """Answers every call with its own request, until killed; prints the address."""
    running: set[asyncio.Task[None]] = set()

    async def echo(call: ReplicaCall) -> None:
        body = await call.message()
        call.start_reply(ReplyHead(CALL_TYPE), body or b"", message_end=True, end=True)

    def take(call: ReplicaCall) -> None:
        task = asyncio.ensure_future(echo(call))
        running.add(task)
        task.add_done_callback(running.discard)

    server = Listener(ReplicaEnd(monotonic, take).serve)
    print(await server.start(HOST), flush=True)
    await asyncio.Event().wait()


async def measure(address: str, seconds: float) -> float:
    """The median round trip in seconds."""
    link = CallerLink(await connect(address), monotonic)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        head = CallHead("double", CALL_TYPE, CALL_TYPE, monotonic() + LIMIT, request_id="0" * 16)
        call = link.open(head, CALL)
        await call.reply()
        if await call.message() != CALL:
            raise RuntimeError("the link lost a message")
        times.append(time.perf_counter() - start)
    await link.close()
    times.sort()
    return times[len(times) // 2]


def main(seconds: float) -> None:
    """Starts the other process and measures."""
    command = [sys.executable, "-m", "tests.bench.link"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            print(uvloop.run(measure(server.stdout.readline().strip(), seconds)))
        finally:
            server.kill()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(float(sys.argv[1]))
    else:
        uvloop.run(serve())
