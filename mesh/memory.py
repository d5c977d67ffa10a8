"""The garbage collector and the allocator of a process that serves calls."""

import ctypes
import gc

THRESHOLDS = (20_000, 20, 50)
"""Objects made before the youngest generation is looked through, and so on for the older ones."""

KEPT = 64 * 2**20
"""Bytes of freed memory that a process keeps for what comes next."""
MAPPED = 32 * 2**20
"""Bytes from which memory is the system's again as soon as it is freed."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)


def settle() -> None:
    """To be called once all that lives long is loaded.

    Calls leave no cycles behind, so looking for them often finds nothing: with Python's defaults
    it took an eighth of a gateway's time under load. What is loaded by now is never looked at.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    _keep_freed()


def _keep_freed() -> None:
    """Lets the C library keep memory that a large body needed and the next one will need.

    Else it goes back at once, and the system clears every page of it anew: two thirds of a
    replica's time went there when arrays of 4 MB came one after another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # which C libraries other than glibc do without
        mallopt(_M_MMAP_THRESHOLD, MAPPED)
        mallopt(_M_TRIM_THRESHOLD, KEPT)
