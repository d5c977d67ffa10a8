"""How a gateway leaves: SIGTERM lets clients go, waits for their calls, and only then ends Envoy.

The signal is blocked when Envoy starts, so that Envoy does not see it, and is read from a file
descriptor; when all is done it is let through. On SIGTERM

1. the listener closes, so that other gateways of the port have all new connections;
2. each connection is told to go with its next reply (GOAWAY, or `connection: close`), and idle ones
   at once: for those Envoy is put under pressure, by a file, at which idle timeouts shrink to
   nothing; health checks say that nothing is served here;
3. the process ends when no connection is left, or nothing has been asked for a moment, or calls
   have had their time. A second SIGTERM ends it at once.
"""

import asyncio
import ctypes
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from mesh.clock import Clock

log = logging.getLogger("mesh.gateway")

GRACE = 10
"""Seconds that calls have to finish, where nobody says otherwise."""
QUIET = 1.0
"""Seconds without a call after which clients that stay connected are left: long enough for
Envoy to see the pressure, and for both GOAWAYs of a connection."""
BETWEEN_GOAWAYS = "0.5s"
"""From a connection's GOAWAY that announces its end to the one after which it takes no calls."""
POLL = 0.05
"""Seconds between two looks at the listener."""
_PATIENCE = 2.0
_STEPS = ("/drain_listeners", "/healthcheck/fail")
_PREFIX = "http.ingress_http.downstream_"
_STATS = f"/stats?format=json&filter=^{_PREFIX}(cx_active|rq_active|rq_total)$"
_SIGTERM = frozenset({signal.SIGTERM})
_INJECTED = "resource_monitors.injected_resource"
_SCALE = {"scaling_threshold": 0.5, "saturation_threshold": 0.9}

Ask = Callable[[str, str], Awaitable[bytes]]
"""The answer of Envoy's administration port to a verb and a path; raises OSError."""


class Traffic(NamedTuple):
    """What goes on at the listener: open connections, open requests, and all requests so far."""

    connections: int
    active: int
    total: int


class Leaving:
    """Decides when a gateway that takes no new connections may end."""

    def __init__(self, now: float, grace: float = GRACE) -> None:
        self._until = now + grace
        self._quiet_since = now
        self._total = -1

    def is_over(self, traffic: Traffic, now: float) -> bool:
        """Whether nobody would miss the gateway, or has to."""
        if traffic.active or traffic.total != self._total:
            self._total = traffic.total
            self._quiet_since = now
        if not traffic.connections or now >= self._until:
            return True
        return now - self._quiet_since >= QUIET


def shedding(pressure: Path) -> dict[str, Any]:
    """Envoy's overload manager, which ends idle connections when the file says that it is time."""
    monitor = "envoy.resource_monitors.injected_resource"
    types = "type.googleapis.com/envoy"
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": monitor,
                "typed_config": {
                    "@type": f"{types}.extensions.{_INJECTED}.v3.InjectedResourceConfig",
                    "filename": str(pressure),
                },
            }
        ],
        "actions": [
            {
                "name": "envoy.overload_actions.reduce_timeouts",
                "triggers": [{"name": monitor, "scaled": _SCALE}],
                "typed_config": {
                    "@type": f"{types}.config.overload.v3.ScaleTimersOverloadActionConfig",
                    "timer_scale_factors": [
                        {"timer": "HTTP_DOWNSTREAM_CONNECTION_IDLE", "min_timeout": "0.001s"}
                    ],
                },
            }
        ],
    }


def press(pressure: Path, value: float) -> None:
    """Writes the file, at one go as the overload manager wants it. Raises OSError."""
    new = pressure.with_name(f"{pressure.name}.new")
    new.write_text(str(value))
    new.rename(pressure)


async def drain(
    ask: Ask,
    shed: Callable[[], None],
    clock: Clock,
    pause: Callable[[float], Awaitable[None]],
    grace: float = GRACE,
) -> None:
    """Lets clients go, idle ones by `shed`, and returns when the process may end.

    Calls have `grace` seconds to finish. Raises OSError, ValueError.
    """
    for step in _STEPS:
        await ask("POST", step)
    shed()
    leaving = Leaving(clock(), grace)
    while not leaving.is_over(_traffic(await ask("GET", _STATS)), clock()):
        await pause(POLL)


