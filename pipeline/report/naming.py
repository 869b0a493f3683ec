"""What the log and the settings name, in the words of people: milestones and parts of the leads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

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
