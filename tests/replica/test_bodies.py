"""The folder of a call: made when it is asked for, gone when the call's place is free."""

import pytest

from mesh.replica.admission import Admission
from mesh.replica.bodies import Bodies, CallFiles


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
