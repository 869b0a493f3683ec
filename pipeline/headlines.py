"""The figures that matter most, in the words of those who call the leads."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.rendering import day, duration_in_words, percent, whole
from pipeline.results import Results


@dataclass(frozen=True)
class Headline:
    """One figure, large, and the sentences that say what it means."""

    label: str
    figure: str
    meaning: str


_UNKNOWN = "The test part holds too few conversions to say."


def headlines(results: Results) -> list[Headline]:
    """Say what is expected of the open leads, and how far the model can be trusted; it holds no lead ids."""
    horizon = duration_in_words(results.snapshots["horizon"])
    return [_expected(results, horizon), _best_tenth(results, horizon), _ranking(results), _promise(results)]


def _interval(low: float | None, high: float | None, style: str) -> str:
    return "" if low is None or high is None else f" ({style.format(low)} to {style.format(high)})"


def _expected(results: Results, horizon: str) -> Headline:
    scoring = results.scoring
    expected = scoring["expected_conversions"]
    return Headline(
        "Expected conversions",
        whole(expected) if expected >= 10 else f"{expected:.1f}",  # noqa: PLR2004 - below it a fraction tells
        f"Of {whole(scoring['leads'])} leads open on {day(scoring['as_of'])}, so many are expected to convert "
        f"within {horizon}. {whole(scoring['tiers'].get('SQL', 0))} leads are worth a sales call today.",
    )


def _best_tenth(results: Results, horizon: str) -> Headline:
    lift, tenth, base = (results.metrics[name] for name in ("lift_at_10", "precision_at_10", "base_rate"))
    if lift["value"] is None or tenth["value"] is None or base["value"] is None:
        return Headline("The best tenth", "unknown", _UNKNOWN)
    reached = [None if lift[part] is None else min(0.1 * lift[part], 1.0) for part in ("value", "low", "high")]
    return Headline(
        "The best tenth",
        f"{lift['value']:.1f} times",
        f"Leads in the best 10 % convert this much more often than leads do on average"
        f"{_interval(lift['low'], lift['high'], '{:.1f}')}: {percent(tenth['value'])} of them within {horizon}, "
        f"against {percent(base['value'])}. Who calls only them reaches {reached[0]:.0%} of all conversions"
        f"{_interval(reached[1], reached[2], '{:.0%}')}.",
    )


def _ranking(results: Results) -> Headline:
    auc = results.metrics["roc_auc"]
    if auc["value"] is None:
        return Headline("Who comes first", "unknown", _UNKNOWN)
    low, high = (None if auc[part] is None else 100 * auc[part] for part in ("low", "high"))
    return Headline(
        "Who comes first",
        f"{100 * auc['value']:.0f} in 100",
        "Take one lead that will convert and one that will not: so often the model puts the right one first"
        f"{_interval(low, high, '{:.0f}')}. A coin would be right 50 times.",
    )


def _promise(results: Results) -> Headline:
    error, base = results.metrics["calibration_error"], results.metrics["base_rate"]["value"]
    if error["value"] is None or base is None:
        return Headline("Promised and kept", "unknown", _UNKNOWN)
    points = [None if error[part] is None else 100 * error[part] for part in ("value", "low", "high")]
    chance = results.metrics["calibration_error_by_chance"]["quantile_95"]
    if chance is None:
        verdict = ""
    elif error["value"] <= chance:
        verdict = f" Chance alone explains up to {100 * chance:.2f}: the probabilities can be taken at their word."
    else:
        verdict = (
            f" Chance alone explains only up to {100 * chance:.2f}: "
            "look at the calibration below before you count on the probabilities."
        )
    return Headline(
        "Promised and kept",
        f"{points[0]:.2f} points",
        "So far, in percentage points, the probabilities lie from what then happened, on average"
        f"{_interval(points[1], points[2], '{:.2f}')}.{verdict}",
    )
