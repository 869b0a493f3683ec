"""What the future held for each snapshot. The worked example stands in ``features.timeline.snapshots``."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from features.core.schema import CONVERTED
from features.core.time import format_duration
from features.timeline.history import EPOCH


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


def refuse_unlabelled(snapshots: pd.DataFrame, horizon: timedelta) -> None:
    """Raise NotEnoughDataError where no snapshot has a label, and say why."""
    if snapshots["label"].notna().any():
        return
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


def _texts(texts: NDArray[np.str_], frame: pd.DataFrame) -> pd.Series:
    """Give a column of texts in which the empty one is missing."""
    return pd.Series(texts, index=frame.index, dtype="str").replace("", None)
