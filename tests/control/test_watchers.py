"""Who follows the routing table, and how far each is."""

import asyncio

from mesh.control.watchers import Watchers


def test_the_oldest_snapshot_that_a_gateway_routes_by_counts() -> None:
    watchers = Watchers()
    assert watchers.applied_by_all is None
    two, one = watchers.add("gateway/2"), watchers.add("gateway/1")
    replica = watchers.add("replica/x", "digits")
    assert watchers.applied_by_all == 0
    watchers.applied(one, 7)
    watchers.applied(two, 5)
    watchers.applied(replica, 1)
    assert watchers.applied_by_all == 5
    assert [watcher.name for watcher in watchers.of_all] == ["gateway/1", "gateway/2"]
    assert set(watchers) == {one, two, replica}
    watchers.remove(two)
    watchers.remove(two)
    assert (watchers.applied_by_all, len(watchers)) == (7, 2)


def test_a_change_is_waited_for_until_all_gateways_route_by_it_or_are_gone() -> None:
    async def main() -> None:
        watchers = Watchers()
        await watchers.reached(5)  # there is nobody to wait for
        one, two = watchers.add("gateway"), watchers.add("gateway")
        waiting = asyncio.ensure_future(watchers.reached(5))
        watchers.applied(one, 6)
        await asyncio.sleep(0)
        assert not waiting.done()
        watchers.applied(two, 5)
        await waiting
        later = asyncio.ensure_future(watchers.reached(6))
        await asyncio.sleep(0)
        assert not later.done()
        watchers.remove(two)
        await later

    asyncio.run(main())
