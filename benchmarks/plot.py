"""
The picture of docs/performance.md: how time grows, on logarithmic scales, and memory.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.figure import Curve, Point

_GREY = "#808080"  # Reads on white as on black.
_COLOURS = ("#2f81f7", "#d29922", "#3fb950", "#db61a2")
_INCHES = (10, 4)
_ROOM = 1.2  # above the highest memory
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "performance",  # The same figures make the same file.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _GREY,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "grid.color": _GREY,
}


def draw(curves: Sequence[Curve], file: Path) -> None:
    """
    Draw the curves into an SVG file: solid where it was measured, dashed where it is reckoned.
    """
    with mpl.rc_context(_STYLE):
        canvas = Canvas(figsize=_INCHES, layout="constrained")
        time, memory = canvas.subplots(1, 2)
        _prepare(time, "seconds (dashed: reckoned)")
        time.set_yscale("log")
        time.yaxis.set_major_formatter(_plain)
        _prepare(memory, "peak memory, MB")
        for curve, colour in zip(curves, _COLOURS, strict=False):
            _add(time, curve, colour, [(point, point.seconds) for point in curve.points])
            known = [(point, point.peak / 1e6) for point in curve.points if point.peak and point.is_measured]
            _add(memory, curve, colour, known)
        time.legend(frameon=False)
        memory.set_ylim(0, memory.get_ylim()[1] * _ROOM)
        # A date would make another file of the same figures.
        canvas.savefig(file, format="svg", transparent=True, metadata={"Date": None})


def _plain(value: float, _: float) -> str:
    return f"{value:,g}"


def _prepare(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_plain)
    axes.set_xlabel("rotations, or secrets of a sweep")
    axes.set_ylabel(label)
    axes.grid(visible=True, alpha=0.25)


def _add(axes: Axes, curve: Curve, colour: str, values: Sequence[tuple[Point, float]]) -> None:
    if not values:
        return
    measured = [(point.secrets, value) for point, value in values if point.is_measured]
    everything = [(point.secrets, value) for point, value in values]
    if len(measured) < len(everything):
        axes.plot(*zip(*everything, strict=True), color=colour, linestyle="--", label=None if measured else curve.name)
    if measured:
        axes.plot(*zip(*measured, strict=True), color=colour, marker="o", markersize=4, label=curve.name)
