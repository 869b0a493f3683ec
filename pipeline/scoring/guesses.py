"""Leads of a kind that the model has not learned from: their probability is a guess, and why is said."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.language.catalogue import Catalogue
from models.core.model import Model


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
