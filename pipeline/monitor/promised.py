"""Promised against happened, as verdicts and as rows of a table: who is broken, who is kept, and what is too early."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from models.core.verdicts import Verdict, found
from models.evaluation.promises import (
    WEEK,
    WHOLE,
    Promise,
    counted_once,
    expected_log_loss,
    expected_roc_auc,
    watch,
    weekly,
)
from pipeline.monitor.scores import Scores
from pipeline.settings.review import Monitor

_MUCH_SET_ASIDE = 0.05
"""The share of what was promised from which on it is told that nobody can say what came of it."""
BROKEN, KEPT, EARLY = "broken", "kept", "too early"


@dataclass(frozen=True)
class Promised:
    """What is known of the promises to all leads and to each part."""

    promises: list[Promise]
    early_until: datetime | None
    """When enough will be known of all leads (UTC); None where it is, or where nobody can say when."""
    minimum: float

    def state(self, promise: Promise) -> str:
        """Say whether a promise is broken or kept, or whether it is too early to say."""
        if promise.expected < self.minimum:
            return EARLY
        return KEPT if promise.broken_at is None else BROKEN

    @property
    def broken(self) -> list[Promise]:
        """The promises that are broken, all leads first."""
        return [one for one in self.promises if self.state(one) == BROKEN]


def segment_of(promise: Promise) -> str:
    """Name a part as people write it: ``channel: seo``, or ``all leads``."""
    return promise.name if promise.kind == WHOLE else f"{promise.kind}: {promise.name}"


def watch_promises(
    scores: Scores, settings: Monitor, horizon: timedelta, delay: timedelta, begins: dict[tuple[str, str], datetime]
) -> Promised:
    """Watch what the champion has foretold; ``begins`` has parts of which only later looks (UTC) count."""
    is_settled = scores.is_settled
    settled = scores.frame[is_settled].astype({"happened": bool}).reset_index(drop=True)
    kinds = {name: parts[is_settled].reset_index(drop=True) for name, parts in scores.kinds.items()}
    promises = watch(
        settled,
        kinds,
        horizon,
        false_alarms=settings.false_alarms,
        tolerance=settings.tolerance,
        tolerance_of_parts=settings.tolerance_of_parts,
        begins=begins,
    )
    whole = promises[0].expected if promises else 0.0
    minimum = settings.minimum_expected
    early = _enough_from(scores.frame, horizon, delay, minimum) if whole < minimum else None
    return Promised(promises, early, minimum)


def _enough_from(frame: pd.DataFrame, horizon: timedelta, delay: timedelta, minimum: float) -> datetime | None:
    """Say when so many conversions will have been due, by the scores there are and, beyond them, at their pace."""
    rows = frame[weekly(frame["as_of"])].reset_index(drop=True)
    rows = rows[counted_once(rows, horizon)]
    due = rows.groupby("as_of")["probability"].sum().cumsum()
    if due.empty:
        return None
    wait = pd.Timedelta(horizon) + pd.Timedelta(delay)
    if due.iloc[-1] >= minimum:
        settled: datetime = (due.index[due >= minimum][0] + wait).to_pydatetime()
        return settled
    # What the first look has promised is due again a horizon later, and so on.
    looked = max(due.index[-1] - due.index[0] + pd.Timedelta(WEEK), pd.Timedelta(horizon))
    if not due.iloc[-1]:
        return None
    moment: datetime = (due.index[-1] + looked * (minimum / due.iloc[-1] - 1.0) + wait).to_pydatetime()
    return moment


def verdicts_of(promised: Promised, scores: Scores) -> list[Verdict]:
    """Say of all leads what is known, and of each part whose promise is broken."""
    if not promised.promises:
        when = (
            f"; at the present pace enough will be known from {promised.early_until:%Y-%m-%d} on"
            if promised.early_until
            else ""
        )
        learned = (
            f" ({scores.learned_from:,} moments of scores lie in the time that it learned from, and are no promises)"
            if scores.learned_from
            else ""
        )
        told = "no score of the champion is known to have been right or wrong: no horizon is over" + learned
        return [found("promise_unknown", told + when)]
    verdicts = [found("promise_broken", evidence_of(one), subject=segment_of(one)) for one in promised.broken]
    whole = promised.promises[0]
    if promised.state(whole) == EARLY:
        when = (
            f"from {promised.early_until:%Y-%m-%d}, at the present pace"
            if promised.early_until
            else "no day can be said"
        )
        told = (
            f"{whole.expected:.1f} conversions were to be expected of what is settled, and below "
            f"{promised.minimum:g} nothing is said: {when}"
        )
        verdicts.append(found("promise_too_early", told))
    aside = scores.set_aside
    if aside.share >= _MUCH_SET_ASIDE:
        told = (
            f"{aside.scores:,} scores, which promised {aside.promised:,.1f} of {aside.of_promised:,.1f} conversions, "
            "are of leads that today's log does not show open then"
        )
        verdicts.append(found("promise_unclear", told))
    return verdicts


def evidence_of(promise: Promise) -> str:
    """Say what was promised and what happened, and how sure it is that this is no chance."""
    assert promise.broken_at is not None  # noqa: S101 - asked for where it is broken
    look = pd.Timestamp(promise.looks[promise.broken_at])
    way = "less" if promise.is_less else "more"
    bets = np.exp(min(promise.evidence[promise.broken_at], 23.0))
    return (
        f"{way} happens than was promised: of {promise.leads:,} leads, each counting once a horizon, "
        f"{promise.expected:,.1f} were expected to convert and {promise.happened:,} did; found by the scores of "
        f"{look:%Y-%m-%d}, where bets against it stood at {bets:,.0f} "
        f"to 1, and {1.0 / promise.share:,.0f} to 1 is reached by chance in {promise.share:.2%} of all cases at most"
    )


def rows_of(promised: Promised) -> list[dict[str, Any]]:
    """Give each part as JSON holds it; evidence is in powers of e, and the threshold too."""
    return [
        {
            "segment": segment_of(one),
            "kind": one.kind,
            "name": one.name,
            "leads": one.leads,
            "expected": round(one.expected, 3),
            "happened": one.happened,
            "state": promised.state(one),
            "evidence": round(float(one.evidence[-1]), 4),
            "highest": round(float(one.evidence.max()), 4),
            "threshold": round(one.threshold, 4),
            "broken_by_scores_of": None
            if one.broken_at is None
            else f"{pd.Timestamp(one.looks[one.broken_at]):%Y-%m-%d}",
        }
        for one in promised.promises
        if one.leads or one.kind == WHOLE
    ]


def weeks_of(scores: Scores, promised: Promised) -> list[dict[str, Any]]:
    """Give each week's look as JSON holds it: conversions promised within a horizon, and those that came."""
    frame = scores.frame[weekly(scores.frame["as_of"])] if len(scores.frame) else scores.frame
    evidence = promised.promises[0].evidence.tolist() if promised.promises else []
    weeks: list[dict[str, Any]] = []
    for moment, rows in frame.groupby("as_of"):
        is_settled = bool(rows["happened"].notna().all())
        weeks.append(
            {
                "as_of": pd.Timestamp(str(moment)).isoformat(),
                "leads": len(rows),
                "expected": round(float(rows["probability"].sum()), 3),
                "happened": int(rows["happened"].sum()) if is_settled else None,
                "evidence": round(float(evidence[len(weeks)]), 4)
                if is_settled and len(weeks) < len(evidence)
                else None,
            }
        )
    return weeks


def foreseen_of(scores: Scores) -> dict[str, Any] | None:
    """Say how good the newest scores are expected to be if each of them is right: nothing has come of them yet."""
    if scores.frame.empty:
        return None
    newest = scores.frame.loc[scores.frame["as_of"] == scores.frame["as_of"].max()]
    said = newest["probability"].to_numpy(np.float64)
    auc = expected_roc_auc(said)
    return {
        "as_of": newest["as_of"].iloc[0].isoformat(),
        "leads": len(newest),
        "expected_conversions": round(float(said.sum()), 3),
        "log_loss": round(expected_log_loss(said), 5),
        "roc_auc": None if auc is None else round(auc, 4),
    }
