"""What is asked of a controller without HTTP, with a note of it."""

from collections.abc import Mapping

from mesh.control.plan import Application
from mesh.faces.notes import Doing, Notes
from mesh.faces.rest.within import Within


class NotedVerbs:
    """Changes deployments for whoever has `verbs`; what is done goes to `notes`."""

    def __init__(self, verbs: Within, notes: Notes) -> None:
        self._verbs = verbs
        self._notes = notes

    async def apply(self, application: Application, code: Mapping[str, bytes] | None = None) -> int:
        """As of Verbs."""
        await self._verbs.until_opened()
        name = application.config.name
        is_there = any(record.name == name for record in self._verbs.deployments())
        doing = Doing("deployment", "updated" if is_there else "created", name)
        async with self._notes.of(self._verbs.principal, doing):
            return await self._verbs.apply(application, code)

    async def delete(self, name: str) -> None:
        """As of Verbs."""
        await self._verbs.until_opened()
        async with self._notes.of(self._verbs.principal, Doing("deployment", "deleted", name)):
            await self._verbs.delete(name)
