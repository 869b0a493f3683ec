"""What each family of features brings: how far it moves the chances of those that were foretold last."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.language.catalogue import Catalogue
from features.language.stories import Story
from models.core.model import Model
from models.explaining.contributions import Contributions

_MOST_ROWS = 5_000
"""Beyond which a mean moves no more, and contributions take seconds."""
_AGES = "how old the lead is, and its episodes"


def families(catalogue: Catalogue, model: Model, frame: pd.DataFrame) -> list[dict[str, float | str]]:
    """Give the mean size of what each family adds to the logit or takes from it, over rows of the matrix.

    A family is an event type, a content, an attribute, or all events together; the largest first. Of many rows evenly
    spaced ones are taken.
    """
    rows = frame.iloc[:: -(-len(frame) // _MOST_ROWS) or 1]
    moved = Contributions(model).of(rows)[:, : len(model.columns)]
    place = {column: number for number, column in enumerate(model.columns)}
    members: dict[str, list[int]] = {}
    left = set(place)
    for story in catalogue.stories:
        columns = [column for column in story.columns if column in left]
        members.setdefault(_name(story), []).extend(place[column] for column in columns)
        left -= set(columns)
    members.setdefault(_AGES, []).extend(sorted(place[column] for column in left))
    found: list[dict[str, float | str]] = [
        {"family": name, "moves": float(np.abs(moved.T[columns].sum(axis=0)).mean())}
        for name, columns in members.items()
        if columns
    ]
    return sorted(found, key=lambda one: (-float(one["moves"]), str(one["family"])))


def _name(story: Story) -> str:
    if story.attribute is not None:
        return f"attribute {story.attribute}"
    if story.feature is None:
        return _AGES
    asked = story.feature.filter
    named = [f"{part} {value}" for part in ("event_type", "channel", "campaign", "content")
             if isinstance(value := getattr(asked, part), str)]  # fmt: skip
    return " of ".join(named).replace("event_type ", "") or "all events together"
