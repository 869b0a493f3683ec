"""What must hold of the interactions, the leads and the recommendations: suites kept as code.

They are built from the schema itself. Over a whole log DuckDB computes one row of counts, a column an expectation,
and Great Expectations judges that row; the same fields are judged row by row on a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from features.core.recommendation import RECOMMENDATION
from features.core.schema import CONVERTED, INTERACTION, LEAD, LOST, OPEN_TIERS, Field
from pipeline.contracts.checks import Finding

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    from great_expectations.expectations import Expectation

Severity = Literal["critical", "warning"]

_HAS_CONVERTED, _WAS_LOST = (
    f"coalesce(regexp_full_match(facts[1], '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {outcome}'), false)"
    for outcome in (CONVERTED, LOST)
)
"""SQL over a recommendation: how the last episode of the lead ended is the first of its facts, and no other fact may be
called so."""
_HAS_ENDED = f"({_HAS_CONVERTED} OR {_WAS_LOST})"
_IS_DUE = "coalesce(tier = 'recycled' AND recontact_on IS NOT NULL, false)"
"""SQL over a recommendation of a lead that was lost; the day of the decision is the company's, and not known here."""
_OPEN_TIERS = ", ".join(f"'{tier}'" for tier in OPEN_TIERS)
EARLIEST, LATEST = "1970-01-01", "2100-01-01"


@dataclass(frozen=True)
class Check:
    """A condition that no row may meet, counted by DuckDB over the whole table."""

    name: str
    meaning: str
    violated: str
    """SQL over the table's columns: true for a row that breaks the rule."""
    severity: Severity = "critical"


@dataclass(frozen=True)
class Limit:
    """A figure of the whole table that must not be above 0."""

    name: str
    meaning: str
    figure: str
    """SQL that gives one number, the table being named ``log``."""


def field_checks(fields: Sequence[Field]) -> Iterator[Check]:
    """Give the checks that follow from the schema alone."""
    for field in fields:
        name, column = field.name, f'"{field.name}"'
        if not field.nullable:
            yield Check(f"{name}_missing", f"{name} is never missing", f"{column} IS NULL")
        if field.allowed is not None:
            values = ", ".join(f"'{value}'" for value in field.allowed)
            yield Check(f"{name}_unknown", f"{name} is one of {values}", f"{column} NOT IN ({values})")
        if field.minimum is not None:
            yield Check(f"{name}_low", f"{name} is at least {field.minimum:g}", f"{column} < {field.minimum}")
        if field.maximum is not None:
            yield Check(f"{name}_high", f"{name} is at most {field.maximum:g}", f"{column} > {field.maximum}")
        if field.duckdb == "DOUBLE":
            yield Check(f"{name}_infinite", f"{name} is finite", f"NOT isfinite({column})")
        if field.duckdb == "TIMESTAMP":
            outside = f"{column} < TIMESTAMP '{EARLIEST}' OR {column} >= TIMESTAMP '{LATEST}'"
            yield Check(f"{name}_range", f"{name} lies in {EARLIEST} to {LATEST}", outside)


def interaction_checks() -> list[Check]:
    """Give the checks of the interactions, row by row."""
    return [
        *field_checks(INTERACTION),
        Check(
            "known_early",
            "an event is rarely known more than a year before it occurs",
            "known_at < occurred_at - INTERVAL 365 DAY",
            "warning",
        ),
    ]


def interaction_limits(leads: str) -> list[Limit]:
    """Give the limits of the whole log; ``leads`` is the quoted path of the leads."""
    return [
        Limit(
            "place_repeated",
            "source and sequence name one row each",
            "SELECT coalesce(sum(rows - 1), 0) FROM (SELECT count(*) AS rows FROM log GROUP BY source, sequence)",
        ),
        Limit(
            "lead_unknown",
            "every event's lead is in the table of leads",
            f"SELECT count(*) FROM (SELECT DISTINCT lead_id FROM log) ANTI JOIN read_parquet({leads}) USING (lead_id)",
        ),
    ]


