"""`depends`: one service says that it calls another."""

from collections.abc import Mapping
from typing import Any

from mesh.definition.local import LocalHandle
from mesh.errors import DefinitionError


class Dependency:
    """The class attribute that `depends` makes. `on` is the class of the other service.

    Read on an instance it gives the handle that `bind` put there; on an instance that nothing
    was bound to, a handle of a local instance of `on`, made when it is first read.
    """

    def __init__(self, on: type) -> None:
        self.on = on
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        # Being no data descriptor, it is asked only until the instance holds a handle.
        return vars(instance).setdefault(self._name, LocalHandle(self.on()))

    def __repr__(self) -> str:
        return f"depends({self.on.__qualname__})"


def depends(on: type) -> Any:
    """Declares, as a class attribute, that a service calls the service class `on`.

    On an instance the attribute is a handle with the methods of `on`:
    `await self.features.to_async.extract(image)`, `self.features.to_sync.extract(image)`, and
    `self.features.extract(image)`, which is awaitable if the method is async. Raises
    DefinitionError if `on` is no class.
    """
    if not isinstance(on, type):
        raise DefinitionError(f"depends({on!r}): expected a service class")
    return Dependency(on)


def bind(instance: object, handles: Mapping[str, Any]) -> None:
    """Gives an instance its handles, by the names of the attributes.

    An instance made by `__new__` may be bound before its `__init__` runs, which then may use them.
    """
    vars(instance).update(handles)
