"""Who gets in, and until when."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from mesh.access.contract import WANTED, WRONG, Grant
from mesh.access.directory import Directory
from mesh.access.people import INACTIVE
from mesh.access.principal import OWNER, Area, Principal, Role, Verb
from mesh.access.tokens import PREFIX, Wish
from mesh.access.users import INVITED, Invited, NewUser
from mesh.control.store.catalogue import Kind, Put, Remove
from mesh.control.store.memory_catalogue import MemoryCatalogue
from mesh.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)

SECRET = "the-owner's-token"
T = TypeVar("T")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Counting(MemoryCatalogue):
    """Counts writes, and fails them when told."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.fails = False

    async def write(self, *changes: Put | Remove) -> None:
        if self.fails:
            raise Unavailable("the store is away")
        self.writes += 1
        await super().write(*changes)


def run(test: Callable[[Directory, Clock, Counting], Awaitable[T]], owner: str = SECRET) -> T:
    async def opened() -> T:
        clock, catalogue = Clock(), Counting()
        return await test(await Directory.opened(catalogue, owner, clock), clock, catalogue)

    return asyncio.run(opened())


async def member(directory: Directory, name: str, role: Role = Role.DEVELOPER) -> Principal:
    """A new user of `default`, as if they were logged in."""
    await directory.users.make(
        NewUser(name, f"{name}@example.com", organization="default", role=role)
    )
    return directory.principal(name)


async def issued(directory: Directory, asker: Principal, **wish: Any) -> str:
    _, text = await directory.tokens.make(asker, Wish("t", **wish))
    return text


