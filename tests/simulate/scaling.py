"""How well numbers of replicas follow loads."""

from collections.abc import Iterator

from tests.simulate.cases import CASES
from tests.simulate.rows import Row, Say


def rows(say: Say) -> Iterator[Row]:
    """The figures of each case."""
    for case in CASES:
        say(str(case))
        found = case.run()
        for name, limit in case.limits.items():
            yield Row("scaling", f"{case}: {name}", float(getattr(found, name)), limit)
