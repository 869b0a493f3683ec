"""A comparison in words and in tables, as the terminal, the page and MLflow show it; it names no lead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from features.core.schema import OPEN_TIERS
from models.evaluation.pairs import (
    BETTER,
    CANT_TELL,
    LESS_IS_BETTER,
    NO_DIFFERENCE,
    WORSE,
    Difference,
    SegmentDifference,
)
from pipeline.report.rendering import duration_in_words
from pipeline.review.comparison import Calibration, Comparison, Side

_UNKNOWN = "unknown"
WORDS = ("of", "B is", "its probabilities are")
"""Headers of columns that hold words."""


@dataclass(frozen=True)
class Table:
    """A table of texts; its first and its last column hold words, the others figures."""

    title: str
    headers: tuple[str, ...]
    """A blank one stands for no column."""
    rows: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> list[str]:
        """The headers of what there is."""
        return [header for header in self.headers if header.strip()]

    @property
    def named_rows(self) -> list[dict[str, str]]:
        """Each row's cells by their headers."""
        return [dict(zip(self.columns, row, strict=False)) for row in self.rows]


@dataclass(frozen=True)
class _Shown:
    """How a figure is shown."""

    label: str
    value: str
    difference: str


FIGURES: Mapping[str, _Shown] = {
    "log_loss": _Shown("log loss (less is better)", "{:.4f}", "{:+.4f}"),
    "roc_auc": _Shown("ROC AUC", "{:.3f}", "{:+.4f}"),
    "lift_at_10": _Shown("lift in the best tenth", "{:.2f}", "{:+.2f}"),
    "calibration_slope": _Shown("calibration slope (1 is right)", "{:.2f}", "{:+.2f}"),
}


def named(side: Side) -> str:
    """Name a model: as it was asked for, its number in the registry and how its hash begins."""
    short = side.model_version[:8]
    number = "" if side.version is None or side.asked == side.version else f", version {side.version}"
    return f"{side.asked} ({short}{number})" if not side.model_version.startswith(side.asked) else f"{short}{number}"


def title_of(comparison: Comparison) -> str:
    """Name the comparison."""
    return f"{named(comparison.a)} against {named(comparison.b)}"


def tables_of(comparison: Comparison) -> dict[str, Table]:
    """Give all tables, by the names of their files."""
    newest, lists = comparison.details["newest"], comparison.details["lists"]
    tables = {"figures": _of_figures("On the same leads and moments", comparison.figures)}
    if newest:
        found = {name: Difference(**newest["figures"][name]) for name in FIGURES}
        tables["newest_origin"] = _of_figures(
            f"Of that, foretold from the newest origin, {newest['origin'][:10]}: {newest['pairs']:,} snapshots, "
            f"{newest['conversions']:,} that convert",
            found,
        )
    tables["calibration"] = _of_calibration(comparison)
    tables["segments"] = _of_segments(comparison)
    if lists:
        tables |= {"transitions": _of_transitions(lists), "tiers": _of_tiers(lists), "work": _of_work(lists)}
    return tables


def summary_of(comparison: Comparison) -> list[str]:
    """Say in sentences what both are measured on, what came of it, and what to make of it with care."""
    counts = comparison.details["pairs"]
    of_a, of_b = (
        f"{named(one)}, which knows outcomes up to {one.trained_until[:10]}" for one in (comparison.a, comparison.b)
    )
    both = (
        f"Both have foretold {comparison.pairs:,} snapshots of {comparison.leads:,} leads ({counts['from'][:10]} to "
        f"{counts['to'][:10]}), of which {comparison.conversions:,} convert within "
        f"{duration_in_words(comparison.horizon)}: "
        f"{counts['of_origins']:,} at their origins, {counts['of_scores']:,} scored in use."
    )
    sentences = [f"A is {of_a}; B is {of_b}.", both, verdict_in_words(comparison)]
    return sentences + list(_remarks(comparison))


