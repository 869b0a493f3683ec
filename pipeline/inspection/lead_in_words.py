"""A lead in words: who it is, how it stands, and its line of time, in the language of the settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from features.core.time import parse_duration
from models.core.horizons import PROBABILITY, column_of
from pipeline.inspection.lead import Portrait
from pipeline.inspection.lifeline import Entry
from pipeline.settings.parameters import Parameters
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text

_WIDTH = 28
_CAUSES = ("data", "time", "behaviour", "model")
"""What may move a probability, by the columns change_data and so on."""
_VERSION = 12
"""Letters of a model's version by which people tell it."""
_NUMBERS = ("value", "times")
"""The columns of the line of time that hold numbers."""


def tell_lead(portrait: Portrait, parameters: Parameters) -> Iterator[str]:
    """Say who a lead is and how it stands, line by line; times are in the company's time zone."""
    teller = _Teller(portrait, parameters)
    yield from teller.who()
    yield ""
    yield from teller.standing()


@dataclass(frozen=True)
class Table:
    """The line of time: its headers, without columns that say nothing, and its rows."""

    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    texts: tuple[str, ...]
    """The headers of the columns that hold texts, and no numbers."""


def table_of(entries: Sequence[Entry], parameters: Parameters) -> Table:
    """Give the line of time as a table."""
    zone, labels, language = ZoneInfo(parameters.decision.time_zone), parameters.words.labels, parameters.words.language
    rows = [
        {
            "when": say(entry.at, zone),
            "kind": page_text(f"kind.{entry.kind}", language),
            "what": _printable(entry.what),
            "who": page_text(f"actor.{entry.actor}", language) if entry.actor else "",
            "channel": labels.noun("channels", entry.channel) if entry.channel else "",
            "campaign": _printable(entry.campaign),
            "content": _printable(entry.content),
            "value": "" if entry.value is None else _printable(Writing(language).cents(entry.value)),
            "times": "" if entry.quantity in (None, 1) else _printable(Writing(language).whole(entry.quantity or 0)),
            "known since": _known_since(entry, zone),
        }
        for entry in entries
    ]
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    headers = {name: page_text(f"time.{name}", language) for name in names}
    texts = tuple(header for name, header in headers.items() if name not in _NUMBERS)
    return Table(tuple(headers.values()), [tuple(row[name] for name in names) for row in rows], texts)


def _known_since(entry: Entry, zone: ZoneInfo) -> str:
    told = say(entry.known_at, zone) if entry.known_at else ""
    return "" if told == say(entry.at, zone) else told


