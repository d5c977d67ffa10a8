"""What every store keeps to, asked of each."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from mesh.control.records import Change, Event, Intent, State
from mesh.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.control.store.records import (
    deployment,
    endpoint,
    event,
    revision,
    update,
    version,
)
from tests.control.store.stores import RETENTION, Opener, async_test

EVERYTHING = Change(
    deployments=(
        deployment(
            "d",
            2,
            intent=Intent.TERMINATE,
            standing={"main": ("d-v1", "d-v2"), "canary": ("d-v3",)},
            progress={"step": 1, "since": 12.25},
            creator="ann",
            organization="acme",
        ),
    ),
    revisions=(
        revision("d", 1),
        revision(
            "d",
            2,
            versions={"main": "d-v2", "canary": "d-v3"},
            generation=3,
            cause="why",
            creator="bob",
        ),
    ),
    versions=(version("d", 1), version("d", 2), version("d", 3, code=b""), version("d", 4)),
    endpoints=(
        endpoint(
            "e",
            intent=Intent.DELETE,
            keys={0: "one", 3: "zwei-é"},
            creator="ann",
            organization="acme",
        ),
    ),
    events=(event(1.0, reason="it began", by="ann"), Event(2.0, "change", endpoint="e")),
)


@async_test
async def test_a_new_store_has_nothing(opener: Opener) -> None:
    store = opener()
    assert await store.load() == State()
    assert await store.revisions("d") == ()
    assert await store.count_revisions("d") == 0
    assert await store.events() == ()
    await store.close()


@async_test
async def test_what_is_committed_is_there_when_the_store_is_opened_again(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    await store.close()
    store = opener()
    state = await store.load()
    assert state.deployments == {"d": EVERYTHING.deployments[0]}
    assert state.endpoints == {"e": EVERYTHING.endpoints[0]}
    assert state.endpoints["e"].keys == {0: "one", 3: "zwei-é"}
    assert await store.revisions("d") == EVERYTHING.revisions[::-1]
    assert await store.events() == EVERYTHING.events[::-1]
    await store.close()


@async_test
async def test_loading_gives_what_is_current_and_what_still_stands(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    state = await store.load()
    assert state.revisions == {"d": EVERYTHING.revisions[1]}
    # Version 1 stands although no current revision names it; nobody needs version 4.
    assert state.versions == {("d", each.id): each for each in EVERYTHING.versions[:3]}
    await store.close()


@async_test
async def test_records_replace_those_with_the_same_key(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    new = replace(EVERYTHING.deployments[0], revision=1, standing={}, intent=Intent.RUN)
    other = replace(EVERYTHING.endpoints[0], config={"a": None}, keys={})
    code = version("d", 1, code=b"new")
    await store.commit(Change(deployments=(new,), endpoints=(other,), versions=(code,)))
    state = await store.load()
    assert state.deployments == {"d": new}
    assert state.revisions == {"d": EVERYTHING.revisions[0]}
    assert state.versions == {("d", "d-v1"): code}
    assert state.endpoints == {"e": other}
    await store.close()


@async_test
async def test_of_two_records_with_one_key_in_a_change_the_last_counts(opener: Opener) -> None:
    store = opener()
    two = (deployment("d", 1, uid="first"), deployment("d", 1, uid="second"))
    await store.commit(Change(deployments=two))
    assert (await store.load()).deployments == {"d": two[1]}
    await store.close()


@async_test
async def test_the_same_change_again_changes_nothing(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    state, events = await store.load(), await store.events()
    await store.commit(EVERYTHING)
    assert await store.load() == state
    assert await store.events() == events
    assert await store.count_revisions("d") == 2
    await store.close()


@async_test
async def test_deleting_a_deployment_deletes_its_history_and_nothing_else(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    await store.commit(update(1, "other"))
    await store.commit(Change(deleted_deployments=("d", "never was")))
    state = await store.load()
    assert set(state.deployments) == {"other"}
    assert set(state.versions) == {("other", "other-v1")}
    assert set(state.endpoints) == {"e"}
    assert await store.count_revisions("d") == 0
    with pytest.raises(NotFound):
        await store.revision("d", 1)
    assert len(await store.events(deployment="d")) == 1
    # One of the same name has nothing of the old one.
    await store.commit(Change(deployments=(deployment("d", 1),)))
    assert await store.revisions("d") == ()
    assert (await store.load()).versions.keys() == {("other", "other-v1")}
    await store.close()


@async_test
async def test_what_is_deleted_can_be_made_anew_in_the_same_change(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    anew = replace(
        update(1), deleted_deployments=("d",), deleted_endpoints=("e",), endpoints=(endpoint("e"),)
    )
    await store.commit(anew)
    state = await store.load()
    assert state.deployments == {"d": anew.deployments[0]}
    assert state.endpoints == {"e": endpoint("e")}
    assert await store.revisions("d") == anew.revisions
    await store.close()


@async_test
async def test_deleting_an_endpoint_deletes_only_it(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    await store.commit(Change(deleted_endpoints=("e", "never was")))
    state = await store.load()
    assert state.endpoints == {}
    assert set(state.deployments) == {"d"}
    assert len(await store.events(endpoint="e")) == 1
    await store.close()


@async_test
async def test_revisions_come_newest_first_in_pages(opener: Opener) -> None:
    store = opener()
    for number in range(1, 8):
        await store.commit(update(number))
    await store.commit(update(1, "other"))
    assert [each.number for each in await store.revisions("d")] == [7, 6, 5, 4, 3, 2, 1]
    page = await store.revisions("d", start=2, count=3)
    assert [each.number for each in page] == [5, 4, 3]
    assert page[0] == revision("d", 5)
    assert await store.revisions("d", start=7) == ()
    assert await store.count_revisions("d") == 7
    await store.close()


@async_test
async def test_a_revision_comes_with_its_versions_each_once_in_its_order(opener: Opener) -> None:
    store = opener()
    await store.commit(EVERYTHING)
    named = revision("d", 3, versions={"z": "d-v3", "main": "d-v1", "a": "d-v3"})
    await store.commit(Change(revisions=(named,)))
    assert await store.revision("d", 3) == (named, (version("d", 3, code=b""), version("d", 1)))
    for name, number in (("d", 4), ("other", 1)):
        with pytest.raises(NotFound, match=f"no revision {number} of deployment '{name}'"):
            await store.revision(name, number)
    await store.close()


@async_test
async def test_a_part_of_a_deployment_that_does_not_exist_is_refused_whole(opener: Opener) -> None:
    store = opener()
    await store.commit(update(1))
    for part in (
        Change(revisions=(revision("ghost"),)),
        Change(versions=(version("ghost"),)),
        Change(revisions=(revision("d", 9),), deleted_deployments=("d",)),
    ):
        before = await store.load(), await store.events()
        with pytest.raises(FailedPrecondition, match=r"does not exist: '(ghost|d)'"):
            await store.commit(
                replace(part, endpoints=(endpoint("new"),), events=(event(99.0, deployment="x"),))
            )
        assert (await store.load(), await store.events()) == before
    await store.close()


@async_test
async def test_a_document_that_is_not_json_is_refused_by_name(opener: Opener) -> None:
    store = opener()
    bad = {
        "the config of revision 1 of deployment 'd'": Change(
            deployments=(deployment(),), revisions=(revision(config={"a": object()}),)
        ),
        "the progress of deployment 'd'": Change(
            deployments=(deployment(progress={"a": float("nan")}),)
        ),
        "the document of version 'd-v1' of deployment 'd'": Change(
            versions=(version(document={"a": b""}),)
        ),
        "the config of endpoint 'e'": Change(endpoints=(endpoint(config={"a": {1}}),)),
    }
    for what, change in bad.items():
        with pytest.raises(InvalidArgument, match=f"{what} is not JSON"):
            await store.commit(change)
    assert await store.load() == State()
    await store.close()


@async_test
async def test_documents_come_back_as_json_has_them(opener: Opener) -> None:
    store = opener()
    config = MappingProxyType(
        {"t": (1, 2.5), "n": None, "m": MappingProxyType({"k": True}), "s": "\0 \ud800 é 😀"}
    )
    await store.commit(Change(endpoints=(endpoint(config=config),)))
    found = (await store.load()).endpoints["e"].config
    assert found == {"t": [1, 2.5], "n": None, "m": {"k": True}, "s": "\0 \ud800 é 😀"}
    await store.close()


@async_test
async def test_what_a_store_gives_is_not_changed_by_changing_what_was_committed(
    opener: Opener,
) -> None:
    store = opener()
    config = {"labels": {"a": 1}}
    await store.commit(Change(endpoints=(endpoint(config=config),)))
    config["labels"]["a"] = 2
    assert (await store.load()).endpoints["e"].config == {"labels": {"a": 1}}
    await store.close()


@async_test
async def test_texts_that_no_database_takes_are_kept_without_what_hinders(opener: Opener) -> None:
    store = opener()
    change = Change(
        deployments=(deployment(),),
        revisions=(revision(cause="a\0b"),),
        events=(event(reason="x\0\ud800y😀", by="x\0"),),
    )
    await store.commit(change)
    (found,) = await store.events()
    assert (found.reason, found.by) == ("x\ufffd?y😀", "x\ufffd")
    assert (await store.revisions("d"))[0].cause == "a\ufffdb"
    await store.close()


@async_test
async def test_events_come_in_the_order_of_commits_newest_first(opener: Opener) -> None:
    store = opener()
    # A clock that goes back changes nothing.
    one, two, three = event(5.0), event(9.0, "change"), event(3.0, deployment="other")
    four = Event(4.0, "change", endpoint="e")
    await store.commit(Change(events=(one, two)))
    await store.commit(Change(events=(three, four)))
    assert await store.events() == (four, three, two, one)
    assert await store.events(start=1, count=2) == (three, two)
    assert await store.events(deployment="d") == (two, one)
    assert await store.events(deployment="d", start=1) == (one,)
    assert await store.events(endpoint="e") == (four,)
    assert await store.events(deployment="d", endpoint="e") == ()
    await store.close()


@async_test
async def test_events_are_of_an_organization_or_of_nobody_that_is_known(opener: Opener) -> None:
    store = opener()
    of_nobody = event(1.0)
    theirs = event(2.0, organization="other")
    mine = event(2.0, organization="acme")
    await store.commit(Change(events=(of_nobody, theirs, mine)))
    assert await store.events() == (mine, theirs, of_nobody)
    assert await store.events(deployment="d", organization="acme") == (mine, of_nobody)
    assert await store.events(organization="other", count=1) == (theirs,)
    await store.close()


@async_test
async def test_of_each_kind_the_newest_events_of_a_deployment_are_kept(opener: Opener) -> None:
    store = opener()
    await store.commit(Change(events=(event(0.0, "change"), event(0.0, deployment="other"))))
    for at in range(1, RETENTION.of_each + 4):
        await store.commit(Change(events=(event(float(at)),)))
    at_once = tuple(event(float(at), deployment="burst") for at in range(9))
    await store.commit(Change(events=at_once))
    assert [each.at for each in await store.events(deployment="d")] == [8, 7, 6, 5, 4, 0]
    assert len(await store.events(deployment="other")) == 1
    assert await store.events(deployment="burst") == at_once[:3:-1]
    await store.close()


@async_test
async def test_all_events_together_have_a_limit_too(opener: Opener) -> None:
    store = opener()
    names = [f"d{number}" for number in range(RETENTION.in_all + 5)]
    for name in names:
        await store.commit(Change(events=(event(deployment=name),)))
    found = [each.deployment for each in await store.events(count=1000)]
    assert found == names[:4:-1]
    await store.close()


@async_test
async def test_what_is_loaded_is_in_the_order_in_which_it_was_made(opener: Opener) -> None:
    store = opener()
    for age, name in enumerate("cab"):
        change = update(1, name)
        record = replace(change.deployments[0], created_at=float(age))
        end = endpoint(name, created_at=float(age))
        await store.commit(replace(change, deployments=(record,), endpoints=(end,)))
    record = (await store.load()).deployments["c"]
    changed = replace(record, updated_at=9.0), endpoint("c", created_at=0.0, updated_at=9.0)
    await store.commit(Change(deployments=changed[:1], endpoints=changed[1:]))
    await store.close()
    store = opener()
    state = await store.load()
    assert ("".join(state.deployments), "".join(state.endpoints)) == ("cab", "cab")
    await store.close()


@async_test
async def test_who_opens_a_store_takes_it_over(opener: Opener) -> None:
    old = opener()
    await old.commit(update(1))
    new = opener()
    for write in (old.commit(update(2)), old.commit(Change()), old.rotate()):
        with pytest.raises(FailedPrecondition, match="another controller has taken over"):
            await write
    assert await old.load() == await new.load()
    assert await new.count_revisions("d") == 1
    await new.commit(update(2))
    newest = opener()
    with pytest.raises(FailedPrecondition, match="another controller has taken over"):
        await new.commit(update(3))
    await newest.commit(update(3))
    assert (await newest.load()).deployments["d"].revision == 3
    for store in (old, new, newest):
        await store.close()


@async_test
async def test_a_closed_store_says_so(opener: Opener) -> None:
    store = opener()
    await store.close()
    await store.close()
    with pytest.raises(FailedPrecondition, match=r"the store .* is closed"):
        await store.load()
    with pytest.raises(FailedPrecondition, match=r"the store .* is closed"):
        await store.commit(Change())


@async_test
async def test_names_that_look_like_patterns_or_sql_are_only_names(opener: Opener) -> None:
    store = opener()
    for name in ("a'; DROP TABLE events; --", "%", "d_", ":x"):
        await store.commit(update(1, name))
        assert (await store.revision(name, 1))[0] == revision(name, 1)
    await store.commit(Change(deleted_deployments=("%",)))
    assert len((await store.load()).deployments) == 3
    await store.close()


@async_test
async def test_a_change_may_be_large(opener: Opener) -> None:
    store = opener()
    names = [f"d{number}" for number in range(1_200)]
    blob = bytes(range(256)) * 4096
    await store.commit(
        Change(
            deployments=tuple(deployment(name) for name in names),
            revisions=tuple(revision(name) for name in names),
            versions=(*(version(name) for name in names), version("d0", 1, code=blob)),
        )
    )
    state = await store.load()
    assert len(state.deployments) == len(state.revisions) == len(state.versions) == 1_200
    assert state.versions["d0", "d0-v1"].code == blob
    await store.commit(Change(versions=tuple(version(name, 2) for name in names)))
    await store.commit(Change(deleted_deployments=tuple(names)))
    assert await store.load() == State()
    await store.close()
