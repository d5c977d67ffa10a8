"""Weights made ready to draw from: one random number and one look-up per draw."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from random import Random
from typing import Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shares(Generic[T]):
    """Things with a weight above zero; whatever has none is left out when this is made.

    `bounds[i]` is the sum of the weights up to and including `members[i]`.
    """

    members: tuple[T, ...]
    bounds: tuple[float, ...]

    @classmethod
    def of(cls, weighted: Iterable[tuple[T, float]]) -> Self:
        """Makes shares of pairs of a thing and its weight."""
        pairs = [(member, weight) for member, weight in weighted if weight > 0]
        return cls(
            tuple(member for member, _ in pairs),
            tuple(accumulate(weight for _, weight in pairs)),
        )

    def draw(self, usable: Callable[[T], bool], rng: Random) -> T | None:
        """One member by chance, in proportion to the weights of those that are `usable`.

        None if no member is.
        """
        members = self.members
        if len(members) < 2:
            return members[0] if members and usable(members[0]) else None
        bounds = self.bounds
        choice = members[bisect_right(bounds, rng.random() * bounds[-1])]
        if usable(choice):
            return choice
        # The share of what is not usable falls to the rest in proportion to their weights, so
        # that each ends up with its share of the usable weight.
        return self._only(usable).draw(lambda _: True, rng)

    def _only(self, usable: Callable[[T], bool]) -> "Shares[T]":
        spans = pairwise((0, *self.bounds))
        return Shares.of(
            (member, end - start)
            for member, (start, end) in zip(self.members, spans, strict=True)
            if usable(member)
        )
