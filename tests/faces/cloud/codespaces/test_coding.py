"""When files that change are deployed."""

from mesh.faces.cloud.codespaces.coding import LONGEST, QUIET, Changes, until_deployed


def changes(first: float, last: float) -> Changes:
    return Changes("default", "me", first, last)


def test_a_change_waits_for_more() -> None:
    assert until_deployed(changes(10, 10), 10) == QUIET
    assert until_deployed(changes(10, 10), 10 + QUIET) == 0
    assert until_deployed(changes(10, 10.25), 10 + QUIET) == 0.25


def test_changes_without_end_are_deployed_all_the_same() -> None:
    assert until_deployed(changes(10, 10 + LONGEST - 0.1), 10 + LONGEST - 0.1) < QUIET
    assert until_deployed(changes(10, 10 + LONGEST), 10 + LONGEST) == 0
    assert until_deployed(changes(10, 30), 40) == 0
