"""Which columns of the leads may be used: those that never change, and don't know how it ended.

A column that a CRM overwrites in place looks like the best of all predictors, and is worth nothing on the day of the
score. Its name often tells; where it does not, it gives itself away by foretelling the outcome too well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipeline.discovery.profile import TIMES, Column, Profile
from pipeline.discovery.words import OVERWRITTEN, PERSONAL, PERSONS, has, is_called_id

TOO_GOOD = 0.8
"""An area under the ROC curve that hardly any single honest attribute reaches."""
_PURE = 0.9
"""The share of a value's leads that convert, where most others don't, from which on the value says that they did."""
_BINS = 20
_PRIOR = 20.0
_MOST_LEVELS = 1_000
_FEWEST_CONVERSIONS = 20
_FEW = 50
"""So few values name nobody."""


@dataclass(frozen=True)
class Attribute:
    """A column that may be used, or may not: then ``refused`` says why."""

    name: str
    kind: Literal["number", "category"]
    auc: float | None
    """How well it alone tells who converts, on the half of the leads that its rates were not taken from."""
    refused: str | None = None


def judge_by_name(profile: Profile, taken: Sequence[str]) -> list[Attribute]:
    """List the columns of a table of leads that could be attributes; ``taken`` have another use."""
    found = []
    for column in profile.columns.values():
        if column.name in taken or column.kind in ("empty", *TIMES):
            continue
        kind: Literal["number", "category"] = "number" if column.kind == "number" else "category"
        found.append(Attribute(column.name, kind, None, _refusal(column, profile)))
    return found


def _refusal(column: Column, profile: Profile) -> str | None:
    if (
        column.kind in ("identifier", "text")
        or (is_called_id(column.name) and column.distinct > _FEW)
        or (column.kind == "category" and column.distinct > profile.rows // 2)
    ):
        return "names a lead, or is free text"
    if has(column.name, PERSONS):
        return "personal"
    if has(column.name, OVERWRITTEN):
        return "its name says that it is overwritten, or sums up what came later"
    if has(column.name, PERSONAL) and column.distinct > _FEW:
        return "personal"
    if column.distinct < 2:  # noqa: PLR2004 - one value tells nothing
        return "always the same"
    return None


def judge_by_outcome(
    attributes: Sequence[Attribute], values: Mapping[str, Sequence[object]], converted: Sequence[bool]
) -> list[Attribute]:
    """Measure how well each attribute alone tells who converts, and refuse those that know it.

    ``values`` holds a column for each attribute, ``converted`` whether the lead of each row did. Rates are taken from
    every other lead and measured on the rest, so that many levels prove nothing. Where too few convert, nothing can be
    measured: then ``auc`` stays None.
    """
    labels = np.asarray(converted, dtype=bool)
    judged = []
    for attribute in attributes:
        if attribute.refused or min(labels.sum(), (~labels).sum()) < _FEWEST_CONVERSIONS:
            judged.append(attribute)
            continue
        column = pd.Series(values[attribute.name])
        auc = _auc(attribute, column, labels)
        refused = None
        if auc is not None and auc >= TOO_GOOD:
            refused = f"knows the outcome: alone it has an AUC of {auc:.2f}, so it was written after it"
        elif (share := _purest(_levels(attribute, column), labels)) >= _PURE > 2 * labels.mean():
            refused = f"knows the outcome: of the leads with one of its values {share:.0%} convert"
        judged.append(Attribute(attribute.name, attribute.kind, auc, refused))
    return judged


def _auc(attribute: Attribute, values: pd.Series, labels: NDArray[np.bool_]) -> float | None:
    """Take the best of the rates of its levels and, of numbers, of their order, in either direction."""
    found = []
    levels = _levels(attribute, values)
    learning = np.arange(len(labels)) % 2 == 0
    measured = labels[~learning]
    if levels.max(initial=0) <= _MOST_LEVELS and measured.any() and not measured.all():
        base = labels[learning].mean()
        counts = np.bincount(levels[learning], minlength=levels.max() + 1)
        wins = np.bincount(levels[learning], weights=labels[learning], minlength=levels.max() + 1)
        rates = (wins + _PRIOR * base) / (counts + _PRIOR)
        found.append(float(roc_auc_score(measured, rates[levels[~learning]])))
    if attribute.kind == "number":
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().any():
            for missing in (numbers.min() - 1, numbers.max() + 1):
                order = float(roc_auc_score(labels, numbers.fillna(missing)))
                found += [order, 1 - order]
    return max(found, default=None)


def _purest(levels: NDArray[np.int64], labels: NDArray[np.bool_]) -> float:
    """Give the highest share that converts among the leads of one level, if they are not too few."""
    counts, wins = np.bincount(levels), np.bincount(levels, weights=labels)
    large = counts >= _FEWEST_CONVERSIONS
    return float((wins[large] / counts[large]).max(initial=0.0))


def _levels(attribute: Attribute, values: pd.Series) -> NDArray[np.int64]:
    """Give each value a number: to categories as they are, to numbers by twentieths, and to what is missing."""
    if attribute.kind == "number":
        numbers = pd.to_numeric(values, errors="coerce")
        # By rank: where most are zero, the others still fall into bins of their own.
        ranks = numbers.rank(method="max", pct=True)
        bins: NDArray[np.int64] = np.ceil(ranks * _BINS).fillna(-1).to_numpy(np.int64)
        return bins + 1
    codes: NDArray[np.int64] = pd.factorize(values.replace("", None), sort=True)[0].astype(np.int64)
    return codes + 1
