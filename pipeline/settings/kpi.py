"""The settings of ``kpi``: what revenue is, which channels belong together, and what the company wants to reach."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from features.core.time import DAY, Duration
from pipeline.settings.types import Name, Strict

Rule = Literal["first", "last", "last non-direct", "linear", "position", "time decay"]
TARGETS = (
    "leads", "won", "conversion_rate", "cpc", "cpl", "cac", "cost_per_expected", "revenue", "roi", "roas",
)  # fmt: skip
"""What may have an objective; those of money are in ingest.currency, rates and roi are shares."""
GROUPS: dict[str, tuple[str, ...]] = {
    "paid": ("SEA", "paid social", "display", "affiliate", "shopping", "video"),
    "organic": ("SEO", "social", "referral", "direct"),
    "inbound": (
        "SEA",
        "SEO",
        "social",
        "paid social",
        "referral",
        "direct",
        "webinar",
        "video",
        "display",
        "affiliate",
    ),
    "outbound": ("email", "sms", "push", "telephone", "post", "fair"),
}
"""Channels that are known by these names, in any case of their letters; a channel may be in several groups."""


class Renamed(Strict):
    """A channel that has another name now: what came before goes on under the new one."""

    channel: Name
    """What it was called."""
    now: Name
    """What it is called now."""
    before: date | None = None
    """The day from which on the old name is another channel's; without it, it never is. Quoted."""


class Kpi(Strict):
    """What is counted for those who spend the money. It changes no probability and no tier."""

    revenue: dict[Name, float] = Field(default_factory=dict)
    """Event types whose value is revenue, times this number: {won: 1, refund: -1}, or {won: 1, refund: 1} where the
    log has refunds below 0. Without it no revenue is told."""
    channel: Name = "channel"
    """The attribute of a lead that says where it came from; where leads have none of that name, or it is empty, it is
    the channel of the first act of their own that has one."""
    groups: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=lambda: dict(GROUPS))
    """Channels that are looked at together; one may be in several groups, so groups do not add up."""
    renamed: tuple[Renamed, ...] = ()
    """Channels that have another name now."""
    direct: tuple[Name, ...] = ("direct",)
    """Channels that say only that nobody knows how a lead came: last non-direct looks behind them."""
    attribution: Rule = "position"
    """Which rule the page shows: position gives 40 % to the first and the last touch each, the rest to those
    between."""
    half_life: Duration = 7 * DAY
    """How long before a conversion a touch counts half, under time decay."""
    targets: dict[Name, PositiveFloat] = Field(default_factory=dict)
    """Objectives of a month, all channels together: {leads: 400, cac: 250, roi: 1.5}."""
    months: PositiveInt = 13
    """How many months are shown, the newest last; files hold all."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        unknown = [name for name in self.targets if name not in TARGETS]
        if unknown:
            raise ValueError(f"targets: {unknown[0]!r} is no KPI that has an objective; those are {', '.join(TARGETS)}")
        if self.half_life <= timedelta(0):
            raise ValueError("half_life must be longer than nothing, as in half_life: 7d")
        names = [one.channel for one in self.renamed]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"renamed: {twice!r} is named twice; a channel has one name now")
        if chained := next((one for one in self.renamed if one.now in names), None):
            raise ValueError(
                f"renamed: {chained.now!r} is itself renamed; name what {chained.channel!r} is called today"
            )
        return self