def verdict_in_words(comparison: Comparison) -> str:
    """Say in one sentence what B is beside A, figure by figure."""
    by_verdict: dict[str, list[str]] = {}
    for name, one in comparison.figures.items():
        by_verdict.setdefault(one.verdict, []).append(FIGURES[name].label.partition(" (")[0])
    said = {
        BETTER: "B is better by {}",
        WORSE: "B is worse by {}",
        NO_DIFFERENCE: "there is no difference that matters in {}",
        CANT_TELL: "nobody can tell them apart by {}",
    }
    told = "; ".join(said[name].format(_listed(by_verdict[name])) for name in said if name in by_verdict)
    return f"{told[0].upper()}{told[1:]}."


def _remarks(comparison: Comparison) -> Iterator[str]:
    """Say what is odd of the pairs, which segment is hit, and what becomes of the list of sales."""
    counts, lists = comparison.details["pairs"], comparison.details["lists"]
    if counts["known_otherwise"]:
        yield (
            f"Of {counts['known_otherwise']:,} pairs the two know another outcome, for outcomes come late: it is taken "
            "as the model knows it that was trained on newer data."
        )
    if counts["from_other_origins"]:
        yield (
            f"{counts['from_other_origins']:,} pairs were foretold from different origins: whoever stood nearer knew "
            "more, which is no merit of the model."
        )
    if comparison.details["sees_differently"]:
        yield f"They look at different things (A was, B is): {'; '.join(comparison.details['sees_differently'])}."
    badly = [one for one in comparison.segments if one.badly]
    if badly:
        worst = max(badly, key=lambda one: one.difference_share)
        yield (
            f"{len(badly):,} segment{'s are' if len(badly) > 1 else ' is'} badly worse with B; the worst is "
            f"{worst.name}: {worst.value}, whose log loss is {_share(worst.difference_share)}."
        )
    if comparison.churn is None:
        yield f"Today's leads were not decided with both: {comparison.details['no_lists']}."
        return
    churn = comparison.churn
    yield (
        f"Of the {churn.leads:,} leads open on {churn.as_of[:10]} A calls {churn.sql_of_a:,} SQL and B "
        f"{churn.sql_of_b:,}: {churn.left:,} leave ({churn.left_share:.0%}), {churn.joined:,} join."
    )
    hit = lists["worst_hit"]
    if hit:
        yield (
            f"The segment that loses most of them is {hit['name']}: {hit['value']}, from {hit['sql_of_a']:,} SQL to "
            f"{hit['sql_of_b']:,}."
        )
    if lists["rewritten"] is not None:
        yield f"In the CRM {lists['rewritten']:,} leads would be rewritten."


def _of_figures(title: str, figures: Mapping[str, Difference]) -> Table:
    headers = ("figure", "A", "B", "B less A", "95 % interval", "by chance up to", "matters from", "B is")
    rows = []
    for name, one in figures.items():
        shown = FIGURES[name]
        rows.append(
            (
                shown.label,
                _written(shown.value, one.a),
                _written(shown.value, one.b),
                _written(shown.difference, one.difference),
                interval(shown.difference, one.low, one.high),
                _written(shown.difference.replace("+", ""), one.by_chance),
                shown.difference.replace("+", "").format(one.matters),
                one.verdict,
            )
        )
    return Table(title, headers, tuple(rows))


def _of_calibration(comparison: Comparison) -> Table:
    def row(name: str, one: Calibration) -> tuple[str, ...]:
        is_kept = None if one.error is None or one.by_chance_95 is None else one.error <= one.by_chance_95
        verdict = _UNKNOWN if is_kept is None else "as right as chance lets see" if is_kept else "not right"
        return (
            name,
            _written("{:.5f}", one.error),
            _written("{:.5f}", one.by_chance_95),
            _written("{:.2f}", one.slope),
            verdict,
        )

    headers = ("model", "calibration error", "by chance up to", "slope", "its probabilities are")
    rows = (row("A", comparison.calibration_of_a), row("B", comparison.calibration))
    return Table("Calibration", headers, rows)


