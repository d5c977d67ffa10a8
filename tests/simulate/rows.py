"""What `make sim` finds, as rows of one table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich import box
from rich.table import Table

Say = Callable[[str], None]
"""Tells people what goes on now."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, in `unit`; it is to be `limit` at most, or, if `is_least`, at least."""

    subject: str
    measure: str
    found: float
    limit: float
    unit: str = ""
    is_least: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the figure is as it should be."""
        return self.found >= self.limit if self.is_least else self.found <= self.limit


def table(rows: Iterable[Row]) -> Table:
    """The rows by subject."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("subject", "measure"):
        made.add_column(column)
    for column in ("got", "wanted", "ok"):
        made.add_column(column, justify="right", no_wrap=True)
    last = ""
    for row in rows:
        if last not in ("", row.subject):
            made.add_section()
        made.add_row(
            row.subject if row.subject != last else "",
            row.measure,
            f"{row.found:,.4g} {row.unit}".rstrip(),
            f"{'≥' if row.is_least else '≤'} {row.limit:,g}",
            "[green]✓[/]" if row.is_reached else "[bold red]✗[/]",
        )
        last = row.subject
    return made
