"""The life of one replica: load the class, make the instance, open the link, drain, stop.

A plain class that needs no Ray. Its methods block and may be called from any thread; calls of the
mesh run on an event loop in a thread of its own.
"""

import asyncio
import logging
import os
import pickle
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from mesh.clock import monotonic
from mesh.control.loads import Report
from mesh.definition.depends import bind
from mesh.definition.graph import resolve
from mesh.definition.loader import load
from mesh.definition.spec import ServiceSpec, service_spec
from mesh.errors import ConfigError, Internal, Unavailable
from mesh.launch import Launch, Source
from mesh.link.dispatch import Dispatcher
from mesh.link.ends import ReplicaEnd
from mesh.link.pool import Pool
from mesh.link.reach import Listener, connect
from mesh.link.report import Reporter
from mesh.link.watch import Watch
from mesh.loops import LoopThread
from mesh.memory import settle
from mesh.observe.tracing import Tracing
from mesh.replica.handle import Caller, Handle, Route
from mesh.replica.handler import Handler
from mesh.replica.usage import Usage

log = logging.getLogger("mesh.replica")

CHECK_WAIT = 5.0
"""Seconds in which the event loop of a healthy replica answers."""
STOP_WAIT = 5.0
"""Seconds that calls which are broken off have to clean up."""


def entry_class(source: Source) -> type:
    """The entry class of the graph that `source` holds.

    Raises:
        ConfigError: it cannot be loaded; the message says why in one line.
    """
    if not source.code:
        return load(source.target, source.path)
    sys.path[:0] = [folder for folder in source.path if folder not in sys.path]
    try:
        loaded = pickle.loads(source.code)  # noqa: S301  # Ray carries it, within one cluster
    except Exception as error:
        raise ConfigError(f"cannot load the service: {_sentence(error)}") from error
    if not isinstance(loaded, type):
        raise ConfigError("cannot load the service: the code holds no class")
    return loaded


