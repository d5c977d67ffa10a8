"""The rest of an upload whose beginning has been read."""

from gateway.asgi import ClientGoneError, Receive
from gateway.incoming import Incoming
from gateway.presence import Clients, Departure, Ends
from mesh.alarms import Alarms


class Rest:
    """Parts of a body, which are asked for when they are wanted.

    While the call waits for a replica some are read ahead, to see whether the client goes away.
    """

    __slots__ = ("_clients", "_gone", "_incoming", "_receive")

    def __init__(self, receive: Receive, clients: Clients) -> None:
        self._receive = receive
        self._clients = clients
        self._gone = Departure()
        self._incoming: Incoming | None = None

    @property
    def has_gone(self) -> bool:
        """Whether the client was seen to go away while the call waited."""
        return self._gone.has_gone

    def wait(self, turn: Ends) -> None:
        """The call begins to wait; `turn` is to be cancelled if the client goes away."""
        self._gone.follow(turn)
        if self._incoming is None:
            # Nobody waits for parts with a limit, so its alarms are never set.
            self._incoming = Incoming(self._receive, self._clients, Alarms(), None)
            self._incoming.watch(self._gone.cancel)

    async def part(self) -> tuple[bytes, bool]:
        """The next part, and whether more may follow. Raises ClientGoneError."""
        if self._incoming is not None:
            return await self._incoming.part()
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        body: bytes = event.get("body", b"")
        return body, bool(event.get("more_body"))

    def close(self) -> None:
        """All that is wanted was read. May be called twice."""
        if self._incoming is not None:
            self._incoming.close()
