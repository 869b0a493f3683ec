"""When a lead is looked at, and how the looks that have a label are divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import MinLen

from features.core.section import SettingsSection
from features.core.time import Duration


@dataclass(frozen=True)
class AgePolicy(SettingsSection):
    """Snapshots at ages after the episode's start."""

    ages: Annotated[tuple[Duration, ...], MinLen(1)]
    """How long after the start, as in [1d, 3d, 7d]."""


@dataclass(frozen=True)
class CalendarPolicy(SettingsSection):
    """Snapshots of every open lead at fixed moments, midnight UTC."""

    calendar: Literal["daily", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "monthly"]
    """Every day, every week on the day that is named, or on the first of every month."""


@dataclass(frozen=True)
class EventPolicy(SettingsSection):
    """Snapshots one microsecond after an event of this type became known."""

    event: Annotated[str, MinLen(1)]
    """The event type."""


Policy = AgePolicy | CalendarPolicy | EventPolicy