def lead_checks() -> list[Check]:
    """Give the checks of the leads."""
    return list(field_checks(LEAD))


LEAD_LIMITS = (
    Limit("lead_repeated", "a lead has one row", "SELECT count(*) - count(DISTINCT lead_id) FROM log"),
    Limit("no_leads", "there is at least one lead", "SELECT (count(*) = 0)::INTEGER FROM log"),
)


OF_EXPLAINED_TIERS = ("reasons_lacking", "reasons_unasked", "change_unasked")
"""The checks of the recommendations that follow from the tiers that are given reasons."""


def recommendation_checks(reasons_for: Sequence[str], probabilities: Sequence[str] = ("probability",)) -> list[Check]:
    """Give the checks of the recommendations; ``reasons_for`` are the tiers that are given reasons.

    Where there are any, whoever is on the list of sales is, too. ``probabilities`` are the columns of all horizons, the
    shortest first.
    """
    tiers = ", ".join(f"'{tier}'" for tier in reasons_for)
    with_reasons, had_reasons = (
        (f"(tier IN ({tiers}) OR list = 'sales')", f"coalesce(tier_before IN ({tiers}), false)")
        if tiers
        else ("false", "false")
    )
    return [
        *field_checks(RECOMMENDATION),
        *_horizon_checks(probabilities),
        Check(
            "probability_misplaced",
            "an open lead has a probability and a score, and one that has ended has neither",
            f"(probability IS NULL) <> {_HAS_ENDED} OR (score IS NULL) <> {_HAS_ENDED}",
        ),
        Check(
            "end_differs",
            "a lead is a customer where it converted last and there alone, and disqualified where it was lost, or "
            "recycled where it is due",
            f"(tier = 'customer') <> {_HAS_CONVERTED} OR ({_WAS_LOST} AND tier <> 'disqualified' AND NOT {_IS_DUE})",
        ),
        Check(
            "ended_recommended",
            "a lead that has ended is no guess, and on no list but that of marketing, where it is due",
            f"{_HAS_ENDED} AND ((list <> 'none' AND NOT (list = 'marketing' AND {_IS_DUE})) OR rank IS NOT NULL "
            "OR list_reason IS NOT NULL OR expected_value IS NOT NULL OR own_tier IS NOT NULL OR is_guess)",
        ),
        Check(
            "own_tier_unknown",
            f"what we would have said is one of {_OPEN_TIERS}",
            f"own_tier NOT IN ({_OPEN_TIERS})",
        ),
        Check(
            "word_lacking",
            "where people say the tier, their word is told",
            "word IS NULL AND (own_tier IS NOT NULL OR list_reason = 'agreed later')",
        ),
        Check("guess_unsaid", "why a lead is a guess is said of those that are one", "is_guess <> (guess IS NOT NULL)"),
        Check("score_differs", "the score is 100 times the probability", "abs(score - 100 * probability) > 1e-9"),
        Check(
            "reasons_lacking",
            f"a recommendation of the tiers {tiers}, or of the list of sales, has a reason where the lead is open",
            f"{with_reasons} AND NOT {_HAS_ENDED} AND len(reasons) = 0",
            "warning",
        ),
        Check(
            "reasons_unasked",
            "any other recommendation has none and no grade, nor has a lead that has ended",
            f"(NOT {with_reasons} OR {_HAS_ENDED}) AND "
            "(len(reasons) + len(reasons_for) + len(reasons_against) > 0 OR grade IS NOT NULL)",
        ),
        Check(
            "change_unasked",
            "any other recommendation, or one of another tier before, has no trend, nor has a lead that has ended",
            f"(NOT ({with_reasons} OR {had_reasons}) OR {_HAS_ENDED}) AND trend IS NOT NULL",
        ),
        Check(
            "tier_unmoved",
            "a tier that was another before is another now, and it is told why",
            "tier_before = tier OR (tier_before IS NULL) <> (tier_changed IS NULL)",
        ),
        Check(
            "change_partial",
            "what has changed is told with its moment and its parts, or not at all",
            " OR ".join(
                f"({name} IS NULL) <> (trend IS NULL OR trend = 'not enough information')"
                for name in ("what_changed", "compared_with", "change_time", "change_behaviour", "change_model")
            ),
        ),
    ]


