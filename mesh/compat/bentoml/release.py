"""A bento in its folder: what BentoML has to know of it before and after its code is loaded."""

import sys
from pathlib import Path
from typing import Any

from bentoml import Service

# What `bentoml.load` does with a folder, step by step; no public function does it without serving
# errors of its own.
from bentoml._internal.bento import Bento
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.utils.args import set_arguments


class Opened:
    """A bento whose arguments and names of models hold in this process."""

    def __init__(self, folder: Path) -> None:
        self._bento: Any = Bento.from_path(str(folder))
        info = self._bento.info
        set_arguments(info.args)
        aliases = {model.alias: str(model.tag) for model in info.all_models if model.alias}
        BentoMLContainer.model_aliases.set(aliases)

    def loaded(self, target: str) -> None:
        """Gives the services of the entry, which is imported now, the versions of the bento."""
        module, _, name = target.partition(":")
        found: Any = sys.modules.get(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part, None)
        if isinstance(found, Service):
            found.on_load_bento(self._bento)
