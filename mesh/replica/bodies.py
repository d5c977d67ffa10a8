"""The bodies of calls: read piece by piece in threads, their files in the calls' folders."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from mesh.call import CALL, JSON, TYPED
from mesh.errors import Internal
from mesh.io.bodies.reader import Reader
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake, Fetch
from mesh.io.media import ARROW, FORM, essence
from mesh.io.open_inference.media import is_compressed
from mesh.io.spec import Bound, MethodSpec
from mesh.io.types.kind import Intake
from mesh.link.call import ReplicaCall
from mesh.link.frames import CHUNK, Piece
from mesh.replica.admission import Place
from mesh.replica.invoke import Threads

THREADS = 16
"""Bodies that are read at a time. More than the disk needs: some wait for a download."""
SMALL = 64 * 1024
"""Bytes of a body that are decoded on the event loop: that takes less than a change of threads
costs, or not much more."""


class CallFiles:
    """The folder of one call, and who may put files there; of use on the event loop only.

    The folder is removed when the call's place is free: its last thread may still use it.
    """

    __slots__ = ("_bodies", "_folder", "_intake", "_place")

    def __init__(self, bodies: "Bodies", place: Place) -> None:
        self._bodies = bodies
        self._place = place
        self._folder: Folder | None = None
        self._intake: CallIntake | None = None

    @property
    def folder(self) -> Folder:
        """The folder, which nobody can make once the call is over."""
        if self._folder is None:
            folder = self._folder = Folder()
            if self._place.is_free:
                folder.remove()
            else:
                self._place.on_free = partial(self._bodies.remove, folder)
        return self._folder

    @property
    def intake(self) -> CallIntake:
        """What puts files into the folder; the same for the whole call."""
        if self._intake is None:
            self._intake = CallIntake(self.folder, self._bodies.fetch)
        return self._intake

    async def run(self, work: Callable[[Intake], Any]) -> Any:
        """What `work` makes with the intake, in a thread that the folder outlives.

        When the call is over, `work` finds the folder gone.
        """
        if self._place.is_free:
            return await asyncio.to_thread(work, self.intake)
        return await self._bodies.threads.run(self._place, partial(work, self.intake))


class Bodies:
    """Reads the bodies of a replica's calls, and removes what they left."""

    def __init__(self, fetch: Fetch | None = None, threads: int = THREADS) -> None:
        self.fetch = fetch
        self.threads = Threads(threads, "mesh-body")
        # Apart from the others, who may all wait for downloads while disks fill up.
        self._removal = ThreadPoolExecutor(1, thread_name_prefix="mesh-folders")
        self._is_closed = False

    async def arguments(
        self, spec: MethodSpec, call: ReplicaCall, place: Place, files: CallFiles
    ) -> tuple[Bound, Any]:
        """What the method is called with, and the first item of its stream or NO_ITEM.

        Raises what a Reader raises, and MeshError if the call fails before its body is complete.
        """
        piece = await call.piece()
        head = call.head
        body, is_whole = (b"", True) if piece is None else piece
        if is_whole and len(body) <= SMALL and not spec.arguments.takes_files:
            if head.media_type in _AT_ONCE and not spec.arguments.root:
                return spec.decode_arguments(head.media_type, body)
            if not (essence(head.media_type) in _IN_A_THREAD or is_compressed(head.media_type)):
                return _finish(spec.reader(head.media_type, head.query), body)
        reading = _Reading(
            self.threads, place, spec.reader(head.media_type, head.query, files.intake)
        )
        try:
            return await reading.read(call, piece)
        finally:
            reading.close()

    async def item(self, spec: MethodSpec, call: ReplicaCall, body: bytes, files: CallFiles) -> Any:
        """An item of the method's stream from its message; raises InvalidArgument."""
        media_type = call.head.media_type
        if not spec.arguments.takes_files:
            return spec.decode_item(media_type, body)
        return await files.run(partial(spec.decode_item, media_type, body))

    def remove(self, folder: Folder) -> None:
        """Removes a call's folder in a thread; from now on nobody can make it."""
        if not folder.made or self._is_closed:
            folder.remove()
        else:
            self._removal.submit(folder.remove)

    def close(self) -> None:
        """Takes no more; what is left to be removed is removed."""
        self._is_closed = True
        self.threads.close()
        self._removal.shutdown(wait=False)


_AT_ONCE = frozenset({JSON, CALL, TYPED})
_IN_A_THREAD = frozenset({FORM, ARROW})
"""Media types of which even small bodies may write files, or load a library first."""


def _finish(reader: Reader, data: bytes) -> tuple[Bound, Any]:
    reader.feed(data)
    return reader.finish()


class _Reading:
    """A reader of which one step at a time runs in a thread."""

    def __init__(self, threads: Threads, place: Place, reader: Reader) -> None:
        self._threads = threads
        self._place = place
        self._reader = reader
        self._step: Future[Any] | None = None

    async def read(self, call: ReplicaCall, piece: Piece | None) -> tuple[Bound, Any]:
        """Reads the body whose first piece this is to its end."""
        while True:
            data, ended = await _gathered(call, piece)
            if ended:
                found: tuple[Bound, Any] = await self._run(partial(_finish, self._reader, data))
                return found
            if self._reader.only_keeps:
                self._reader.feed(data)
            else:
                await self._run(partial(self._reader.feed, data))
            piece = await call.piece()
            if piece is None:
                raise Internal("the other end broke a message off")

    async def _run(self, step: Callable[[], Any]) -> Any:
        self._step = self._threads.start(self._place, step)
        return await asyncio.wrap_future(self._step)

    def close(self) -> None:
        """Lets the reader go: at once, or when the step that nobody waits for any more is over."""
        if self._step is None:
            self._reader.close()
        else:
            self._step.add_done_callback(lambda _: self._reader.close())


async def _gathered(call: ReplicaCall, piece: Piece | None) -> tuple[bytes, bool]:
    """The piece with those behind it that are here already, and whether the body ends there.

    Small pieces are read together, a chunk at a time, for each change of threads costs.
    """
    if piece is None or piece.message_end:
        return (b"" if piece is None else piece.data), True
    parts = [piece.data]
    size = len(piece.data)
    while size < CHUNK and call.incoming:
        more = await call.piece()
        if more is None:
            break
        parts.append(more.data)
        size += len(more.data)
        if more.message_end:
            return b"".join(parts), True
    return b"".join(parts), False
