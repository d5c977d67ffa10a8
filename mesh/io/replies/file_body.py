"""A result that is one file, as the body of a reply."""

from mesh.io.replies.body import Part, ReplyBody
from mesh.io.replies.file_head import headers_of
from mesh.io.types.file import OCTETS, File


def file_body(file: File) -> ReplyBody:
    """The file as it is; one on disk is read while it is sent. Raises OSError if it is gone."""
    part: Part = file.data
    size, modified = len(file.data), None
    if file.path is not None:
        status = file.path.stat()
        part, size, modified = file.path, status.st_size, status.st_mtime_ns
    fields = [pair for pair in headers_of(file, size, modified) if pair[0] != "content-length"]
    return ReplyBody(file.media_type or OCTETS, (part,), size, tuple(fields))
