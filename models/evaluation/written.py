"""Does a column know the outcome? How well it tells it alone, against chance, and when it was written.

What is written after the outcome betrays itself on the newest leads: of those that are open, some will convert, but the
column can't show it yet. A column from a lead's creation shows it of them as of older leads that were open at that age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

Numbers = NDArray[np.float64]
Levels = NDArray[np.int64]
Flags = NDArray[np.bool_]

SUSPECT = 0.8
"""An area under the ROC curve that hardly any single honest column reaches."""
PURE = 0.9
"""The share of a value's leads that convert, where most others don't, from which on the value all but says it."""
FEWEST = 20
"""So many that convert, and that don't, are needed to measure anything."""
BINS = 20
_PRIOR = 20.0
MOST_LEVELS = 1_000
"""Of a column with more distinct values rates say nothing."""
_YOUNG = 0.8
_OLD = 0.95
_FEWEST_OLD = 100
_FEWEST_YOUNG = 10
_FEWEST_EXPECTED = 3.0
_FEWEST_ENDED = 5
_Z_SURE, _Z = 2.576, 1.96
"""Of intervals that hold the truth in 99, and in 95, of 100 cases."""
_NOVEL = 5
_HALF = 0.5
_LITTLE, _MUCH, _ODD = 0.35, 0.75, 1.25
_SEEN = 0.2
_FOLDS = 5


@dataclass(frozen=True)
class Alone:
    """How well a column alone tells who converts, and its value that tells it most."""

    auc: float | None
    """On the half of the leads that its rates were not taken from."""
    chance: float
    """What a column of chance stays below in 99 of 100 cases."""
    pure: float
    """The share of all that convert which lies in values of which nearly all do."""
    level: int
    """The largest of these values, else the one with the highest rate."""
    level_rate: float
    level_count: int


@dataclass(frozen=True)
class Shown:
    """What the newest open leads show of the outcomes to come: 1 as much as older ones did at that age, 0 nothing."""

    share: float
    low: float
    high: float
    """Bounds of the share: from below with 95 %, from above with 99 %."""
    young: int
    """The newest open leads that were looked at."""
    expected: float
    """How many of them have their outcome still to come, by what older ones did."""
    novel: float
    """The share of them whose value older ones hardly ever have."""
    still_written: bool | None
    """Whether the newest that have ended bear the values of older ones; None where they are too few."""

    @property
    def is_honest(self) -> bool:
        """Whether it was there before the outcome."""
        return self.low > _HALF and not self.is_odd and self.novel < _HALF

    @property
    def is_odd(self) -> bool:
        """Whether the newest differ from older ones the other way: they lack the values of other outcomes."""
        return self.low > _ODD

    @property
    def is_late(self) -> bool:
        """Whether it was written with the outcome, or after it; values that nobody gets any more prove nothing."""
        missing = self.share < _LITTLE and self.high < _MUCH and self.expected >= _FEWEST_EXPECTED
        return (missing and self.still_written is not False) or (self.novel > _HALF and self.still_written is True)


def number_levels(values: pd.Series, *, is_number: bool) -> Levels:
    """Give each value a number: to categories as they are, to numbers by twentieths, 0 to what is missing."""
    if is_number:
        numbers = pd.to_numeric(values, errors="coerce")
        # By rank: where most are zero, the others still fall into bins of their own.
        ranks = numbers.rank(method="max", pct=True)
        bins: Levels = np.ceil(ranks * BINS).fillna(-1).to_numpy(np.int64)
        return bins + 1
    codes: Levels = pd.factorize(values.replace("", None), sort=True)[0].astype(np.int64)
    return codes + 1


