"""What turns the results of one method into replies of one form."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.io.replies.body import ReplyBody

Encode = Callable[[Any], bytes]
MakeBody = Callable[[Any], ReplyBody]


@dataclass(frozen=True, slots=True)
class Style:
    """Where replies may look otherwise than a native service's.

    `spaced`: JSON of what is no model has a space behind each comma and colon, as `json.dumps`
    writes it. `framed`: a caller who accepts events or lines of JSON gets the items of a stream
    framed so; without, they go out bare whatever it accepts. `charset`: a text file is sent as
    UTF-8, whatever it is.
    """

    spaced: bool = False
    framed: bool = True
    charset: bool = False


NATIVE = Style()


def never(_: Any) -> bool:
    """No value varies."""
    return False


def always(_: Any) -> bool:
    """Every value varies."""
    return True


@dataclass(frozen=True, slots=True)
class ReplyEncoder:
    """Turns results of one method, or items of its stream, into messages of `media_type`.

    `stream` says whether the reply is a stream of them. `encode` raises Internal for a value that
    does not fit the method's return annotation; where it `blocks` it may read files. Of a value
    that `varies` only `body` knows media type and size; it may block, and raises as `encode` does.
    `failure` makes the item that tells what went wrong midway, where the form has one, and `last`
    the item behind all others.
    """

    media_type: str
    stream: bool
    encode: Encode
    blocks: bool = False
    varies: Callable[[Any], bool] = never
    body: MakeBody | None = None
    failure: Callable[[str], bytes] | None = None
    last: Callable[[], bytes] | None = None