def refused(directory: Directory, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        directory.authenticate(token)
    return caught.value.message


def test_the_owner_s_token_always_works_and_no_other() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        assert directory.authenticate(SECRET) is OWNER
        assert refused(directory, "") == WANTED
        assert refused(directory, "other") == WRONG
        assert refused(directory, "ä\udc80") == WRONG

    run(test)


def test_without_a_control_token_everyone_is_the_owner_but_who_shows_a_wrong_one() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        assert directory.authenticate("") is OWNER
        assert refused(directory, "other") == WRONG
        made = await issued(directory, OWNER, scopes=["read_cluster"])
        assert directory.authenticate(made).scopes == {"read_cluster"}

    run(test, owner="")


def test_a_token_says_who_shows_it() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        ann = await member(directory, "ann")
        token, text = await directory.tokens.make(ann, Wish("laptop"))
        assert text.startswith(PREFIX)
        found = directory.authenticate(text)
        assert found == Principal("ann", Role.DEVELOPER, token="laptop", token_uid=token.uid)

    run(test)


def test_only_the_digest_of_a_token_is_kept() -> None:
    async def test(directory: Directory, _: Clock, catalogue: Counting) -> None:
        text = await issued(directory, OWNER)
        (entry,) = await catalogue.entries(Kind.TOKEN)
        assert entry.name == hashlib.sha256(text.encode()).hexdigest()
        assert text not in repr(entry) + repr(directory) + repr(directory.tokens.of("default"))
        assert SECRET not in repr(directory)

    run(test)


def test_a_directory_that_is_opened_anew_knows_the_same() -> None:
    async def test(directory: Directory, clock: Clock, catalogue: Counting) -> None:
        ann = await member(directory, "ann")
        text = await issued(directory, ann, scopes=["read_cluster"], expires_at=clock.now + 9)
        await issued(directory, OWNER, is_of_organization=True, opens=frozenset({"d1"}))
        await directory.organizations.make("lab", "ann", "of ann")
        await directory.tokens.keep_uses()
        writes = catalogue.writes
        again = await Directory.opened(catalogue, SECRET, clock)
        assert catalogue.writes == writes
        assert again.authenticate(text) == directory.authenticate(text)
        for part in ("users", "organizations", "members", "tokens"):
            assert getattr(again.roll, part) == getattr(directory.roll, part)

    run(test)


def test_a_token_ends_when_it_expires() -> None:
    async def test(directory: Directory, clock: Clock, _: Counting) -> None:
        text = await issued(directory, OWNER, expires_at=clock.now + 10)
        clock.now += 9.5
        assert directory.authenticate(text).user == OWNER.user
        clock.now += 0.5
        assert refused(directory, text) == "the token 't' has expired"

    run(test)


def test_what_is_revoked_opens_nothing_any_more() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        told: list[Mapping[bytes, Grant]] = []
        directory.when_granted(told.append)
        token, text = await directory.tokens.make(OWNER, Wish("t"))
        digest = hashlib.sha256(text.encode()).digest()
        assert told[-1][digest] == Grant("default", everything=True)
        await directory.tokens.revoke("default", token.uid)
        assert digest not in told[-1]
        assert refused(directory, text) == WRONG
        with pytest.raises(NotFound):
            await directory.tokens.revoke("default", token.uid)

    run(test)


def test_a_use_that_is_written_late_does_not_bring_a_revoked_token_back() -> None:
    async def test(directory: Directory, _: Clock, catalogue: Counting) -> None:
        token, text = await directory.tokens.make(OWNER, Wish("t"))
        directory.authenticate(text)
        await directory.tokens.revoke("default", token.uid)
        await directory.tokens.keep_uses()
        assert not await catalogue.entries(Kind.TOKEN)

    run(test)


def test_members_who_leave_take_their_own_tokens_with_them() -> None:
    async def test(directory: Directory, _: Clock, catalogue: Counting) -> None:
        ann = await member(directory, "ann", Role.ADMIN)
        await directory.organizations.make("lab", "ann")
        lab = directory.principal("ann", "lab")
        own, shared, elsewhere = (
            await issued(directory, ann),
            await issued(directory, ann, is_of_organization=True),
            await issued(directory, lab),
        )
        await directory.members.remove("default", "ann")
        assert refused(directory, own) == WRONG
        assert directory.authenticate(shared) == Principal(
            "token:t", Role.DEVELOPER, token="t", token_uid=directory.tokens.of("default")[0].uid
        )
        assert directory.authenticate(elsewhere).organization == "lab"
        assert len(await catalogue.entries(Kind.TOKEN)) == 1
        await directory.members.add("default", ["ann"], Role.ADMIN, "owner")
        assert refused(directory, own) == WRONG

    run(test)


def test_a_token_has_the_rights_that_its_user_has_now() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        ann = await member(directory, "ann")
        text = await issued(directory, ann)
        assert directory.authenticate(text).may(Verb.WRITE, Area.DEPLOYMENTS)
        await directory.members.change("default", "ann", Role.GUEST)
        assert not directory.authenticate(text).may(Verb.WRITE, Area.DEPLOYMENTS)

    run(test)


@pytest.mark.parametrize(
    ("role", "wish", "grant"),
    [
        (Role.ADMIN, {}, Grant("default", everything=True)),
        (Role.DEVELOPER, {}, Grant("default", everything=True)),
        (Role.API_USER, {}, Grant("default", everything=True)),
        (Role.GUEST, {}, None),
        (Role.DEVELOPER, {"scopes": ["write_cluster"]}, None),
        (Role.GUEST, {"opens_all": True}, None),
        (Role.GUEST, {"opens_endpoints": True}, None),
        (
            Role.API_USER,
            {"scopes": [], "opens_endpoints": True, "expires_at": 2e6},
            Grant("default", everything=True, expires_at=2e6),
        ),
        (
            Role.DEVELOPER,
            {"scopes": ["read_cluster"], "opens_all": True},
            Grant("default", everything=True),
        ),
        (
            Role.API_USER,
            {"scopes": [], "opens": frozenset({"d1"}), "expires_at": 2e6},
            Grant("default", deployments=frozenset({"d1"}), expires_at=2e6),
        ),
    ],
)
def test_what_a_token_opens(role: Role, wish: dict[str, Any], grant: Grant | None) -> None:
    async def test(directory: Directory, *_: Any) -> None:
        text = await issued(directory, await member(directory, "ann", role), **wish)
        assert directory.grants().get(hashlib.sha256(text.encode()).digest()) == grant
        assert directory.grants()[hashlib.sha256(SECRET.encode()).digest()] == Grant(
            "", everything=True
        )

    run(test)


def test_what_is_wanted_of_scopes() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        with pytest.raises(InvalidArgument, match="'write_all' is no scope: there are api, read_"):
            await issued(directory, OWNER, scopes=["api", "write_all"])
        with pytest.raises(InvalidArgument, match="a token needs a scope"):
            await issued(directory, OWNER, scopes=[])
        only = await issued(directory, OWNER, opens_all=True)
        assert directory.authenticate(only).scopes == frozenset()
        assert directory.authenticate(await issued(directory, OWNER)).scopes == {"api"}

    run(test)


def test_no_token_makes_one_that_is_good_for_more() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        text = await issued(directory, OWNER, scopes=["write_organization"])
        asker = directory.authenticate(text)
        for wish in ({}, {"scopes": ["operate_organization"]}, {"scopes": ["read_cluster"]}):
            with pytest.raises(PermissionDenied, match="may not make one with scope"):
                await issued(directory, asker, **wish)
        with pytest.raises(PermissionDenied, match="may not make one that opens deployments"):
            await issued(directory, asker, opens_all=True)
        less = await issued(directory, asker, scopes=["read_organization", "write_organization"])
        uid = directory.authenticate(less).token_uid
        with pytest.raises(PermissionDenied):
            await directory.tokens.change(asker, uid, scopes=("api",))

    run(test)


def test_last_use_is_known_at_once_and_written_later() -> None:
    async def test(directory: Directory, clock: Clock, catalogue: Counting) -> None:
        text = await issued(directory, OWNER)
        writes = catalogue.writes
        clock.now += 5
        for _ in range(100):
            directory.authenticate(text)
        (token,) = directory.tokens.of("default")
        assert token.last_used_at == clock.now
        directory.used(bytes.fromhex(token.digest), clock.now - 1)
        directory.used(bytes(32), clock.now)
        assert directory.tokens.of("default") == (token,)
        assert catalogue.writes == writes
        await directory.tokens.keep_uses()
        await directory.tokens.keep_uses()
        assert catalogue.writes == writes + 1
        (entry,) = await catalogue.entries(Kind.TOKEN)
        assert entry.document["last_used_at"] == clock.now

    run(test)


def test_uses_that_gateways_tell_count_in_any_order() -> None:
    async def test(directory: Directory, clock: Clock, _: Counting) -> None:
        text = await issued(directory, OWNER)
        digest = hashlib.sha256(text.encode()).digest()
        directory.used(digest, clock.now + 5)
        directory.used(digest, clock.now + 2)
        directory.used(b"nobody's", clock.now)
        (token,) = directory.tokens.of("default")
        assert token.last_used_at == clock.now + 5
        await directory.tokens.keep_uses()
        directory.used(digest, clock.now + 3)  # from a gateway that was cut off
        (token,) = directory.tokens.of("default")
        assert token.last_used_at == clock.now + 5

    run(test)


def test_what_cannot_be_kept_does_not_happen() -> None:
    async def test(directory: Directory, _: Clock, catalogue: Counting) -> None:
        token, text = await directory.tokens.make(OWNER, Wish("t"))
        directory.authenticate(text)
        catalogue.fails = True
        with pytest.raises(Unavailable):
            await directory.tokens.revoke("default", token.uid)
        with pytest.raises(Unavailable):
            await member(directory, "ann")
        with pytest.raises(Unavailable):
            await directory.tokens.keep_uses()
        assert directory.users.find("ann") is None
        assert directory.authenticate(text).user == OWNER.user
        catalogue.fails = False
        await directory.tokens.keep_uses()
        (entry,) = await catalogue.entries(Kind.TOKEN)
        assert entry.document["last_used_at"]

    run(test)


def test_an_organization_keeps_its_last_administrator() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        for name in ("ann", "bob"):
            await member(directory, name)
        await directory.organizations.make("lab", "ann")
        await directory.members.add("lab", ["bob"], Role.DEVELOPER, "ann")
        for change in (
            lambda: directory.members.remove("lab", "ann"),
            lambda: directory.members.change("lab", "ann", Role.GUEST),
            lambda: directory.members.add("lab", ["ann", "bob"], Role.GUEST, "ann"),
        ):
            with pytest.raises(FailedPrecondition, match="'ann' is the last administrator"):
                await change()
        await directory.members.add("lab", ["bob"], Role.ADMIN, "ann")
        await directory.members.remove("lab", "ann")
        with pytest.raises(FailedPrecondition, match="'bob' is the last administrator"):
            await directory.members.remove("lab", "bob")
        with pytest.raises(FailedPrecondition, match="'owner' owns this mesh"):
            await directory.members.remove("default", "owner")

    run(test)


def test_of_two_administrators_who_remove_each_other_one_stays() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        for name in ("ann", "bob"):
            await member(directory, name)
        await directory.organizations.make("lab", "ann")
        await directory.members.add("lab", ["bob"], Role.ADMIN, "ann")
        found = await asyncio.gather(
            directory.members.remove("lab", "ann"),
            directory.members.remove("lab", "bob"),
            return_exceptions=True,
        )
        assert [type(each) is FailedPrecondition for each in found] == [False, True]

    run(test)


def test_users_are_found_by_name_and_by_email() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        await member(directory, "ann")
        assert directory.users.find("ann") == directory.users.find("Ann@Example.com")
        assert directory.users.find("") is None
        assert directory.person("gone").uid == "gone"
        again: list[tuple[NewUser, type[MeshError]]] = [
            (NewUser("ann"), AlreadyExists),
            (NewUser("bob", "ANN@example.com"), AlreadyExists),
            (NewUser("ann@example.com"), AlreadyExists),
            (NewUser("a b"), InvalidArgument),
            (NewUser("bob", "bob"), InvalidArgument),
            (NewUser("bob", organization="none"), NotFound),
        ]
        for wanted, error in again:
            with pytest.raises(error):
                await directory.users.make(wanted)
        bob = await directory.users.make(NewUser("bob"))
        with pytest.raises(AlreadyExists):
            await directory.users.change("bob", email="ann@example.com")
        changed = await directory.users.change("bob", email="b@x", credentials={"k": "hidden"})
        assert changed == replace(bob, email="b@x", credentials={"k": "hidden"})
        assert "hidden" not in repr(changed)

    run(test)


def test_nobody_gets_into_an_organization_that_is_inactive_or_gone() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        await member(directory, "ann")
        await directory.organizations.make("lab", "ann")
        ann = directory.principal("ann", "lab")
        text = await issued(directory, ann)
        digest = hashlib.sha256(text.encode()).digest()
        await directory.organizations.change("lab", status=INACTIVE)
        with pytest.raises(PermissionDenied, match="organization 'lab' is inactive"):
            directory.authenticate(text)
        with pytest.raises(PermissionDenied, match="organization 'lab' is inactive"):
            directory.principal("ann", "lab")
        assert digest not in directory.grants()
        await directory.organizations.change("lab", status="active")
        assert digest in directory.grants()
        await directory.organizations.remove("lab")
        assert refused(directory, text) == WRONG
        with pytest.raises(NotFound):
            directory.organizations.organization("lab")
        with pytest.raises(AlreadyExists, match="there is or was an organization 'lab'"):
            await directory.organizations.make("lab", "owner")
        assert directory.members.organizations_of("ann") == ("default",)
        for call in (
            directory.organizations.remove("default"),
            directory.organizations.change("default", status=INACTIVE),
        ):
            with pytest.raises(FailedPrecondition):
                await call

    run(test)


def test_only_administrators_of_all_organizations_go_elsewhere() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        ann = await member(directory, "ann", Role.ADMIN)
        await directory.organizations.make("lab", "owner")
        assert directory.elsewhere(OWNER, "lab").organization == "lab"
        assert directory.elsewhere(ann, "default") is ann
        with pytest.raises(NotFound):
            directory.elsewhere(OWNER, "none")
        for name in ("lab", "none"):
            with pytest.raises(PermissionDenied, match="this token is of organization 'default'"):
                directory.elsewhere(ann, name)
        with pytest.raises(PermissionDenied, match="ann is no member of organization 'lab'"):
            directory.principal("ann", "lab")
        with pytest.raises(Unauthenticated):
            directory.principal("nobody")

    run(test)


def test_a_role_in_the_cluster_counts_for_deployments_and_nothing_else() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        ann = await member(directory, "ann", Role.GUEST)
        await directory.members.add("default", ["ann"], Role.DEVELOPER, "owner", "default")
        text = await issued(directory, ann)
        for who in (directory.principal("ann"), directory.authenticate(text)):
            assert who.may(Verb.WRITE, Area.DEPLOYMENTS)
            assert not who.may(Verb.WRITE, Area.RELEASES)
        assert hashlib.sha256(text.encode()).digest() in directory.grants()
        await directory.members.change("default", "ann", Role.ADMIN)
        await directory.members.add("default", ["ann"], Role.GUEST, "owner", "default")
        with pytest.raises(PermissionDenied, match="ann: a guest may not write deployments"):
            directory.authenticate(text).require(Verb.WRITE, Area.DEPLOYMENTS)
        await directory.members.remove("default", "ann", "default")
        assert directory.authenticate(text).may(Verb.WRITE, Area.DEPLOYMENTS)

    run(test)


def test_a_token_of_the_organization_makes_none_of_a_person() -> None:
    async def test(directory: Directory, *_: Any) -> None:
        shared = await issued(directory, OWNER, is_of_organization=True)
        asker = directory.authenticate(shared)
        assert not asker.is_super_admin
        with pytest.raises(FailedPrecondition, match="'token:t' is no member"):
            await issued(directory, asker)

    run(test)


def test_an_invitation_makes_one_user() -> None:
    async def test(directory: Directory, clock: Clock, catalogue: Counting) -> None:
        asked = Invited("ann@example.com", Role.GUEST, "Ann")
        _, code = await directory.users.invite(OWNER, asked)
        again = await Directory.opened(catalogue, SECRET, clock)
        assert again.users.invited(code) == directory.users.invited(code)
        with pytest.raises(InvalidArgument):
            await directory.users.accept(code, "no name", {})
        assert refused(directory, code) == WRONG
        ann = await directory.users.accept(code, "ann", {"password": "x"}, last_name="Lee")
        assert (ann.email, ann.first_name, ann.last_name) == ("ann@example.com", "Ann", "Lee")
        assert directory.principal("ann").role is Role.GUEST
        with pytest.raises(NotFound):
            await directory.users.accept(code, "bob", {})
        with pytest.raises(AlreadyExists):
            await directory.users.invite(OWNER, asked)
        _, late = await directory.users.invite(OWNER, Invited("bob@example.com"))
        clock.now += INVITED
        with pytest.raises(NotFound):
            directory.users.invited(late)
        await directory.users.invite(OWNER, Invited("eve@example.com"))
        assert len(await catalogue.entries(Kind.INVITATION)) == 1

    run(test)


def test_a_token_does_not_prolong_one_that_is_good_for_more() -> None:
    async def test(directory: Directory, clock: Clock, _: Counting) -> None:
        token, _text = await directory.tokens.make(OWNER, Wish("t", expires_at=clock.now + 9))
        less = await issued(directory, OWNER, scopes=["write_organization"])
        asker = directory.authenticate(less)
        with pytest.raises(PermissionDenied):
            await directory.tokens.change(asker, token.uid, expires_at=clock.now + 99)
        changed = await directory.tokens.change(asker, token.uid, expires_at=clock.now)
        assert changed.has_expired(clock.now)

    run(test)
