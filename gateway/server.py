"""Envoy as the gateway's listener: one process each, all on one port."""

import asyncio
import json
import subprocess
import urllib.request
from typing import IO, Any

from pyvoy import PyvoyServer, StartupError

from gateway.settings import Settings
from mesh.errors import Unavailable

DRAIN_POLL = 0.1
"""Seconds between two looks at the requests that are left."""


class _Envoy(PyvoyServer):  # type: ignore[misc]  # pyvoy's base is untyped to mypy
    """Envoy with the limits of a serving gateway."""

    def get_envoy_config(self) -> dict[str, Any]:
        """Pyvoy's configuration with ours on top."""
        config: dict[str, Any] = super().get_envoy_config()
        for listener in config["static_resources"]["listeners"]:
            listener["enable_reuse_port"] = True
            for chain in listener["filter_chains"]:
                _tune(chain["filters"][-1]["typed_config"])
        return config

    async def admin(self, verb: str, path: str) -> bytes:
        """Envoy's answer on its own administration port, which only this machine reaches."""
        address = self._admin_address  # pyvoy has no public name for it
        request = urllib.request.Request(f"http://{address}{path}", method=verb)

        def ask() -> bytes:
            # Envoy's own address, always http.
            with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
                body: bytes = reply.read()
                return body

        return await asyncio.to_thread(ask)


def _tune(http: dict[str, Any]) -> None:
    # Streams may be silent for long: deadlines are the mesh's business.
    http["stream_idle_timeout"] = "0s"
    http["server_header_transformation"] = "PASS_THROUGH"
    http["common_http_protocol_options"] = {
        "idle_timeout": "3600s",
        "headers_with_underscores_action": "ALLOW",
    }
    http["http2_protocol_options"] = {
        "max_concurrent_streams": 1000,
        "initial_stream_window_size": 1024 * 1024,
        "initial_connection_window_size": 16 * 1024 * 1024,
    }


class GatewayServer:
    """One gateway process. `port` 0 takes one that is free; equal ports are shared."""

    def __init__(
        self,
        settings: Settings,
        *,
        host: str,
        port: int,
        output: int | IO[bytes] | None = None,
    ) -> None:
        self._envoy = _Envoy(
            "gateway.app:app",
            address=host,
            port=port,
            lifespan=True,
            loop="uvloop",
            stdout=subprocess.DEVNULL,
            stderr=output,
            env=settings.to_env(),
        )

    @property
    def port(self) -> int:
        """The port that the process listens on."""
        return int(self._envoy.listener_port)

    @property
    def pid(self) -> int:
        """The process's id."""
        return int(self._envoy._process.pid)  # noqa: SLF001  # pyvoy has no public name for it

    async def start(self) -> None:
        """Starts the process; returns when it listens.

        Raises:
            Unavailable: it ended at once; its own output says why.
        """
        try:
            await self._envoy.start()
        except StartupError as error:
            raise Unavailable(f"the gateway did not start: {error}") from error

    async def ended(self) -> int | None:
        """Waits until the process has ended; its exit status."""
        status: int | None = await self._envoy.wait()
        return status

    async def stop(self, grace: float = 10.0) -> None:
        """Takes no new connections, lets requests finish for `grace` seconds, ends the process."""
        if self._envoy.stopped:
            return
        try:
            async with asyncio.timeout(grace):
                await self._envoy.admin("POST", "/drain_listeners?graceful&skip_exit")
                while await self._active():  # noqa: ASYNC110  # Envoy tells only when asked
                    await asyncio.sleep(DRAIN_POLL)
        except (TimeoutError, OSError):
            pass  # what is left after the grace is cut off
        await self._envoy.stop()

    async def _active(self) -> int:
        """Requests that have not ended."""
        path = "/stats?format=json&filter=downstream_rq_active$"
        stats = json.loads(await self._envoy.admin("GET", path))["stats"]
        return sum(
            stat.get("value", 0)
            for stat in stats
            if stat.get("name", "").startswith("http.ingress_http")
        )
