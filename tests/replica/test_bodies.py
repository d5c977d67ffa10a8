"""The folder of a call: made when it is asked for, gone when the call's place is free."""

import asyncio
import threading
from pathlib import Path

import pytest

from mesh.io.types.file import File
from mesh.io.types.kind import Intake
from mesh.replica.admission import Admission
from mesh.replica.bodies import Bodies, CallFiles
from tests.link.rig import run, until


def test_a_folder_lasts_until_the_last_holder_of_the_place_is_gone() -> None:
    bodies = Bodies()
    place = Admission().admit()
    assert place is not None
    files = CallFiles(bodies, place)
    path = files.folder.path
    place.hold()
    place.release()
    assert path.is_dir()
    bodies.close()
    place.release()
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        _ = files.folder.path


def test_nobody_makes_the_folder_of_a_call_that_is_over() -> None:
    bodies = Bodies()
    place = Admission().admit()
    assert place is not None
    files = CallFiles(bodies, place)
    place.release()
    with pytest.raises(FileNotFoundError):
        _ = files.folder.path
    with pytest.raises(FileNotFoundError):
        _ = files.intake.folder.path
    bodies.close()


def test_a_folder_is_removed_in_a_thread_while_the_replica_runs() -> None:
    bodies = Bodies()
    place = Admission().admit()
    assert place is not None
    files = CallFiles(bodies, place)
    (files.folder.path / "a").write_bytes(b"x")
    path = files.folder.path
    place.release()
    bodies.close()
    bodies._removal.shutdown(wait=True)
    assert not path.exists()


def test_the_folder_outlives_work_that_nobody_waits_for_any_more() -> None:
    began, go_on = threading.Event(), threading.Event()
    kept: list[Path] = []

    def work(intake: Intake) -> None:
        began.set()
        go_on.wait()
        kept.append(intake.keep(File(b"late")))

    async def main() -> None:
        bodies = Bodies()
        place = Admission().admit()
        assert place is not None
        files = CallFiles(bodies, place)
        waiting = asyncio.ensure_future(files.run(work))
        await asyncio.to_thread(began.wait)
        waiting.cancel()
        place.release()  # the call is over
        assert not place.is_free
        go_on.set()
        await until(lambda: place.is_free)
        assert kept
        await until(lambda: not kept[0].parent.exists())
        with pytest.raises(FileNotFoundError):
            await files.run(lambda intake: intake.keep(File(b"too late")))
        bodies.close()

    run(main())
