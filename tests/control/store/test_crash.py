"""What a store acknowledged outlives its process, and nothing is half there."""

import asyncio
import itertools
import multiprocessing
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from mesh.control.store.contract import Store
from tests.control.store import crashing
from tests.control.store.stores import opened


async def reached(
    url: str, look: Callable[[Store], Coroutine[Any, Any, int]] = crashing.reached
) -> int:
    store = opened(url)
    try:
        return await look(store)
    finally:
        await store.close()


def exit_code(work: Callable[[str, int], None], url: str, step: int) -> int | None:
    """How a process of its own ends that does `work`."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([crashing.__name__])
    process = processes.Process(target=work, args=(url, step))
    process.start()
    process.join()
    return process.exitcode


def test_a_process_killed_at_any_step_of_opening_leaves_a_store_that_opens(
    sql_url: str,
) -> None:
    for step in itertools.count(1):
        if (code := exit_code(crashing.open_one, sql_url, step)) == 0:
            break
        assert code == -signal.SIGKILL
    assert step > 10
    assert asyncio.run(reached(sql_url)) == 0
    assert exit_code(crashing.commit_one, sql_url, 0) == 0
    assert asyncio.run(reached(sql_url)) == 1


def test_a_process_killed_at_any_step_of_a_change_leaves_all_or_nothing_of_it(
    sql_url: str,
) -> None:
    for step in itertools.count(1):
        before = asyncio.run(reached(sql_url))
        code = exit_code(crashing.commit_one, sql_url, step)
        after = asyncio.run(reached(sql_url))
        if code == 0:
            assert after == before + 1
            break
        assert code == -signal.SIGKILL
        assert after == before, "it was killed before it could commit"
    assert step > 8


def test_a_process_killed_at_any_step_of_a_write_leaves_all_or_none_of_its_entries(
    sql_url: str,
) -> None:
    assert exit_code(crashing.write_one, sql_url, 0) == 0
    for step in itertools.count(1):
        before = asyncio.run(reached(sql_url, crashing.written))
        code = exit_code(crashing.write_one, sql_url, step)
        after = asyncio.run(reached(sql_url, crashing.written))
        if code == 0:
            assert after == before + 1
            break
        assert code == -signal.SIGKILL
        assert after == before, "it was killed before it could commit"
    assert step > 8


def test_what_was_acknowledged_outlives_a_process_killed_at_a_random_moment(
    sql_url: str,
) -> None:
    last, rng = 0, random.Random()
    for _ in range(6):
        command = [sys.executable, "-m", crashing.__name__, sql_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for _ in range(rng.randrange(1, 20)):
                last = int(process.stdout.readline())
            for _ in range(rng.randrange(20_000)):
                pass  # somewhere in the changes that follow
            process.kill()
            # A line that was cut off is no acknowledgement.
            rest = [line for line in process.stdout.read().splitlines(True) if line[-1] == "\n"]
        last = int(rest[-1]) if rest else last
        found = asyncio.run(reached(sql_url))
        assert found in (last, last + 1)
        last = found
    assert last >= 6
