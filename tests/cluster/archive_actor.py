"""An actor that has archives, in place of the controller's."""

from pathlib import Path
from typing import Any

from mesh.cluster.answers import answer
from tests.nodes.bentos import Archives


class ArchiveActor:
    """Has archives, as the controller's actor has."""

    def __init__(self, folder: str) -> None:
        self._archives = Archives(Path(folder))

    def blob(self, digest: str, offset: int, limit: int) -> Any:
        return answer(lambda: self._archives.fetch(digest, offset, limit))
