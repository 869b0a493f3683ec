"""Whether promises are kept, however often one looks: what was foretold against what happened, week by week.

A test of a fixed number of rows may be looked at once. Who looks every week, and stops at the first alarm, finds one
sooner or later though nothing is wrong. So evidence is gathered as capital that is bet against the promises (an
e-process): at fair odds nobody gets rich, and it reaches ``1 / share`` with a probability of at most ``share``, however
long one plays (Ville 1939; Waudby-Smith and Ramdas 2024).

Three things make the odds fair. Scores of one lead overlap: who converts within thirty days of a Monday does so within
thirty days of the next one, too. So looks are dealt in turn to strands in which no two horizons overlap, each lead
counts once a horizon, and the capital of all strands is averaged (Henzi and Ziegel 2022). No model is perfect: odds
are fair to any whose odds are within ``tolerance`` times those promised, and what is bet on lies ``BEYOND`` that, so
that a small error loses. And nobody knows when a promise breaks: capital waits, and is laid out bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evaluation.segments import MOST_SEGMENTS

Floats = NDArray[np.float64]

WHOLE = "all leads"
"""The kind, and the name, of what is not a part."""
OTHERS = "other"
"""What was not there at the first look, or is too small to be a part of its own."""
WEEK = timedelta(days=7)
JITTER = timedelta(days=1)
"""So much closer than whole weeks looks of one weekday may lie together, and no two horizons of a strand overlap."""
BEYOND = 1.6
"""How many times the odds lie beyond the tolerance, to either side, that is bet on."""
LAID_OUT = 1.0 / 12.0
"""Of the capital that waits, the part that is laid out at a look: a strand of thirty days has 21 in two years."""
_CERTAIN = 1e-9
"""From which distance to 0 and 1 on a probability counts as one that may be wrong."""


@dataclass(frozen=True)
class Promise:
    """What was promised to the leads of a part and what happened, each lead counting once a horizon."""

    kind: str
    name: str
    leads: int
    expected: float
    """The sum of the probabilities."""
    happened: int
    share: float
    """Of the false alarms that there may be, those that this part may have: it is broken from ``1 / share`` on."""
    evidence: Floats
    """The capital after each look, as a natural logarithm: shape (looks,); 0 before anything is known."""
    looks: NDArray[np.datetime64]
    """The moments (UTC) of the looks whose horizon is over: shape (looks,)."""
    broken_at: int | None
    """The look at which it was found broken; None where it is not."""
    is_less: bool
    """Whether less happens than was promised, as far as the evidence tells at that look, or at the last one."""

    @property
    def threshold(self) -> float:
        """From which evidence on the promise is broken."""
        return float(-np.log(self.share))


def log_gains(probabilities: Floats, happened: Floats, tolerance: float) -> Floats:
    """Give by what each lead multiplies the capital of both bets, as logarithms: that more happens, and that less does.

    Each is the likelihood of what happened by odds ``BEYOND`` times those at the edge of the tolerance, over that by
    the odds at the edge. Where the true odds lie within, lead by lead, it is expected to be 1 at most. Takes promises
    and outcomes (0 or 1), shape (n,); gives shape (n, 2).

    Of one lead that was promised even odds, and converts: by odds of 1.6 to 1 that has 8 chances in 13, which is 16/13
    times as likely as 1 in 2; by odds of 1 to 1.6 it is 10/13 times as likely.

    >>> np.exp(log_gains(np.array([0.5]), np.array([1.0]), 1.0)).round(4).tolist()
    [[1.2308, 0.7692]]
    """
    probabilities = np.clip(probabilities, _CERTAIN, 1.0 - _CERTAIN)
    odds = probabilities / (1.0 - probabilities)
    gains = []
    for sign in (1.0, -1.0):
        edge = odds * tolerance**sign
        gains.append(happened * sign * np.log(BEYOND) + np.log1p(edge) - np.log1p(edge * BEYOND**sign))
    return np.stack(gains, axis=1)


class Strand:
    """Capital bet at looks of which no two horizons overlap: it begins with 1, all of it waiting."""

    def __init__(self) -> None:
        self.waiting, self.bets = 0.0, np.full(2, -np.inf)
        self.last: np.datetime64 | None = None

    def look(self, gains: Floats) -> None:
        """Lay out a part of what waits on both bets alike, and let a look multiply them: its ``log_gains``, summed."""
        laid_out = self.waiting + np.log(LAID_OUT / 2.0)
        self.waiting += np.log1p(-LAID_OUT)
        self.bets = np.logaddexp(self.bets, laid_out) + gains

    @property
    def capital(self) -> float:
        """What waits and what both bets are worth, as a logarithm."""
        return float(np.logaddexp.reduce([self.waiting, *self.bets]))


def weekly(as_of: pd.Series) -> NDArray[np.bool_]:
    """Tell which rows are of the first look of their week (from Monday, UTC): shape (n,)."""
    moments = pd.Series(as_of.unique()).sort_values()
    first = moments.groupby(_week(moments)).min()
    return np.asarray(as_of.isin(first), dtype=np.bool_)


def watch(
    scores: pd.DataFrame,
    kinds: Mapping[str, pd.Series],
    horizon: timedelta,
    *,
    false_alarms: float,
    tolerance: float,
    tolerance_of_parts: float,
    begins: Mapping[tuple[str, str], datetime] | None = None,
) -> list[Promise]:
    """Watch all leads, and each part of each kind: half of the false alarms may be of all, the other half of parts.

    ``scores``: lead_id, as_of (UTC), probability and happened of looks whose horizon is over, of one model. ``kinds``:
    by the name of a kind, the part of each row, as a text. Parts are those of the first look, the largest; the share of
    a kind is the same whatever comes later, and its false alarms are dealt to its parts alike. ``begins``: parts of
    which only later looks (UTC) count, by kind and name: somebody has settled what was before.
    """
    if scores.empty:
        return []
    is_looked_at = weekly(scores["as_of"])
    rows = scores[is_looked_at].reset_index(drop=True)
    of_rows = {name: values[is_looked_at].reset_index(drop=True) for name, values in kinds.items()}
    is_first = rows["as_of"] == rows["as_of"].min()
    begins = begins or {}

    def promise(kind: str, name: str, of_part: NDArray[np.bool_], share: float, tolerated: float) -> Promise:
        begin = begins.get((kind, name))
        if begin is not None:
            of_part = of_part & (rows["as_of"] > begin).to_numpy()
        return _watch(rows[of_part], rows["as_of"], horizon, kind, name, share, tolerated)

    found = [promise(WHOLE, WHOLE, np.ones(len(rows), dtype=bool), false_alarms / 2.0, tolerance)]
    for kind, parts in of_rows.items():
        known = parts[is_first].value_counts().index[:MOST_SEGMENTS].tolist()
        named = parts.where(parts.isin(known), OTHERS)
        names = [*sorted(known), *([] if OTHERS in known else [OTHERS])]
        share = false_alarms / 2.0 / len(of_rows) / len(names)
        found += [promise(kind, name, (named == name).to_numpy(), share, tolerance_of_parts) for name in names]
    return found


def _watch(
    rows: pd.DataFrame, moments: pd.Series, horizon: timedelta, kind: str, name: str, share: float, tolerance: float
) -> Promise:
    """Bet against the promises of one part at each of the looks, in their order."""
    strands = [Strand() for _ in range(-(-(horizon + JITTER) // WEEK))]
    looks = np.sort(moments.unique())
    monday = _week(pd.Series(looks))
    weeks = ((monday - monday.iloc[0]) // pd.Timedelta(WEEK)).to_numpy()
    place_of_row = np.searchsorted(looks, rows["as_of"].to_numpy())
    gains = log_gains(rows["probability"].to_numpy(np.float64), rows["happened"].to_numpy(np.float64), tolerance)
    of_look = np.stack([np.bincount(place_of_row, weights=bet, minlength=len(looks)) for bet in gains.T], axis=1)
    has_rows = np.bincount(place_of_row, minlength=len(looks)) > 0
    evidence, broken_at, is_less = [], None, False
    for place, (moment, week) in enumerate(zip(looks, weeks, strict=True)):
        strand = strands[week % len(strands)]
        # A look that was late one week and early the next would overlap: it is left out.
        if has_rows[place] and (strand.last is None or moment - strand.last >= np.timedelta64(horizon)):
            strand.look(of_look[place])
            strand.last = moment
        evidence.append(float(np.logaddexp.reduce([one.capital for one in strands]) - np.log(len(strands))))
        if broken_at is None:
            more, less = np.logaddexp.reduce([one.bets for one in strands])
            is_less = bool(less > more)
            if evidence[-1] >= -np.log(share):
                broken_at = place
    once = rows[counted_once(rows, horizon)]
    return Promise(
        kind=kind,
        name=name,
        leads=int(once["lead_id"].nunique()),
        expected=float(once["probability"].sum()),
        happened=int(once["happened"].sum()),
        share=share,
        evidence=np.array(evidence),
        looks=looks,
        broken_at=broken_at,
        is_less=is_less,
    )


def counted_once(rows: pd.DataFrame, horizon: timedelta) -> NDArray[np.bool_]:
    """Tell which rows count where each lead does once a horizon, from its first one on: shape (n,).

    >>> at = pd.to_datetime(["2026-01-05", "2026-01-12", "2026-02-09", "2026-01-12"])
    >>> rows = pd.DataFrame({"lead_id": ["a", "a", "a", "b"], "as_of": at})
    >>> counted_once(rows, timedelta(days=30)).tolist()
    [True, False, True, True]
    """
    counts = np.zeros(len(rows), dtype=bool)
    leads, names = pd.factorize(rows["lead_id"])
    last = np.full(len(names), np.datetime64("0001-01-01", "us"))
    moments = rows["as_of"].to_numpy().astype("datetime64[us]")
    for moment in np.unique(moments):
        here = np.flatnonzero(moments == moment)
        here = here[last[leads[here]] + np.timedelta64(horizon) <= moment]
        counts[here] = True
        last[leads[here]] = moment
    return counts


def band_edges(first: Floats, number: int = 4) -> Floats:
    """Give the bounds between bands of the score that had the same sum of promises each at the ``first`` look, (m,).

    >>> band_edges(np.array([0.1, 0.1, 0.2, 0.4]), 2).tolist()
    [0.4]
    """
    ordered = np.sort(first)
    reached = np.round(np.cumsum(ordered) / ordered.sum(), 9)
    # Rounded as they are named, so that a name says exactly which scores are meant.
    edges = np.array(
        [
            float(f"{edge:.2g}")
            for edge in ordered[np.searchsorted(reached, np.arange(1, number) / number, side="right")]
        ]
    )
    return np.unique(edges[edges > ordered[0]])


def bounds_of(edges: Floats) -> list[tuple[str, float | None, float | None]]:
    """Name each band, with the score from which on and below which it lies; None where it is open.

    >>> bounds_of(np.array([0.02, 0.1]))
    [('below 2 %', None, 0.02), ('2 % to 10 %', 0.02, 0.1), ('from 10 %', 0.1, None)]
    """
    pairs = zip([None, *edges.tolist()], [*edges.tolist(), None], strict=True)
    return [(_name_band(low, high), low, high) for low, high in pairs]


def bands(probabilities: Floats, edges: Floats) -> NDArray[Any]:
    """Name the band of each score: shape (n,).

    >>> bands(np.array([0.1, 0.5]), np.array([0.4])).tolist()
    ['below 40 %', 'from 40 %']
    """
    names = np.array([name for name, _, _ in bounds_of(edges)], dtype=object)
    return np.asarray(names[np.searchsorted(edges, probabilities, side="right")])


def _name_band(low: float | None, high: float | None) -> str:
    if low is None:
        return "all" if high is None else f"below {100 * high:.2g} %"
    return f"from {100 * low:.2g} %" if high is None else f"{100 * low:.2g} % to {100 * high:.2g} %"


def expected_log_loss(probabilities: Floats) -> float:
    """Give the log loss that scores, shape (n,), are expected to have if each of them is right.

    >>> round(expected_log_loss(np.array([0.5, 0.5])), 3), expected_log_loss(np.array([0.0, 1.0]))
    (0.693, 0.0)
    """
    sure = np.clip(probabilities, 1e-300, 1.0), np.clip(1.0 - probabilities, 1e-300, 1.0)
    return float(-(probabilities * np.log(sure[0]) + (1.0 - probabilities) * np.log(sure[1])).mean()) + 0.0


def expected_roc_auc(probabilities: Floats) -> float | None:
    """Give the ROC AUC that scores, shape (n,), are expected to have if each of them is right; None of fewer than two.

    Of all pairs of which one converts and the other does not, each as likely as both scores say, the share in which the
    one that converts has the higher score; equal scores are half right.

    Of 0.8 and 0.2 the first converts alone in 64 of 100, the second alone in 4: 64 of 68 pairs are in order.

    >>> round(expected_roc_auc(np.array([0.8, 0.2])), 4), expected_roc_auc(np.array([0.3, 0.3]))
    (0.9412, 0.5)
    """
    ordered = np.sort(probabilities)
    fails = 1.0 - ordered
    below = np.concatenate([[0.0], np.cumsum(fails)])
    first, after = np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right")
    equal = below[after] - below[first] - fails  # of the others with the same score
    right = float((ordered * (below[first] + equal / 2.0)).sum())
    pairs = float(ordered.sum() * fails.sum() - (ordered * fails).sum())
    return right / pairs if pairs > 0.0 else None


def _week(moments: pd.Series) -> pd.Series:
    """Give the Monday of each moment."""
    days = moments.dt.normalize()
    return days - pd.to_timedelta(days.dt.day_of_week, unit="D")
