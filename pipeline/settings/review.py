"""The settings of ``review`` and ``monitor``: when a model may be the champion, and when its promises are broken."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from features.core.time import Duration
from pipeline.settings.types import Name, Strict

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Matters(Strict):
    """Of each figure, the difference that would matter: what is surely smaller is called no difference."""

    log_loss: PositiveFloat = 0.01
    """A share of the other model's, for log losses of other base rates are other ones."""
    roc_auc: PositiveFloat = 0.005
    """Points of the area."""
    lift_at_10: PositiveFloat = 0.1
    """Times as many conversions in the best tenth as by chance."""
    calibration_slope: PositiveFloat = 0.1
    """How much nearer to 1 the slope is."""


class Gates(Strict):
    """What a model must keep before it becomes the champion; the others are refused by name."""

    minimum_conversions: PositiveInt = 30
    """Leads that convert among the pairs that the two models are compared by, each once, however often it was looked
    at: with fewer nobody can tell."""
    calibration: PositiveFloat = 1.5
    """The calibration error may be this many times what a perfect model shows in 95 of 100 cases by chance."""
    segment: Share = 0.05
    """By which share the log loss of no segment may be higher than the champion's, beyond what chance explains."""
    list_churn: Share = 0.4
    """Which share of the leads that the champion calls SQL may be another tier's."""


class Review(Strict):
    """How two models are compared, and what one must keep to take the other's place. No stage depends on it."""

    matters: Matters = Matters()
    """Of each figure, the difference that would matter."""
    gates: Gates = Gates()
    """What is asked of a model before leadcast promote makes it the champion."""


class Monitor(Strict):
    """How the champion's promises are watched. No stage depends on it."""

    false_alarms: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """How often at most an alarm is raised though nothing is wrong, however often one looks."""
    tolerance: Annotated[float, Field(ge=1.0)] = 1.0
    """How many times more, or less, the odds may be than those promised to all leads, before that counts as evidence;
    what is bet on lies 1.6 times beyond, so that an error of a tenth hardly ever grows into an alarm."""
    tolerance_of_parts: Annotated[float, Field(ge=1.0)] = 1.25
    """The same of a part (a band of the score, a channel, an age, a tier): no model is right in all of them."""
    minimum_expected: PositiveFloat = 30.0
    """Conversions that must be expected before anything is said of a promise: before it is too early."""
    usual: Duration = timedelta(days=30)
    """How much of the newest log is set beside what the champion has learned from, where drift is told."""
    webhook: Name | None = None
    """Where alarms are posted to as JSON: $NAME, an environment variable that holds the URL."""
