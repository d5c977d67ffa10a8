"""What is published, and how much of it there is."""

from collections import Counter

from tests.faces.cloud.published import faults, operation, operations


def test_the_published_paths_are_in_three_groups() -> None:
    groups = {(group, path) for (_, path), group in operations().items()}
    assert Counter(group for group, _ in groups) == {"A": 50, "B": 57, "C": 56}
    assert len(operations()) == 222


def test_a_request_is_the_operation_with_the_fewest_parameters() -> None:
    assert operation("GET", "/api/v1/members/current") == ("GET", "/api/v1/members/current")
    found = operation("GET", "/api/v2/deployments/d1")
    assert found == ("GET", "/api/v2/deployments/{deploymentName}")


def test_a_reply_that_is_not_as_published_is_told() -> None:
    assert not faults("GET", "/api/v1/version", {"version": "1"})
    assert faults("GET", "/api/v1/version", {"version": 1}) == [
        "version: 1 is not of type 'string'"
    ]
