"""What the future held for each snapshot. The worked example stands in ``features.timeline.snapshots``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from features.core.schema import CONVERTED
from features.core.time import format_duration
from features.timeline.history import EPOCH

_EARLIEST, _LATEST = datetime(1, 1, 1), datetime(9999, 12, 31)
"""Stand for the last, and the first, of no moments."""


def assign_labels(
    snapshots: pd.DataFrame,
    horizon: timedelta,
    outcome_delay: timedelta,
    observed_until: datetime,
    observed_from: datetime | None = None,
) -> pd.DataFrame:
    """Say of each snapshot whether the lead converts in [as_of, as_of + horizon).

    One whose episode was in truth over at as_of, unknown to us, does not: its conversion, if it is one, lies before.
    Adds ``observed_until``, ``label`` (True, False, or missing) and ``unlabelled`` (why it is missing): ``unobserved``
    where as_of lies before ``observed_from``, from when on outcomes were recorded; ``immature`` where as_of + horizon +
    outcome_delay lies beyond ``observed_until``.
    """
    held = what_is_held(snapshots, horizon, outcome_delay, observed_until, observed_from)
    return snapshots.assign(
        observed_until=pd.Series(observed_until, index=snapshots.index, dtype="datetime64[us]"),
        label=pd.Series(pd.arrays.BooleanArray(held.converts, ~held.is_known), index=snapshots.index),
        unlabelled=_texts(np.select([held.unobserved, held.immature], ["unobserved", "immature"], ""), snapshots),
    )


class Held(NamedTuple):
    """What the future held, of each snapshot, and why that is not known."""

    converts: NDArray[np.bool_]
    unobserved: NDArray[np.bool_]
    immature: NDArray[np.bool_]

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether it is known."""
        return ~(self.immature | self.unobserved)


def what_is_held(
    snapshots: pd.DataFrame,
    horizon: timedelta,
    outcome_delay: timedelta,
    observed_until: datetime,
    observed_from: datetime | None = None,
) -> Held:
    """Judge as ``assign_labels`` does, for whoever only counts: no texts are made."""
    as_of, outcome_at = (snapshots[name].to_numpy("datetime64[us]") for name in ("as_of", "outcome_at"))
    reached = as_of + np.timedelta64(horizon)
    return Held(
        converts=(snapshots["outcome"] == CONVERTED).to_numpy(bool) & (outcome_at >= as_of) & (outcome_at < reached),
        unobserved=as_of < np.datetime64(observed_from or EPOCH),
        immature=reached + np.timedelta64(outcome_delay) > np.datetime64(observed_until),
    )


def ended_unknown(snapshots: pd.DataFrame) -> pd.Series:
    """Tell of each snapshot whether its episode was in truth over at as_of, and nobody knew."""
    ended: pd.Series = snapshots["outcome_at"] < snapshots["as_of"]
    return ended


@dataclass(frozen=True)
class LabelCounts:
    """How many snapshots have a label, and why others have none; what is counted of whole leads adds up."""

    snapshots: int = 0
    known: int = 0
    """Those that have a label."""
    leads: int = 0
    """Of these, distinct ones."""
    conversions: int = 0
    ended_unknown: int = 0
    """Those with a label whose episode was in truth over, and nobody knew."""
    unobserved: int = 0
    immature: int = 0
    first: datetime = _LATEST
    """The earliest as_of that has a label (UTC)."""
    last: datetime = _EARLIEST
    oldest: timedelta = timedelta.min
    """The highest age of an episode at an as_of that has a label."""
    first_immature: datetime = _LATEST

    @classmethod
    def of(cls, labelled: pd.DataFrame) -> LabelCounts:
        """Count what ``assign_labels`` gave, of all snapshots of some leads."""
        known = labelled[labelled["label"].notna()]
        immature = labelled.loc[labelled["unlabelled"] == "immature", "as_of"]
        as_of = known["as_of"]
        return cls(
            snapshots=len(labelled),
            known=len(known),
            leads=int(known["lead_id"].nunique()),
            conversions=int(known["label"].sum()),
            ended_unknown=int(ended_unknown(known).sum()),
            unobserved=int((labelled["unlabelled"] == "unobserved").sum()),
            immature=len(immature),
            first=as_of.min().to_pydatetime() if len(known) else _LATEST,
            last=as_of.max().to_pydatetime() if len(known) else _EARLIEST,
            oldest=(as_of - known["started_at"]).max().to_pytimedelta() if len(known) else timedelta.min,
            first_immature=immature.min().to_pydatetime() if len(immature) else _LATEST,
        )

    def __add__(self, other: LabelCounts) -> LabelCounts:
        """Count both, which are of different leads."""
        summed = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("snapshots", "known", "leads", "conversions", "ended_unknown", "unobserved", "immature")
        }
        return LabelCounts(
            **summed,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            oldest=max(self.oldest, other.oldest),
            first_immature=min(self.first_immature, other.first_immature),
        )


def refuse_unlabelled(
    counts: LabelCounts, horizon: timedelta, outcome_delay: timedelta, observed_until: datetime
) -> None:
    """Raise NotEnoughDataError where no snapshot has a label, and say why, and when the first one will have one."""
    if counts.known:
        return
    told, first = [], ""
    if counts.immature:
        until = f"{observed_until:%Y-%m-%d}, until when outcomes were observed"
        told.append(f"of {counts.immature:,} the horizon of {format_duration(horizon)} is not over by {until}")
        known = counts.first_immature + horizon + outcome_delay
        first = f"; the first label will be known once outcomes are observed until {known:%Y-%m-%d %H:%M} UTC"
    if counts.unobserved:
        told.append(f"{counts.unobserved:,} come before conversions were recorded (observed_from)")
    raise NotEnoughDataError(
        f"snapshots: none of {counts.snapshots:,} snapshots has a label: {', '.join(told) or 'there is none'}{first}; "
        "shorten snapshots.horizon, bring a longer log, or mend what is stated of ingest.sources (an "
        "observed_until that comes too early, an observed_from too late)"
    )


def _texts(texts: NDArray[np.str_], frame: pd.DataFrame) -> pd.Series:
    """Give a column of texts in which the empty one is missing."""
    return pd.Series(texts, index=frame.index, dtype="str").replace("", None)
