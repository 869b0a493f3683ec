"""What the future held for each snapshot, and the parts that it is learned from and judged by.

The worked example stands in ``features.timeline.snapshots``. Parts go by time. Say the labelled snapshots lie between
January and June and the test part begins on 2026-05-01: then fit, early stopping and calibration hold snapshots up to
2026-04-01 (30 days earlier), so none of their labels looks into May, and those of April are the gap.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from features.core.schema import CALIBRATION, CONVERTED, EARLY_STOPPING, FIT, GAP, TEST
from features.core.time import format_duration
from features.timeline.history import EPOCH
from features.timeline.policies import Split


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
    as_of = snapshots["as_of"]
    immature = as_of + horizon + outcome_delay > observed_until
    unobserved = as_of < (observed_from or EPOCH)
    within = (snapshots["outcome_at"] >= as_of) & (snapshots["outcome_at"] < as_of + horizon)
    converts = (snapshots["outcome"] == CONVERTED) & within
    return snapshots.assign(
        observed_until=pd.Series(observed_until, index=snapshots.index, dtype="datetime64[us]"),
        label=converts.astype("boolean").mask(immature | unobserved),
        unlabelled=_texts(np.select([unobserved, immature], ["unobserved", "immature"], ""), snapshots),
    )


def ended_unknown(snapshots: pd.DataFrame) -> pd.Series:
    """Tell of each snapshot whether its episode was in truth over at as_of, and nobody knew."""
    ended: pd.Series = snapshots["outcome_at"] < snapshots["as_of"]
    return ended


def assign_parts(snapshots: pd.DataFrame, horizon: timedelta, outcome_delay: timedelta, split: Split) -> pd.DataFrame:
    """Cut the labelled snapshots by time into fit, early_stopping, calibration, gap and test; adds ``part``.

    Walks back from the last labelled ``as_of``: the test part is the last ``split.test`` of the labelled snapshots.
    A snapshot is before the gap if its label was complete and known when the test part begins. Unlabelled snapshots
    have no part; where ``split.test`` is 0 there is neither gap nor test. Raises NotEnoughDataError where a part would
    be empty.
    """
    labelled = snapshots.loc[snapshots["label"].notna(), "as_of"].sort_values(kind="stable", ignore_index=True)
    reach = horizon + outcome_delay
    if labelled.empty:
        immature, unobserved = (int((snapshots["unlabelled"] == why).sum()) for why in ("immature", "unobserved"))
        told = []
        if immature:
            until = f"{snapshots['observed_until'].iloc[0]:%Y-%m-%d}, until when outcomes were observed"
            told.append(f"of {immature:,} the horizon of {format_duration(horizon)} is not over by {until}")
        told += [f"{unobserved:,} come before conversions were recorded (observed_from)"] if unobserved else []
        raise NotEnoughDataError(
            f"snapshots: none of {len(snapshots):,} snapshots has a label: {', '.join(told) or 'there is none'}; "
            "shorten snapshots.horizon, bring a longer log, or mend what is stated of ingest.sources (an "
            "observed_until that comes too early, an observed_from too late)"
        )
    test = labelled[int((1 - split.test) * len(labelled))] if split.test else labelled.iloc[-1] + 2 * reach
    before = labelled[labelled + reach <= test]
    cuts = [1 - split.early_stopping - split.calibration, 1 - split.calibration]
    if before.empty or before.nunique() < len(cuts) + 1:
        raise NotEnoughDataError(
            f"snapshots: {len(labelled):,} labelled snapshots from {labelled.iloc[0]:%Y-%m-%d} to "
            f"{labelled.iloc[-1]:%Y-%m-%d} can't be split: only {before.nunique()} moments lie a horizon "
            f"({format_duration(reach)}) before the test part, which begins on {test:%Y-%m-%d}; shorten "
            "snapshots.horizon, lower snapshots.split.test, or bring a longer log"
        )
    early_stopping, calibration = (before.iloc[int(cut * len(before))] for cut in cuts)
    as_of = snapshots["as_of"]
    part = np.select(
        [snapshots["label"].isna(), as_of >= test, as_of + reach > test, as_of >= calibration, as_of >= early_stopping],
        ["", TEST, GAP, CALIBRATION, EARLY_STOPPING],
        FIT,
    )
    parted = snapshots.assign(part=_texts(part, snapshots))
    wanted = (FIT, EARLY_STOPPING, CALIBRATION, *((TEST,) if split.test else ()))
    missing = [name for name in wanted if not (parted["part"] == name).any()]
    if missing:
        raise NotEnoughDataError(
            f"snapshots: nothing is left for {', '.join(missing)}; the snapshots fall on too few moments. "
            "Add a policy to snapshots.policies, or change the shares of snapshots.split"
        )
    return parted


def _texts(texts: NDArray[np.str_], frame: pd.DataFrame) -> pd.Series:
    """Give a column of texts in which the empty one is missing."""
    return pd.Series(texts, index=frame.index, dtype="str").replace("", None)
