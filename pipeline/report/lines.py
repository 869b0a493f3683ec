"""A lead as one line says it: who, what it did last, its tier, what to do, by whom; and what unfolds below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from itertools import count
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import WORKED, Language
from models.core.horizons import column_of
from pipeline.report.looked_up import Act, LookedUp
from pipeline.report.rendering import percent
from pipeline.settings.decision import DecisionPolicy, Recommend
from pipeline.settings.ingest import Ingest
from pipeline.settings.leads import LeadPages, Shown
from pipeline.settings.words import Words
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text, sentence

MOST_LEADS = 500
"""Rows that a page still shows at once; all leads are in the file of recommendations."""
_AS_THEY_ARE = (
    "lead_id", "tier", "own_tier", "maturity", "list", "owner", "next_step", "word", "facts", "grade", "guess",
    "what_changed", "recontact_why", "lottery_group",
)  # fmt: skip
_DIGITS_OF = 0.05
"""A share that has the digits of all."""
_WAITS = ("account", "no owner", "untouched")
"""Reasons other than a lack of places for which a lead gets no hour that time may mend."""


_KNOWN_BY = tuple(Shown.model_fields)


class Sections(Protocol):
    """The sections of the settings that pages of leads are made by."""

    data_root: str
    ingest: Ingest
    decision: DecisionPolicy
    leads: LeadPages
    recommend: Recommend
    words: Words


def shown_of(recommendations: pa.Table) -> pa.Table:
    """Give those who are shown: today's list of sales by its ranks, then the others to work on as they come."""
    worked = worked_of(recommendations)
    called = pc.equal(worked["list"], "sales")
    today = worked.filter(called).sort_by("rank")
    return pa.concat_tables([today, worked.filter(pc.invert(called))]).slice(0, MOST_LEADS)


def worked_of(recommendations: pa.Table) -> pa.Table:
    """Give the open leads that somebody works on; who was handed over and forgotten is one whatever its tier."""
    opened = recommendations.filter(pc.is_valid(recommendations["probability"]))
    return opened.filter(pc.or_(pc.is_in(opened["tier"], pa.array(WORKED)), pc.equal(opened["list"], "sales")))


def back_to(recommendations: pa.Table) -> pa.Table:
    """Give those to come back to later that are shown, who is due first."""
    again = recommendations.filter(pc.is_valid(recommendations["recontact_on"]))
    return again.sort_by([("recontact_on", "ascending"), ("lead_id", "ascending")]).slice(0, MOST_LEADS)


def share_of(share: float, language: Language) -> str:
    """Write a probability, all with as many digits, so that they stand below each other."""
    written = percent(share, _DIGITS_OF)
    return written.replace(".", ",") if language == "fr" else written


@dataclass(frozen=True)
class Lines:
    """Makes lines in the words of the settings, of recommendations and what was looked up beside them."""

    parameters: Sections
    looked_up: LookedUp

    def of(self, shown: pa.Table) -> list[dict[str, Any]]:
        """Make a line of each lead, in their order; ``list_changed`` may lack, as only kept scores have it.

        Whom sales calls today has its place among those that are shown: a rank counts those who wait, too.
        """
        others = [name for name in shown.column_names if name.startswith(column_of(""))]
        places = count(1)
        return [
            self._line(lead, others, next(places) if lead["list"] == "sales" else None) for lead in shown.to_pylist()
        ]

    def named(self, lead_id: str) -> dict[str, str | None]:
        """Give by what people know a lead, as far as anything is known, and where they find it."""
        known = self.looked_up.people.get(lead_id, {})
        return {**{field: known.get(field) for field in _KNOWN_BY}, "address": self.parameters.leads.address(lead_id)}

    def _line(self, lead: Mapping[str, Any], others: Sequence[str], place: int | None) -> dict[str, Any]:
        act = self.looked_up.acts.get(lead["lead_id"])
        words = self.parameters.words
        return {
            **{name: lead[name] for name in _AS_THEY_ARE},
            **self.named(lead["lead_id"]),
            "act": act and sentence(words.labels.verb(act.event_type)),
            "act_on": act and self._day(act),
            "act_day": act and Writing(words.language).day(self._day(act)),
            "chances": lead["probability"],
            "place": place,
            "today": self._today(lead, place),
            "marks": list(self._marks(lead)),
            "stage": lead["stage"] and words.labels.noun("milestones", lead["stage"]),
            "others": [(name.removeprefix(column_of("")), lead[name]) for name in others],
            # Where nothing could be compared there is nothing to say.
            "trend": lead["what_changed"] and lead["trend"],
            "reasons": [
                *(("raises", *_parted(reason)) for reason in lead["reasons_for"]),
                *(("lowers", *_parted(reason)) for reason in lead["reasons_against"]),
            ],
        }

    def _day(self, act: Act) -> date:
        """Give the company's day of an act."""
        zone = ZoneInfo(self.parameters.decision.time_zone)
        return act.occurred_at.replace(tzinfo=UTC).astimezone(zone).date()

    def _today(self, lead: Mapping[str, Any], place: int | None) -> str | None:
        """Say its place on today's list, or for what it waits; for a place, as which in line."""
        write = Writing(self.parameters.words.language)
        reason = lead["list_reason"] and self._say(f"list_reason.{lead['list_reason']}")
        if place is not None:
            return self._say("place", place=write.ordinal(place))
        if lead["list"] != "none":
            return self._say(f"list.{lead['list']}")
        if lead["list_reason"] == "capacity":
            return self._say("waits.in_line", place=write.ordinal(lead["rank"]), reason=reason)
        return self._say("waits", reason=reason) if lead["list_reason"] in _WAITS else reason

    def _marks(self, lead: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Give what marks a lead among others, each with its kind: new, moved, forgotten."""
        if lead.get("list_changed"):
            yield ("new", self._say("mark.new")) if lead["list"] == "sales" else ("moved", self._say("mark.left"))
        if lead["tier_before"]:
            yield "moved", self._say("mark.moved", tier=self._say(f"tier.{lead['tier_before']}"))
        if lead["list_reason"] == "untouched" and lead["list"] == "sales":
            yield "forgotten", self._say("list_reason.untouched")

    def _say(self, name: str, **filled: str) -> str:
        return page_text(name, self.parameters.words.language, None, **filled)


def _parted(reason: str) -> tuple[str, str]:
    """Part a reason into its story, and the figures behind it."""
    story, point, figures = reason.partition(". ")
    return story + point.strip(), figures
