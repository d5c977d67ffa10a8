"""Gateway processes of this machine, as the program that starts them sees them."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO

from mesh.clock import Clock, monotonic
from mesh.errors import Unavailable

START_WAIT = 30.0
"""Seconds in which a gateway has to listen."""
GRACE = 10
"""Seconds that a gateway's calls have to finish when it is told to end."""
_BEYOND = 5.0
"""Seconds beyond that in which a gateway ends by itself."""
_AGAIN = 0.5
"""Seconds between two looks at a gateway that is leaving."""
POLL = 0.02
"""Seconds between two looks at a process."""
_TOKEN = "MESH_CONTROL_TOKEN"  # noqa: S105  # the variable that a gateway reads it from


class GatewayProcess:
    """One gateway. `port` must be free, or shared with other gateways.

    `token` is what the controller wants to be shown (empty: nothing).
    """

    def __init__(
        self,
        controller: str,
        *,
        host: str,
        port: int,
        name: str = "gateway",
        log_format: str = "json",
        log_level: str = "INFO",
        web_origins: tuple[str, ...] = (),
        grace: int = GRACE,
        token: str = "",
        output: int | IO[bytes] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mesh-gateway-")
        self._admin = Path(self._folder.name, "admin-address")
        self._name = name
        self._is_leaving = False
        self._hurries = False
        self._grace = grace
        self.process = subprocess.Popen(  # noqa: S603  # our own program
            [
                *(sys.executable, "-m", "gateway"),
                *("--controller", controller),
                *("--host", host),
                *("--port", str(port)),
                *("--name", name),
                *("--log-format", log_format),
                *("--log-level", log_level),
                *("--admin-path", str(self._admin)),
                *("--grace", str(grace)),
                *(f"--grpc-web-origin={origin}" for origin in web_origins),
                "--end-with-parent",
            ],
            # What is in the command line, others can read.
            env={**os.environ, _TOKEN: token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            # Ctrl-C in a terminal goes to the whole group: gateways are stopped last, by us.
            start_new_session=True,
        )

    def __repr__(self) -> str:
        return f"<GatewayProcess {self._name} pid {self.process.pid}>"

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def wait_listening(self, clock: Clock = monotonic) -> None:
        """Returns when the gateway listens.

        Raises:
            Unavailable: it has ended, or takes too long; its output says why.
        """
        until = clock() + START_WAIT
        while not self._is_listening():
            if not self.is_running:
                raise Unavailable(f"{self._name} ended with exit code {self.process.returncode}")
            if clock() > until:
                raise Unavailable(f"{self._name} does not listen after {START_WAIT:g} s")
            time.sleep(POLL)

    def _is_listening(self) -> bool:
        try:
            return bool(json.loads(self._ask("/listeners?format=json")).get("listener_statuses"))
        except (OSError, ValueError):
            return False

    def _ask(self, path: str) -> bytes:
        """Envoy's answer on its administration port. Raises OSError, ValueError."""
        url = f"http://{self._admin.read_text()}{path}"
        with urllib.request.urlopen(url, timeout=2) as reply:
            body: bytes = reply.read()
            return body

    def leave(self) -> None:
        """Has the gateway let its clients go and end; `stop` waits for that."""
        if not self._is_leaving:  # a second signal would end it at once
            self._is_leaving = True
            self.process.terminate()

    def hurry(self) -> None:
        """Has the gateway end at once when it leaves, or now if it is leaving."""
        self._hurries = True
        if self._is_leaving and self.is_running:
            self.process.terminate()

    def stop(self, clock: Clock = monotonic) -> None:
        """Has the gateway leave, and ends it by force if that takes much longer than its grace."""
        self.leave()
        until = clock() + self._grace + _BEYOND
        while self.is_running and clock() < until:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_AGAIN)
            if self._hurries and self.is_running:
                # The first signal may have been on its way still, and two such are taken as one.
                self.process.terminate()
        if self.is_running:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()
