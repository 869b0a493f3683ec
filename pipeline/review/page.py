"""The page of a comparison: it needs no network and names no lead; behind each picture stands its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.report.rendering import duration_in_words, render
from pipeline.review.comparison import Calibration, Comparison
from pipeline.review.told import FIGURES, WORDS, gains_of, named, summary_of, tables_of, title_of, verdict_of_segment

_FARTHEST = 5.0
"""Times what would matter; what lies beyond is cut off at the edge, and its figures stand in the table."""
_WIDEST = 1.0
"""Of the segments: a log loss twice as high."""


@dataclass(frozen=True)
class Whisker:
    """A difference as it is drawn: places from 0 (left) to 1 (right)."""

    label: str
    verdict: str
    at: float
    low: float
    high: float


def comparison_page(comparison: Comparison) -> str:
    """Put the comparison on one page, with its pictures as SVG."""
    segments = [one for one in comparison.segments if one.low is not None and one.high is not None]
    farthest = max((max(abs(one.low or 0.0), abs(one.high or 0.0)) for one in segments), default=0.1)
    widest = min(farthest, _WIDEST)
    calibrations = {"A": comparison.calibration_of_a, "B": comparison.calibration}
    return render(
        "comparison.html.jinja",
        title=title_of(comparison),
        words=WORDS,
        horizon=duration_in_words(comparison.horizon),
        comparison=comparison,
        names={"A": named(comparison.a), "B": named(comparison.b)},
        summary=summary_of(comparison),
        tables=tables_of(comparison),
        figures=[
            Whisker(FIGURES[name].label.partition(" (")[0], one.verdict, *(_within(gain, _FARTHEST) for gain in gains))
            for name, one in comparison.figures.items()
            if (gains := gains_of(name, one)) is not None
        ],
        farthest=_FARTHEST,
        segments=[
            Whisker(
                f"{one.name}: {one.value}",
                verdict_of_segment(one),
                *(_within(-(value or 0.0), widest) for value in (one.difference_share, one.high, one.low)),
            )
            for one in segments
        ],
        widest=widest,
        curves={name: _drawn(one, _top(calibrations)) for name, one in calibrations.items()},
        top=_top(calibrations),
    )


def _within(value: float, farthest: float) -> float:
    """Place a value on a line from -farthest to farthest.

    >>> _within(0.0, 5.0), _within(-5.0, 5.0), _within(9.0, 5.0)
    (0.5, 0.0, 1.0)
    """
    return 0.5 + 0.5 * max(-1.0, min(1.0, value / farthest))


def _top(calibrations: Mapping[str, Calibration]) -> float:
    """Give the highest rate that is drawn of any of them, so that all have one scale."""
    rates = [
        row[name] for one in calibrations.values() for row in one.curve for name in ("predicted", "high", "band_high")
    ]
    return 1.05 * max(rates, default=1.0)


def _drawn(one: Calibration, top: float) -> list[dict[str, float]]:
    """Give the ten bins as shares of the picture's height and width."""
    names = ("predicted", "observed", "low", "high", "band_low", "band_high")
    return [{name: row[name] / top for name in names} | {"rows": row["rows"]} for row in one.curve]
