"""What the comparison of two models says: the one of today (A), and the one that may take its place (B)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from models.evaluation.pairs import FIGURES, Difference, SegmentDifference


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    asked: str
    """As it was named: trained, champion, challenger, a version, or the beginning of its model_version."""
    model_version: str
    version: str | None
    """Its number in the registry, where it has one."""
    trained_until: str
    """Up to when it has looked at what came of leads; ISO, UTC."""


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are right; None where it can't be said."""

    error: float | None
    by_chance_95: float | None
    """What a perfect model shows in 95 of 100 cases at most."""
    slope: float | None
    curve: tuple[Mapping[str, float], ...]
    """Ten bins as `models.evaluation.curves` gives them: rows, predicted, observed, low, high, band_low, band_high."""


@dataclass(frozen=True)
class Churn:
    """What becomes of the list of sales when B decides in the place of A, on the same leads at the same moment."""

    as_of: str
    """ISO, UTC."""
    leads: int
    """Open at that moment."""
    sql_of_a: int
    sql_of_b: int
    left: int
    """SQL by A and not by B."""
    joined: int
    """SQL by B and not by A."""
    left_share: float
    """The share of A's SQL that are not SQL in B; 0 where A has none."""


@dataclass(frozen=True)
class Comparison:
    """Two models on what both have foretold, and on today's leads."""

    a: Side
    b: Side
    horizon: str
    pairs: int
    """Leads and moments that both have foretold, and of which it is known what came."""
    leads: int
    conversions: int
    """Of the pairs; a lead that is looked at every night has one a night."""
    converting: int
    """The leads that they are of."""
    figures: Mapping[str, Difference]
    """log_loss, roc_auc, lift_at_10 and calibration_slope."""
    calibration_of_a: Calibration
    calibration: Calibration
    """Of B."""
    segments: tuple[SegmentDifference, ...]
    churn: Churn | None
    """None where today's leads can't be decided with both, which `details` says why."""
    details: Mapping[str, Any]
    """What else is shown: where pairs come from, the newest origin, transitions of tiers, the work under each."""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it; it names no lead."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Comparison:
        """Read what `to_json` has given, be it from a file, whose keys are sorted."""
        parts: dict[str, Any] = json.loads(json.dumps(content))
        parts |= {name: Side(**parts[name]) for name in ("a", "b")}
        parts["churn"] = parts["churn"] and Churn(**parts["churn"])
        for name in ("calibration_of_a", "calibration"):
            parts[name] = Calibration(**{**parts[name], "curve": tuple(parts[name]["curve"])})
        parts["figures"] = {name: Difference(**parts["figures"][name]) for name in FIGURES}
        parts["segments"] = tuple(SegmentDifference(**one) for one in parts["segments"])
        return cls(**parts)
