"""The two pictures of the README, as SVG that is readable on a light and on a dark page."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: A grey that stands out on white and on black alike.
_INK = "#7d8590"
_OURS, _OTHER = "#2f9e8f", "#b08b3e"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "airflow-readiness",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}

#: What each way of launching is called, slowest first.
_WAYS = {
    "recipe": "collector and sensors\nevery minute",
    "sensor": "RedisKeySensor,\nreschedule, 60 s",
    "ours": "airflow-readiness",
    "floor": "asset event by REST\n(Airflow's floor)",
}


@contextmanager
def _drawn(file: Path, width: float, height: float) -> Iterator[Figure]:
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        # no date: the same figures give the same file
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def latency(file: Path, seconds: Mapping[str, Sequence[float]]) -> None:
    """Each launch a dot, on a logarithmic axis: from the log row (or event) to the first line of the task."""
    with _drawn(file, 8, 2.9) as figure:
        axes: Axes = figure.add_subplot()
        for place, name in enumerate(_WAYS):
            colour = _OURS if name == "ours" else _OTHER
            middle = statistics.median(seconds[name])
            axes.plot(seconds[name], [place] * len(seconds[name]), "o", color=colour, alpha=0.45, markersize=6)
            axes.plot([middle] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=2.5)
            axes.annotate(f"{middle:.3g} s", (middle, place + 0.34), ha="center", va="bottom", color=colour)
        axes.set_xscale("log")
        axes.set_xlim(0.3, 150)
        axes.set_ylim(-0.5, len(_WAYS) - 0.2)
        axes.set_xticks([0.5, 1, 2, 5, 10, 30, 60, 120], ["0.5", "1", "2", "5", "10", "30", "60", "120"])
        axes.minorticks_off()
        axes.set_yticks(range(len(_WAYS)), list(_WAYS.values()))
        axes.set_xlabel("seconds from the source being ready to the first line of the flow's first task")


#: What one process pays for all that wait in it: title, and the figure of a number of waiters.
_COSTS: dict[str, Callable[[Mapping[str, float]], float]] = {
    "wake-up, median (ms)": lambda cost: cost["wake_up"],
    "Redis commands a second": lambda cost: cost["commands"],
    "CPU (% of a core)": lambda cost: cost["core"] * 100,
    "memory of each (KiB)": lambda cost: cost["bytes"] / 1024,
}


def waiting(file: Path, costs: Sequence[Mapping[str, float]]) -> None:
    """What it costs while so many sources wait in one triggerer loop, each cost in a panel of its own."""
    numbers = [cost["waiting"] for cost in costs]
    with _drawn(file, 8, 2.3) as figure:
        panels = figure.subplots(1, len(_COSTS))
        for axes, (title, of) in zip(panels, _COSTS.items(), strict=True):
            values = [of(cost) for cost in costs]
            axes.plot(numbers, values, "o-", color=_OURS, markersize=5)
            axes.annotate(
                f"{values[-1]:.3g}", (numbers[-1], values[-1]), (0, 6), textcoords="offset points", ha="center",
                color=_OURS,
            )  # fmt: skip
            axes.set_xscale("log")
            axes.set_ylim(0, max(values) * 1.35 or 1)
            axes.set_xticks([1, 100, 10_000], ["1", "100", "10 000"])
            axes.tick_params(labelsize=8)
            axes.minorticks_off()
            axes.set_title(title, fontsize=9, color=_INK)
        figure.supxlabel("sources that wait in one triggerer loop", fontsize=9, color=_INK)
