"""What is used is written down once, whatever ends the control plane meanwhile."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from mesh.control.loads import Outcomes
from mesh.control.metering import Metering
from mesh.control.store.catalogue import Used
from mesh.errors import Unavailable
from tests.control.store.stores import async_test

USED = Used(0.0, "default", "d", "", 0.0, 3, 1)


@dataclass
class Journal:
    """Writes when it is let, as a thread does: in full, whoever waits for it."""

    is_broken: bool = False
    used: list[Used] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def add_used(self, *used: Used) -> None:
        await asyncio.shield(asyncio.ensure_future(self._add(used)))

    async def _add(self, used: tuple[Used, ...]) -> None:
        self.begun.set()
        await self.may_end.wait()
        if self.is_broken:
            raise Unavailable("the journal is away")
        self.used += used


@pytest.mark.parametrize("is_broken", [False, True])
@async_test
async def test_what_is_being_written_at_the_end_is_written_once(is_broken: bool) -> None:
    journal = Journal(is_broken)
    metering = Metering(cast("Any", journal))
    metering.count("d", None, Outcomes(requests=3, errors=1), 10.0)
    keeping = asyncio.create_task(metering.keep())
    await journal.begun.wait()
    keeping.cancel()
    asyncio.get_running_loop().call_soon(journal.may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await keeping
    journal.is_broken = False
    await metering.keep()
    assert journal.used == [USED]
