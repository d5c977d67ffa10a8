"""A result as a picture: load and capacity, replicas, queue and latency, one below the other."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesh.errors import ConfigError
from mesh.simulate.need import Ints
from mesh.simulate.run import Result
from mesh.simulate.trace import Floats

if TYPE_CHECKING:  # an optional dependency
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 1600
"""Points of a line; longer traces are put together in as many stretches of equal length."""
Values = Floats | Ints
_SIZE, _DPI = (12.0, 9.0), 130
_INK, _MUTED, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_BLUE, _ORANGE, _RED, _GREEN = "#2563eb", "#ea7a17", "#d92d20", "#0f9d76"
_GREY, _PURPLE = "#9aa5b1", "#7c3aed"
_STYLE: dict[Any, Any] = {  # matplotlib has a type of its own for the keys
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def check(path: Path) -> None:
    """Raises ConfigError where a picture cannot be made, or `path` has no folder."""
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}")
    try:
        import matplotlib.figure  # noqa: F401, PLC0415  # an optional dependency, only looked for
    except ImportError:
        raise ConfigError("--out needs matplotlib: pip install 'serving-mesh[simulate]'") from None


def draw(result: Result, title: str, path: Path) -> None:
    """Writes the picture as PNG. Raises ConfigError if matplotlib is missing or `path` is not good.

    `title` is one line, such as the name of the service.
    """
    check(path)
    # matplotlib is optional, and loads slowly.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import LogLocator, MaxNLocator  # noqa: PLC0415

    with rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained", facecolor="white")
        panels = _fill(figure, result, title)
        panels[1].yaxis.set_major_locator(MaxNLocator(6, integer=True))
        panels[2].yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        panels[2].yaxis.set_major_formatter(_plain)
        panels[2].yaxis.set_minor_formatter(_plain)
        panels[2].xaxis.set_major_locator(MaxNLocator(13, steps=[1, 2, 3, 5, 6, 10]))
        try:
            figure.savefig(path, format="png")
        except OSError as error:
            raise ConfigError(f"--out {path}: {error.strerror}") from error


def _fill(figure: "Figure", result: Result, title: str) -> "Sequence[Axes]":
    panels: Sequence[Axes] = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 3))
    figure.suptitle(title, x=0.012, ha="left", fontsize=14, fontweight="bold")
    scale, unit = _unit(len(result.trace))
    lines = _Lines(result, scale)
    _load(panels[0], lines)
    _replicas(panels[1], lines)
    _waits(panels[2], lines)
    panels[2].set_xlabel(f"time ({unit})")
    panels[2].set_xlim(0, len(result.trace) / scale)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(length=0)
        panel.margins(x=0)
    return panels


def _unit(seconds: int) -> tuple[float, str]:
    if seconds > 2 * 3600:
        return 3600.0, "h"
    return (60.0, "min") if seconds > 300 else (1.0, "s")


def _highest(values: Floats, axis: int = 0) -> Any:
    return np.fmax.reduce(values, axis=axis)  # a warning less than nanmax where all is NaN


class _Lines:
    """The result with not more points than can be seen, and the time of each."""

    def __init__(self, result: Result, scale: float) -> None:
        self.result = result
        self._width = -(-len(result.trace) // MOST_POINTS)
        self.time = np.arange(0, len(result.trace), self._width) / scale

    def most(self, values: Values) -> Floats:
        """The highest of each stretch; NaN where there is nothing."""
        return self._of(_highest, values)

    def mean(self, values: Values) -> Floats:
        """The average of each stretch."""
        return self._of(np.mean, values)

    def _of(self, over: Callable[..., Any], values: Values) -> Floats:
        numbers = np.asarray(values, np.float64)
        whole = len(numbers) // self._width * self._width
        found: Floats = over(numbers[:whole].reshape(-1, self._width), axis=1)
        if whole == len(numbers):
            return found
        return np.append(found, over(numbers[whole:]))


def _load(panel: "Axes", lines: _Lines) -> None:
    result = lines.result
    seconds, setup = result.seconds, result.setup
    capacity = seconds.ready * setup.parallel / result.trace.service_times
    rate = lines.mean(result.trace.rates)
    panel.fill_between(lines.time, rate, step="post", color=_GREY, alpha=0.35, linewidth=0)
    panel.step(lines.time, rate, where="post", color=_MUTED, linewidth=1, label="load")
    panel.step(
        lines.time, lines.mean(capacity), where="post",
        color=_BLUE, linewidth=1.6, label="capacity of ready replicas",
    )  # fmt: skip
    lost = seconds.refused + seconds.timed_out + seconds.cold_start_timeouts
    if lost.any():
        _spikes(panel, lines.time, lines.mean(lost), _RED, "refused or timed out")
    panel.set_title("Load and capacity")
    panel.set_ylabel("requests / s")
    panel.set_ylim(bottom=0)
    _legend(panel)


def _replicas(panel: "Axes", lines: _Lines) -> None:
    seconds, rule = lines.result.seconds, lines.result.setup.rule
    ready, target = lines.most(seconds.ready), lines.most(seconds.target)
    panel.fill_between(lines.time, ready, step="post", color=_GREEN, alpha=0.18, linewidth=0)
    panel.step(lines.time, ready, where="post", color=_GREEN, linewidth=1.6, label="ready")
    panel.step(
        lines.time, target, where="post",
        color=_INK, linewidth=1, linestyle=(0, (4, 2)), label="wanted",
    )  # fmt: skip
    panel.set_title("Replicas")
    panel.set_ylabel("replicas")
    top = max(1.0, float(target.max()))
    if rule.max_replicas <= 1.5 * top:
        panel.axhline(
            rule.max_replicas, color=_RED, linewidth=0.9, linestyle=":", label="max_replicas"
        )
        top = max(top, rule.max_replicas)
    panel.set_ylim(0, top * 1.12)
    _legend(panel)


def _waits(panel: "Axes", lines: _Lines) -> None:
    seconds = lines.result.seconds
    panel.set_title("Latency and queue")
    for values, color, label in (
        (seconds.p99, _ORANGE, "latency p99"),
        (seconds.p50, _BLUE, "latency p50"),
    ):
        panel.plot(lines.time, lines.most(values), color=color, linewidth=1.3, label=label)
    panel.set_yscale("log")
    panel.set_ylabel("latency (s)")
    queue = panel.twinx()
    waiting = lines.most(seconds.queued)
    _spikes(queue, lines.time, waiting, _PURPLE, "queue", alpha=0.6)
    queue.set_ylim(0, max(1.0, float(waiting.max())) * 1.15)
    queue.set_ylabel("calls that wait")
    queue.grid(visible=False)
    queue.spines[["top", "right"]].set_visible(False)
    queue.tick_params(length=0)
    handles, labels = panel.get_legend_handles_labels()
    more, names = queue.get_legend_handles_labels()
    _legend(panel, [*handles, *more], [*labels, *names])


def _spikes(
    panel: "Axes", time: Floats, values: Floats, color: str, label: str, alpha: float = 1.0
) -> None:
    """An area whose shortest peak can be seen, and nothing where there is none."""
    panel.fill_between(
        time, values, step="post", color=color, alpha=alpha, linewidth=0, label=label
    )
    is_there = values > 0
    panel.vlines(time[is_there], 0, values[is_there], colors=color, alpha=alpha, linewidth=1.0)


def _plain(value: float, _: float) -> str:
    return f"{value:g}"


def _legend(panel: "Axes", *entries: list[object]) -> None:
    """In one line at the upper right, beside the title and not over the lines."""
    panel.legend(
        *entries,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=4,
        borderaxespad=0.2,
        handlelength=1.6,
    )
