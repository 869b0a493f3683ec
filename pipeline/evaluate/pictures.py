"""The plots as pictures: what DVC draws from the same data needs a network, these don't."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.core.project import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

INK, ACCENT, QUIET = "#1f2933", "#0f6fb8", "#9aa5b1"


def draw(plots: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Draw each plot that has a picture into ``folder``, as PNG; equal data is equal bytes."""
    import matplotlib as mpl  # noqa: PLC0415 - takes half a second

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend

    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": QUIET}
    with mpl.rc_context(style):
        for name, frame in plots.items():
            paint, size = _PAINTERS[name]
            figure, axes = plt.subplots(figsize=size, layout="constrained")
            paint(axes, frame)
            axes.title.set_color(INK)
            with written_whole(folder / f"{name}.png") as temporary:
                figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
            plt.close(figure)


def _calibration(axes: Axes, frame: pd.DataFrame) -> None:
    top = 1.05 * max(frame["high"].max(), frame["band_high"].max(), frame["predicted"].max())
    band = "all ten of a perfect model, 95 %"
    axes.fill_between(frame["predicted"], frame["band_low"], frame["band_high"], color=QUIET, alpha=0.25, label=band)
    axes.plot([0, top], [0, top], color=QUIET, linewidth=1, label="says what happens")
    below, above = frame["observed"] - frame["low"], frame["high"] - frame["observed"]
    axes.errorbar(
        frame["predicted"],
        frame["observed"],
        yerr=[below, above],
        fmt="o",
        color=ACCENT,
        label="a tenth, with its 95 % interval",
    )
    axes.set(
        title="Calibration: promised and kept", xlabel="predicted probability", ylabel="share that converted",
        xlim=(0, top), ylim=(0, top),
    )  # fmt: skip
    _in_percent(axes.xaxis, axes.yaxis)
    axes.legend(frameon=False, loc="upper left")


def _gains(axes: Axes, frame: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, label="without a model")
    axes.plot([0, *frame["share_contacted"]], [0, *frame["share_of_conversions"]], color=ACCENT, label="best first")
    axes.set(
        title="Gains: who is called first", xlabel="share of leads contacted", ylabel="share of conversions reached",
        xlim=(0, 1), ylim=(0, 1.01),
    )  # fmt: skip
    _in_percent(axes.xaxis, axes.yaxis)
    axes.legend(frameon=False, loc="lower right")


def _precision_recall(axes: Axes, frame: pd.DataFrame) -> None:
    axes.plot(frame["recall"], frame["precision"], color=ACCENT)
    axes.set(
        title="Precision and recall", xlabel="share of conversions reached", ylabel="share of contacts that convert",
        xlim=(0, 1), ylim=(0, None),
    )  # fmt: skip
    _in_percent(axes.xaxis, axes.yaxis)


def _importance(axes: Axes, frame: pd.DataFrame) -> None:
    top = frame.head(20).iloc[::-1]
    axes.barh(top["feature"], top["share"], color=ACCENT)
    axes.set(title="Which features the model uses", xlabel="share of its work")
    _in_percent(axes.xaxis)
    axes.tick_params(axis="y", labelsize=8)


def _differences(axes: Axes, frame: pd.DataFrame) -> None:
    """Draw how much better another model is, a line for each: label, at, low, high, to the right better."""
    rows = frame.iloc[::-1]
    axes.axvline(0.0, color=QUIET, linewidth=1)
    ends = [rows["at"] - rows["low"], rows["high"] - rows["at"]]
    axes.errorbar(rows["at"], rows["label"], xerr=ends, fmt="o", color=ACCENT)
    axes.set(title="How much better the second is, with 95 % intervals", xlabel=frame.attrs["unit"])
    axes.tick_params(axis="y", labelsize=8)


def _in_percent(*scales: Axis) -> None:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415 - matplotlib takes half a second

    for scale in scales:
        scale.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


_PAINTERS: dict[str, tuple[Callable[[Axes, pd.DataFrame], None], tuple[float, float]]] = {
    "calibration": (_calibration, (5.5, 5.0)),
    "gains": (_gains, (5.5, 5.0)),
    "precision_recall": (_precision_recall, (5.5, 5.0)),
    "importance": (_importance, (7.5, 5.5)),
    "calibration_of_a": (_calibration, (5.5, 5.0)),
    "calibration_of_b": (_calibration, (5.5, 5.0)),
    "differences": (_differences, (7.5, 3.0)),
    "segments": (_differences, (7.5, 7.5)),
}
