"""An edit of a service's code is another release."""

import importlib
import sys
from pathlib import Path

import pytest

from mesh.serving.fingerprint import fingerprint

ENTRY = """
from fp_package import helper
from fp_package.deep import VALUE

class Entry:
    pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fp_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "helper.py").write_text("from . import below\n")
    (folder / "below.py").write_text("import json\n")
    (folder / "deep.py").write_text("VALUE = 1\n")
    (folder / "stranger.py").write_text("")
    (folder / "entry.py").write_text(ENTRY)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("fp_package")]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    return folder


def taken(folder: Path) -> str:
    entry = importlib.import_module("fp_package.entry")
    return fingerprint([entry.Entry], [str(folder.parent)])


def test_an_edit_of_the_module_or_of_what_it_imports_changes_it(package: Path) -> None:
    first = taken(package)
    assert first
    seen = {first}
    for name in ("entry", "helper", "below", "deep"):
        file = package / f"{name}.py"
        file.write_text(f"{file.read_text()}# edited\n")
        seen.add(taken(package))
    assert len(seen) == 5


def test_what_has_nothing_to_do_with_it_changes_nothing(package: Path) -> None:
    first = taken(package)
    importlib.import_module("fp_package.stranger")
    (package / "stranger.py").write_text("# edited\n")
    assert taken(package) == first


def test_what_is_in_no_folder_has_none(package: Path) -> None:
    entry = importlib.import_module("fp_package.entry")
    assert fingerprint([entry.Entry], [str(package / "elsewhere")]) == ""
    assert fingerprint([pytest.Item], [str(Path(pytest.__file__).parent)]) == ""