def _of_segments(comparison: Comparison) -> Table:
    headers = ("segment", "of", "snapshots", "that convert", "log loss of B", "interval", "B is")
    rows = tuple(
        (
            one.value,
            one.name,
            f"{one.rows:,}",
            f"{one.conversions:,}",
            _share(one.difference_share),
            interval("{:+.1%}", one.low, one.high),
            verdict_of_segment(one),
        )
        for one in comparison.segments
    )
    judged = sum(one.low is not None for one in comparison.segments)
    return Table(f"By segment; intervals are right for all {judged:,} that are judged at once", headers, rows)


def verdict_of_segment(one: SegmentDifference) -> str:
    """Say what B is in a segment."""
    if one.low is None or one.high is None:
        return "too few to judge"
    if one.badly:
        return "badly worse"
    return WORSE if one.low > 0.0 else BETTER if one.high < 0.0 else CANT_TELL


def _of_transitions(lists: Mapping[str, Any]) -> Table:
    transitions = lists["transitions"]
    tiers = [tier for tier in OPEN_TIERS if tier in transitions]
    headers = ("tier by A", *(f"{tier} by B" for tier in tiers), " ")
    rows = tuple((one, *(f"{transitions[one][other]:,}" for other in tiers), "") for one in tiers)
    return Table("Who enters and leaves each tier", headers, rows)


def _of_tiers(lists: Mapping[str, Any]) -> Table:
    headers = ("tier", "leads by A", "leads by B", "expected by A", "expected by B", " ")
    rows = tuple(
        (a["tier"], f"{a['leads']:,}", f"{b['leads']:,}", f"{a['expected']:,.1f}", f"{b['expected']:,.1f}", "")
        for a, b in zip(lists["tiers"]["a"], lists["tiers"]["b"], strict=True)
        if a["leads"] or b["leads"]
    )
    return Table("Open leads by tier, and conversions expected", headers, rows)


def _of_work(lists: Mapping[str, Any]) -> Table:
    a, b = lists["work"]["a"], lists["work"]["b"]
    labels = (
        ("expected_conversions", "conversions expected of all open leads", "{:,.1f}"),
        ("sql", "leads of sales (SQL)", "{:,}"),
        ("on_the_list", "on today's list of sales", "{:,}"),
        ("places", "places there are today", "{:,}"),
        ("calls", "calls that the SQL take, as measured", "{:,.0f}"),
        ("hours", "hours that the SQL take", "{:,.0f}"),
    )
    rows = tuple(
        (label, style.format(a[name]), style.format(b[name]), "")
        for name, label, style in labels
        if a[name] is not None and b[name] is not None
    )
    return Table("What each expects, and the work it makes", ("what", "A", "B", " "), rows)


def gains_of(name: str, one: Difference) -> tuple[float, float, float] | None:
    """Say how much better B is by a figure, with its interval, in multiples of what would matter; None if unknown."""
    if one.difference is None or one.low is None or one.high is None:
        return None
    if name in LESS_IS_BETTER:
        return -one.difference / one.matters, -one.high / one.matters, -one.low / one.matters
    return one.difference / one.matters, one.low / one.matters, one.high / one.matters


def interval(style: str, low: float | None, high: float | None) -> str:
    """Write an interval."""
    return _UNKNOWN if low is None or high is None else f"{_signed(style, low)} to {_signed(style, high)}"


def _written(style: str, value: float | None) -> str:
    return _UNKNOWN if value is None else _signed(style, value)


def _signed(style: str, value: float) -> str:
    """Write a number; what is nought when rounded has no minus sign.

    >>> _signed("{:+.2f}", -0.001), _signed("{:+.1%}", -0.02)
    ('+0.00', '-2.0%')
    """
    text = style.format(value)
    return text if re.search("[1-9]", text) else style.format(0.0)


def _share(share: float) -> str:
    """Say how much higher or lower.

    >>> _share(0.052), _share(-0.011)
    ('5.2% higher', '1.1% lower')
    """
    return f"{abs(share):.1%} {'lower' if share < 0 else 'higher'}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
