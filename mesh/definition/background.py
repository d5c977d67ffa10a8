"""Work that a method leaves to be done when its reply is sent."""

from collections.abc import Callable
from functools import partial
from typing import Any


class Background:
    """Tasks of one call, in the order in which they are to run."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: list[partial[Any]] = []

    def __repr__(self) -> str:
        return f"<Background {len(self._tasks)} tasks>"

    def __len__(self) -> int:
        return len(self._tasks)

    def add_task(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Has `func` called with these arguments when the reply is sent.

        Tasks run one after the other: async functions on the event loop, others in a thread. They
        may use the call's `temp_dir`, which stays until they are done, and hold the call's place
        among those that its replica takes. The log tells of one that fails; the next runs all the
        same. If the method itself fails, none runs.
        """
        self._tasks.append(partial(func, *args, **kwargs))

    def take(self) -> list[partial[Any]]:
        """The tasks, which are none of this object's any more."""
        tasks, self._tasks = self._tasks, []
        return tasks
