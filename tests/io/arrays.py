"""Arrays of every element type and shape, for tests that hold for all of them."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

dtypes = hnp.boolean_dtypes() | st.one_of(
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.complex_number_dtypes(sizes=(64, 128), endianness="?"),
)
shapes = hnp.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, shapes)) | hnp.arrays(
    st.sampled_from(["<U4", ">U4"]), shapes, elements=texts
)


def layouts(array: Any) -> list[Any]:
    """The same elements in other orders and places in memory."""
    wide = np.repeat(array[..., None], 2, axis=-1)
    frozen = array.copy()
    frozen.flags.writeable = False
    return [array, np.array(array, order="F"), wide[..., 1], frozen]
