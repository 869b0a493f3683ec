"""The pictures of ``docs/learning.md``, drawn from what the last run on the sample has written.

Call it as ``python -m docs.build.pictures`` after ``make run``: pictures are looked at, and not compared.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import matplotlib.dates
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from features.core.time import parse_duration
from pipeline.core.project import Places, read_json
from pipeline.evaluate.pictures import ACCENT, INK, QUIET

PICTURES = Path("docs/pictures")
_SOFT = "#d9dee3"


def draw(root: Path) -> None:
    """Draw what was learned from at each origin and what stands beside the model, and copy the calibration."""
    places = Places(root)
    training, counts = read_json(places.training), read_json(places.snapshot_counts)
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), height_ratios=(8, 7), layout="constrained")
    _draw_origins(above, training, counts)
    _draw_rivals(below, training["recipe"], read_json(places.breakdown)["rivals"])
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    figure.savefig(root / PICTURES / "learning.png", dpi=90, metadata={"Software": None})
    plt.close(figure)
    shutil.copyfile(root / "reports/pictures/calibration.png", root / PICTURES / "calibration.png")


def _draw_origins(axes: Axes, training: dict[str, Any], counts: dict[str, Any]) -> None:
    """Draw a line for each origin: what was settled by then, what was not yet, and what is foretold from it."""
    begin, end = (pd.Timestamp(counts["labelled"][bound]) for bound in ("from", "to"))
    reach = parse_duration(counts["horizon"]) + pd.Timedelta(hours=counts["outcome_delay_hours"])
    accounts = [*training["for_choices"], *training["origins"]]
    moments = [pd.Timestamp(one["origin"]) for one in accounts]
    for height, (one, moment, until) in enumerate(zip(accounts, moments, [*moments[1:], end], strict=True)):
        counts_too = one in training["origins"]
        for start, stop, colour in (
            (begin, moment - reach, QUIET),
            (moment - reach, moment, _SOFT),
            (moment, until, ACCENT if counts_too else "#a9c7e0"),
        ):
            axes.barh(-height, stop - start, left=start, height=0.6, color=colour)
    axes.barh(-len(accounts), end - begin, left=begin, height=0.6, color=INK)
    names = [*(f"{one:%Y-%m-%d}" for one in moments), "today"]
    axes.set_yticks([-height for height in range(len(names))], names)
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%Y-%m"))
    axes.set_title(
        "From each origin: learned from (grey), not settled (light), foretold (blue; pale: for choices alone)",
        loc="left", color=INK, fontsize=10,
    )  # fmt: skip


def _draw_rivals(axes: Axes, recipe: str, rivals: list[dict[str, Any]]) -> None:
    """Draw how much lower the log loss of a row is than that of each rung and yardstick, with its interval."""
    beside = sorted(rivals, key=lambda one: float(one["gain"]))
    names = [one["name"] for one in beside]
    axes.hlines(names, [one["low"] for one in beside], [one["high"] for one in beside], color=ACCENT, linewidth=2)
    axes.plot([one["gain"] for one in beside], names, "o", color=ACCENT)
    axes.axvline(0.0, color=INK, linestyle="--", linewidth=1)
    axes.set_title(f"Log loss of a row that is saved by: {recipe}", loc="left", color=INK, fontsize=10)


if __name__ == "__main__":
    draw(Path())
