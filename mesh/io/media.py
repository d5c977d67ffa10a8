"""Media types of bodies: which one a body has, and which one a caller wants back."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mesh.call import CALL, JSON
from mesh.errors import UnsupportedMediaType

TEXT = "text/plain; charset=utf-8"
"""Media type of a reply that is a bare string or bytes."""
EVENTS = "text/event-stream; charset=utf-8"
"""Media type of a streamed reply: bare items, or framed as events for who asks for events."""
NDJSON = "application/x-ndjson"
"""Media type of a streamed reply with one line of JSON for each item."""
NPY = "application/x-npy"
"""Media type of one array in NumPy's own file format."""
ARROW = "application/vnd.apache.arrow.stream"
"""Media type of one frame or series as an Arrow IPC stream."""
MIXED = "multipart/mixed"
FORM = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"


def essence(media_type: str) -> str:
    """The type and subtype without parameters, in lower case."""
    return media_type.partition(";")[0].strip().lower()


def is_call(media_type: str) -> bool:
    """Whether a body is a mesh.v1 message.

    Raises UnsupportedMediaType for pickles, which are never read.
    """
    if media_type == JSON:
        return False
    if media_type == CALL:
        return True
    bare = essence(media_type)
    if "pickle" in bare:
        raise UnsupportedMediaType(f"{bare} is not accepted: it can carry code")
    return bare == CALL


class _Range(NamedTuple):
    """One element of an Accept header, with its weight from 0 (never) to 1."""

    name: str
    weight: float


def preferred(accept: str, offers: Mapping[str, Iterable[str]], default: str) -> list[str]:
    """Names of the forms of a reply to try in turn, the caller's favourite first.

    `offers` maps each form to the media types that mean it; `default` is one of them, and what
    the list ends with: a caller who accepts nothing that there is gets it all the same. Another
    form is taken only if its type, not a mere `*/*`, is in `accept`. Of equal weights the
    closer match counts, then the default, then the order in `accept`.
    """
    ranges = list(_ranges(accept))
    ranked = []
    for form, types in offers.items():
        match = max((_match(each, ranges) for each in types), default=None)
        if match is None or match.weight == 0 or (match.closeness < 1 and form != default):
            continue
        ranked.append(((match.weight, match.closeness, form == default, match.place), form))
    forms = [form for _, form in sorted(ranked, reverse=True)]
    if default not in forms:
        return [*forms, default]
    return forms[: forms.index(default) + 1]


class _Match(NamedTuple):
    """How a media type is accepted; `closeness` 2 by its own name, 1 by its kind, 0 by `*/*`."""

    weight: float
    closeness: int
    place: int


_UNNAMED = _Match(0.0, -1, 0)


def _match(media_type: str, ranges: list[_Range]) -> _Match:
    kind = media_type.partition("/")[0]
    names = {media_type: 2, f"{kind}/*": 1, "*/*": 0}
    found = [
        # The closest range decides, be its weight less than that of a wider one.
        (names[each.name], _Match(each.weight, names[each.name], -place))
        for place, each in enumerate(ranges)
        if each.name in names
    ]
    return max(found)[1] if found else _UNNAMED


def _ranges(accept: str) -> Iterable[_Range]:
    for element in accept.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        if name:
            yield _Range(name, _weight(parameters))


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0  # what can't be understood is not asked for
    return 1.0
