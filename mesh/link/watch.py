"""Follows the controller's snapshots, and keeps the last one while the controller is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import grpc
import grpc.aio

from mesh.errors import MeshError
from mesh.link import delta_wire
from mesh.traffic.snapshot import EMPTY, Snapshot
from mesh.v1 import routing_pb2

_log = logging.getLogger(__name__)

WATCH = "/mesh.v1.Routing/Watch"
FIRST_PAUSE = 0.1
"""Seconds before a first reconnection, about; doubles with each failure in a row."""
HEARD = "mesh-watch"
"""Metadata with which a controller says that it takes a watcher, before any update."""
LONGEST_PAUSE = 5.0
"""Upper bound of that time, in seconds."""
LAG = 2.0
"""Seconds by which a watcher may hear later of something than another one."""
AWAY = 30.0
"""The same while it has no controller: that is back in a few seconds, and so is the watcher."""
OPTIONS = [  # of channels to the controller
    # A table of many deployments with their schemas is larger than gRPC's default limit.
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # How soon to try again is decided here, not by the channel.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Watchers in one process are told of a controller's death each by its own connection.
    ("grpc.use_local_subchannel_pool", 1),
]


class Watch:
    """A follower of the controller at `address` (`host:port`). For one event loop.

    `watcher` says who follows, for the controller's log. `on_snapshot` gets each newer snapshot
    on the loop; what it raises is logged. What did not change is the same object in the next
    snapshot. `rng` spreads reconnections, which wait with `pause`. With `deployment` the snapshots
    have only that one, and what only gateways need is left out. `token` is what the controller
    wants to be shown by those who follow all of them (empty: nothing).
    """

    def __init__(
        self,
        address: str,
        watcher: str,
        on_snapshot: Callable[[Snapshot], object],
        rng: Random,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        deployment: str = "",
        token: str = "",
    ) -> None:
        self.snapshot = EMPTY
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._deployment = deployment
        self._has_gap = False
        self._address = address
        self._watcher = watcher
        self._on_snapshot = on_snapshot
        self._rng = rng
        self._pause = pause
        self._failures = 0
        self._first = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = f"{self._failures} failures in a row" if self._failures else "connected"
        number = self.snapshot.number
        return f"<Watch {self._watcher} of {self._address}: snapshot {number}, {state}>"

    @property
    def connected(self) -> bool:
        """Whether the controller answered last time, as far as is known."""
        return self._task is not None and not self._failures

    @property
    def lag(self) -> float:
        """Seconds by which others may have heard before of what is news here."""
        return LAG if self.connected else AWAY

    def start(self) -> None:
        """Begins to follow. To be called once, on the loop."""
        self._task = asyncio.get_running_loop().create_task(self._follow(), name=repr(self))

    async def first(self) -> Snapshot:
        """Waits for the first snapshot; returns the current one."""
        await self._first.wait()
        return self.snapshot

    async def close(self) -> None:
        """Ends. May be called twice, or without a start."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        async with grpc.aio.insecure_channel(self._address, options=OPTIONS) as channel:
            watch = channel.stream_stream(
                WATCH,
                request_serializer=routing_pb2.WatchRequest.SerializeToString,
                response_deserializer=routing_pb2.Update.FromString,
            )
            while True:
                try:
                    await self._read(watch)
                    why = "it ended the stream"
                except delta_wire.GapError as error:
                    why = error.message
                    if not self._has_gap:
                        # The next update is the whole table, so there is nothing to wait for.
                        _log.info("%s asks for the whole table: %s", self._watcher, why)
                        self._has_gap = True
                        continue
                except grpc.aio.AioRpcError as error:
                    why = error.details() or error.code().name
                except Exception as error:  # noqa: BLE001  # whatever it is, to follow no more is worse
                    why = f"{type(error).__name__}: {error}"
                self._failures += 1
                if self._failures == 1:
                    _log.warning(
                        "%s has no controller at %s: %s", self._watcher, self._address, why
                    )
                await self._pause(self._delay())

    def _delay(self) -> float:
        doubled = FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16)
        return min(LONGEST_PAUSE, doubled) * self._rng.uniform(0.5, 1.0)

    async def _read(self, watch: Callable[..., Any]) -> None:
        stream = watch(metadata=self._metadata)
        try:
            await stream.write(self._request(EMPTY if self._has_gap else self.snapshot))
            # A controller that refuses us sends no metadata, only why.
            if await stream.initial_metadata():
                self._connected()
            async for proto in stream:
                self._connected()
                is_newer = self._take(proto)
                self._has_gap = False
                if is_newer:
                    await stream.write(self._request(self.snapshot))
        finally:
            stream.cancel()

    def _request(self, has: Snapshot) -> routing_pb2.WatchRequest:
        return routing_pb2.WatchRequest(
            watcher=self._watcher,
            epoch=has.epoch,
            number=has.number,
            deployment=self._deployment,
        )

    def _connected(self) -> None:
        if self._failures:
            _log.info("%s follows the controller at %s", self._watcher, self._address)
        self._failures = 0

    def _take(self, proto: routing_pb2.Update) -> bool:
        """Whether there is a newer snapshot now. Raises GapError."""
        try:
            snapshot = delta_wire.take(self.snapshot, proto)
        except delta_wire.GapError:
            raise
        except MeshError as error:
            _log.error("%s cannot read a snapshot and keeps its own: %s", self._watcher, error)
            return False
        if not snapshot.is_newer_than(self.snapshot):
            return False
        self.snapshot = snapshot
        self._first.set()
        try:
            self._on_snapshot(snapshot)
        except Exception:  # noqa: BLE001  # a listener's fault must not cut it off from what follows
            _log.exception("%s could not take a snapshot", self._watcher)
        return True
