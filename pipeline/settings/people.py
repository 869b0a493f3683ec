"""The settings of tables in which people say something of leads, and leads of themselves: decisions, consents."""

from __future__ import annotations

from typing import Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from pipeline.settings.table import Table
from pipeline.settings.types import Column, Name, Strict

Said = Literal["disqualified", "SQL", "recycled", "MQL", "IQL"]
"""The tiers that people give: those of open leads, for that one has converted is an event."""
Purpose = Literal["mail", "telephone", "advertising", "everything"]
Status = Literal["given", "refused", "withdrawn", "objected"]
Meaning = TypeVar("Meaning", Said, Purpose, Status)


def in_lower_case(words: dict[str, Meaning]) -> dict[str, Meaning]:
    """Take words without regard to case; raises ValueError where two are one then."""
    lowered = {word.strip().lower(): meaning for word, meaning in words.items()}
    if len(lowered) < len(words):
        raise ValueError(f"{sorted(words)} differ only in case, which is not looked at; keep one of each")
    return lowered


class DecisionColumns(Strict):
    """Which column of the table holds which field of what people decided: a tier, a day on which to call, or both."""

    lead_id: Column
    """The id of the lead, or one of its aliases."""
    decided_at: Name
    """When it was decided."""
    known_at: Name | None = None
    """When it became known to us; as it was decided where it is not given."""
    tier: Column | None = None
    """What people take the lead for: a tier, or a word of tiers."""
    call_on: Name | None = None
    """The day agreed on for a call: before it the lead is on no list of sales, from it on at the head."""
    until: Name | None = None
    """The last day on which it holds; as long as decision.word says where it is not given."""
    by: Column | None = None
    """Who decided, as in the initials of a seller; shown on private pages alone."""
    reason: Column | None = None
    """Why, in their words; shown on private pages alone."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.tier is None and self.call_on is None:
            raise ValueError("says nothing of a lead; name the column of tier, or of call_on, or both")
        return self


class Decisions(Table):
    """What people decided of leads: it goes before facts and the model, but for objections."""

    columns: DecisionColumns
    """Which column holds what."""
    tiers: dict[Name, Said] = Field(default_factory=dict)
    """Its words for tiers, in any case, as in {hot: SQL, never: disqualified}; the names of tiers need none."""

    _lowered = field_validator("tiers")(in_lower_case)


class ConsentColumns(Strict):
    """Which column of the table holds which field of a consent: one change of one purpose a row."""

    lead_id: Column
    """The id of the lead, or one of its aliases."""
    purpose: Column
    """What it is about: mail, telephone, advertising or everything, or a word of purposes."""
    status: Column
    """What the lead says of it: given, refused, withdrawn or objected, or a word of statuses."""
    changed_at: Name
    """When it said so."""
    known_at: Name | None = None
    """When it became known to us; as it was said where it is not given."""


class Consents(Table):
    """What leads agreed to, by purpose: a channel that is refused is closed until consent to it is given later."""

    columns: ConsentColumns
    """Which column holds what."""
    purposes: dict[Name, Purpose] = Field(default_factory=dict)
    """Its words for purposes, in any case, as in {newsletter: mail}."""
    statuses: dict[Name, Status] = Field(default_factory=dict)
    """Its words for statuses, in any case and quoted, as in {"yes": given, "no": refused, opt-out: withdrawn}."""

    _lowered_purposes = field_validator("purposes")(in_lower_case)
    _lowered_statuses = field_validator("statuses")(in_lower_case)
