"""The figures as tables for a terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from tests.bench.measures import Figure, Round


def loads_table(loads: Round, rounds: int) -> Table:
    """One row for each load, those that are compared next to each other."""
    table = Table(title=f"medians of {rounds} rounds", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("in flight", justify="right")
    table.add_column("what")
    for name in ("requests/s", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    last = 0
    for (name, in_flight), load in loads.items():
        if last not in (0, in_flight):
            table.add_section()
        table.add_row(
            str(in_flight) if in_flight != last else "",
            name,
            f"{load.rate:,.0f}",
            f"{load.p50 * 1000:.3f}",
            f"{load.p99 * 1000:.3f}",
        )
        last = in_flight
    return table


def figures_table(figures: Sequence[Figure]) -> Table:
    """One row for each figure with what it has to reach."""
    table = Table(title="to reach", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("measure", no_wrap=True)
    for name in ("median", "range", "wanted", ""):
        table.add_column(name, justify="right")
    for figure in figures:
        bound = "≥" if figure.is_least else "≤"
        table.add_row(
            figure.title,
            f"{figure.value:.2f} {figure.unit}".rstrip(),
            f"{min(figure.values):.2f}\u2013{max(figure.values):.2f}" if figure.values[1:] else "",
            f"{bound} {figure.limit:g}",
            "[green]✓[/]" if figure.is_reached else "[bold red]✗[/]",
        )
    return table
