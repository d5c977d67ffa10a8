"""From a target to the class; every failure is one line that says what is wrong."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.definition.loader import load
from mesh.definition.spec import service_spec
from mesh.errors import ConfigError

GOOD = """
import mesh

@mesh.service
class Base:
    @mesh.api
    def method(self) -> int: ...

@mesh.service
class Entry:
    base = mesh.depends(Base)

    @mesh.api
    def method(self) -> int: ...

number = 3

class Outer:
    Inner = Base
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before, path = set(sys.modules), list(sys.path)
    importlib.invalidate_caches()
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(target: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(target, [str(folder)])
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_target_names_a_module_and_a_class_in_it(folder):
    (folder / "app.py").write_text(GOOD)
    entry = load("app:Entry", [str(folder)])
    assert service_spec(entry).name == "Entry"
    assert load("app:Outer.Inner") is load("app:Base")
    assert sys.path.count(str(folder)) == 1


def test_without_a_class_the_one_that_no_other_depends_on_is_meant(folder):
    (folder / "app.py").write_text(GOOD)
    assert load("app", [str(folder)]).__name__ == "Entry"


def test_modules_may_be_in_packages(folder):
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").touch()
    (folder / "pkg" / "app.py").write_text(GOOD)
    assert load("pkg.app:Entry", [str(folder)]).__module__ == "pkg.app"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nosuch:A", "cannot import 'nosuch': No module named 'nosuch'"),
        ("nosuch.deep:A", "cannot import 'nosuch.deep': No module named 'nosuch'"),
        ("app.deep:A", "cannot import 'app.deep': No module named 'app.deep'; 'app' is not a p"),
        ("app:Nothing", "module 'app' has no 'Nothing'"),
        ("app:number", "'number' in module 'app' is not a service: decorate with @mesh.service"),
        ("app:Outer", "'Outer' in module 'app' is not a service: decorate with @mesh.service"),
        ("app:", "'app:' is no target such as 'package.module:Service'"),
        (":A", "':A' is no target such as 'package.module:Service'"),
        ("", "'' is no target such as 'package.module:Service'"),
        ("..app:A", "cannot import '..app'"),
    ],
)
def test_what_cannot_be_found_is_named(folder, target, message):
    (folder / "app.py").write_text(GOOD)
    assert refused(target, folder).startswith(message)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nraise ValueError('broken\\nbadly')", "ValueError: broken badly ({file}:2)"),
        ("import nosuch_thing", "ModuleNotFoundError: No module named 'nosuch_thing' ({file}:1)"),
        ("def f(:\n  pass", "SyntaxError: invalid syntax ({file}:1)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 ({file}:2)"),
        ("raise RuntimeError", "RuntimeError: no message ({file}:1)"),
        (
            "import mesh\n@mesh.service\nclass A:\n  @mesh.api\n  def f(self, a, b, /): ...",
            (
                "DefinitionError: A.f: parameter 'a' is positional-only, so that the whole body is"
                " its value; there can be no input 'b' beside it ({file}:2)"
            ),
        ),
    ],
)
def test_what_goes_wrong_in_the_module_is_told_with_its_place(folder, source, message):
    file = folder / "broken.py"
    file.write_text(source)
    expected = f"cannot import 'broken': {message.format(file=file)}"
    assert refused("broken:A", folder) == expected


def test_a_module_without_a_service_has_none_to_take(folder):
    (folder / "empty.py").touch()
    assert refused("empty", folder).startswith("module 'empty' has no service")


def test_a_module_with_several_entries_lists_them(folder):
    (folder / "many.py").write_text(GOOD.replace("mesh.depends(Base)", "1"))
    assert refused("many", folder) == (
        "module 'many' has several services; name one: 'many:Base', 'many:Entry'"
    )
