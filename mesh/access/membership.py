"""Who is what in organizations and clusters. An organization always has an administrator."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mesh.access.people import Member
from mesh.access.principal import OWNER, Role
from mesh.access.roll import Roll
from mesh.control.records import DEFAULT_ORGANIZATION, DELETED
from mesh.errors import FailedPrecondition, NotFound


@dataclass(frozen=True, slots=True)
class Membership:
    """All members of organizations, and of clusters within them."""

    _roll: Roll
    _wall: Callable[[], float]
    _new_uid: Callable[[], str]

    def of(self, organization: str, cluster: str = "") -> tuple[Member, ...]:
        """Members of an organization or of a cluster of it, the newest first."""
        found = [
            each for key, each in self._roll.members.items() if key[:2] == (organization, cluster)
        ]
        return tuple(sorted(found, key=lambda each: (each.created_at, each.uid), reverse=True))

    def member(self, organization: str, user: str, cluster: str = "") -> Member:
        """One of them. Raises NotFound."""
        found = self._roll.members.get((organization, cluster, user))
        if found is None:
            raise NotFound(f"{user!r} is no member of {_place(organization, cluster)}")
        return found

    def organizations_of(self, user: str) -> tuple[str, ...]:
        """The names of the organizations that a user is in, sorted."""
        return tuple(
            sorted(key[0] for key in self._roll.members if key[1] == "" and key[2] == user)
        )

    async def add(
        self, organization: str, users: Iterable[str], role: Role, by: str, cluster: str = ""
    ) -> tuple[Member, ...]:
        """Has users be members; those who are get the role. Of a cluster: members only.

        Raises:
            NotFound: there is no such user, organization or (for a cluster) member; nothing is
                done then.
            FailedPrecondition: an administrator who may not go would be none any more.
        """
        async with self._roll.changing():
            self._require(organization)
            members = tuple(
                self._made(organization, user, role, by, cluster) for user in dict.fromkeys(users)
            )
            self._keep_admins(organization, cluster, {each.user: each.role for each in members})
            await self._roll.write(*members)
            return members

    async def change(self, organization: str, user: str, role: Role) -> Member:
        """Gives a member another role. Raises NotFound, and FailedPrecondition as `add`."""
        async with self._roll.changing():
            before = self.member(organization, user)
            self._keep_admins(organization, "", {user: role})
            after = replace(before, role=role, updated_at=self._wall())
            await self._roll.write(after)
            return after

    async def remove(self, organization: str, user: str, cluster: str = "") -> Member:
        """Lets a member go; their own tokens of the organization are good no more.

        Raises NotFound, and FailedPrecondition as `add`.
        """
        async with self._roll.changing():
            member = self.member(organization, user, cluster)
            if cluster:
                await self._roll.write(removed=(member,))
                return member
            self._keep_admins(organization, "", {user: None})
            tokens = (
                each
                for each in self._roll.tokens.values()
                if (each.organization, each.user) == (organization, user)
                and not each.is_of_organization
            )
            of_clusters = (
                each
                for (where, inner, who), each in self._roll.members.items()
                if (where, who) == (organization, user) and inner
            )
            await self._roll.write(removed=(member, *tokens, *of_clusters))
            return member

    def _require(self, organization: str) -> None:
        found = self._roll.organizations.get(organization)
        if found is None or found.status == DELETED:
            raise NotFound(f"there is no organization {organization!r}")

    def _made(self, organization: str, user: str, role: Role, by: str, cluster: str) -> Member:
        if user not in self._roll.users:
            raise NotFound(f"there is no user {user!r}")
        if cluster:
            self.member(organization, user)
        now = self._wall()
        before = self._roll.members.get((organization, cluster, user))
        if before is not None:
            return replace(before, role=role, updated_at=now)
        return Member(user, role, self._new_uid(), now, now, organization, cluster, by)

    def _keep_admins(self, organization: str, cluster: str, then: dict[str, Role | None]) -> None:
        """Raises FailedPrecondition if nobody could manage the organization any more."""
        if cluster:
            return
        if organization == DEFAULT_ORGANIZATION and then.get(OWNER.user, Role.ADMIN) != Role.ADMIN:
            raise FailedPrecondition(f"{OWNER.user!r} owns this mesh and stays an administrator")
        roles = {each.user: each.role for each in self.of(organization)}
        if Role.ADMIN in roles.values() and Role.ADMIN not in {**roles, **then}.values():
            gone = ", ".join(user for user in then if roles.get(user) is Role.ADMIN)
            raise FailedPrecondition(
                f"{gone!r} is the last administrator of {_place(organization)}: make another first"
            )


def _place(organization: str, cluster: str = "") -> str:
    if cluster:
        return f"cluster {cluster!r} of organization {organization!r}"
    return f"organization {organization!r}"
