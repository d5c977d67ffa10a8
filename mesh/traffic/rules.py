"""Which rule of an endpoint a request meets."""

from collections.abc import Callable, Iterable

from mesh.traffic.endpoint import HeaderMatch, MatchKind, Rule

Field = Callable[[str], str | None]
"""Finds the value of a header field by its name in lower case; None if it is not there."""


def first_rule(rules: Iterable[Rule], field: Field) -> Rule | None:
    """The first of `rules` whose conditions all hold; None if there is none."""
    for rule in rules:
        if all(_holds(match, field(match.name)) for match in rule.headers):
            return rule
    return None


def _holds(match: HeaderMatch, value: str | None) -> bool:
    if value is None:
        return match.kind is MatchKind.ABSENT
    match match.kind:
        case MatchKind.EXACT:
            return value == match.value
        case MatchKind.PREFIX:
            return value.startswith(match.value)
        case MatchKind.REGEX:
            return match.pattern is not None and match.pattern.fullmatch(value) is not None
        case MatchKind.PRESENT | MatchKind.ABSENT:
            return match.kind is MatchKind.PRESENT
