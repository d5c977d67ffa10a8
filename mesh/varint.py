"""Whole numbers as protobuf writes them; a module of its own, for those who need no more.

https://protobuf.dev/programming-guides/encoding/#varints
"""

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


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number that begins there, and where what follows it begins.

    Raises IndexError if it is cut off, ValueError if it is longer than any number.
    """
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
