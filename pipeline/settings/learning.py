"""The settings of ``train`` and ``evaluate``: how the model learns, how it is measured, and where that is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
)

from features.core.errors import SettingsError, nearest
from features.core.time import HOUR, Duration
from models.core.verdicts import KINDS
from models.learning.parameters import Method, Rung, checked_parameters
from pipeline.settings.types import Name, Strict

RegistryName = Annotated[str, Field(pattern=r"^[\w .-]+$")]
"""What MLflow takes as a name without quoting."""


class Train(Strict):
    """How the model learns, and from where the procedure is judged."""

    seed: NonNegativeInt = 7
    """Equal seeds and equal data give an equal model, to the byte."""
    origins: NonNegativeInt = 6
    """From how many firsts of a month, of a short log Mondays, the procedure is judged: at each it learns from what is
    settled by then and foretells what comes until the next. Up to two earlier ones serve for choices alone. With 0
    nobody knows what the model is worth: it is not judged, and becomes the champion only by force."""
    members: PositiveInt = 3
    """How many models, of different seeds, the one that ships is the mean of; at the origins there is one."""
    rung: Rung | Literal["auto"] = "auto"
    """How scores are made: base_rates, logistic, trees or stack; auto takes the simplest that none beats by more than
    chance in folds over leads, unless earlier origins say otherwise. docs/learning.md explains each."""
    points: dict[Name, float] = Field(default_factory=dict)
    """The rule that you use today, as a yardstick: points for each act of an event type. What is not named gets 1, 5 or
    10, more for what is rarer."""
    maximum_rows: PositiveInt | None = None
    """Of more snapshots, those of leads drawn by a hash of their ids are learned from; their share stands in the
    model's manifest. Nothing is left out where it is not given."""
    other_horizons: Annotated[tuple[Duration, ...], Field(max_length=10)] = ()
    """More horizons, as in [60d, 90d], each with a probability of its own that never contradicts that of
    snapshots.horizon, which tiers and all else go by: a longer horizon never has a lower one. Where snapshots.horizon
    itself is among them, it is the model's own and stays as it is."""
    calibration: Method = "auto"
    """How raw scores become probabilities: auto takes the kind that does best on leads that were left out."""
    minimum_conversions: Annotated[int, Field(ge=2)] = 5
    """Leads that convert without which nothing is learned; as many must have a snapshot that does not. With fewer than
    five not every fold has one, and with one alone there is nothing to judge a fold by."""
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict)
    """Handed to LightGBM over the defaults. Class weights and resampling are refused: they break the probabilities."""

    @field_validator("other_horizons")
    @classmethod
    def _once_each(cls, horizons: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        if any(horizon < HOUR for horizon in horizons):
            raise ValueError("each horizon must be an hour or more, as in [60d, 90d]")
        if len(set(horizons)) < len(horizons):
            raise ValueError("a horizon is named twice; keep one")
        return horizons

    @field_validator("parameters")
    @classmethod
    def _of_the_learner(cls, parameters: dict[str, int | float | str | bool]) -> dict[str, int | float | str | bool]:
        try:
            checked_parameters(parameters, rows=1)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return parameters


class Evaluate(Strict):
    """The figures at the origins, and where they are tracked."""

    replicates: PositiveInt = 500
    """Bootstrap draws over leads behind each interval."""
    truth: Name | None = None
    """A table of the sample world's truth (leadcast sample --truth), to say how much of what is attainable is attained;
    docs/sample-world.md explains it. Of a real log nobody has one."""
    experiment: RegistryName = "leadcast"
    """The MLflow experiment."""
    model_name: RegistryName = "lead-conversion"
    """The name in the MLflow registry."""
    acquitted: dict[Name, str] = Field(default_factory=dict)
    """Verdicts that you know to be harmless, by their code (or code:subject, where one column or source is meant), each
    with the reason, which is shown with it; docs/verdicts.md lists them all."""

    @field_validator("acquitted")
    @classmethod
    def _known_and_with_a_reason(cls, acquitted: dict[str, str]) -> dict[str, str]:
        codes = {name: name.partition(":")[0] for name in acquitted}
        wrong = [
            f"{name!r}: there is no verdict {code!r}; {nearest(code, KINDS)}"
            for name, code in codes.items()
            if code not in KINDS
        ]
        wrong += [
            f"{name!r} is declared, not acquitted: by closed, quiet, observed_until or closed_days of its source"
            for name, code in codes.items()
            if code in {"source_silent", "source_thin"}
        ]
        wrong += [
            f"{name!r} has no reason; say why it is harmless" for name, why in acquitted.items() if not why.strip()
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return acquitted
