"""The figures that matter most, in the words of those who call the leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from features.core.schema import CONVERTED, LOST
from features.core.time import format_duration
from models.decision.kpis import reached_by_best_tenth
from pipeline.report.rendering import day, duration_in_words, percent, whole
from pipeline.report.results import Results, Sections


@dataclass(frozen=True)
class Headline:
    """One figure, large, and the sentences that say what it means."""

    label: str
    figure: str
    meaning: str


_UNKNOWN = "There is no origin, or too few conversions after it, to say."


def headlines(results: Results) -> list[Headline]:
    """Say what is expected of the open leads, and how far the model can be trusted; it holds no lead ids."""
    horizon = duration_in_words(results.snapshots["horizon"])
    return [_expected(results, horizon), _best_tenth(results, horizon), _ranking(results), _promise(results)]


def told_of_ended(parameters: Sections, results: Results) -> str | None:
    """Say how many leads became customers or were lost of late, and how many lost ones are due; None without any."""
    counts = results.scoring["ended_of_late"]
    customers, lost = counts[CONVERTED], counts[LOST]
    due = results.scoring["ended"].get("recycled", 0)
    if not customers and not lost and not due:
        return None
    within = duration_in_words(format_duration(parameters.decision.kept(parameters.snapshots.horizon)))
    told = f"{whole(customers)} customer{'' if customers == 1 else 's'} and {whole(lost)} lost in the last {within}"
    again = f"{whole(due)} lost lead{' is' if due == 1 else 's are'} due to be contacted again"
    return f"{told}; {again}" if due else told


def told_of_machines(results: Results) -> list[str]:
    """Say which share of a source's events machines did, where rules tell them: no feature and no fact has them."""
    told = []
    for name, source in results.ingested["sources"].items():
        marked = sum(sum(of_type.values()) for of_type in source.get("machines", {}).values())
        if marked:
            share = f"{marked:,} of the {source['used']:,} events of {name} ({percent(marked / source['used'])})"
            told.append(f"{share} were done by machines: they stay in the log and count nowhere")
    return told


def _with_interval(estimate: Mapping[str, float], write: Callable[[float], str]) -> str:
    low, high = estimate["low"], estimate["high"]
    return "" if low is None or high is None else f" ({write(low)} to {write(high)})"


def _reached(lift: float) -> str:
    return percent(reached_by_best_tenth(lift), like=1.0)


def _in_hundred(share: float) -> str:
    return f"{100 * share:.0f}"


def _points(difference: float) -> str:
    return f"{100 * difference:.2f}"


def _expected(results: Results, horizon: str) -> Headline:
    scoring = results.scoring
    expected = scoring["expected_conversions"]
    unknown = results.outcomes_unknown()
    return Headline(
        "Expected conversions",
        whole(expected) if expected >= 10 else f"{expected:.1f}",  # noqa: PLR2004 - below it a fraction tells
        f"Of {whole(scoring['leads'])} leads open on {day(scoring['as_of'])}, so many are expected to convert "
        f"within {horizon}. {whole(scoring['tiers'].get('SQL', 0))} leads are worth an hour of sales; "
        f"{whole(scoring['lists'].get('sales', 0))} of them get one today." + (f" {unknown}" if unknown else ""),
    )


def _best_tenth(results: Results, horizon: str) -> Headline:
    lift, tenth, base = (results.metrics[name] for name in ("lift_at_10", "precision_at_10", "base_rate"))
    if lift["value"] is None or tenth["value"] is None or base["value"] is None:
        return Headline("The best tenth", "unknown", _UNKNOWN)
    return Headline(
        "The best tenth",
        f"{lift['value']:.1f} times",
        "Leads in the best 10 % convert this much more often than leads do on average"
        f"{_with_interval(lift, '{:.1f}'.format)}: "
        f"{percent(tenth['value'])} of them within {horizon}, against {percent(base['value'])}. "
        f"Who calls only them reaches {_reached(lift['value'])} of all conversions{_with_interval(lift, _reached)}.",
    )


def _ranking(results: Results) -> Headline:
    auc = results.metrics["roc_auc"]
    if auc["value"] is None:
        return Headline("Who comes first", "unknown", _UNKNOWN)
    return Headline(
        "Who comes first",
        f"{_in_hundred(auc['value'])} in 100",
        "Take one lead that will convert and one that will not: so often the model puts the right one first"
        f"{_with_interval(auc, _in_hundred)}. A coin would be right 50 times.",
    )


def _promise(results: Results) -> Headline:
    error = results.metrics["calibration_error"]
    if error["value"] is None:
        return Headline("Promised and kept", "unknown", _UNKNOWN)
    chance = results.metrics["calibration_error_by_chance"]["quantile_95"]
    if chance is None:
        verdict = ""
    elif error["value"] <= chance:
        against = "; ".join(_against(results))
        verdict = f" Chance alone explains up to {_points(chance)}" + (
            f", but not all is well: {against}." if against else ": nothing here speaks against the probabilities."
        )
    else:
        verdict = (
            f" Chance alone explains only up to {_points(chance)}: "
            "look at the calibration below before you count on the probabilities."
        )
    return Headline(
        "Promised and kept",
        f"{_points(error['value'])} points",
        f"So far, in percentage points, the probabilities lie from what then happened, on average.{verdict}",
    )


def _against(results: Results) -> list[str]:
    """Say what else on the page speaks against the probabilities, though the average doesn't."""
    slope, told = results.metrics["calibration_slope"], []
    if slope["low"] is not None and slope["low"] > 1.0:
        told.append("by more than chance, high probabilities are too low and low ones too high (calibration slope)")
    if slope["high"] is not None and slope["high"] < 1.0:
        told.append("by more than chance, high probabilities are too high and low ones too low (calibration slope)")
    if results.worst():
        told.append("in some parts of the leads promises are further off (see below)")
    return told
