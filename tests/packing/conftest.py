"""A folder with a service in it, and a shelf."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.packing.shelf import Shelf

SERVICE = '''
import mesh

@mesh.service(traffic={"timeout": 10}, resources={"cpu": "200m"})
class Inner:
    @mesh.api
    def up(self, text: str) -> str:
        return text.upper()

@mesh.service(name="Greeter", envs={"A": "1"})
class Greeter:
    """Greets."""

    inner = mesh.depends(Inner)

    @mesh.api
    def greet(self, name: str) -> str:
        return "hi " + self.inner.up(name)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """With the module `packed_service`, which is forgotten afterwards."""
    made = tmp_path / "code"
    made.mkdir()
    (made / "packed_service.py").write_text(SERVICE)
    before, path = set(sys.modules), list(sys.path)
    yield made
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("packed_"):
            del sys.modules[name]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "home")
