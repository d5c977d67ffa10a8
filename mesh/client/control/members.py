"""Members of one's organization through the control API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesh.client.control.connection import Connection


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of one's organization, since `created_at`."""

    name: str
    email: str
    role: str
    created_at: datetime


class Members:
    """What can be done with members. All raise MeshError, PermissionDenied above all.

    A role is `admin`, `developer`, `api_user` or `guest`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/v1/members"

    def list(self) -> tuple[MemberView, ...]:
        """All of them, with their roles, the newest first."""
        found = self._connection.ask(list[dict[str, Any]], "GET", self._here)
        return tuple(map(_view, found))

    def add(self, names: Sequence[str], role: str = "developer") -> tuple[MemberView, ...]:
        """Has users be members; those who are get the role.

        Raises NotFound for somebody who is no user of the mesh; nothing is done then.
        """
        sent = {"usernames": list(names), "role": role}
        found = self._connection.ask(list[dict[str, Any]], "POST", self._here, sent, again=True)
        return tuple(map(_view, found))

    def set_role(self, name: str, role: str) -> MemberView:
        """Gives a member another role. Raises NotFound.

        Raises FailedPrecondition for the last administrator.
        """
        sent = {"username": name, "role": role}
        return _view(self._connection.ask(dict[str, Any], "PUT", self._here, sent))

    def remove(self, name: str) -> None:
        """Has a user be no member any more, whose tokens open nothing there from then on.

        Raises as `set_role`.
        """
        self._connection.raw("DELETE", self._here, {"username": name})


def _view(found: Mapping[str, Any]) -> MemberView:
    user = found["user"]
    made = datetime.fromisoformat(found["created_at"])
    return MemberView(user["name"], user["email"], found["role"], made)
