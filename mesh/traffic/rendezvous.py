"""Weighted rendezvous hashing: equal keys go to the same member, and weights say how many do."""

import math
from hashlib import blake2b


def score(text: str, weight: float) -> float:
    """How strongly a key belongs to a member; the member with the highest score has it.

    `text` names both, and whatever else shall tell this choice apart from others. A score depends
    on nothing but its own member, so a change of one weight moves keys only to or from that
    member, and as many as the shares say.
    """
    # A header that is not valid UTF-8 reaches us with surrogates; it is a key like any other.
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 52 bits and a half: exact as a float, and never 0 or 1.
    uniform = ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52
    return -weight / math.log(uniform)
