"""Stores to test, and how tests wait for them."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from mesh.control.store.contract import Retention, Store
from mesh.control.store.database import reach
from mesh.control.store.location import AtServer, InFile, locate
from mesh.control.store.sealing import Seal
from mesh.control.store.sql import SqlStore

SEAL = Seal([b"0123456789abcdef0123456789abcdef"], "the tests")
RETENTION = Retention(of_each=5, in_all=20, deeds=10, used_for=3 * 3600.0)
"""Small, so that tests reach it."""

Opener = Callable[[], Store]
"""Opens the same store, as often as it is called."""


def opened(url: str, seal: Seal = SEAL, patience: float = 60) -> SqlStore:
    """A store in SQL that keeps few events."""
    location = locate(url)
    assert isinstance(location, InFile | AtServer)
    return SqlStore.open(reach(location, patience), seal, RETENTION)


def async_test(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, in a loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
