"""The figures as a picture: bars of ratios, each with its goal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import AT_MOST, Result
from pipeline.evaluate.pictures import ACCENT, INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MISSED = "#c2410c"


def draw(rows: list[Result], path: Path) -> None:
    """Draw two panels of bars on logarithmic scales: where more is better, and where less is."""
    import matplotlib as mpl  # noqa: PLC0415 - takes half a second

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend

    measured = [row for row in rows if row.ratio is not None]
    panels = [
        ("times as fast as the peer", [row for row in measured if not row.less_is_better]),
        ("times as long as the peer, or GB", [row for row in measured if row.less_is_better]),
    ]
    panels = [(title, panel) for title, panel in panels if panel]
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": QUIET}
    with mpl.rc_context(style):
        heights = [len(panel) + 2 for _, panel in panels]
        figure, axes = plt.subplots(
            len(panels), squeeze=False, figsize=(10, 0.3 * sum(heights)), height_ratios=heights, layout="constrained"
        )
        for axis, (title, panel) in zip(axes.ravel(), panels, strict=True):
            _bars(axis, panel, title)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=120, metadata={"Software": None})
        plt.close(figure)


def _bars(axes: Axes, rows: list[Result], title: str) -> None:
    shown = rows[::-1]
    ratios = [row.ratio or 0.0 for row in shown]
    colours = [{True: ACCENT, False: _MISSED, None: QUIET}[row.met] for row in shown]
    axes.barh([row.name.removesuffix(AT_MOST) for row in shown], ratios, color=colours, height=0.6)
    for position, row in enumerate(shown):
        reach = max(row.ratio or 0.0, row.goal or 0.0)
        axes.text(1.06 * reach, position, f"{row.ratio:g}", va="center", color=INK)
        if row.goal is not None:
            axes.plot([row.goal, row.goal], [position - 0.4, position + 0.4], color=INK, linewidth=2)
    axes.set_xscale("log")
    axes.set_xlim(left=min(1.0, *ratios) / 2, right=2 * max(*ratios, *(row.goal or 0.0 for row in shown)))
    axes.set_title(f"{title} (black: the goal; blue: met, red: missed, grey: no goal)", color=INK, loc="right")
