"""When a lead is looked at, and how the looks that have a label are divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MinLen

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


@dataclass(frozen=True)
class Split(SettingsSection):
    """Shares of the labelled snapshots, in time order: fit, early stopping, calibration, gap, test."""

    early_stopping: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Share of the snapshots before the gap."""
    calibration: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of the snapshots before the gap."""
    test: Annotated[float, Ge(0), Lt(1)] = 0.25
    """Share of all labelled snapshots. With 0 all are learned from, and nobody knows what the model is worth: it is not
    judged, and becomes the champion only by hand."""

    def __post_init__(self) -> None:
        if self.early_stopping + self.calibration >= 1:
            raise ValueError("early_stopping and calibration leave nothing to fit; together they must stay below 1")
