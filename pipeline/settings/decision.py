"""The settings of ``policy`` and ``recommend``: what a probability is turned into, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator

from features.core.schema import TIERS, Tier
from features.core.time import DAY, Duration
from models.decision.tiers import MaturityPolicy, TierPolicy
from pipeline.settings.types import Strict, read_moment


class DecisionPolicy(Strict):
    """What a probability is turned into."""

    tiers: TierPolicy
    """Who works on the lead next."""
    maturity: MaturityPolicy = MaturityPolicy()
    """How far the lead is."""


def _latest_or_moment(text: object) -> object:
    return text if text == "latest" else read_moment(text)


class Recommend(Strict):
    """Which moment the leads are scored at, and whose probability is explained."""

    as_of: Annotated[Literal["latest"] | datetime, BeforeValidator(_latest_or_moment)] = "latest"
    """Of the stage recommend: latest (the end of the log) or a quoted date."""
    maximum_age: Duration = 2 * DAY
    """How old the log may be when leadcast score is asked for now, beside the longest time in which nothing happened:
    the moment up to which every source that feeds features reaches. Whether one has stopped is judged by its rhythm."""
    reasons_for: tuple[Tier, ...] = TIERS[1:]
    """The tiers whose leads get reasons: IQL, MQL, SQL, or [] for none. Explaining a lead takes ten times as long as
    scoring it, so that it is done where somebody reads it."""
