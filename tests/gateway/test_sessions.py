"""Sessions by cookie and by header, and rules, through the gateway."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

import mesh
from gateway.sessions import LONGEST_KEY
from mesh import Context
from mesh.traffic.snapshot import (
    Deployment,
    Endpoint,
    HeaderMatch,
    MatchKind,
    Rule,
    Session,
    Snapshot,
    WeightedDeployment,
)
from tests.gateway.asgi_client import Headers
from tests.gateway.rig import World, value, world
from tests.link.rig import run
from tests.replica.rig import Running, version


@mesh.service
class Named:
    """Tells which of several it is."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    @mesh.api
    async def who(self) -> str:
        return self.name

    @mesh.api
    async def cookies(self, ctx: Context) -> str:
        return ctx.request.headers.get("cookie", "none")


@asynccontextmanager
async def two(**endpoint: Any) -> AsyncIterator[World]:
    """Deployments `a` and `b` with two versions each, behind one endpoint."""
    names = ("a-main", "a-next", "b-main", "b-next")

    def deployment(name: str) -> Deployment:
        return Deployment(
            name,
            tuple(
                replace(
                    version(Named, {"Named": (f"{name}-{label}",)}, name=label, weight=50),
                    id=f"{name}-{label}-1",
                )
                for label in ("main", "next")
            ),
        )

    shares = (WeightedDeployment("a", 50), WeightedDeployment("b", 50))
    table = Snapshot(
        1,
        1,
        {"shop": Endpoint("shop", shares, **endpoint)},
        {name: deployment(name) for name in ("a", "b")},
        "shop",
    )
    running = [Running(Named(name), name) for name in names]
    async with world(*running, table=table) as made:
        yield made


async def who(made: World, *headers: tuple[str, str]) -> str:
    return (await made.post("/who", headers=headers)).body.decode()


async def grpc_who(made: World, headers: Headers = ()) -> str:
    return str(value(await made.call("who", headers=headers)))


def test_the_first_reply_brings_a_cookie_that_keeps_the_client_where_it_is() -> None:
    async def main() -> None:
        async with two(session=Session(cookie="sid", ttl=60)) as made:
            homes = set()
            for _ in range(20):
                reply = await made.post("/who")
                cookie = reply.header("set-cookie")
                assert re.fullmatch(
                    r"sid=[0-9a-f]{32}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", cookie
                )
                field = ("cookie", cookie.partition(";")[0])
                for _ in range(5):
                    again = await made.post("/who", headers=[field])
                    assert again.body == reply.body
                    assert not again.header("set-cookie")
                    assert await grpc_who(made, [field]) == reply.body.decode()
                homes.add(reply.body)
            assert len(homes) > 1

    run(main())


def test_a_grpc_client_has_its_cookie_with_the_metadata_of_the_reply() -> None:
    async def main() -> None:
        async with two(session=Session(cookie="sid")) as made:
            reply = await made.call("who")
            cookie = dict(reply.metadata)["set-cookie"]
            assert re.fullmatch(r"sid=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax", cookie)
            home = value(reply)
            for _ in range(10):
                assert await grpc_who(made, [("cookie", cookie.partition(";")[0])]) == home

    run(main())


def test_the_cookie_of_the_session_stays_here_and_others_go_on() -> None:
    async def main() -> None:
        async with two(session=Session(cookie="sid")) as made:
            for fields, seen in (
                ([("cookie", "sid=1")], "none"),
                ([("cookie", "a=1; sid=1; b=2")], "a=1; b=2"),
                ([("cookie", "a=1"), ("cookie", "sid=1")], "a=1"),
                ([("cookie", "xsid=1;sid=1")], "xsid=1"),
            ):
                reply = await made.post("/cookies", headers=fields)
                assert reply.body.decode() == seen
                assert not reply.header("set-cookie")
                assert value(await made.call("cookies", headers=fields)) == seen

    run(main())


@pytest.mark.parametrize("cookie", ["sid=", "other=1", f"sid={'a' * (LONGEST_KEY + 1)}"])
def test_what_is_no_cookie_of_a_session_is_replaced(cookie: str) -> None:
    async def main() -> None:
        async with two(session=Session(cookie="sid")) as made:
            reply = await made.post("/who", headers=[("cookie", cookie)])
            assert reply.header("set-cookie").startswith("sid=")

    run(main())


def test_also_a_failed_first_request_has_its_cookie() -> None:
    async def main() -> None:
        async with two(session=Session(cookie="sid")) as made:
            reply = await made.post("/nowhere")
            assert (reply.status, reply.header("set-cookie")[:4]) == (404, "sid=")

    run(main())


def test_a_header_keeps_its_requests_together_and_without_it_chance_decides() -> None:
    async def main() -> None:
        async with two(session=Session(header="x-user")) as made:
            homes = set()
            for number in range(20):
                field = ("x-user", f"user {number}")
                home = await who(made, field)
                assert {await who(made, field) for _ in range(5)} == {home}
                assert await grpc_who(made, [field]) == home
                homes.add(home)
            assert len(homes) == 4
            assert len({await who(made) for _ in range(60)}) == 4
            assert not (await made.post("/who")).header("set-cookie")

    run(main())


RULES = (
    Rule((HeaderMatch("x-plan", MatchKind.EXACT, "gold"),), "b", "next"),
    Rule((HeaderMatch("x-user", MatchKind.REGEX, "ada|bob"),), "a"),
)


def test_rules_go_before_weights_for_http_and_grpc() -> None:
    async def main() -> None:
        async with two(rules=RULES) as made:
            gold, ada, eve = ("x-plan", "gold"), ("x-user", "ada"), ("x-user", "eve")
            for _ in range(10):
                assert await who(made, gold, ada) == "b-next"
                assert await grpc_who(made, [gold]) == "b-next"
            assert {await who(made, ada) for _ in range(40)} == {"a-main", "a-next"}
            assert {await grpc_who(made, [ada]) for _ in range(40)} == {"a-main", "a-next"}
            assert len({await who(made, eve) for _ in range(80)}) == 4

    run(main())


def test_the_version_that_a_request_asks_for_goes_before_that_of_its_rule() -> None:
    async def main() -> None:
        async with two(rules=RULES) as made:
            gold = ("x-plan", "gold")
            assert await who(made, gold, ("x-mesh-version", "main")) == "b-main"
            reply = await made.post("/who", headers=[gold, ("x-mesh-version", "none")])
            assert reply.status == 404

    run(main())


def test_a_rule_binds_also_where_its_deployment_has_no_replica() -> None:
    async def main() -> None:
        lost = Rule((HeaderMatch("x-plan", MatchKind.PRESENT),), "gone")
        async with two(rules=(lost,)) as made:
            reply = await made.post("/who", headers=[("x-plan", "gold")])
            assert reply.status == 503
            assert b"deployment 'gone', to which a rule leads, has no ready replica" in reply.body

    run(main())


def test_rules_go_before_sessions() -> None:
    async def main() -> None:
        async with two(rules=RULES, session=Session(header="x-user")) as made:
            for number in range(10):
                field = ("x-user", f"user {number}")
                assert await who(made, field, ("x-plan", "gold")) == "b-next"

    run(main())
