"""What replies of either protocol hold: the value, and the files in it."""

import atexit
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from mesh.client.description import MethodDescription, Schema
from mesh.client.typed import Typed
from mesh.errors import Internal
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.file import File
from mesh.io.value import from_value
from mesh.v1.inference_pb2 import CallReply


def wire_result(body: bytes) -> Any:
    """The value of one serialized mesh.v1.CallReply. Raises Internal if it is none."""
    try:
        return from_value(CallReply.FromString(body).value)
    except DecodeError:
        raise Internal("the reply is not a mesh.v1.CallReply") from None


class Replies:
    """Makes results of replies. Their files lie in a folder that `close` removes."""

    def __init__(self) -> None:
        self._folder = Folder()
        # Of a client that is never closed, files stay until the program ends.
        atexit.register(self._folder.remove)
        self._intake = CallIntake(self._folder)
        self._typed = Typed(self._intake)

    def close(self) -> None:
        """Removes the files; may be called again."""
        atexit.unregister(self._folder.remove)
        self._folder.remove()

    def result(self, method: MethodDescription, body: bytes) -> Any:
        """The value of a message as the method's schema has it. Raises Internal for no such."""
        return self.typed(wire_result(body), method.output)

    def typed(self, value: Any, schema: Schema) -> Any:
        """A wire value as the schema has it. Raises Internal for one that cannot be."""
        try:
            return self._typed.value(value, schema)
        except (ValueError, OSError) as error:
            raise Internal(f"the reply cannot be read: {error}") from None

    def new_file(self, filename: str) -> Path:
        """An empty file whose name ends in this one."""
        return self._intake.keep(File(filename=filename))

    def file(self, method: MethodDescription, path: Path, media_type: str) -> Any:
        """The file at `path`, a whole result, as the method's schema has it."""
        if not method.output.get("pil"):
            return path
        return self.typed(File(path=path, media_type=media_type), method.output)
