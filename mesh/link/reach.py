"""How callers and replicas reach each other: within a machine nearby, between machines by gRPC."""

import logging
from collections.abc import Awaitable, Callable

from mesh.errors import Unavailable
from mesh.link.nearby import NearbyServer, connect_nearby
from mesh.link.transport import GrpcCallerTransport, LinkServer, Transport

_log = logging.getLogger(__name__)


async def connect(address: str) -> Transport:
    """Opens a link to the replica at `address` (`host:port`).

    Raises:
        Unavailable: nobody answers there.
    """
    return await connect_nearby(address) or await GrpcCallerTransport.connect(address)


class Listener:
    """Listens in both ways; every link that opens is given to `on_link`."""

    def __init__(self, on_link: Callable[[Transport], Awaitable[None]]) -> None:
        self._grpc = LinkServer(on_link)
        self._nearby = NearbyServer(on_link)

    async def start(self, host: str, port: int = 0) -> str:
        """Starts to listen; returns the address, whose port the system chooses for 0.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        address = f"{host}:{await self._grpc.start(host, port)}"
        try:
            await self._nearby.start(address)
        except Unavailable as error:
            _log.info("%s: callers here use gRPC as well", error.message)
        return address

    async def stop(self, grace: float = 0.0) -> None:
        """Stops; links that are open have `grace` seconds to end, in either way."""
        await self._nearby.stop(grace)
        await self._grpc.stop(grace)
