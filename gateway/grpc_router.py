"""Which rpc a gRPC request's path names, at which endpoint, and who answers it."""

from collections.abc import Awaitable, Callable, Mapping

from gateway.admin import Admin
from gateway.authorization import Guard
from gateway.describe import describe
from gateway.forward import Request
from gateway.grpc import GrpcExchange
from gateway.grpc_health import CHECK, WATCH, Health
from gateway.grpc_inference import DESCRIBE, FORMS
from gateway.grpc_open_inference import HEALTH
from gateway.grpc_open_inference_calls import InferenceExchange
from gateway.grpc_reflection import PATHS as REFLECTION, Asked, Reflection
from gateway.grpc_typed import TypedRpcs, unknown_rpc
from gateway.grpc_upstream import Crossing
from gateway.record import Record
from mesh.errors import NotFound
from mesh.link.dispatch import Dispatcher
from mesh.traffic.route import named_endpoint

Own = Callable[[GrpcExchange, Request, str], Awaitable[None]]
"""Answers a request to the gateway itself; is told the endpoint that the request names."""


class GrpcRouter:
    """Has each request answered by the newest snapshot."""

    def __init__(
        self, dispatcher: Dispatcher, guard: Guard, admin: Admin, crossing: Crossing
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._crossing = crossing
        self._admin = admin
        self._typed = TypedRpcs()
        self._reflection = Reflection(dispatcher)
        self._health = Health(dispatcher)
        self._own: Mapping[str, Own] = {
            DESCRIBE: self._describe,
            CHECK: self._check,
            WATCH: self._watch,
            **dict.fromkeys(REFLECTION, self._reflect),
        }

    def leave(self) -> None:
        """Ends the watches of clients: the gateway is going away."""
        self._health.leave()

    async def serve(self, exchange: GrpcExchange, request: Request, record: Record) -> None:
        """Answers the request, which `record` is told of if it is a service's.

        Raises:
            MeshError: as `GrpcExchange.run`.
            ClientGoneError: nobody waits for the reply any more.
        """
        request.check_fields()
        named, path = named_endpoint(
            self._dispatcher.snapshot,
            authority=request.text(b"host"),
            header=request.text(b"x-mesh-endpoint"),
            path=request.path,
        )
        default = self._dispatcher.snapshot.default_endpoint
        if isinstance(exchange, InferenceExchange):
            endpoint = named or (default if path in HEALTH else self._default())
            request = exchange.enter(endpoint)
            if path in HEALTH or not await self._crossing.serve(
                exchange, request, endpoint, path, record
            ):
                await exchange.serve(endpoint, path, lambda aim: record.begin(request, aim))
            return
        form = FORMS.get(path)
        if form is not None:
            endpoint = named or self._default()
        elif (own := self._own.get(path)) is not None:
            await own(exchange, request, named)
            return
        elif (typed := self._typed.find(self._dispatcher.snapshot, path)) is not None:
            form, endpoint = typed.form, named or typed.endpoint
        else:
            endpoint = named or default
        request = exchange.enter(endpoint)
        if await self._crossing.serve(
            exchange, request, endpoint, path, record, is_foreign=form is None
        ):
            return
        if form is None:
            snapshot = self._dispatcher.snapshot
            raise unknown_rpc(snapshot, path, self._guard.hidden(request.shown, snapshot))
        await exchange.run(endpoint, form, lambda aim: record.begin(request, aim))

    async def _describe(self, exchange: GrpcExchange, request: Request, _: str) -> None:
        await exchange.answer(describe(self._admin.entry(request)))

    async def _check(self, exchange: GrpcExchange, _: Request, named: str) -> None:
        await exchange.answer(self._health.check(named, await exchange.asked()))

    async def _watch(self, exchange: GrpcExchange, _: Request, named: str) -> None:
        await exchange.follow(self._health.watch(named, await exchange.asked()))

    async def _reflect(self, exchange: GrpcExchange, request: Request, named: str) -> None:
        snapshot = self._dispatcher.snapshot
        if named:
            self._guard.admit_anywhere(request.shown, snapshot, snapshot.endpoints[named])
        hidden = self._guard.hidden(request.shown, snapshot)
        asked = Asked(named, request.text(b"x-mesh-version"), hidden)
        await exchange.converse(lambda message: self._reflection.answer(asked, message))

    def _default(self) -> str:
        """The endpoint of calls that name none. Raises NotFound if there is none."""
        snapshot = self._dispatcher.snapshot
        default = snapshot.default_endpoint
        if default not in snapshot.endpoints:
            raise NotFound("the request names no endpoint and there is no default endpoint")
        return default
