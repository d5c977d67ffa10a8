"""Whatever is done with members, users and tokens: who gets in, and what is seen of others."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings, strategies as st

from mesh.access.directory import Directory
from mesh.access.people import Organization
from mesh.access.principal import Role
from mesh.access.tokens import Token, Wish
from mesh.access.users import NewUser
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import MeshError, Unauthenticated

USERS = ("owner", "ann", "bob", "cid")
ORGANIZATIONS = ("default", "lab")

users, organizations = st.sampled_from(USERS), st.sampled_from(ORGANIZATIONS)
roles, which = st.sampled_from(Role), st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("add"), organizations, users, roles),
    st.tuples(st.just("change"), organizations, users, roles),
    st.tuples(st.just("remove"), organizations, users),
    st.tuples(st.just("make"), organizations, users, st.booleans(), st.sampled_from((5.0, 1e9))),
    st.tuples(st.just("rename"), users, st.text(max_size=5)),
    st.tuples(st.just("revoke"), organizations, which),
    st.tuples(st.just("expire"), organizations, which),
    st.tuples(st.just("later"), st.sampled_from((1.0, 3.0))),
    st.tuples(st.just("reopen")),
)


@dataclass
class Issue:
    """A token that was made, and whether it is good for anything still."""

    token: Token
    text: str
    expires_at: float
    is_over: bool = False


class World:
    """A directory, and what must be true of it by what was done."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.catalogue = MemoryCatalogue()
        self.issued: list[Issue] = []

    async def open(self) -> None:
        self.directory = await Directory.opened(self.catalogue, "of-owner", lambda: self.now)

    async def begin(self) -> None:
        await self.open()
        for name in USERS[1:]:
            await self.directory.users.make(NewUser(name, f"{name}@example.com"))
        await self.directory.organizations.make("lab", "ann")

    async def do(self, what: str, *said: Any) -> None:
        with suppress(MeshError):  # refused, and nothing is changed: that is looked at next
            await getattr(self, what)(*said)

    async def add(self, organization: str, user: str, role: Role) -> None:
        await self.directory.members.add(organization, [user], role, "owner")

    async def change(self, organization: str, user: str, role: Role) -> None:
        await self.directory.members.change(organization, user, role)

    async def remove(self, organization: str, user: str) -> None:
        await self.directory.members.remove(organization, user)
        for each in self.issued:
            is_theirs = (each.token.organization, each.token.user) == (organization, user)
            each.is_over |= is_theirs and not each.token.is_of_organization

    async def make(self, organization: str, user: str, is_shared: bool, lasts: float) -> None:
        asker = self.directory.principal(user, organization)
        ends = self.now + lasts
        wish = Wish("t", expires_at=ends, is_of_organization=is_shared, opens_all=True)
        token, text = await self.directory.tokens.make(asker, wish)
        self.issued.append(Issue(token, text, ends))

    async def rename(self, user: str, name: str) -> None:
        await self.directory.users.change(user, first_name=name)

    async def revoke(self, organization: str, number: int) -> None:
        found = self.issued[number % max(len(self.issued), 1)] if self.issued else None
        if found is not None:
            await self.directory.tokens.revoke(organization, found.token.uid)
            assert found.token.organization == organization, "another organization's is revoked"
            found.is_over = True

    async def expire(self, organization: str, number: int) -> None:
        found = self.issued[number % max(len(self.issued), 1)] if self.issued else None
        if found is not None:
            asker = self.directory.principal("owner")
            asker = self.directory.elsewhere(asker, organization)
            await self.directory.tokens.change(asker, found.token.uid, expires_at=self.now)
            assert found.token.organization == organization, "another organization's is changed"
            found.expires_at = self.now

    async def later(self, seconds: float) -> None:
        self.now += seconds

    async def reopen(self) -> None:
        await self.open()

    def check(self) -> None:
        for name in ORGANIZATIONS:
            self._check_organization(self.directory.organizations.organization(name))
        grants = self.directory.grants()
        for each in self.issued:
            is_good = not each.is_over and self.now < each.expires_at
            assert self._gets_in(each) == is_good
            grant = grants.get(bytes.fromhex(each.token.digest))
            if each.is_over:
                assert grant is None
            elif grant is not None:
                assert grant.expires_at == each.expires_at
                assert grant.organization == each.token.organization

    def _check_organization(self, found: Organization) -> None:
        members = self.directory.members.of(found.name)
        assert any(each.role is Role.ADMIN for each in members)
        assert {each.organization for each in members} == {found.name}
        listed = {each.uid for each in self.directory.tokens.of(found.name)}
        theirs = [each for each in self.issued if each.token.organization == found.name]
        assert listed == {each.token.uid for each in theirs if not each.is_over}

    def _gets_in(self, each: Issue) -> bool:
        try:
            found = self.directory.authenticate(each.text)
        except Unauthenticated:
            return False
        assert found.organization == each.token.organization
        return True


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=25))
def test_whatever_is_done_who_is_gone_is_out_and_each_organization_is_by_itself(
    done: list[tuple[Any, ...]],
) -> None:
    async def run() -> None:
        world = World()
        await world.begin()
        world.check()
        for what, *said in done:
            await world.do(what, *said)
            world.check()

    asyncio.run(run())
