"""The token that a client of the control plane shows."""


def bearer(value: bytes) -> bytes:
    """The token in the value of an `authorization` field; empty if there is none."""
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""
