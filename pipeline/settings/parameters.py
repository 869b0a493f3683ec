"""The settings: what ``params.yaml`` may say, checked whole before any work begins."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Self, get_args, get_type_hints

from pydantic import Field, model_validator

from pipeline.settings.decision import DecisionPolicy, Recommend
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.kpi import Kpi
from pipeline.settings.leads import Exports, LeadPages, Publish
from pipeline.settings.learning import Evaluate, Train
from pipeline.settings.push import Push
from pipeline.settings.review import Monitor, Review
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots
from pipeline.settings.types import Name, Strict
from pipeline.settings.validate import Validate
from pipeline.settings.words import Words


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
    decision: DecisionPolicy
    """What is recommended."""
    recommend: Recommend
    """When the leads are scored."""
    kpi: Kpi
    """What is counted for those who spend the money."""
    leads: LeadPages
    """By what people know a lead on the pages that name leads."""
    words: Words
    """What people call what the log names."""
    run: Run = Run()
    """How the work is done; it may be left out."""
    review: Review = Review()
    """How two models are compared, and when one may take the other's place; it may be left out."""
    monitor: Monitor = Monitor()
    """How the champion's promises are watched; it may be left out."""
    push: Push | None = None
    """Where leadcast push writes scores to; it may be left out."""
    exports: Exports | None = None
    """What leadcast export writes into files for others; it may be left out."""
    publish: Publish | None = None
    """Where leadcast publish copies pages and lists to, and who gets the digest; it may be left out."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        self._knows_whom_to_show()
        owners = self.ingest.owners
        if owners is None:
            return self
        if not self.decision.territory:
            raise ValueError(
                "ingest.owners says who owns a territory, but not which leads are of it: name the attribute, as in "
                "decision: {territory: region}"
            )
        if owners.columns.per_day and any(one.of is None for one in self.decision.capacity):
            raise ValueError(
                "ingest.owners (per_day) and decision.capacity both say how much time there is in every territory; "
                "keep one, or name the territories that have another (of)"
            )
        if owners.columns.per_day and owners.unit == "hours" and self.decision.work.call_hours is None:
            raise ValueError(
                "ingest.owners counts hours, but nobody says how long a call takes: decision: {work: {call_hours: 0.5}}"
            )
        return self

    def _knows_whom_to_show(self) -> None:
        table = self.ingest.leads
        if not self.leads.shown.columns:
            return
        if table is None:
            raise ValueError("leads.shown names columns of the table of leads, and there is none: add ingest.leads")
        if table.path is None and table.database is None:
            raise ValueError(
                "leads.shown is read from files or a database, and ingest.leads is a query over other tables; leave "
                "leads.shown out, or give ingest.leads a path or a database"
            )

    def hand_over(self, run: Callable[..., object]) -> SimpleNamespace:
        """Give a stage the sections that it asks for, and nothing else."""
        return SimpleNamespace(**{name: getattr(self, name) for name in sections_of(run)})


def sections_of(run: Callable[..., object]) -> list[str]:
    """Name the sections that a stage asks for: what it declares the ``parameters`` of its project to have."""
    (sections,) = get_args(get_type_hints(run)["project"])
    return sorted(get_type_hints(sections))
