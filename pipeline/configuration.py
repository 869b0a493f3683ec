"""The settings: what ``params.yaml`` may say, checked whole before any work begins."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, get_type_hints

from pydantic import (
    Field,
)

from pipeline.decision_settings import DecisionPolicy, Recommend
from pipeline.features_settings import Features
from pipeline.learning_settings import Evaluate, Train
from pipeline.push_configuration import Push
from pipeline.run_settings import Run
from pipeline.setting_types import Name, Strict
from pipeline.source_configuration import Ingest
from pipeline.timeline_settings import Episodes, Snapshots
from pipeline.validate_settings import Validate


class Parameters(Strict):
    """All of ``params.yaml``. Every section of a stage must be there, be it empty: DVC watches each by its name."""

    data_root: Name
    """The folder that all source paths start from."""
    ingest: Ingest
    """What is read, and how it is turned into one log."""
    validate_: Annotated[Validate, Field(alias="validate")]
    """What Great Expectations checks."""
    episodes: Episodes
    """What counts as a conversion, and as a loss."""
    snapshots: Snapshots
    """When we look at a lead, and how far ahead."""
    features: Features
    """What is computed of each lead."""
    train: Train
    """How the model learns."""
    evaluate: Evaluate
    """How it is measured, and where that is kept."""
    policy: DecisionPolicy
    """What is recommended."""
    recommend: Recommend
    """When the leads are scored."""
    run: Run = Run()
    """How the work is done; it may be left out."""
    push: Push | None = None
    """Where leadcast push writes scores to; it may be left out."""

    def hand_over(self, run: Callable[..., object]) -> SimpleNamespace:
        """Give a stage the sections that it asks for, and nothing else."""
        return SimpleNamespace(**{name: getattr(self, name) for name in sections_of(run)})


def sections_of(run: Callable[..., object]) -> list[str]:
    """Name the sections that a stage asks for: what it declares its ``parameters`` to have."""
    return sorted(get_type_hints(get_type_hints(run)["parameters"]))