def say(moment: datetime, zone: ZoneInfo) -> str:
    """Write a moment in UTC as the clocks of a zone show it.

    >>> say(datetime(2026, 6, 30, 22, 30), ZoneInfo("Europe/Amsterdam"))
    '2026-07-01 00:30'
    """
    return f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class _Teller:
    portrait: Portrait
    parameters: Parameters

    def who(self) -> Iterator[str]:
        """Say who it is, and since when its episode is open."""
        lead, labels = self.portrait.lead, self.parameters.words.labels
        yield _printable(self._text("heading", lead=lead.lead_id, zone=self._zone.key))
        if lead.alias:
            told = self._text("known_as", alias=lead.alias.alias_id, since=self._at(lead.alias.linked_at))
            if lead.alias.contested_at:
                told = self._text("contested", told=told, since=self._at(lead.alias.contested_at))
            yield self._line("asked_for", told)
        if self.portrait.moment:
            yield self._line("as_known_at", self._at(self.portrait.moment))
        yield self._line("created", self._at(lead.created_at))
        if lead.account_id is not None:
            yield self._line("account", lead.account_id)
        for name, value in lead.attributes.items():
            shown = self._text("unknown") if value is None else value
            shown = self._writing.number(shown) if isinstance(shown, float) else str(shown)
            yield _line(labels.noun("attributes", name), shown)
        episode = self.portrait.episode
        end = self._text("open")
        if episode["outcome"]:
            end = self._text(episode["outcome"], day=self._at(episode["outcome_at"]))
        since = self._at(episode["started_at"])
        yield self._line("episode", self._text("episode_since", episode=episode["episode"], since=since, end=end))

    def standing(self) -> Iterator[str]:
        """Say what was decided of it, and why."""
        standing, moment = self.portrait.standing, self.portrait.moment
        row = standing.row
        if standing.as_of:
            yield self._text("decided_for", moment=self._at(standing.as_of), source=standing.source)
        if row is None:
            yield self._line("nothing_said" if standing.as_of else "nothing_decided", standing.missing or "")
            return
        if "scored_at" in row:
            at = self._at(row["scored_at"])
            is_later = moment is not None and row["scored_at"] > moment
            yield self._line("computed", self._text("later", moment=at) if is_later else at)
        yield self._line("model", row["model_version"][:_VERSION])
        yield from self._tier(row)
        if "list" in row:  # what an earlier version has kept says less
            yield self._line("list", self._list(row))
        yield from self._moves(row)
        yield self._line("maturity", self._code("maturity", row["maturity"]))
        if row.get("stage") is not None:
            yield self._line("stage", self.parameters.words.labels.noun("milestones", row["stage"]))
        if row.get("target") is not None:
            yield self._line("target", self._code("target", row["target"]))
        yield from self._lines("facts", row.get("facts") or [self._text("no_facts")])
        yield from self._probability(row)
        if row.get("expected_value") is not None:
            worth = f"{self._writing.cents(row['expected_value'])} {self.parameters.ingest.currency or ''}"
            yield self._line("expected_value", worth.rstrip())
        if row.get("next_step") is not None:
            yield self._line("next_step", f"{row['next_step']} ({row['action']})")
        if row.get("recontact_why") is not None:
            yield self._line("recontact", row["recontact_why"])
        yield from self._reasons(row)

    def _tier(self, row: Mapping[str, Any]) -> Iterator[str]:
        tier, own = self._code("tier", row["tier"]), row.get("own_tier")
        yield self._line("tier", tier if own is None else self._text("by_word", tier=tier, own=self._code("tier", own)))
        if row.get("word") is not None:
            yield self._line("word", row["word"])

    def _list(self, row: Mapping[str, Any]) -> str:
        told = self._code("list", row["list"])
        if row["list_reason"] is not None:
            told = self._text("list_because", list=told, reason=self._code("list_reason", row["list_reason"]))
        return told if row["rank"] is None else self._text("ranked", list=told, rank=self._writing.whole(row["rank"]))

    def _moves(self, row: Mapping[str, Any]) -> Iterator[str]:
        if (cause := row.get("list_changed")) is not None:
            way = "came" if row["list"] == "sales" else "went"
            yield self._line("last_list", self._text(way, cause=cause, why=self._code("list_changes", cause)))
        if (cause := row.get("tier_changed")) is not None:
            before, why = self._code("tier", row["tier_before"]), self._code("tier_changes", cause)
            yield self._line("tier_before", self._text("was", tier=before, cause=cause, why=why))

    def _probability(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row[PROBABILITY] is None:
            yield self._line("probability", self._text("no_probability"))
            return
        told = self._within(row[PROBABILITY], self.parameters.snapshots.horizon)
        if row["is_guess"]:
            told = self._text("a_guess", told=told, why=self._code("guess", row.get("guess") or "age"))
        yield self._line("probability", told)
        for name, value in row.items():
            if name.startswith(column_of("")):
                yield _line("", self._within(value, parse_duration(name.removeprefix(column_of("")))))

    def _within(self, share: float, length: timedelta) -> str:
        return self._text("within", share=self._writing.percent(share), length=self._writing.length(length))

    def _reasons(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row.get("grade") is not None:
            yield self._line("grade", self._text("grade_means", grade=row["grade"]))
        if "reasons_for" not in row:  # of an earlier version
            yield from self._lines("reasons", row["reasons"] or [self._text("no_reasons")])
            return
        yield from self._lines("for", row["reasons_for"] or [self._text("nothing_for")])
        yield from self._lines("against", row["reasons_against"] or [self._text("nothing_against")])
        yield from self._change(row)

    def _change(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row.get("trend") is None:
            return
        yield self._line("trend", self._code("trend", row["trend"]))
        if row["what_changed"] is None:
            return
        yield self._line("changed", row["what_changed"])
        parts = [(cause, row[f"change_{cause}"]) for cause in _CAUSES]
        if row["change_data"] is None:
            parts = [("data_or_model" if cause == "model" else cause, part) for cause, part in parts[1:]]
        told = ", ".join(f"{self._text(f'part.{cause}')} {part:+.3f}" for cause, part in parts)
        yield _line("", self._text("log_odds", whole=f"{math.fsum(part for _, part in parts):+.3f}", parts=told))

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.parameters.decision.time_zone)

    @cached_property
    def _writing(self) -> Writing:
        return Writing(self.parameters.words.language)

    def _at(self, moment: datetime) -> str:
        return say(moment, self._zone)

    def _text(self, name: str, **filled: object) -> str:
        return page_text(f"lead.{name}", self.parameters.words.language, None, **filled)

    def _code(self, kind: str, code: str) -> str:
        """Say a code of a column as pages do."""
        return page_text(f"{kind}.{code}", self.parameters.words.language)

    def _line(self, name: str, told: str) -> str:
        return _line(self._text(name), told)

    def _lines(self, name: str, told: Sequence[str]) -> Iterator[str]:
        yield from (_line(self._text(name) if number == 0 else "", one) for number, one in enumerate(told))


def _line(name: str, told: str) -> str:
    return f"  {name:<{_WIDTH}}{_printable(told)}".rstrip()


def _printable(text: str | None) -> str:
    """Give a text as a terminal may print it: with plain spaces, without line breaks and control codes."""
    if text is None:
        return ""
    text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
    return text if text.isprintable() else repr(text)[1:-1]
