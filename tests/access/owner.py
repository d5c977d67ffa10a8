"""The directory of a mesh that only its owner uses."""

import asyncio

from mesh.access.directory import Directory
from mesh.control.store.memory_catalogue import MemoryCatalogue


async def owned(token: str = "") -> Directory:
    """Lets in who has the token; without one everyone."""
    return await Directory.opened(MemoryCatalogue(), token)


def only_owner(token: str = "") -> Directory:
    """The same, where no event loop runs."""
    return asyncio.run(owned(token))
