"""Users and members through the control API."""

from dataclasses import dataclass
from typing import Any

from mesh.client.control.connection import Connection
from mesh.client.control.members import Members, MemberView


@dataclass(frozen=True, slots=True)
class InvitationView:
    """With `url` somebody becomes a user and a member; it is told once."""

    email: str
    role: str
    url: str


class Users:
    """What can be done with users. All raise MeshError, PermissionDenied above all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._here = f"{connection.url}/api/v1/users"
        self._members = Members(connection)

    def list(self) -> tuple[MemberView, ...]:
        """The members of one's organization, with their roles."""
        return self._members.list()

    def invite(self, email: str, role: str = "developer", name: str = "") -> InvitationView:
        """A link with which somebody becomes a user and a member; `name` is what they are called.

        No mail is sent.
        """
        sent = {"email": email, "first_name": name or None, "role": role}
        found = self._connection.ask(dict[str, Any], "POST", f"{self._here}/invite", sent)
        return InvitationView(email, role, found["url"])

    def remove(self, name: str) -> None:
        """Has a user be no member of one's organization any more."""
        self._members.remove(name)