def tell_alone(levels: Levels, labels: Flags, numbers: pd.Series | None = None) -> Alone:
    """Measure a column alone, by the rates of its ``levels`` and, where it holds numbers, by their order."""
    positive, negative = int(labels.sum()), int((~labels).sum())
    chance = 0.5 + _Z_SURE * float(np.sqrt((positive + negative + 1) / (12 * positive * negative) * 2))
    counts, wins = np.bincount(levels), np.bincount(levels, weights=labels)
    large = counts >= FEWEST
    rates = np.where(large, wins / np.maximum(counts, 1), 0.0)
    pure = large & (rates >= PURE) & (rates > 2 * labels.mean())
    level = int(np.argmax(np.where(pure, counts, 0))) if pure.any() else int(np.argmax(rates))
    return Alone(
        auc=_auc(levels, labels, numbers),
        chance=min(chance, 1.0),
        pure=float(wins[pure].sum() / max(positive, 1)),
        level=level,
        level_rate=float(rates[level]),
        level_count=int(counts[level]),
    )


def _auc(levels: Levels, labels: Flags, numbers: pd.Series | None) -> float | None:
    """Take the best of the rates of its levels and of the order of its numbers, in either direction."""
    found = []
    learning = np.arange(len(labels)) % 2 == 0
    measured = labels[~learning]
    if levels.max(initial=0) <= MOST_LEVELS and measured.any() and not measured.all():
        weights = learning.astype(float)
        found.append(float(roc_auc_score(measured, rates_of(levels, labels, weights)[levels[~learning]])))
    if numbers is not None:
        numbers = pd.to_numeric(numbers, errors="coerce")
        if numbers.notna().any():
            for missing in (numbers.min() - 1, numbers.max() + 1):
                order = float(roc_auc_score(labels, numbers.fillna(missing)))
                found += [order, 1 - order]
    return max(found, default=None)


def rates_of(levels: Levels, labels: Flags, weights: Numbers) -> Numbers:
    """Give the share of each level that has the label, drawn towards the share of all."""
    size = int(levels.max(initial=0)) + 1
    base = float(np.average(labels, weights=weights))
    counts = np.bincount(levels, weights=weights, minlength=size)
    wins = np.bincount(levels, weights=weights * labels, minlength=size)
    return (wins + _PRIOR * base) / (counts + _PRIOR)


def look_at_newest(levels: Levels, born: Numbers, ended: Numbers, happens: Flags, until: float) -> Shown | None:
    """Compare the newest open leads with older ones that were open at the same age; None where they are too few.

    ``born`` and ``until`` are days, ``ended`` the age in days at which a lead ended (infinite where it is open), and
    ``happens`` says whether it ended with the outcome that is asked about.
    """
    age = until - born
    times = ended[happens & np.isfinite(ended)]
    if len(times) < FEWEST:
        return None
    youth, maturity = np.quantile(times, (_YOUNG, _OLD))
    young = (age < youth) & (age > 0) & ~(ended <= age)
    old = age >= max(maturity, youth)
    if young.sum() < _FEWEST_YOUNG or old.sum() < _FEWEST_OLD:
        return None
    weights = np.where(old, _weights(age[young], np.where(old, ended, -np.inf)), 0.0)
    gone = (age < youth) & happens & (ended <= age)
    before = old & happens & (ended < youth)
    return _shown(levels, happens, weights, young, gone, before)


def look_at_order(levels: Levels, order: Numbers, happens: Flags) -> Shown | None:
    """Compare the newest leads with all older ones where only their order is known, and who converted, but not when.

    None where the newest convert as often as others: then all have had their time, and nothing can be told.
    """
    ranks = pd.Series(order).rank(pct=True, method="first").to_numpy()
    best, chosen = 0.0, None
    for share in (0.02, 0.05, 0.1, 0.2):
        newest = ranks > 1 - share
        rate, usual = happens[newest].mean(), happens[~newest].mean()
        error = np.sqrt(usual * (1 - usual) / max(newest.sum(), 1))
        chunks = [happens[(ranks > 1 - k * share) & (ranks <= 1 - (k - 1) * share)].mean() for k in range(2, 5)]
        if newest.sum() >= 3 * _FEWEST_YOUNG and rate < _HALF * min([usual, *chunks]) and usual - rate > best * error:
            best, chosen = (usual - rate) / max(error, 1e-12), newest
    if chosen is None or best < 2 * _Z_SURE:
        return None
    weights = np.where(chosen, 0.0, 1.0)
    # Of the newest, those that have converted already show what they show; the others should, too.
    return _shown(levels, happens, weights, chosen, chosen & happens, ~chosen & happens)


