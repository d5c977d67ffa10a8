"""Values by dotted names, put together to the nested value that they mean."""

from typing import Any

from mesh.errors import Violation
from mesh.io.violations import invalid_input

_ABSENT: Any = object()


class Tree:
    """The value of one field: one that was given whole, and parts of it that were named.

    A part goes into the whole if that has its place: by key into an object, by number into a list
    (or at its end). Without a whole, parts named 0, 1, 2 … are a list and others an object.
    """

    __slots__ = ("_parts", "_values")

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._parts: dict[str, Tree] = {}

    def __repr__(self) -> str:
        return f"<Tree {len(self._values)} values, parts {list(self._parts)}>"

    @property
    def values(self) -> list[Any]:
        """What was given whole, in order."""
        return self._values

    @property
    def has_parts(self) -> bool:
        """Whether a part was named."""
        return bool(self._parts)

    def at(self, steps: list[str]) -> "Tree":
        """The tree of a part; made if it is not there."""
        tree = self
        for step in steps:
            tree = tree._parts.setdefault(step, Tree())
        return tree

    def value(self, *path: str | int) -> Any:
        """The whole with its parts; several values of a name make a list.

        Raises InvalidArgument if parts were named of what has none, or is a list without them.
        """
        whole: Any = _ABSENT
        if self._values:
            whole = self._values[0] if len(self._values) == 1 else list(self._values)
        return self.joined(whole, *path) if self._parts else whole

    def joined(self, whole: Any, *path: str | int) -> Any:
        """As `value`, with this for the whole."""
        if whole is _ABSENT or whole is None:
            whole = [] if self._is_list() else {}
        steps = sorted(self._parts, key=_number) if isinstance(whole, list) else list(self._parts)
        for step in steps:
            part = self._parts[step]
            if isinstance(whole, dict):
                old = whole.get(step, _ABSENT)
                whole[step] = part.within(old, *path, step)
            elif isinstance(whole, list) and 0 <= (number := _number(step)) <= len(whole):
                if number == len(whole):
                    whole.append(_ABSENT)
                whole[number] = part.within(whole[number], *path, number)
            else:
                fault = Violation((*path, step), "name_invalid", "There is no place of this name")
                raise invalid_input((fault,))
        return whole

    def within(self, old: Any, *path: str | int) -> Any:
        """As `value`, where a whole that these parts may go into is in what is around it."""
        if self._values or not self._parts:
            return self.value(*path)
        return self.joined(old, *path)

    def _is_list(self) -> bool:
        return sorted(map(_number, self._parts)) == list(range(len(self._parts)))


def _number(step: str) -> int:
    return int(step) if step.isdecimal() and step.isascii() and len(step) < 5 else -1
