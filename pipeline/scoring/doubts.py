"""What says less than it seems to: guesses about leads unlike all that was learned from, and outcomes not known yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.time import DAY
from features.language.catalogue import Catalogue
from features.timeline.history import History
from features.timeline.unknown_ends import share_ended
from models.core.model import Model
from pipeline.log.reach import Reach


def why_guesses(
    features: pa.Table, model: Model, catalogue: Catalogue, acts_unseen: NDArray[np.bool_], *, has_ages: bool
) -> pa.Array:
    """Say of each row of the matrix, shape (n,), why its probability is a guess: age, channel, main act, or null.

    ``acts_unseen``: whether most of what the lead did is of event types that the model does not know. ``has_ages`` is
    false where an age says nothing, for nobody knows when leads came. A channel of too few leads to be a level of its
    own was not learned from either.
    """
    oldest = float(model.manifest["oldest_episode_days"])
    is_old = features["episode_age_days"].to_numpy() > (oldest if has_ages else np.inf)
    is_strange = np.zeros(len(features), dtype=bool)
    for column in catalogue.roles["channels"]:
        levels = pa.array(model.categories.get(column, []), pa.string())
        known = pc.is_in(features[column].cast(pa.string()), levels)
        is_strange |= pc.and_not(pc.is_valid(features[column]), known).to_numpy()
    why = np.select([is_old, is_strange, acts_unseen], ["age", "channel", "main act"], "")
    return pa.array(why, pa.string(), mask=why == "")


@dataclass(frozen=True)
class UnknownOutcomes:
    """Since when no outcomes are known, and what follows for the leads that are scored."""

    since: datetime
    days: float
    """From then to the moment of the scores."""
    leads_ended: float | None
    """Of the leads scored, those that are expected to have ended since; None where nothing tells."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {"since": self.since.isoformat(), "days": self.days, "leads_ended": self.leads_ended}

    def told(self, leads: int) -> str:
        """Say it of so many leads that were scored."""
        share = "" if self.leads_ended is None else f"about {self.leads_ended:,.0f} of "
        days = f"{self.days:.1f}".removesuffix(".0")
        return (
            f"outcomes are known up to {self.since:%Y-%m-%d %H:%M} UTC, {days} days before this moment: {share}"
            f"these {leads:,} leads {'have' if share else 'may have'} ended since, and are counted as open, so that "
            "fewer will convert than is expected"
        )


def unknown_outcomes(
    reach: Reach, history: History, as_of: datetime, leads: int, recorded_since: datetime | None
) -> UnknownOutcomes | None:
    """Tell of which time before ``as_of`` no outcomes are known, if of more than a day; ``leads`` are scored."""
    since = reach.outcomes_until
    lag = as_of - since
    if lag <= DAY:
        return None
    share = share_ended(history, since, lag, recorded_since)
    return UnknownOutcomes(since, round(lag / DAY, 2), None if share is None else round(share * leads, 1))
