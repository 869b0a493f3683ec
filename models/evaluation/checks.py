"""What may be wrong with a model, as it shows on the rows that it was measured on: each check looks for one thing.

A check takes the `Facts` and yields verdicts; `check` runs them all. Chance is taken account of over leads: rows of one
lead are no independent witnesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.core.model import Model
from models.core.slices import Slice
from models.core.verdicts import Severity, Verdict, found
from models.evaluation.drift import base_rate_drift, feature_drift
from models.evaluation.intervals import NORMAL_QUANTILE
from models.evaluation.metrics import Estimate
from models.learning.calibration import SMALLEST_SLOPE
from models.learning.ladder import mean_and_error
from models.learning.parameters import DEFAULTS

FEWEST_LEADS = 10
"""Leads that convert, and leads that don't, which must be foretold before a model can be told from chance."""
FEWEST_TREES = 20
"""Trees of the default learning rate: fewer have hardly begun to learn."""
TOO_GOOD = 0.97
"""A ROC AUC that no honest log of leads is known to give."""
SMALLEST_SPREAD = 0.05
"""Of probabilities, in multiples of their mean: a ROC AUC of 0.51 would have more."""
OFF, FAR_OFF = 1.25, 2.0
"""How many times too much, or too little, a model may promise before it is doubtful, and wrong."""


@dataclass(frozen=True)
class Facts:
    """A model, what was learned from, and what the same procedure foretold at its origins."""

    model: Model
    learned: Slice
    """What was settled at the first origin, in the order of time; without an origin, all."""
    later: Slice | None
    """What was foretold; None where there is no origin."""
    promised: NDArray[np.float64]
    """The probabilities of what was foretold; without an origin, those of the model for all: shape (n,)."""
    base_rates: NDArray[np.float64]
    """The share that converted of all that each of these rows' origin had learned from: shape (n,)."""
    latest_rates: NDArray[np.float64]
    """The same of the newest quarter of it."""
    roc_auc: Estimate | None
    """Of what was foretold; None where it can't be said."""

    @cached_property
    def leads(self) -> tuple[int, int]:
        """How many leads of the rows foretold convert, and how many have a row that doesn't."""
        return (0, 0) if self.later is None else self.later.leads_of_each

    @property
    def is_judged(self) -> bool:
        """Whether enough was foretold to tell the model from chance."""
        return min(self.leads) >= FEWEST_LEADS

    @cached_property
    def known_rates(self) -> NDArray[np.float64]:
        """The share that converts as it was known before: of all that was learned from, or of its newest quarter.

        Whichever would have foretold better: a model must beat both. Shape (n,).
        """
        if self.later is None:
            return self.base_rates
        labels = self.later.labels
        both = (self.base_rates, self.latest_rates)
        return min(both, key=lambda rates: float(_log_losses(labels, rates).mean()))

    @cached_property
    def excess_loss(self) -> Estimate:
        """The log loss of what was foretold, less that of the base rate: below 0 where the model is of use."""
        assert self.later is not None  # noqa: S101 - asked for where the model is judged
        losses = _log_losses(self.later.labels, self.promised) - _log_losses(self.later.labels, self.known_rates)
        return mean_over_leads(losses, self.later.leads)


Check = Callable[[Facts], "Iterator[Verdict]"]


def check(facts: Facts) -> list[Verdict]:
    """Run all checks."""
    return [verdict for one in CHECKS for verdict in one(facts)]


def mean_over_leads(values: NDArray[np.float64], leads: ArrayLike) -> Estimate:
    """Give the mean of `values`, of shape (n,), with its 95 % interval, where rows of one lead hang together.

    The interval is 1.96 standard errors to either side.
    """
    mean, error = mean_and_error(values, np.asarray(leads))
    return Estimate(mean, mean - NORMAL_QUANTILE * error, mean + NORMAL_QUANTILE * error)


def not_judged(facts: Facts) -> Iterator[Verdict]:
    """Say that nothing, or too little, was foretold."""
    if facts.later is None:
        yield found(
            "not_judged",
            "there are fewer than two origins at which enough was settled to learn from, or train.origins is 0; "
            "its figures are of leads that were left out, and not of later time",
        )
    elif not facts.is_judged:
        convert, others = facts.leads
        yield found(
            "not_judged",
            f"{convert:,} leads that were foretold convert, and {others:,} have a snapshot that does not: with fewer "
            f"than {FEWEST_LEADS} of either no model can be told from chance",
        )


def worse_than_base_rate(facts: Facts) -> Iterator[Verdict]:
    """Compare the log loss with that of a constant: what someone without a model would have said."""
    if not facts.is_judged:
        return
    excess = facts.excess_loss
    said = (
        f"log loss less that of the base rate ({_share(float(facts.known_rates.mean()))}): {_signed(excess.value)} "
        f"({_signed(excess.low)} to {_signed(excess.high)}) at the origins"
    )
    if excess.value >= 0.0:
        yield found("worse_than_base_rate", f"{said}; below 0 is of use")
    elif excess.high >= 0.0:
        ranks = _ranks(facts)
        severity: Severity = "doubtful" if ranks else "wrong"
        order = "though the order of the leads is better than chance" if ranks else "nor is the order of the leads"
        yield found("worse_than_base_rate", f"{said}: no better than chance, {order}", severity=severity)


def ranks_like_a_coin(facts: Facts) -> Iterator[Verdict]:
    """See whether the order of the leads is worth anything."""
    auc = facts.roc_auc
    if not facts.is_judged or auc is None or _ranks(facts):
        return
    is_useful = auc.value > 0.5 and facts.excess_loss.high < 0.0  # noqa: PLR2004 - what a coin has
    yield found(
        "ranks_like_a_coin",
        f"ROC AUC {_interval(auc)} at the origins, where a coin has 0.5",
        severity="doubtful" if is_useful else "wrong",
    )