def _weights(ages: Numbers, ended: Numbers) -> Numbers:
    """Weigh each older lead by how many of the young ones it compares with: those whose age it reached while open."""
    ages, lasted = np.sort(ages), np.sort(ended)
    comparable = len(lasted) - np.searchsorted(lasted, ages, side="right")
    each = np.where(comparable > 0, 1.0 / np.maximum(comparable, 1), 0.0)
    summed = np.concatenate([[0.0], np.cumsum(each)])
    return summed[np.searchsorted(ages, ended, side="left")]


def _shown(levels: Levels, happens: Flags, weights: Numbers, young: Flags, gone: Flags, before: Flags) -> Shown | None:
    """Measure what the young show of what is to come; rates are taken from one half, and measured on the other."""
    half = np.arange(len(levels)) % 2 == 0
    estimates, spread, controls = [], [], []
    novel = _novel(levels, weights, young)
    for learning in (half, ~half):
        own, other = weights * learning, weights * ~learning
        if own.sum() == 0 or other.sum() == 0 or not (happens & (other > 0)).any() or (happens | (other == 0)).all():
            return None
        score = rates_of(levels, happens, own)[levels]
        will, wont = other * happens, other * ~happens
        with_outcome, without = np.average(score, weights=will), np.average(score, weights=wont)
        share = will.sum() / other.sum()
        gap = share * (with_outcome - without)
        if gap <= 0:
            return Shown(1.0, -np.inf, np.inf, int(young.sum()), float(share * young.sum()), novel, None)
        estimates.append((score[young].mean() - without) / gap)
        variance = np.average((score - np.average(score, weights=other)) ** 2, weights=other)
        effective = weights.sum() ** 2 / (weights**2).sum()
        spread.append(np.sqrt(variance / young.sum() + variance / effective) / gap)
        if gone.sum() >= _FEWEST_ENDED and before.any():
            middle = (without + score[before].mean()) / 2
            controls.append(score[gone].mean() > middle)
    estimate, error = float(np.mean(estimates)), float(np.mean(spread))
    return Shown(
        share=estimate,
        low=estimate - _Z * error,
        high=estimate + _Z_SURE * error,
        young=int(young.sum()),
        expected=float(np.average(happens, weights=weights) * young.sum()),
        novel=novel,
        still_written=_still_written(controls, novel, _novel(levels, before.astype(float), gone)),
    )


def _novel(levels: Levels, weights: Numbers, young: Flags) -> float:
    """Give the share of the young whose values the older hardly ever have."""
    size = int(levels.max(initial=0)) + 1
    new = np.bincount(levels[young], minlength=size) / max(young.sum(), 1)
    usual = np.bincount(levels, weights=weights, minlength=size) / max(weights.sum(), 1e-12)
    return float(np.maximum(new - _NOVEL * usual, 0.0).sum())


def _still_written(controls: Sequence[np.bool_], novel: float, novel_of_ended: float) -> bool | None:
    """Tell whether the newest that have ended bear the values of older ones, and none that is new for all."""
    if not controls:
        return None
    return bool(all(controls)) and not (novel > _SEEN and novel_of_ended > _HALF * novel)


def worth(columns: Sequence[Levels], labels: Flags) -> float | None:
    """Give the area under the ROC curve of some columns together, each lead told by the others' outcomes."""
    if not columns or min(labels.sum(), (~labels).sum()) < _FOLDS * 2:
        return None
    folds = np.arange(len(labels)) % _FOLDS
    told = np.zeros(len(labels))
    for fold in range(_FOLDS):
        learning = folds != fold
        rates = [rates_of(levels, labels, learning.astype(float))[levels] for levels in columns]
        logits = np.column_stack([np.log(rate / (1 - rate)) for rate in rates])
        model = LogisticRegression(C=1.0).fit(logits[learning], labels[learning])
        told[~learning] = model.decision_function(logits[~learning])
    return float(roc_auc_score(labels, told))
