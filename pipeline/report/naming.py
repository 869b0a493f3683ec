"""What the log and the settings name, in the words of people: milestones, parts of the leads, channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from pipeline.settings.words import Words


def name_milestones(snapshots: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Give what snapshots counted with milestones as people call them; what begins and ends the funnel is ours."""
    first, second, *milestones, last = snapshots["funnel"]
    named = [row | {"stage": words.labels.noun("milestones", row["stage"])} for row in milestones]
    return {**snapshots, "funnel": [first, second, *named, last]}


def name_parts(breakdown: Mapping[str, Any], words: Words, attributes: Collection[str]) -> dict[str, Any]:
    """Give the parts that were judged with attributes and channels as people call them.

    The parts of an attribute are channels; those of any other kind, such as ages, were named by us.
    """
    labels = words.labels

    def named(part: Mapping[str, Any]) -> dict[str, Any]:
        if part["kind"] not in attributes:
            return dict(part)
        kind, name = labels.noun("attributes", part["kind"]), labels.noun("channels", part["name"])
        return {**part, "kind": kind, "name": name}

    return {**breakdown, **{parts: [named(part) for part in breakdown[parts]] for parts in ("segments", "worst")}}


def name_channels(spending: pd.DataFrame, words: Words) -> pd.DataFrame:
    """Give what was spent with channels as people call them; two that are called the same are one."""
    labels = words.labels
    channels = spending["channel"].astype(object)
    named = {channel: labels.noun("channels", channel) for channel in channels.dropna().unique()}
    return spending.assign(channel=channels.map(named))
