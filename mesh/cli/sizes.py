"""Sizes in bytes, for people."""

import math

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def size_text(size: float) -> str:
    """Such as `512 B`, `1.5 KiB`, `2.0 GiB`."""
    if size < 1024:
        return f"{int(size)} B"
    place = min(int(math.log(size, 1024)), len(_UNITS))
    return f"{size / 1024**place:.1f} {_UNITS[place - 1]}"