def _horizon_checks(columns: Sequence[str]) -> Iterator[Check]:
    """Say that no horizon has a probability that contradicts that of another one; the shortest first."""
    for name in columns if len(columns) > 1 else ():
        outside = f'("{name}" IS NULL) <> {_HAS_ENDED} OR NOT ("{name}" > 0 AND "{name}" < 1)'
        yield Check(f"{name}_outside", f"{name} lies between 0 and 1, and is missing of leads that have ended", outside)
    for shorter, longer in pairwise(columns):
        yield Check(f"{longer}_contradicts", f"{longer} is never below {shorter}", f'"{longer}" < "{shorter}"')


RECOMMENDATION_LIMITS = (
    Limit("lead_repeated", "a lead is recommended once", "SELECT count(lead_id) - count(DISTINCT lead_id) FROM log"),
)


def count_violations(
    connection: duckdb.DuckDBPyConnection, table: str, checks: Sequence[Check], limits: Sequence[Limit]
) -> pd.DataFrame:
    """Give one row: how many rows of ``table`` (what may follow FROM) break each check, the figure of each limit."""
    counts = ", ".join(f'count(*) FILTER (WHERE {check.violated})::DOUBLE AS "{check.name}"' for check in checks)
    frame: pd.DataFrame = connection.execute(f"SELECT {counts} FROM {table}").df()
    for limit in limits:
        # One after the other, each of its own columns: a log that several ask at once would be kept as a whole.
        figure = connection.execute(f"WITH log AS NOT MATERIALIZED (FROM {table}) SELECT ({limit.figure})::DOUBLE")
        [(frame[limit.name],)] = figure.fetchall()
    return frame


def judge_counts(suite: str, counts: pd.DataFrame, checks: Sequence[Check], limits: Sequence[Limit]) -> list[Finding]:
    """Judge the row of counts as Great Expectations does, whose import takes longer than a night's scores to be judged.

    What nobody reads as data docs needs no more: every count and every figure must not be above 0.
    """
    severities = [(check.name, check.meaning, check.severity) for check in checks]
    severities += [(limit.name, limit.meaning, "critical") for limit in limits]
    return [
        Finding(suite, name, meaning, severity, success=count <= 0, count=max(count, 0.0))
        for name, meaning, severity in severities
        for count in [float(counts[name].iloc[0])]
    ]


def count_expectations(checks: Sequence[Check], limits: Sequence[Limit]) -> list[Expectation]:
    """Give the expectations on the row of counts: a column a check, or a limit."""
    return [
        *(_none(check.name, check.meaning, check.severity) for check in checks),
        *(_none(limit.name, limit.meaning, "critical") for limit in limits),
    ]


def row_expectations() -> list[Expectation]:
    """Give the expectations on single interactions that follow from the schema; counts judge lists and ids."""
    from great_expectations import expectations as gx  # noqa: PLC0415 - takes seconds

    found: list[Expectation] = []
    for field in INTERACTION:
        shared: dict[str, Any] = {"column": field.name, "severity": "critical", "meta": {"name": field.name}}
        if field.name.endswith("_id") or field.duckdb.endswith("[]"):
            continue
        if not field.nullable:
            found.append(gx.ExpectColumnValuesToNotBeNull(**shared))
        if field.allowed is not None:
            found.append(gx.ExpectColumnValuesToBeInSet(value_set=list(field.allowed), **shared))
        if field.minimum is not None or field.maximum is not None:
            found.append(gx.ExpectColumnValuesToBeBetween(min_value=field.minimum, max_value=field.maximum, **shared))
    return found


def _none(column: str, meaning: str, severity: Severity) -> Expectation:
    from great_expectations import expectations as gx  # noqa: PLC0415 - takes seconds

    return gx.ExpectColumnValuesToBeBetween(
        column=column, max_value=0, severity=severity, notes=meaning, meta={"name": column, "meaning": meaning}
    )
