"""Numbers that are the upper half of a float32: torch and tensorflow have them, NumPy doesn't."""

from typing import Any, Self

import numpy as np

from mesh.io.types.elements import Array


class Bfloat16(np.ndarray[Any, np.dtype[np.float32]]):
    """A float32 array that came from a bfloat16 tensor, or is to leave as one.

    NumPy computes with it as with any float32 array, and what is computed leaves as float32
    unless each number still is one of bfloat16.
    """

    @classmethod
    def of_bits(cls, bits: Array) -> Self:
        """From the two bytes of each element, as uint16. Copies."""
        upper = bits.astype(np.uint32)
        return np.left_shift(upper, 16, out=upper).view(np.float32).view(cls)

    def bits(self) -> Array | None:
        """The two bytes of each element, as uint16; None if an element needs more than two."""
        if self.dtype != np.float32:  # what NumPy computed may be of any type
            return None
        whole = np.asarray(self, dtype=np.float32, order="C").view(np.uint32)
        if np.bitwise_and(whole, 0xFFFF).any():
            return None
        upper: Array = np.right_shift(whole, 16).astype(np.uint16)
        return upper
