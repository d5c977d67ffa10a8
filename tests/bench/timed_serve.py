"""`mesh serve` that also says how long Ray took: `python -m tests.bench.timed_serve FILE ...`.

Writes the seconds of `ray.init()` to FILE; the other arguments are those of `mesh`.
"""

import sys
import time
from pathlib import Path
from typing import Any

import ray

from mesh.cli.main import main


def timed(to: Path) -> None:
    """Has `ray.init` measured."""
    init = ray.init

    def measured(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return init(*args, **kwargs)
        finally:
            to.write_text(str(time.perf_counter() - start))

    ray.init = measured


if __name__ == "__main__":
    timed(Path(sys.argv[1]))
    sys.argv = ["mesh", *sys.argv[2:]]
    main()
