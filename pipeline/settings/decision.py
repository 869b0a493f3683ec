"""The settings of ``policy`` and ``recommend``: what a probability is turned into, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    model_validator,
)

from features.core.time import DAY
from pipeline.settings.types import Duration, Strict, read_moment


class Tiers(Strict):
    """From which probability on a lead is recommended to whom."""

    mql: Annotated[float, Field(gt=0, lt=1)]
    """From this probability on marketing takes the lead."""
    sql: Annotated[float, Field(gt=0, lt=1)]
    """From this probability on sales takes the lead."""


class Maturity(Strict):
    """From which multiple of the base rate on a lead is warm, or hot."""

    warm: PositiveFloat = 1.0
    """From this multiple on a lead is warm; below it, cold."""
    hot: PositiveFloat = 3.0
    """From this multiple on a lead is hot."""


class DecisionPolicy(Strict):
    """What a probability is turned into."""

    tiers: Tiers
    """Who works on the lead next."""
    maturity: Maturity = Maturity()
    """How far the lead is."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        wrong = []
        if self.tiers.mql >= self.tiers.sql:
            wrong.append(f"tiers.mql ({self.tiers.mql}) must be below tiers.sql ({self.tiers.sql})")
        if self.maturity.warm >= self.maturity.hot:
            wrong.append(f"maturity.warm ({self.maturity.warm}) must be below maturity.hot ({self.maturity.hot})")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def _latest_or_moment(text: object) -> object:
    return text if text == "latest" else read_moment(text)


class Recommend(Strict):
    """Which moment the leads are scored at, and whose probability is explained."""

    as_of: Annotated[Literal["latest"] | datetime, BeforeValidator(_latest_or_moment)] = "latest"
    """Of the score stage: latest (the end of the log) or a quoted date."""
    maximum_age: Duration = 2 * DAY
    """How old the log may be when leadcast score is asked for now, beside the longest time in which nothing happened:
    the moment up to which every source that feeds features reaches. Whether one has stopped is judged by its rhythm."""
    reasons_for: tuple[Literal["IQL", "MQL", "SQL"], ...] = ("MQL", "SQL")
    """The tiers whose leads get reasons: IQL, MQL, SQL, or [] for none. Explaining a lead takes ten times as long as
    scoring it, so that it is done where somebody reads it."""
