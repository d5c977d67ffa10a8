"""Writes a day of bursts: `python trace.py > day.csv`.

A quiet night without any request, a working day with noise, a burst each hour, and one at noon
that is larger than what replicas can be had for. The same arguments give the same file.
"""

import csv
import math
import random
import sys

STEP = 30
"""Seconds that a row holds."""


def rate(second: int, rng: random.Random) -> float:
    """Requests per second at this time of the day."""
    hour = second / 3600
    if hour < 5:
        return 0.0
    daylight = max(0.0, math.sin((hour - 5) / 19 * math.pi))
    load = (4 + 90 * daylight**1.5) * rng.lognormvariate(0, 0.05)
    if 8 <= hour < 20 and second % 3600 < 300:
        load *= 1.8
    if 12.5 <= hour < 12.75:
        load += 260
    return load


def main() -> None:
    """Writes the rows to standard output."""
    rng = random.Random(1)  # noqa: S311  # a load, no secret
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["time", "rate"])
    for second in range(0, 24 * 3600, STEP):
        out.writerow([second, f"{rate(second, rng):.2f}"])


if __name__ == "__main__":
    main()
