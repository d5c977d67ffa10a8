"""Which rule of an endpoint a request meets."""

import re

import pytest
from hypothesis import given, strategies as st

from mesh.traffic.rules import first_rule
from mesh.traffic.snapshot import HeaderMatch, MatchKind, Rule

FIELDS = {"x-user": "ada", "x-plan": "gold-2024", "x-empty": ""}


def meets(*matches: HeaderMatch) -> bool:
    return first_rule([Rule(matches, "d")], FIELDS.get) is not None


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (HeaderMatch("x-user", MatchKind.EXACT, "ada"), True),
        (HeaderMatch("x-user", MatchKind.EXACT, "Ada"), False),
        (HeaderMatch("x-empty", MatchKind.EXACT, ""), True),
        (HeaderMatch("x-none", MatchKind.EXACT, ""), False),
        (HeaderMatch("x-plan", MatchKind.PREFIX, "gold"), True),
        (HeaderMatch("x-plan", MatchKind.PREFIX, "old"), False),
        (HeaderMatch("x-plan", MatchKind.REGEX, r"\w+-\d{4}"), True),
        (HeaderMatch("x-plan", MatchKind.REGEX, r"\w+"), False),
        (HeaderMatch("x-none", MatchKind.REGEX, ".*"), False),
        (HeaderMatch("x-empty", MatchKind.PRESENT), True),
        (HeaderMatch("x-none", MatchKind.PRESENT), False),
        (HeaderMatch("x-user", MatchKind.ABSENT), False),
        (HeaderMatch("x-none", MatchKind.ABSENT), True),
    ],
)
def test_a_condition_is_about_the_whole_value_of_its_field(match: HeaderMatch, holds: bool) -> None:
    assert meets(match) is holds


def test_all_conditions_of_a_rule_must_hold() -> None:
    right = HeaderMatch("x-user", MatchKind.EXACT, "ada")
    wrong = HeaderMatch("x-plan", MatchKind.EXACT, "silver")
    assert meets(right)
    assert not meets(right, wrong)


def test_the_first_rule_that_is_met_decides() -> None:
    user = HeaderMatch("x-user", MatchKind.PRESENT)
    never = HeaderMatch("x-none", MatchKind.PRESENT)
    rules = [Rule((never,), "a"), Rule((user,), "b", "v2"), Rule((user,), "c")]
    assert first_rule(rules, FIELDS.get) == rules[1]
    assert first_rule(rules[:1], FIELDS.get) is None
    assert first_rule([], FIELDS.get) is None


@given(st.text(max_size=20))
def test_a_regex_is_made_once_and_matches_as_a_whole(value: str) -> None:
    match = HeaderMatch("x", MatchKind.REGEX, re.escape(value))
    assert match.pattern is not None
    assert first_rule([Rule((match,), "d")], {"x": value}.get) is not None
    assert first_rule([Rule((match,), "d")], {"x": f"{value}!"}.get) is None
