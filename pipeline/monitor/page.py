"""The page of promises: what ``leadcast monitor`` found, for people; it names no lead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from features.core.time import parse_duration
from pipeline.report.rendering import duration_in_words, render

_MOST_COLUMNS = 12
_WIDTH, _HEIGHT, _BASE = 740.0, 170.0, 196.0
_LABELS = 8
"""Weeks that are named below the picture, at most."""


def monitor_page(told: Mapping[str, Any]) -> str:
    """Give the page of what ``reports/monitor.json`` holds."""
    verdicts = told["verdicts"]
    notes = [one for one in verdicts if not one["is_alarm"]]
    highest = max((max(one["expected"], one["happened"] or 0) for one in told["weeks"]), default=0.0)
    return render(
        "monitor.html.jinja",
        told={**told, "promises": [_row(one) for one in told["promises"]]},
        alarms=[one for one in verdicts if one["is_alarm"]],
        notes_of_promises=[one for one in notes if one["code"].startswith("promise_")],
        notes_of_drift=[one for one in notes if not one["code"].startswith("promise_")],
        weeks=_bars(told["weeks"], highest) if highest else [],
        highest=highest,
        horizon=duration_in_words(told["horizon"]),
        delay=parse_duration(told["outcome_delay"]) and duration_in_words(told["outcome_delay"]),
        columns=told["drift"]["columns"][:_MOST_COLUMNS],
    )


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "bets": _times(one["highest"]), "from": _times(one["threshold"])}


def _times(logarithm: float) -> str:
    """Write what 1 has become.

    >>> _times(0.0), _times(math.log(2.5)), _times(math.log(1234)), _times(30.0)
    ('1.0', '2.5', '1,234', 'over a million')
    """
    if logarithm > math.log(1e6):
        return "over a million"
    worth = math.exp(logarithm)
    return f"{worth:.1f}" if worth < 10.0 else f"{worth:,.0f}"  # noqa: PLR2004 - below it a fraction tells


def _bars(weeks: Sequence[Mapping[str, Any]], highest: float) -> list[dict[str, Any]]:
    """Place the bars of each week: the outer one is promised, the inner one happened."""
    step, every = _WIDTH / len(weeks), -(-len(weeks) // _LABELS)
    bars = []
    for number, one in enumerate(weeks):
        x, promised = 10.0 + number * step, _HEIGHT * one["expected"] / highest
        happened = _HEIGHT * (one["happened"] or 0) / highest
        day = datetime.fromisoformat(one["as_of"])
        came = "not over yet" if one["happened"] is None else f"{one['happened']:,} happened"
        bars.append(
            {
                "title": f"{day:%Y-%m-%d}: {one['leads']:,} leads, {one['expected']:.1f} promised, {came}",
                "happened": one["happened"],
                "x": f"{x + 0.1 * step:.1f}",
                "width": f"{0.8 * step:.1f}",
                "promised_y": f"{_BASE - promised:.1f}",
                "promised_height": f"{promised:.1f}",
                "inner_x": f"{x + 0.28 * step:.1f}",
                "inner_width": f"{0.44 * step:.1f}",
                "happened_y": f"{_BASE - happened:.1f}",
                "happened_height": f"{happened:.1f}",
                "middle": f"{x + 0.5 * step:.1f}",
                "label": f"{day:%d %b}" if number % every == 0 else "",
            }
        )
    return bars