def _traffic(stats: bytes) -> Traffic:
    found = {each.get("name"): each.get("value", 0) for each in json.loads(stats)["stats"]}
    names = ("cx_active", "rq_active", "rq_total")
    return Traffic(*(found.get(_PREFIX + name, 0) for name in names))


def asking(admin: Path) -> Ask:
    """Asks the administration port whose address Envoy has written into the file `admin`."""

    def blocking(verb: str, path: str) -> bytes:
        connection = HTTPConnection(admin.read_text().strip(), timeout=_PATIENCE)
        try:
            connection.request(verb, path)
            reply = connection.getresponse()
            if reply.status != 200:
                raise OSError(f"{path} is answered with status {reply.status}")
            return reply.read()
        except HTTPException as error:
            raise OSError(f"{path} is not answered: {error!r}") from error
        finally:
            connection.close()

    async def ask(verb: str, path: str) -> bytes:
        return await asyncio.to_thread(blocking, verb, path)

    return ask


class Files(NamedTuple):
    """What Envoy and the gateway tell each other by.

    Envoy writes the address of its administration port into `admin`. `folder` is the one that is
    there for these files only, if there is one.
    """

    admin: Path
    folder: Path | None = None

    @classmethod
    def of(cls, admin_path: str) -> "Files":
        """Files at and beside `admin_path`, or in a folder of their own. Raises OSError."""
        if admin_path:
            return cls(Path(admin_path))
        folder = Path(mkdtemp(prefix="mesh-gateway-"))
        return cls(folder / "admin-address", folder)

    @property
    def pressure(self) -> Path:
        """The file by which idle connections are ended."""
        return self.admin.with_name(f"{self.admin.name}.pressure")

    def remove(self) -> None:
        """Removes what is there for this gateway only, if it has not been. Raises OSError."""
        self.pressure.unlink(missing_ok=True)
        if self.folder is not None and self.folder.exists():
            self.admin.unlink(missing_ok=True)
            self.folder.rmdir()


def block() -> None:
    """Has this thread, and what it starts or becomes, leave SIGTERM to `Termination`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGTERM)


def let_through() -> None:
    """Ends the process as if SIGTERM had never been blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


class Termination:
    """Leaves when SIGTERM comes; `on_leaving` is called first. For the running event loop.

    Calls have `grace` seconds to finish.
    """

    def __init__(
        self, files: Files, clock: Clock, on_leaving: Callable[[], None], grace: float = GRACE
    ) -> None:
        self._files = files
        self._grace = grace
        self._clock = clock
        self._on_leaving = on_leaving
        self._task: asyncio.Task[None] | None = None
        self._fd = _signal_fd()
        asyncio.get_running_loop().add_reader(self._fd, self._take)

    def _take(self) -> None:
        os.read(self._fd, 128)  # one signalfd_siginfo
        if self._task is not None:
            self._task.cancel()
            let_through()
            return
        log.info("the gateway is leaving")
        self._on_leaving()
        self._task = asyncio.ensure_future(self._leave())

    async def _leave(self) -> None:
        try:
            shed = partial(press, self._files.pressure, 1.0)
            ask = asking(self._files.admin)
            await drain(ask, shed, self._clock, asyncio.sleep, self._grace)
        except (OSError, ValueError, KeyError) as error:
            # While Python starts, Envoy answers nobody, and does not tell Python of its end.
            log.warning("the gateway cannot let its clients go: %s", error)
            self._files.remove()
        let_through()

    def close(self) -> None:
        """Leaves signals alone again, and no files behind. Raises OSError."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._files.remove()


def _signal_fd() -> int:
    """A file descriptor from which SIGTERM is read, signalfd(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    mask = (ctypes.c_uint64 * 16)()  # a sigset_t: a bit for each signal from 1 on
    mask[0] = 1 << (signal.SIGTERM - 1)
    descriptor: int = libc.signalfd(-1, ctypes.byref(mask), os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return descriptor
