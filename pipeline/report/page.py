"""The page: the funnel, the figures, the pictures and the recommendations in a browser. It holds no leads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.core.schema import CALIBRATION, CONVERTED, EARLY_STOPPING, FIT, GAP, LOST, PARTS, TEST
from models.decision.tiers import MATURITIES, TIERS
from pipeline.report.headlines import headlines
from pipeline.report.rendering import duration_in_words, render
from pipeline.report.results import Results, Sections, what_would_teach_age

PICTURES_OF_THE_MODEL = ("importance",)
PICTURE_NAMES = ("calibration", "gains", "precision_recall", *PICTURES_OF_THE_MODEL)
ACTIONS = {"SQL": "sales calls today", "MQL": "marketing keeps at it", "IQL": "wait"}
_PURPOSES = {
    FIT: "the trees learn from it",
    EARLY_STOPPING: "says when to stop growing trees",
    CALIBRATION: "turns the trees' scores into probabilities",
    GAP: "left out, so that no training label looks into the test part",
    TEST: "what the figures are measured on",
}
# Finer where most leads are: conversions are rare.
_EDGES = (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)


def page(
    parameters: Sections,
    results: Results,
    recommendations: pd.DataFrame,
    spending: pd.DataFrame,
    pictures: Mapping[str, bytes],
) -> str:
    """Put all figures and PNG ``pictures`` into one page that needs no network.

    Of the recommendations it takes tier, maturity and probability, of the spending channel, cost and clicks; it shows
    only their counts and sums.
    """
    snapshots = results.snapshots
    return render(
        "index.html.jinja",
        results=results,
        horizon=duration_in_words(snapshots["horizon"]),
        headlines=headlines(results),
        warnings=[*results.warnings(), *_doubts(parameters, results)],
        unlabelled=results.unlabelled(),
        tiers=_tiers(parameters, recommendations),
        maturities=_maturities(parameters),
        crossed=_crossed(recommendations),
        distribution=distribution(recommendations),
        funnel=snapshots["funnel"],
        spending=_by_channel(spending),
        currency=parameters.ingest.currency,
        ends={"converted": CONVERTED, "lost": LOST, "still open": "open"},
        parts=[(name, _PURPOSES[name], snapshots["parts"][name]) for name in PARTS if name in snapshots["parts"]],
        pictures={name: b64encode(content).decode() for name, content in pictures.items()},
    )


def _doubts(parameters: Sections, results: Results) -> list[str]:
    """Say which of the probabilities say less than they seem to."""
    scoring, doubts = results.scoring, []
    if scoring["older_than_learned"]:
        doubts.append(
            f"{scoring['older_than_learned']:,} open leads are older than any that the model learned from: their "
            f"probabilities are a guess; {what_would_teach_age(parameters)}"
        )
    if scoring["older_than_outcomes"]:
        doubts.append(
            f"{scoring['older_than_outcomes']:,} open leads came before conversions were recorded: some of them may be "
            "customers already, unseen, and the model has learned from them as from the others"
        )
    if scoring["ended_unknown"]:
        doubts.append(
            f"{scoring['ended_unknown']:,} of the leads that were scored had converted or were lost before, "
            "which nobody knew yet"
        )
    return doubts


def _tiers(parameters: Sections, recommendations: pd.DataFrame) -> list[dict[str, object]]:
    cuts = {"SQL": parameters.policy.tiers.sql, "MQL": parameters.policy.tiers.mql, "IQL": 0.0}
    rows = []
    for tier in reversed(TIERS):
        probabilities = recommendations.loc[recommendations["tier"] == tier, "probability"]
        expected = float(probabilities.sum())
        rows.append(
            {
                "tier": tier,
                "action": ACTIONS[tier],
                "cut": cuts[tier],
                "leads": len(probabilities),
                "expected": expected,
                "of_all_expected": expected / float(recommendations["probability"].sum()),
            }
        )
    return rows


def _maturities(parameters: Sections) -> dict[str, str]:
    """Say from where on a lead is what, the hottest first."""
    policy = parameters.policy.maturity
    return {
        "hot": f"from {policy.hot:g} times the usual rate of conversion",
        "warm": f"from {policy.warm:g} times",
        "cold": "below",
    }


def _crossed(recommendations: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the leads by tier, and by maturity within it, the best first."""
    counts = recommendations.groupby(["tier", "maturity"]).size()
    return {
        tier: {maturity: int(counts.get((tier, maturity), 0)) for maturity in reversed(MATURITIES)}
        for tier in reversed(TIERS)
    }


def _by_channel(spending: pd.DataFrame) -> list[dict[str, object]]:
    """Add up what was spent by channel, the dearest first; clicks are None where none are counted."""
    named = spending.assign(channel=spending["channel"].astype(object).fillna("no channel"))
    sums = named.groupby("channel")[["cost", "clicks"]].sum(min_count=1).reset_index()
    sums = sums.sort_values(["cost", "channel"], ascending=[False, True])
    return [
        {
            "channel": row.channel,
            "cost": float(row.cost),
            "width": max(float(row.cost), 0.0) / max(float(sums["cost"].max()), 1e-300),
            "clicks": None if pd.isna(row.clicks) else int(row.clicks),
        }
        for row in sums.itertuples()
    ]


@dataclass(frozen=True)
class Bin:
    """How many open leads have a probability in a range; ``width`` is their share of the largest bin."""

    label: str
    leads: int
    width: float


def distribution(recommendations: pd.DataFrame) -> list[Bin]:
    """Count the open leads by probability; bins above the last lead are left out."""
    counts = np.histogram(recommendations["probability"], bins=_EDGES)[0]
    last = int(np.flatnonzero(counts)[-1])
    return [
        Bin(f"{100 * low:g} to {100 * high:g} %", int(count), float(count / counts.max()))
        for low, high, count in zip(_EDGES[: last + 1], _EDGES[1:], counts, strict=False)
    ]
