"""The homes of replicas."""

from pathlib import Path

import pytest

from mesh.nodes.home import make_home, remove_home, sweep_homes


def test_a_home_has_models_and_files_for_its_owner_only(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("w")
    home = make_home(
        tmp_path / "homes", "one", {"tiny:1": model, "tiny:2": model}, {"etc/ca.pem": b"text"}
    )
    assert (home.path / "models" / "tiny" / "1" / "weights").read_text() == "w"
    assert (home.path / "models" / "tiny" / "2").is_symlink()
    file = home.path / "etc" / "ca.pem"
    assert file.read_bytes() == b"text"
    assert file.stat().st_mode & 0o777 == 0o400
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert home.path.stat().st_mode & 0o777 == 0o700
    remove_home(home)
    assert (model / "weights").exists()
    assert not list((tmp_path / "homes").iterdir())


def test_homes_without_a_process_are_removed_and_others_stay(tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    dead = make_home(homes, "dead", {}, {"key": b"x"})
    alive = make_home(homes, "alive", {}, {})
    dead.close()  # as the end of its process does
    sweep_homes(homes)
    assert {path.name for path in homes.iterdir()} == {"alive", "alive.lock"}
    remove_home(alive)


def test_a_home_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        make_home(tmp_path, "one", {}, {"a": b"x", "a/b": b"x"})
    assert not list(tmp_path.iterdir())
