"""Media types of the protocol's bodies on their way to a replica, with what the gateway adds."""

from typing import Final, NamedTuple, Self
from urllib.parse import quote, unquote

_PREFIX: Final = "application/x-open-inference"
PROTO: Final = f"{_PREFIX}+proto"
"""A ModelInferRequest; the reply is a ModelInferResponse."""
JSON: Final = f"{_PREFIX}+json"
"""The body of an infer request over HTTP: JSON, and behind it tensors as bytes."""
GENERATE: Final = f"{_PREFIX}-generate+json"
"""The body of a generate request over HTTP: inputs by name."""


def is_open_inference(media_type: str) -> bool:
    """Whether it is one of them."""
    return media_type.startswith(_PREFIX)


def is_compressed(media_type: str) -> bool:
    """Whether it is one of them whose body is compressed: a small one may become large."""
    return is_open_inference(media_type) and bool(Body.of(media_type).encoding)


class Body(NamedTuple):
    """What a body is, as its media type says.

    `media_type` is one of those above; `model` and `version` are what the reply names. `header`
    are the bytes of JSON at the beginning (None: all). `encoding` is how the body is compressed
    (empty: it is not), `limit` how many bytes it may become (0: as many as it is). `compress`
    says how the reply is to be compressed. `streams`: the reply is one of several in a stream.
    """

    media_type: str
    model: str
    version: str
    header: int | None = None
    encoding: str = ""
    limit: int = 0
    compress: str = ""
    streams: bool = False

    def __str__(self) -> str:
        said = {
            "model": self.model,
            "version": self.version,
            "header": "" if self.header is None else str(self.header),
            "encoding": self.encoding,
            "limit": str(self.limit or ""),
            "compress": self.compress,
            "streams": "1" if self.streams else "",
        }
        parts = [f"{name}={quote(value)}" for name, value in said.items() if value]
        return ";".join((self.media_type, *parts))

    @classmethod
    def of(cls, media_type: str) -> Self:
        """What `str` of a Body says."""
        bare, *parts = media_type.split(";")
        said = {name: unquote(value) for name, _, value in (each.partition("=") for each in parts)}
        return cls(
            bare,
            said.get("model", ""),
            said.get("version", ""),
            int(said["header"]) if "header" in said else None,
            said.get("encoding", ""),
            int(said.get("limit", 0)),
            said.get("compress", ""),
            "streams" in said,
        )
