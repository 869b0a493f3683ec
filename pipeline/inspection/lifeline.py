"""What happened to a lead, in one line of time: acts, what people decided and said, facts, and scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import duckdb

from features.core.schema import EVERYTHING, MACHINE, Language
from features.language.labels import Labels
from pipeline.core.project import Places
from pipeline.log.people import Change, Decision, in_words
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes
from pipeline.settings.words import Words
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text

_GIVEN = "consent given"
Kind = Literal["act", "decision", "outcome", "fact", "score", "word", "consent"]


@dataclass(frozen=True)
class Entry:
    """One line: when, what, and what the log says of it; times in UTC, and what is not of its kind is None."""

    at: datetime
    kind: Kind
    what: str
    """In the words of people."""
    event_type: str | None = None
    actor: str | None = None
    channel: str | None = None
    campaign: str | None = None
    content: str | None = None
    value: float | None = None
    quantity: int | None = None
    known_at: datetime | None = None
    """Of what happened: when we learned of it."""
    fact: str | None = None
    probability: float | None = None
    tier: str | None = None
    model_version: str | None = None


class Event(NamedTuple):
    """A row of the log, in the order of its query."""

    occurred_at: datetime
    known_at: datetime
    event_type: str
    actor: str
    channel: str | None
    campaign: str | None
    content: str | None
    value: float | None
    quantity: int


class Score(NamedTuple):
    """What a lead was given at a moment (UTC)."""

    as_of: datetime
    probability: float | None
    """None where it had ended."""
    tier: str
    model_version: str


def read_events(
    connection: duckdb.DuckDBPyConnection, places: Places, lead_id: str, moment: datetime | None
) -> list[Event]:
    """Read the events of a lead that were known at ``moment`` (UTC), all without one, the oldest first."""
    rows = connection.execute(
        f"SELECT {', '.join(Event._fields)} FROM read_parquet($log) WHERE lead_id = $lead AND "
        "($moment::TIMESTAMP IS NULL OR (known_at < $moment::TIMESTAMP AND occurred_at < $moment::TIMESTAMP)) "
        "ORDER BY occurred_at, source, sequence",
        {"log": str(places.interactions), "lead": lead_id, "moment": moment},
    ).fetchall()
    return [Event(*row) for row in rows]


def draw(
    events: Sequence[Event],
    scores: Iterable[Score],
    decisions: Iterable[Decision],
    consents: Sequence[Change],
    policy: DecisionPolicy,
    episodes: Episodes,
    words: Words,
    until: datetime,
) -> list[Entry]:
    """Put everything in one line up to ``until`` (UTC), the newest first."""
    entries = [
        *_happened(events, episodes, words.labels),
        *facts_of(events, policy, words, until, consents),
        *(
            Entry(
                one.as_of,
                "score",
                _given(one, words.language),
                probability=one.probability,
                tier=one.tier,
                model_version=one.model_version,
            )
            for one in scores
        ),
        *(
            Entry(one.decided_at, "word", in_words(one._asdict()), known_at=one.known_at, tier=one.tier)
            for one in decisions
        ),
        *(Entry(one.changed_at, "consent", _consent(one, words.language), known_at=one.known_at) for one in consents),
    ]
    return sorted(entries, key=lambda entry: entry.at)[::-1]


def _happened(events: Iterable[Event], episodes: Episodes, labels: Labels) -> Iterator[Entry]:
    milestones = {kind: name for name, kinds in episodes.milestones.items() for kind in kinds}
    ends = {*episodes.conversion, *episodes.lost}
    for event in events:
        milestone = milestones.get(event.event_type)
        kind: Kind = "outcome" if event.event_type in ends else "decision" if milestone else "act"
        what = labels.noun("milestones", milestone) if milestone else labels.verb(event.event_type)
        own = event._asdict()
        yield Entry(own.pop("occurred_at"), kind, what, **own)


def facts_of(
    events: Sequence[Event],
    policy: DecisionPolicy,
    words: Words,
    until: datetime,
    consents: Sequence[Change] = (),
) -> Iterator[Entry]:
    """Tell when each fact of the settings began to hold, and when it ended: by an event, by consent, or by its time.

    What is said again only begins its time anew.
    """
    for name, fact in policy.facts.items():
        since: datetime | None = None
        for event in _about(fact.channel, events, consents):
            if since and fact.lasts and since + fact.lasts <= event.occurred_at:
                yield _over(name, since + fact.lasts, fact.lasts, words.language)
                since = None
            if event.event_type in fact.events:
                if since is None:
                    what = page_text("fact.holds", words.language, name=name)
                    yield Entry(event.occurred_at, "fact", what, fact=name)
                since = event.occurred_at
            elif since and event.event_type in (*fact.ended_by, _GIVEN) and event.occurred_at > since:
                how = _how(event, words)
                what = page_text("fact.over", words.language, name=name, how=how)
                yield Entry(event.occurred_at, "fact", what, fact=name)
                since = None
        if since and fact.lasts and since + fact.lasts <= until:
            yield _over(name, since + fact.lasts, fact.lasts, words.language)


def _about(channel: str | None, events: Sequence[Event], consents: Sequence[Change]) -> list[Event]:
    """List what may make or end a fact, the oldest first: what people did, and consent to the channel it closes."""
    given = [
        Event(one.changed_at, one.known_at, _GIVEN, "lead", None, None, None, None, 1)
        for one in consents
        if channel and one.status == "given" and one.purpose in (channel, EVERYTHING)
    ]
    happened = [one for one in events if one.actor != MACHINE]
    return sorted([*happened, *given], key=lambda event: event.occurred_at)


def _over(name: str, at: datetime, lasts: timedelta, language: Language) -> Entry:
    how = page_text("fact.lasted", language, length=Writing(language).length(lasts))
    return Entry(at, "fact", page_text("fact.over", language, name=name, how=how), fact=name)


def _how(event: Event, words: Words) -> str:
    is_consent = event.event_type == _GIVEN
    return page_text(f"fact.{_GIVEN}", words.language) if is_consent else words.labels.verb(event.event_type)


def _given(score: Score, language: Language) -> str:
    tier = page_text(f"tier.{score.tier}", language)
    if score.probability is None:
        return page_text("score.ended", language, tier=tier)
    return page_text("score.of", language, share=Writing(language).percent(score.probability), tier=tier)


def _consent(change: Change, language: Language) -> str:
    purpose, status = page_text(f"purpose.{change.purpose}", language), page_text(f"status.{change.status}", language)
    return page_text("consent.of", language, purpose=purpose, status=status)