def _sentence(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


class ReplicaHost:
    """Hosts one instance of one service. `bind_host` is the address to listen on."""

    def __init__(self, launch: Launch, bind_host: str = "127.0.0.1") -> None:
        self._launch = launch
        self._bind_host = bind_host
        self._thread: LoopThread | None = None
        self._tracing = Tracing.from_env(os.environ, service_name=launch.service)
        self._handler: Handler | None = None
        self._end: ReplicaEnd | None = None
        self._server: Listener | None = None
        self._pool: Pool | None = None
        self._watch: Watch | None = None
        self._dispatcher: Dispatcher | None = None
        self._reporter: Reporter | None = None
        self._usage: Usage | None = None
        self._name = f"replica/{launch.replica_id}"
        self._ending: list[Callable[[], Awaitable[None] | None]] = []

    def __repr__(self) -> str:
        return f"<ReplicaHost {self._launch.replica_id} {self._handler!r}>"

    def start(self) -> str:
        """Loads and makes the instance and opens its link; returns the link's `host:port`.

        Raises:
            MeshError: what went wrong, with the text of the user's exception.
        """
        service = self._service()
        thread = self._thread = LoopThread("mesh-calls")
        try:
            instance = self._instance(service, thread)
            thread.wait(self._begin(service, instance))
            address = thread.wait(self._listen(service, instance))
        except BaseException:
            self.stop()
            raise
        settle()
        return address

    def _service(self) -> ServiceSpec:
        graph = resolve(entry_class(self._launch.source))
        service = graph.services.get(self._launch.service)
        if service is None:
            raise ConfigError(f"the graph has no service {self._launch.service!r}")
        if service.name == graph.entry.name:
            service.rpc.prepare()  # now, and not when the first call comes
        return service

    def _instance(self, service: ServiceSpec, thread: LoopThread) -> object:
        """The user's object, its dependencies bound before `__init__` runs."""
        handles = thread.wait(self._connect(service))
        cls: Any = service.cls
        instance: object = cls.__new__(cls)
        bind(instance, handles)
        try:
            # As if the class was called, but with the dependencies at hand from the first line.
            cls.__init__(instance)
        except (Exception, SystemExit) as error:
            log.exception("%s cannot be made", service.name)
            raise Internal(f"{service.name}.__init__ failed: {_sentence(error)}") from error
        return instance

    async def _begin(self, service: ServiceSpec, instance: object) -> None:
        """What the service does when its instance is made. Raises Internal."""
        for hook in service.manner.hooks.startup:
            try:
                done = hook(instance)
                if done is not None:
                    await done
            except (Exception, SystemExit) as error:
                log.exception("%s cannot start", service.name)
                text = f"{service.name}: a startup hook failed: {_sentence(error)}"
                raise Internal(text) from error
        self._ending = [partial(hook, instance) for hook in service.manner.hooks.shutdown]

    async def _finish(self) -> None:
        """What the service does when it is over; a failure there stops nothing else."""
        ending, self._ending = self._ending, []
        for hook in ending:
            try:
                done = hook()
                if done is not None:
                    await done
            except (Exception, SystemExit):
                log.exception("a shutdown hook of %s failed", self._launch.service)

    async def _connect(self, service: ServiceSpec) -> dict[str, Any]:
        """Handles for the dependencies, which follow the controller's snapshots."""
        if not service.dependencies:
            return {}
        rng = Random()  # noqa: S311  # for spreading load
        self._pool = Pool(connect, monotonic, rng)
        dispatcher = self._dispatcher = Dispatcher(self._pool, monotonic, rng)
        if self._launch.controller:
            self._watch = Watch(
                self._launch.controller,
                self._name,
                dispatcher.follow,
                rng,
                deployment=self._launch.deployment,
            )
            self._watch.start()
            # Before there is an instance: that may call while it is made, and wait.
            self._report(dispatcher)
        loop = asyncio.get_running_loop()
        launch = self._launch
        callers = {
            attribute: Caller(
                dispatcher,
                loop,
                Route(launch.deployment, launch.version_id, service_spec(dependency)),
                self._tracing,
                self._lag,
            )
            for attribute, dependency in service.dependencies.items()
        }
        return {name: service.manner.handle(Handle(each)) for name, each in callers.items()}

    def _lag(self) -> float:
        """Seconds by which callers may have heard before of what is news here."""
        return 0.0 if self._watch is None else self._watch.lag

    async def _listen(self, service: ServiceSpec, instance: object) -> str:
        handler = Handler(service, instance, self._launch, monotonic, self._tracing)
        self._usage = Usage(self._launch, handler.admission, monotonic)
        if self._launch.controller and self._reporter is None:
            self._report(None)
        end = ReplicaEnd(monotonic, handler.take)
        server = Listener(end.serve)
        self._handler, self._end, self._server = handler, end, server
        return await server.start(self._bind_host)

    def _report(self, dispatcher: Dispatcher | None) -> None:
        """Begins to report load, and the calls that wait for dependencies."""
        rng = Random()  # noqa: S311  # for spreading load
        reporter = Reporter(self._launch.controller, self._name, self._measure, rng, monotonic)
        if dispatcher is not None:
            dispatcher.turns.when_waiting(reporter.wake)
        self._reporter = reporter
        reporter.start()

    def _measure(self, seconds: float) -> Report:
        usage, dispatcher = self._usage, self._dispatcher
        return Report(
            replicas={} if usage is None else {self._launch.replica_id: usage.take(seconds)},
            waiting={} if dispatcher is None else dispatcher.turns.waiting(),
        )

    def check(self) -> None:
        """Returns if the replica can take calls.

        Raises:
            Unavailable: its event loop does not answer, or it never started.
        """
        if self._thread is None or self._handler is None:
            raise Unavailable("the replica has not started")
        try:
            self._thread.wait(asyncio.sleep(0), CHECK_WAIT)
        except TimeoutError:
            raise Unavailable("the event loop does not answer: an async method blocks it") from None

    def drain(self, timeout: float) -> bool:
        """Takes no new calls; waits for those that run, `timeout` seconds at most.

        Returns whether none is left.
        """
        if self._thread is None or self._end is None:
            return True
        return self._thread.wait(self._end.drain(timeout))

    def stop(self) -> None:
        """Breaks off what still runs and ends. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            thread.wait(self._close(), 3 * STOP_WAIT)
        except TimeoutError:
            log.warning("%s did not stop in time", self._launch.replica_id)
        thread.stop()
        self._tracing.close()

    async def _close(self) -> None:
        if self._end is not None:
            self._end.break_off(Unavailable("the replica is being stopped"))
        if self._handler is not None:
            # What does not end in time is left behind; the rest is closed all the same.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._handler.close(), STOP_WAIT)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finish(), STOP_WAIT)
        if self._reporter is not None:
            await self._reporter.close()
        if self._watch is not None:
            await self._watch.close()
        if self._pool is not None:
            await self._pool.close()
        if self._server is not None:
            await self._server.stop(grace=0.5)
