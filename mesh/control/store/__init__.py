"""Where the controller keeps what it must not forget."""

from mesh.control.store.whole import MemoryStore, State, Store

__all__ = ["MemoryStore", "State", "Store"]
