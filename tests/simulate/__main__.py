"""`python -m tests.simulate`: what scaling has to reach, and what it reaches, as a table."""

import sys

from rich import box
from rich.console import Console
from rich.table import Table

from tests.simulate.cases import CASES


def main() -> int:
    """Prints the table; 1 if something is not reached."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("load", "figure", "found", "at most"):
        table.add_column(column, justify="right" if column in ("found", "at most") else "left")
    missed = False
    for case in CASES:
        found = case.run()
        for name, limit in case.limits.items():
            value = float(getattr(found, name))
            missed |= value > limit
            style = "red" if value > limit else ""
            table.add_row(str(case), name, f"{value:.4g}", f"{limit:g}", style=style)
    Console(highlight=False).print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
