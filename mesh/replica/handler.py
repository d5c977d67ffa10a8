"""One instance of a service: takes its calls, and waits for them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from mesh.alarms import Alarms
from mesh.clock import Clock
from mesh.definition.spec import ServiceSpec
from mesh.errors import Overloaded, Unimplemented
from mesh.io.files.fetch import Fetcher
from mesh.launch import Launch
from mesh.link.call import ReplicaCall
from mesh.observe.tracing import Tracing
from mesh.replica import invoke
from mesh.replica.admission import Admission, Place
from mesh.replica.bodies import Bodies
from mesh.replica.replies import Replies
from mesh.replica.run import Around, Method, Run

RETRY_AFTER = 1.0
"""Seconds that a refused caller is told to wait."""


class Handler:
    """Takes the calls of one instance."""

    def __init__(
        self, service: ServiceSpec, instance: object, launch: Launch, clock: Clock, tracing: Tracing
    ) -> None:
        threads = invoke.Threads(launch.threads)
        bodies = Bodies(Fetcher(launch.fetch).fetch)
        self._around = Around(
            service=service.name,
            launch=launch,
            clock=clock,
            tracing=tracing,
            threads=threads,
            bodies=bodies,
            replies=Replies(),
            state={},
            alarms=Alarms(),
            manner=service.manner,
            later=self._finish,
        )
        self._methods = {
            name: Method(spec, spec.func.__get__(instance), f"{service.name}/{name}")
            for name, spec in (*service.methods.items(), *service.manner.probes.items())
        }
        self._probes = frozenset(service.manner.probes)
        self._tasks: set[asyncio.Task[None]] = set()
        self.admission = Admission(launch.max_concurrency, clock)

    def __repr__(self) -> str:
        return f"<Handler {self._around.service} {self.admission.taken} calls>"

    @property
    def running(self) -> int:
        """How many calls have not ended."""
        return len(self._tasks)

    def take(self, call: ReplicaCall) -> None:
        """Starts the call's method, or refuses the call at once."""
        name = call.head.method
        method = self._methods.get(name)
        if method is None:
            call.fail(Unimplemented(f"{self._around.service} has no method {name!r}"))
            return
        admission = Admission() if name in self._probes else self.admission
        place = admission.admit(call.tell_room)
        if place is None:
            call.fail(Overloaded("Too many requests", retry_after=RETRY_AFTER), refused=True)
            return
        task = self._start(Run(self._around, method, call, place).run(), place)
        call.on_cancel = partial(_cancel, task)

    def _start(self, running: Coroutine[Any, Any, None], place: Place) -> "asyncio.Task[None]":
        """A task that holds the place, which was held for it."""
        task = asyncio.get_running_loop().create_task(running)
        self._tasks.add(task)
        # Not the run's own last step: one that is cancelled before its first takes none.
        task.add_done_callback(partial(self._ended, place))
        return task

    def _finish(self, place: Place, tasks: Iterable[Callable[[], Any]]) -> None:
        """Does what the call left to be done after its reply, which its end doesn't cancel."""
        place.hold()
        self._start(self._around.replies.finish(tasks, place), place)

    def _ended(self, place: Place, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        place.release()

    async def close(self) -> None:
        """Cancels what still runs and waits for it."""
        while self._tasks:  # one that ends by itself meanwhile may start another
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._around.threads.close()
        self._around.bodies.close()
        self._around.replies.close()


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
