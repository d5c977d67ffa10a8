"""The folder of a call: made when it is asked for, gone when the call's place is free."""

import asyncio
import gzip
import threading
from pathlib import Path
from typing import Any

import pytest

import mesh
from mesh.call import CallHead
from mesh.definition.spec import service_spec
from mesh.io.open_inference.media import JSON, Body
from mesh.io.types.file import File
from mesh.io.types.kind import Intake
from mesh.replica.admission import Admission, Place
from mesh.replica.bodies import Bodies, CallFiles
from tests.link.rig import Wire, run, until


@mesh.service
class Sums:
    @mesh.api
    async def add(self, a: int) -> int:
        return a


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


def test_a_compressed_body_is_read_in_a_thread_however_small_it_is() -> None:
    spec = service_spec(Sums).methods["add"]
    document = b'{"inputs": [{"name": "a", "datatype": "INT64", "shape": [1], "data": [7]}]}'
    go_on = threading.Event()

    async def read(bodies: Bodies, place: Place, encoding: str, data: bytes) -> Any:
        body = Body(JSON, "Sums.add", "main", encoding=encoding, limit=1000)
        wire = Wire()
        wire.caller.open(CallHead("add", str(body)), data)
        wire.settle()
        (call,) = wire.arrived.values()
        bound, _ = await bodies.arguments(spec, call, place, CallFiles(bodies, place))
        return bound.kwargs

    async def main() -> None:
        bodies = Bodies(threads=1)
        place = Admission().admit()
        assert place is not None
        busy = asyncio.wrap_future(bodies.threads.start(place, go_on.wait))
        compressed = asyncio.ensure_future(read(bodies, place, "gzip", gzip.compress(document)))
        for _ in range(10):  # in which whatever needs no thread is done
            await asyncio.sleep(0)
        plain = await read(bodies, place, "", document)
        took_no_thread = compressed.done()
        go_on.set()
        assert not took_no_thread
        assert await compressed == plain == {"a": 7}
        await busy
        place.release()
        bodies.close()

    run(main())


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
