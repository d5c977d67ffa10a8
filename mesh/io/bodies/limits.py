"""How much of a body may be of one sort; the size of the whole body is the listener's limit."""

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one form costs: sizes in bytes, numbers of things."""

    parts: int = 1000
    """Fields, and as many files again: each costs a few objects, so ten bytes of a body must not
    buy them without end."""
    text: int = MIB
    """One text part of a multipart form: it is held in memory, unlike a file."""
    texts: int = 16 * MIB
    """All text of a form together, for the same reason: a thousand parts have a thousand times
    the limit of one."""
    documents: int = 16 * MIB
    """File parts that are read as text or JSON, all together: the way for what is larger than a
    text part may be."""
    headers: int = 16 * KIB
    """The header fields of one part: they hold a name and a file's name."""
    media_type: int = 1024
    """Characters of the content-type, which is taken apart on the event loop."""
    boundary: int = 70
    """The boundary between parts, which RFC 2046 section 5.1.1 gives this many characters."""
    steps: int = 16
    """Steps in a dotted name such as `docs.0.image`, each of which nests a value in another."""
    in_memory: int = 64 * KIB
    """A file part that is smaller never touches the disk; a thousand of them are 64 MiB at most,
    see `files_in_memory`."""
    files_in_memory: int = 4 * MIB
    """All file parts that are held in memory together; further ones go to the disk at once."""


LIMITS = Limits()
