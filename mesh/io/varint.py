"""Whole numbers as protobuf writes them; a module of its own, for those who need no more."""

_ONE_BYTE = tuple(bytes((number,)) for number in range(128))


def varint(number: int) -> bytes:
    """A number from 0 below 2**64 as base-128 digits, the lowest first."""
    if number < 128:
        return _ONE_BYTE[number]
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    digits.append(number)
    return bytes(digits)
