"""What the comparison of two models says: the one of today (A), and the one that may take its place (B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
class Difference:
    """A figure of both on the same rows, and their difference (B less A) with its 95 % interval; None: can't be said.

    Of a slope it is the difference of the distances to 1, so below 0 B is nearer.
    """

    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    by_chance: float | None
    """So far from 0 chance alone would move the difference in 95 of 100 cases."""
    matters: float
    """From which size on the difference would matter."""
    verdict: str
    """better, worse, no difference that matters, or can't tell; of B."""


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
class SegmentDifference:
    """A part of the pairs; ``difference_share`` is how much higher the log loss of B is, as a share of that of A.

    The interval is as wide as it must be for all segments to be right at once in 95 of 100 cases; None where the leads
    are too few to judge.
    """

    name: str
    value: str
    rows: int
    conversions: int
    difference_share: float
    low: float | None
    high: float | None
    badly: bool
    """Whether B is surely worse here, and by more than review.gates.segment."""


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
    figures: Mapping[str, Difference]
    """log_loss, roc_auc, lift_at_10 and calibration_slope."""
    calibration_of_a: Calibration
    calibration: Calibration
    """Of B."""
    segments: tuple[SegmentDifference, ...]
    churn: Churn
    details: Mapping[str, Any]
    """What else is shown: where pairs come from, the newest origin, transitions of tiers, the work under each."""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it; it names no lead."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Comparison:
        """Read what `to_json` has given."""
        parts: dict[str, Any] = dict(content)
        for name, kind in (("a", Side), ("b", Side), ("churn", Churn)):
            parts[name] = kind(**parts[name])
        for name in ("calibration_of_a", "calibration"):
            parts[name] = Calibration(**{**parts[name], "curve": tuple(parts[name]["curve"])})
        parts["figures"] = {name: Difference(**one) for name, one in parts["figures"].items()}
        parts["segments"] = tuple(SegmentDifference(**one) for one in parts["segments"])
        return cls(**parts)
