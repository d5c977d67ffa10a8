"""The small language of `q` in lists: `status:running label:team=vision -label:old is:dev word`.

Pieces are separated by spaces. A key that is there twice means either value; bare words are looked
for in names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

_NEGATED = "-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a `q` says, by piece.

    `is_` has what `is:` and `not:` say; `labels` and `without` are `key=value` or `key`; `terms`
    has all other keys with their values; `sort` is a key such as `created_at`, empty if none is
    given.
    """

    words: tuple[str, ...] = ()
    is_: Mapping[str, bool] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = ""
    ascending: bool = False

    def term_allows(self, key: str, value: str) -> bool:
        """Whether a value is among those that `key` is given, if it is given any."""
        return key not in self.terms or value in self.terms[key]

    def words_allow(self, *texts: str) -> bool:
        """Whether each bare word is in one of the texts."""
        return all(any(word in text for text in texts) for word in self.words)

    def labels_allow(self, own: Mapping[str, str]) -> bool:
        """Whether these are labels as they are wanted."""
        return all(_has(own, each) for each in self.labels) and not any(
            _has(own, each) for each in self.without
        )


def _has(own: Mapping[str, str], label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in own and (not equals or own[key] == value)


def wanted(text: str, me: str = "") -> Wanted:
    """Reads a `q`; `@me` in it is the user `me`. What makes no sense is a word as any other."""
    words: list[str] = []
    is_: dict[str, bool] = {}
    labels: list[str] = []
    without: list[str] = []
    terms: dict[str, list[str]] = {}
    sort, ascending = "", False
    for piece in text.split():
        key, colon, value = piece.partition(":")
        if not colon or not key or not value:
            words.append(piece)
        elif key in ("is", "not"):
            is_[value] = key == "is"
        elif key == "label":
            labels.append(value)
        elif key == f"{_NEGATED}label":
            without.append(value)
        elif key == "sort":
            sort, _, order = value.rpartition("-") if value.endswith(_ORDERS) else (value, "", "")
            ascending = order == "asc"
        else:
            terms.setdefault(key, []).append(me if value == "@me" else value)
    return Wanted(
        tuple(words),
        is_,
        tuple(labels),
        tuple(without),
        {key: tuple(values) for key, values in terms.items()},
        sort,
        ascending,
    )


_ORDERS = ("-asc", "-desc")
