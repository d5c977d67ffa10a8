"""The gateway: every request is one of its own pages, gRPC or HTTP, and ends in a status."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random

from gateway import open_inference
from gateway.admin import METRICS, Admin, Page
from gateway.asgi import BrokenReplyError, ClientGoneError, Receive, Scope, Send
from gateway.authorization import Guard
from gateway.errors import UNEXPECTED
from gateway.forward import Request
from gateway.fronts import Fronted, Fronts, serve_cross_origin
from gateway.grpc import GrpcExchange
from gateway.grpc_messages import Limits
from gateway.grpc_open_inference_calls import InferenceExchange, is_open_inference
from gateway.grpc_router import GrpcRouter
from gateway.grpc_upstream import Crossing, GrpcUpstreams
from gateway.http import HttpExchange, RedirectError
from gateway.incoming import Incoming
from gateway.mirror import Mirrors
from gateway.mirror_metrics import MirrorMetrics
from gateway.outcomes import OutcomeCounts
from gateway.outside import Entered, Outside, UnreachableError
from gateway.presence import Clients
from gateway.probes import Probes
from gateway.question import Questions
from gateway.record import Record
from gateway.service_metrics import ServiceMetrics
from gateway.upstream_http import Answer, HttpUpstreams, has_body
from gateway.user_metrics import UserMetrics
from mesh.alarms import Alarms
from mesh.call import Metadata, Trace
from mesh.clock import Clock
from mesh.errors import Cancelled, Internal, MeshError
from mesh.link.dispatch import Dispatcher
from mesh.observe.logs import log_fields
from mesh.observe.metrics import RequestMetrics
from mesh.observe.tracing import Tracing
from mesh.traffic.route import endpoint_of
from mesh.traffic.snapshot import Upstream

log = logging.getLogger("mesh.gateway")

MAX_REQUEST_BYTES = 100 * 1024 * 1024
"""Largest request body of services that set no limit of their own."""
BODY_TIMEOUT = 300
"""Seconds without a byte of a gRPC request that has no deadline and is no stream."""
_CLIENT_GONE = Cancelled("the client went away")

Serve = Callable[[HttpExchange, Record], Awaitable[None]]
"""Answers an HTTP request."""


class Gateway:
    """Translates requests into calls; one object for each process."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        clock: Clock,
        tracing: Tracing,
        metrics: RequestMetrics,
        render_metrics: Callable[[], tuple[bytes, bytes]],
        max_request_bytes: int = MAX_REQUEST_BYTES,
        body_timeout: float = BODY_TIMEOUT,
        services: ServiceMetrics | None = None,
        outcomes: OutcomeCounts | None = None,
        mirrored: MirrorMetrics | None = None,
        rng: Random | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._dispatcher = dispatcher
        self.guard = Guard(wall)
        self._clock = clock
        self._tracing = tracing
        self._metrics = metrics
        self._limit = max_request_bytes
        self._body_timeout = body_timeout
        self._alarms = Alarms()
        self._limits = Limits(dispatcher, max_request_bytes)
        self._admin = Admin(dispatcher, self.guard, render_metrics)
        self._outside = Outside(dispatcher, clock)
        self._upstreams = HttpUpstreams()
        self._grpc_upstreams = GrpcUpstreams(max_request_bytes)
        self._rpcs = GrpcRouter(
            dispatcher,
            self.guard,
            self._admin,
            Crossing(dispatcher, self.guard, self._outside, self._grpc_upstreams),
        )
        self._fronts = Fronts(dispatcher)
        questions = Questions(dispatcher, clock)
        self._probes = Probes(questions)
        self._user_metrics = UserMetrics(dispatcher, questions)
        self._render_metrics = render_metrics
        self.services = ServiceMetrics() if services is None else services
        self.outcomes = OutcomeCounts() if outcomes is None else outcomes
        self.mirrored = MirrorMetrics() if mirrored is None else mirrored
        rng = Random() if rng is None else rng  # noqa: S311  # for what is copied
        self._mirrors = Mirrors(dispatcher, self.mirrored, rng)
        self.clients = Clients(clock)

    def __repr__(self) -> str:
        return f"<Gateway {len(self.clients)} waiting, {self._dispatcher!r}>"

    def leave(self) -> None:
        """Ends what would never end by itself: the gateway is going away."""
        self._rpcs.leave()

    async def close(self) -> None:
        """Closes the connections to servers outside the mesh, and gives up copies of requests."""
        await self._mirrors.close()
        await self._upstreams.close()
        await self._grpc_upstreams.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI http scope.

        Raises:
            BrokenReplyError: the reply broke midway; the server must abort the body.
        """
        request = Request.of(scope)
        if request.fields.get(b"content-type", b"").startswith(b"application/grpc"):
            await self._grpc(request, receive, send)
            return
        entered = self._outside.enter(request)
        if entered is not None:
            request = entered.request
            passage = self._passage(scope["method"], entered)
            if passage is not None:
                await self._answer(request, receive, send, passage)
                return
        fronted = self._fronts.of(request)
        if fronted is None:
            await self._http(scope["method"], request, receive, send)
        else:
            await self._behind_front(fronted, scope, receive, send, request)

    def _passage(self, verb: str, entered: Entered) -> Serve | None:
        """What serves a request that goes to a server outside the mesh; None for any other."""
        if not entered.may_leave:
            return None
        try:
            upstream = self._outside.choose(entered.endpoint, entered.request, grpc=False)
            if upstream is None:
                return None
            metadata = self.guard.admit_outside(
                entered.request.shown,
                self._dispatcher.snapshot,
                entered.endpoint,
                entered.request.metadata,
            )
        except MeshError as error:
            return partial(_refuse, error)
        return partial(self._pass_on, verb, entered, metadata, upstream)

    async def _pass_on(
        self,
        verb: str,
        entered: Entered,
        metadata: Metadata,
        upstream: Upstream,
        exchange: HttpExchange,
        record: Record,
    ) -> None:
        """Has an upstream answer; if no connection can be opened another one, or a deployment."""
        request, endpoint, path = entered
        outgoing = request._replace(metadata=metadata)
        record.is_call = True
        tried: set[str] = set()
        found: Upstream | None = upstream
        while found is not None:
            trace = record.leave(request, endpoint.name, found)
            with_body = has_body(verb, request)
            ask = partial(self._ask_upstream, found, verb, path, outgoing, trace)
            try:
                await exchange.relay(ask, self._limit, has_body=with_body)
            except UnreachableError as error:
                log.warning("upstream %s cannot be reached: %s", found.name, error)
                record.turn_back()
                self._outside.failed(found)
                tried.add(found.url)
                found = self._outside.choose(endpoint, request, grpc=False, tried=tried)
            else:
                return
        await self._serve(verb, request, self._fronts.of(request), exchange, record)

    async def _ask_upstream(
        self,
        upstream: Upstream,
        verb: str,
        path: str,
        request: Request,
        trace: Trace,
        body: AsyncIterator[bytes] | None,
    ) -> Answer:
        answer = await self._upstreams.open(upstream, verb, path, request, trace, body)
        self._outside.reached(upstream)
        return answer

    async def _behind_front(
        self, fronted: Fronted, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Serves a request to a service whose HTTP is not the mesh's own."""

        async def serve(receive: Receive, send: Send) -> None:
            await self._http(scope["method"], request, receive, send, fronted)

        count = self.services.count(fronted, send)
        with count:
            cors = fronted.front.edge.cors
            if cors is None:
                await serve(receive, count.send)
            else:
                await _tell(serve_cross_origin(cors, scope, receive, count.send, serve))

    async def _http(
        self,
        verb: str,
        request: Request,
        receive: Receive,
        send: Send,
        fronted: Fronted | None = None,
    ) -> None:
        inference = open_inference.asked(
            self._dispatcher, self.guard, request, None if fronted is None else fronted.at
        )
        if inference is None:
            serve = partial(self._serve, verb, request, fronted)
            await self._answer(request, receive, send, serve)
        else:
            serve = partial(self._infer, verb, inference)
            await self._answer(inference.request, receive, send, serve, open_inference.told)

    async def _serve(
        self,
        verb: str,
        request: Request,
        fronted: Fronted | None,
        exchange: HttpExchange,
        record: Record,
    ) -> None:
        """Answers with a page, or with the reply of a method."""
        if fronted is not None:
            page = await self._page_of(fronted, verb, request)
        else:
            page = self._admin.page(request) if verb != "POST" else None
        if page is not None:
            await exchange.page(verb, page)
            return
        record.is_call = True
        endpoint, path = self._endpoint(request) if fronted is None else fronted.at
        aim = exchange.aim(endpoint, path, verb)
        await exchange.run(aim, record.begin(request, aim), self._limit)

    async def _infer(
        self, verb: str, inference: open_inference.Asked, exchange: HttpExchange, record: Record
    ) -> None:
        """The same for a request of the Open Inference Protocol."""
        asked = inference.question()
        if not asked.is_call:
            await exchange.page(verb, inference.page(asked), inference.verbs)
            return
        record.is_call = True
        aim = inference.aim(asked, verb)
        media_type = inference.media_type(asked, aim, self._limit)
        trace = record.begin(inference.request, aim)
        await exchange.run(aim, trace, self._limit, media_type)

    async def _answer(
        self,
        request: Request,
        receive: Receive,
        send: Send,
        serve: Serve,
        told: Callable[[MeshError], tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Has a request served, and sees to it that it ends in a status.

        `told` gives media type and body of the reply to a failed one, if they are not the usual.
        """
        exchange = HttpExchange(
            self._dispatcher, self.guard, self.clients, request, receive, send, self._mirrors
        )
        error: MeshError | None = None
        record = Record("http", self._metrics, self.outcomes, self._tracing, self._clock)
        try:
            request.check_fields()
            await serve(exchange, record)
        except MeshError as raised:
            error = raised
            await _tell(exchange.fail(error, told and told(error)))
        except RedirectError as elsewhere:
            await _tell(exchange.redirect(elsewhere))
        except (ClientGoneError, OSError):  # servers raise OSError when told to write to nobody
            error = _CLIENT_GONE
        except BrokenReplyError as broken:
            error = Internal(f"the reply broke midway: {broken}")
            _log_as(request)
            log.warning("%s", error.message)
            raise
        except Exception as unexpected:
            error = Internal(UNEXPECTED)
            _log_as(request)
            log.exception("a request failed")
            if exchange.status:
                raise BrokenReplyError(UNEXPECTED) from unexpected
            await _tell(exchange.fail(error, told and told(error)))
        finally:
            record.end(str(error.status if error else exchange.status), error)

    async def _page_of(self, fronted: Fronted, verb: str, request: Request) -> Page | None:
        """The page about a service with pages of its own. Raises RedirectError, MeshError."""
        if verb == "POST" and fronted.path in fronted.front.service.routes:
            return None  # a method may have the path of a page
        elsewhere = fronted.elsewhere(request.path)
        if elsewhere is not None:
            raise RedirectError(elsewhere)
        inside = fronted.page_request(request)
        if verb in ("GET", "HEAD"):
            page = await self._probes.page(fronted, inside)
            if page is not None:
                return page
            if fronted.inside == METRICS and fronted.front.edge.metrics:
                _, own = self._render_metrics()
                return await self._user_metrics.page(fronted, inside, own)
        return self._admin.page(inside)

    async def _grpc(self, request: Request, receive: Receive, send: Send) -> None:
        kind = InferenceExchange if is_open_inference(request.path) else GrpcExchange
        incoming = Incoming(receive, self.clients, self._alarms, self._body_timeout)
        exchange = kind(
            self._dispatcher,
            self.guard,
            self._alarms,
            self._clock,
            request,
            incoming,
            send,
            self._limits,
            self._mirrors,
        )
        error: MeshError | None = None
        record = Record("grpc", self._metrics, self.outcomes, self._tracing, self._clock)
        record.is_call = True
        try:
            exchange.start()
            await self._rpcs.serve(exchange, request, record)
        except MeshError as raised:
            error = raised
            await _tell(exchange.fail(error))
        except (ClientGoneError, OSError):  # as above
            error = _CLIENT_GONE
        except Exception:
            error = Internal(UNEXPECTED)
            _log_as(request)
            log.exception("a request failed")
            await _tell(exchange.fail(error))
        finally:
            exchange.close()
            record.end(error.code.name if error else "OK", error)

    def _endpoint(self, request: Request) -> tuple[str, str]:
        return endpoint_of(
            self._dispatcher.snapshot,
            authority=request.text(b"host"),
            header=request.text(b"x-mesh-endpoint"),
            path=request.path,
        )


async def _refuse(error: MeshError, _: HttpExchange, record: Record) -> None:
    record.is_call = True
    raise error


def _log_as(request: Request) -> None:
    """Lines that are logged from now on say which request they are about."""
    log_fields.set({"request_id": request.request_id, "trace_id": request.trace.trace_id})


async def _tell(writing: Awaitable[None]) -> None:
    """Writes a reply that ends a request; that nobody is there to read it changes nothing."""
    with suppress(OSError, ClientGoneError):
        await writing