def same_for_everyone(facts: Facts) -> Iterator[Verdict]:
    """See whether the probabilities differ at all."""
    mean, spread = float(facts.promised.mean()), float(facts.promised.std())
    if spread >= SMALLEST_SPREAD * mean:
        return
    low, high = float(facts.promised.min()), float(facts.promised.max())
    rows = f"{len(facts.promised):,} snapshots {'learned from' if facts.later is None else 'foretold'}"
    said = f"get {low:.4%}" if low == high else f"get between {low:.4%} and {high:.4%}, most of them {mean:.2%}"
    yield found("same_for_everyone", f"all {rows} {said}")


def slope_at_bound(facts: Facts) -> Iterator[Verdict]:
    """See whether the calibrator had to flatten all that the trees say."""
    calibrator = facts.model.calibrator
    slopes = [calibrator[name] for name in ("slope", "above", "below") if name in calibrator]
    slopes += calibrator.get("slopes", [])
    if slopes and max(slopes) <= SMALLEST_SLOPE * (1.0 + 1e-6):
        yield found(
            "slope_at_bound",
            f"the calibrator's slope is {max(slopes):.2f}, the smallest there may be: of the leads that were left out "
            "those that the trees put higher convert no more often",
        )


def too_little_learned(facts: Facts) -> Iterator[Verdict]:
    """Count what was learned in trees of the default learning rate: ten of ten times the rate are a hundred.

    Of trees alone: beside a logistic regression there may be as few as it leaves to learn.
    """
    if facts.model.manifest.get("rung", "trees") != "trees":
        return
    rate = float(facts.model.manifest["parameters"].get("learning_rate", DEFAULTS["learning_rate"]))
    trees = int(facts.model.manifest["trees"])
    worth = trees * rate / float(DEFAULTS["learning_rate"])
    if worth >= FEWEST_TREES:
        return
    is_useful = facts.is_judged and facts.excess_loss.high < 0.0
    yield found(
        "too_little_learned",
        f"{trees:,} {'tree' if trees == 1 else 'trees'} at a learning rate of {rate:g}, worth {worth:.0f} "
        f"of the default rate of {DEFAULTS['learning_rate']:g}; {FEWEST_TREES} are a beginning"
        + ("; yet they foretell better than the base rate" if is_useful else ""),
        severity="doubtful" if is_useful else "wrong",
    )


def promises_not_kept(facts: Facts) -> Iterator[Verdict]:
    """Compare the conversions that were foretold with those that happened."""
    if facts.later is None:
        return
    expected, happened = float(facts.promised.sum()), float(facts.later.labels.sum())
    ratio = expected / max(happened, 1.0)
    if 1.0 / OFF <= ratio <= OFF:
        return
    if _surely_off(facts, FAR_OFF):
        severity: Severity = "wrong"
    elif _surely_off(facts, 1.0):
        severity = "doubtful"
    else:
        return
    yield found(
        "promises_not_kept",
        f"of {len(facts.promised):,} snapshots at the origins {expected:,.0f} were expected to convert, and "
        f"{happened:,.0f} did",
        severity=severity,
    )


def too_good(facts: Facts) -> Iterator[Verdict]:
    """See whether the model is better than any honest one."""
    auc = facts.roc_auc
    if not facts.is_judged or auc is None or auc.value < TOO_GOOD:
        return
    gain = facts.model.gains()
    best = int(gain.argmax())
    yield found(
        "too_good",
        f"ROC AUC {_interval(auc)} at the origins, where honest logs of leads stay below {TOO_GOOD}; most of it by "
        f"{facts.model.columns[best]} ({gain[best] / (gain.sum() or 1.0):.0%} of the gain)",
        severity="wrong" if auc.low >= TOO_GOOD else "doubtful",
    )


def drift(facts: Facts) -> Iterator[Verdict]:
    """See whether what was foretold is of the kind that was learned from at the first origin."""
    if facts.later is None:
        return
    yield from feature_drift(facts.learned, facts.later, facts.model.columns, facts.model.categories)
    yield from base_rate_drift(facts.learned, facts.later)


CHECKS: tuple[Check, ...] = (
    not_judged,
    worse_than_base_rate,
    ranks_like_a_coin,
    same_for_everyone,
    slope_at_bound,
    too_little_learned,
    promises_not_kept,
    too_good,
    drift,
)


def _ranks(facts: Facts) -> bool:
    """Whether the order of the leads is better than chance would have it."""
    return facts.roc_auc is not None and facts.roc_auc.low > 0.5  # noqa: PLR2004 - what a coin has


def _surely_off(facts: Facts, times: float) -> bool:
    """Whether more than `times` too much, or too little, was promised, and not by the luck of the leads."""
    assert facts.later is not None  # noqa: S101 - asked for where there is an origin
    is_too_much = facts.promised.sum() > facts.later.labels.sum()
    due = facts.promised / times if is_too_much else facts.promised * times
    excess = mean_over_leads(due - facts.later.labels if is_too_much else facts.later.labels - due, facts.later.leads)
    # Where hardly anything happened, what happened says too little of how much might have.
    by_chance = NORMAL_QUANTILE * float(np.sqrt(due.sum())) / len(due)
    return excess.low > 0.0 and excess.value > by_chance


def _log_losses(labels: NDArray[np.float64], probabilities: NDArray[np.float64] | float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):  # nobody converted in the newest quarter: who then says 0 loses without end
        return np.asarray(-np.log(np.where(labels > 0, probabilities, 1.0 - np.asarray(probabilities))))


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _signed(number: float) -> str:
    return f"{number:+.4f}"


def _share(share: float) -> str:
    return f"{share:.2%}"
