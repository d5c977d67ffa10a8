"""`python -m tests.simulate`: what the mesh has to reach on paper, and what it reaches."""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich.console import Console

from mesh.memory import settle
from tests.simulate import canaries, listing, scaling, size, soak, splitting
from tests.simulate.rows import Row, Say, table

PARTS: dict[str, Callable[[Say], Iterator[Row]]] = {
    "size": size.rows,
    "soak": soak.rows,
    "canaries": canaries.rows,
    "split": splitting.rows,
    "scaling": scaling.rows,
    "listing": listing.rows,
}


def simulate(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this part: {', '.join(PARTS)}. May be given again."),
    ] = None,
) -> None:
    """Runs the control plane over a cluster in memory, and what it decides in virtual time."""
    parts = only or list(PARTS)
    if unknown := set(parts) - PARTS.keys():
        raise typer.BadParameter(f"there is no part {', '.join(sorted(unknown))}")
    logging.disable()  # nodes are lost on purpose
    settle()  # as the process of a controller does
    console = Console(highlight=False)
    found: list[Row] = []
    with console.status("") as status:
        for part in parts:
            found += PARTS[part](lambda step, part=part: status.update(f"{part}: {step}"))
    console.print(table(found))
    sys.exit(any(not row.is_reached for row in found))


if __name__ == "__main__":
    typer.run(simulate)
