"""A service in a module, as users have it."""

import mesh


@mesh.service
class BookShelf:
    @mesh.api
    def count(self, text: str) -> int:
        return len(text)
