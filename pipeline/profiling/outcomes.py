"""What the event types of a log are, by their names and by what they do: conversions, losses, steps, requests, work.

A name alone is no proof: an application is accepted by the thousand before it is granted. So a conversion is also
had by few leads, and little follows it; after a loss hardly anyone converts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.profiling.known_words import noun_of
from pipeline.profiling.words import (
    CONSENT,
    DECIDED,
    GIVEN_BACK,
    LOST,
    MILESTONES,
    OUTCOMES,
    PAGES,
    SOLD,
    SURE,
    TAKEN_OVER,
    UNDONE,
    has,
    is_called,
    plain,
    rank,
    sounds_won,
)

_HALF = 0.5
_MOST_LEADS = 0.7
_NEARLY_ALL = 0.9
_COVERED = 0.95
_STILL_CONVERT = 0.05
_COME_BACK = 0.25
"""Who has cancelled an order may yet order again: where a table's own status says lost, a larger share may."""
_OF_A_TABLE = 60
_BY_SALES = "accepted by sales"
_WORK = {"start", "started", "schedule", "scheduled", "suspend", "resume", "assign", "withdraw", "ate_abort"}
"""Steps in the life of a piece of work: what is scheduled or started is done by people."""
_RAISES_A_HAND = r"form\w*|request\w*|inquiry|enquiry|quote request|demo request|contact us|signup|return\w*|reopen\w*"
STRONG = (
    "quote request(s)",
    "demo request(s)",
    "contact request(s)",
    "meeting request(s)",
    "meeting(s) booked",
    "meeting(s)",
    "demo(s)",
    "trial(s)",
    "checkout(s)",
)
"""What shows intent, by the nouns of ``known_words``."""
MEDIUM = (
    "download(s)",
    "webinar attendance(s)",
    "webinar registration(s)",
    "form(s)",
    "cart(s)",
    "look(s) at prices",
    "trial login(s)",
    "newsletter subscription(s)",
)
"""What shows interest."""
_REFUSALS = ("refusal(s) by sales", "disqualification(s)")
_DONE_BY_SALES = rf"{DECIDED}|sales|disqualified|unqualified"
"""What no lead does, whoever is said to have acted."""


@dataclass(frozen=True)
class EventType:
    """An event type of the log, and how much it is: ``after`` is the share of a lead's events that follow it."""

    name: str
    source: str
    actor: str
    events: int
    leads: int
    share: float
    """Of all leads."""
    after: float


@dataclass(frozen=True)
class Outcomes:
    """What is proposed for the episodes, and what else could be a conversion."""

    conversion: tuple[str, ...]
    lost: tuple[str, ...]
    milestones: Mapping[str, tuple[str, ...]]
    reopen_on: tuple[str, ...]
    candidates: tuple[EventType, ...]


@dataclass(frozen=True)
class UsualFact:
    """A fact that many logs tell, by the nouns of ``known_words``."""

    kind: str
    said_by: tuple[str, ...]
    ended_by: tuple[str, ...] = ()
    channel: str | None = None
    lasts: str | None = None


_CALL, _MEETING = "call(s) of ours", "meeting(s)"
FACTS: dict[str, UsualFact] = {
    "objected": UsualFact("closes", ("objection(s)",)),
    "asked to be forgotten": UsualFact("closes", ("erasure request(s)",)),
    "unsubscribed": UsualFact(
        "closes_channel", ("unsubscription(s)",), ended_by=("newsletter subscription(s)",), channel="mail"
    ),
    "complained of spam": UsualFact("closes_channel", ("spam complaint(s)",), channel="mail"),
    "unreachable by mail": UsualFact("closes_channel", ("dead mail address(es)",), channel="mail"),
    "asked for no calls": UsualFact("closes_channel", ("request(s) for no calls",), channel="telephone"),
    "refused by sales": UsualFact("refuses", _REFUSALS, ended_by=(*STRONG, "form(s)")),
    "asked for a quote": UsualFact("raises", ("quote request(s)",), lasts="14d"),
    "asked for a demo": UsualFact("raises", ("demo request(s)",), lasts="14d"),
    "asked for a meeting": UsualFact("raises", ("meeting request(s)", "meeting(s) booked"), lasts="14d"),
    "had a meeting": UsualFact("raises", ("meeting(s)", "demo(s)"), lasts="14d"),
    "asked to be contacted": UsualFact("raises", ("contact request(s)",), lasts="14d"),
    "in work by sales": UsualFact(
        "taken",
        ("case(s)", "assignment(s)", "start(s) of work", "acceptance(s) by sales", "opportunit(y|ies)"),
        ended_by=_REFUSALS,
        lasts="30d",
    ),
}
"""The facts that are proposed, by names that people read. What a lead asks for is worth a call for two weeks; a case
that nobody has moved for a month is in nobody's hands."""

_TYPES = """
WITH log AS (
    SELECT lead_id, event_type, source, actor,
        row_number() OVER lead AS number, count(*) OVER (PARTITION BY lead_id) AS of
    FROM read_parquet($log)
    WINDOW lead AS (PARTITION BY lead_id ORDER BY occurred_at, source, sequence)
), first AS (
    SELECT lead_id, event_type, min(source) AS source, min(actor) AS actor, count(*) AS events,
        1 - min(number) / any_value(of) AS after
    FROM log GROUP BY lead_id, event_type
)
SELECT event_type, min(source), min(actor), CAST(sum(events) AS BIGINT), count(*),
    count(*) / (SELECT count(*) FROM read_parquet($leads)), avg(after)
FROM first GROUP BY event_type ORDER BY event_type
"""


def read_event_types(connection: duckdb.DuckDBPyConnection, log: Path, leads: Path) -> list[EventType]:
    """Count the event types of an ingested log."""
    return [EventType(*row) for row in connection.execute(_TYPES, {"log": str(log), "leads": str(leads)}).fetchall()]


def find_outcomes(
    connection: duckdb.DuckDBPyConnection,
    log: Path,
    types: Sequence[EventType],
    conversion: Sequence[str],
    lost: Sequence[str],
) -> Outcomes:
    """Propose what ends an episode; ``conversion`` and ``lost`` are what the user has said."""
    candidates = sorted(
        (kind for kind in types if (sure := _sounds(kind)) and kind.share <= (1.0 if sure >= SURE else _MOST_LEADS)),
        key=lambda kind: (-_likeness(kind), kind.name),
    )
    won = tuple(conversion) or _taken_back(types, _conversions(connection, log, candidates))
    if not won:
        return Outcomes((), tuple(lost), {}, (), tuple(candidates))
    losses = tuple(lost) or _losses(connection, log, types, won)
    ends = {*won, *losses}
    decided = [kind for kind in types if kind.name not in ends and kind.share < _NEARLY_ALL and _is_decided(kind)]
    milestones = {
        name: found
        for name, pattern in MILESTONES.items()
        if (found := tuple(kind.name for kind in decided if has(kind.name, pattern) or _is_taken(kind, name)))
    }
    reopen: tuple[str, ...] = ()
    if losses and _converting_after(connection, log, losses, won)[0]:
        acts = (kind.name for kind in types if kind.actor == "lead" and kind.name not in ends)
        reopen = tuple(name for name in acts if has(name, _RAISES_A_HAND))
    return Outcomes(won, losses, milestones, reopen, tuple(candidates))


def _sounds(kind: EventType) -> int:
    """Give the rank of an event's name; what a table is called that lists what was sold means it, if nothing else does.

    >>> [_sounds(EventType(name, "orders_export", "lead", 9, 9, 0.1, 0.0)) for name in ("orders_export", "order_seen")]
    [60, 0]
    """
    if kind.source.endswith("_outcomes") and kind.name.endswith(("_won", "_converted")):
        return SURE  # whatever the table is called, whose status says it
    is_row = kind.source == kind.name or kind.source.startswith(kind.name)
    return sounds_won(kind.name) or (_OF_A_TABLE if is_row and has(kind.name, SOLD) else 0)


def _is_decided(kind: EventType) -> bool:
    """Tell a step that people decided from what a lead did: who looks at the page of a demo is no opportunity yet."""
    if has(kind.name, PAGES) or has(kind.source, PAGES):
        return False
    return kind.actor != "lead" or has(kind.name, DECIDED)


def _is_taken(kind: EventType, milestone: str = _BY_SALES) -> bool:
    """Tell that sales accepted a lead which was handed over to them: by their own word, and nobody else's."""
    return milestone == _BY_SALES and kind.actor == "us" and re.fullmatch(TAKEN_OVER, plain(kind.name)) is not None


def _is_given_back(kind: EventType, taken: Sequence[EventType]) -> bool:
    """Tell that sales gave a lead back, from a refusal that ends it: they may accept one, too."""
    is_ours = any(other.source == kind.source for other in taken) and kind.actor == "us"
    return is_ours and re.fullmatch(GIVEN_BACK, plain(kind.name)) is not None


def _likeness(kind: EventType) -> float:
    """Weigh the name, and how little comes after: what ends an episode is followed by next to nothing."""
    return _sounds(kind) - 40 * kind.after - (20 if kind.share > _HALF else 0)


def _conversions(connection: duckdb.DuckDBPyConnection, log: Path, candidates: Sequence[EventType]) -> tuple[str, ...]:
    """Take the likeliest, and others that surely mean it and are mostly had by other leads."""
    chosen: list[str] = []
    for kind in candidates:
        if not chosen or (
            _sounds(kind) >= SURE
            and _share_covered(connection, log, kind.name, chosen) < _HALF
            # What most of those who convert have done, too, is a step on their way.
            and all(_share_covered(connection, log, other, [kind.name]) < _HALF for other in chosen)
        ):
            chosen.append(kind.name)
    return tuple(chosen)


def _taken_back(types: Sequence[EventType], won: tuple[str, ...]) -> tuple[str, ...]:
    """Add the sales that were taken back by their status (``order refunded`` beside ``order``): they were some, too."""
    of_sales = [kind for kind in types if kind.name in won and has(kind.source, SOLD)]
    undone = (kind for kind in types if kind.name not in won and has(kind.name, UNDONE))
    return *won, *(
        kind.name
        for kind in undone
        if any(kind.source == sale.source and kind.name.startswith(f"{sale.name} ") for sale in of_sales)
    )


def _losses(
    connection: duckdb.DuckDBPyConnection, log: Path, types: Sequence[EventType], won: Sequence[str]
) -> tuple[str, ...]:
    """Take what is called a loss, is hardly followed by a conversion, and is not said by another loss already."""
    taken = [kind for kind in types if _is_taken(kind) and kind.name not in won]
    named = [
        kind
        for kind in types
        if rank(kind.name, LOST)
        and kind.name not in won
        and not has(kind.name, CONSENT)
        and not _is_given_back(kind, taken)
    ]
    chosen: list[str] = []
    for kind in sorted(named, key=lambda kind: (-kind.leads, kind.name)):
        converting, leads = _converting_after(connection, log, [kind.name], won)
        said = _is_said_by_a_table(kind)
        is_final = converting <= (_COME_BACK if said else _STILL_CONVERT) * leads
        if is_final and (not chosen or _share_covered(connection, log, kind.name, chosen) < _COVERED):
            chosen.append(kind.name)
    return tuple(chosen)


def said_of_returns(
    connection: duckdb.DuckDBPyConnection, log: Path, types: Sequence[EventType], outcomes: Outcomes
) -> list[str]:
    """Tell what is called a loss, and is none for many convert after it: without it these leads stay open."""
    notes = []
    for kind in types:
        if outcomes.lost or kind.name in outcomes.conversion or rank(kind.name, LOST) < SURE or has(kind.name, CONSENT):
            continue
        converting, leads = _converting_after(connection, log, [kind.name], outcomes.conversion)
        if converting > _STILL_CONVERT * leads:
            notes.append(
                f"{kind.name} is called a loss, but {converting:,} of the {leads:,} leads that have it convert later: "
                f"it is taken for none, and they stay open; if it is one all the same: --lost {kind.name!r}"
            )
    return notes


def _is_said_by_a_table(kind: EventType) -> bool:
    """Tell a loss of which a table's own status says that it is one."""
    if kind.name.endswith("_lost") and kind.source.endswith("_outcomes"):
        return True
    return kind.actor == "system" and has(kind.source, OUTCOMES)


def _share_covered(connection: duckdb.DuckDBPyConnection, log: Path, name: str, others: Sequence[str]) -> float:
    """Give the share of a type's leads that have one of the others, too."""
    [(share,)] = connection.execute(
        "SELECT avg(CAST(other AS DOUBLE)) FROM (SELECT bool_or(event_type = $name) AS own, "
        "bool_or(list_contains($others, event_type)) AS other FROM read_parquet($log) GROUP BY lead_id) WHERE own",
        {"log": str(log), "name": name, "others": list(others)},
    ).fetchall()
    return share or 0.0


def _converting_after(
    connection: duckdb.DuckDBPyConnection, log: Path, lost: Sequence[str], won: Sequence[str]
) -> tuple[int, int]:
    """Count the leads that convert after a loss, and all that have one."""
    [(converting, all_lost)] = connection.execute(
        "SELECT count(*) FILTER (last_won > first_lost), count(first_lost) FROM (SELECT "
        "min(occurred_at) FILTER (list_contains($lost, event_type)) AS first_lost, "
        "max(occurred_at) FILTER (list_contains($won, event_type)) AS last_won "
        "FROM read_parquet($log) GROUP BY lead_id)",
        {"log": str(log), "lost": list(lost), "won": list(won)},
    ).fetchall()
    return converting, all_lost


def find_own_work(types: Sequence[EventType], source: str) -> list[str]:
    """List the types of a source that are pieces of work: activities whose life has a start, or was scheduled."""
    own = [kind.name for kind in types if kind.source == source]
    activities = {name.rpartition(" ")[0] for name in own if plain(name.rpartition(" ")[2]).replace(" ", "_") in _WORK}
    return sorted(name for name in own if name.rpartition(" ")[0] in activities - {""})


def said_in_short(work: Sequence[str], types: Sequence[EventType], source: str) -> list[str]:
    """Say a list of types in one pattern where all of them, and no others of the source, begin alike (``W_*``)."""
    rest = [kind.name for kind in types if kind.source == source and kind.name not in work]
    for length in (2, 3, 4):
        heads = {name[:length] for name in work}
        head = next(iter(heads))
        if len(heads) == 1 and not head[-1].isalnum() and not any(name.startswith(head) for name in rest):
            return [f"{head}*"]
    return list(work)


def decision_for(types: Sequence[EventType], outcomes: Outcomes) -> dict[str, Any]:
    """Give the facts and strengths that the names of event types tell, as the settings of ``decision`` hold them.

    What ends an episode shows no strength and raises nothing: it is what the others are to foretell.
    """
    nouns = {kind.name: _noun(kind) for kind in types}
    ends = {*outcomes.conversion, *outcomes.lost}
    steps = [kind for kind in types if kind.name not in ends]
    by_lead = [kind for kind in steps if kind.actor == "lead"]
    by_sales = [kind for kind in steps if kind.actor != "lead" or has(kind.name, _DONE_BY_SALES)]
    asked = [kind for kind in steps if kind.actor != "us"]
    telling = {"closes": types, "closes_channel": types, "raises": asked, "refuses": by_sales, "taken": by_sales}
    ending = {"refuses": by_lead, "taken": by_sales}

    def named(those: Sequence[EventType], wanted: Sequence[str]) -> list[str]:
        return [kind.name for kind in those if nouns[kind.name] in wanted]

    facts: dict[str, Any] = {}
    for name, fact in FACTS.items():
        events = named(telling[fact.kind], fact.said_by)
        ended_by = named(ending.get(fact.kind, types), fact.ended_by)
        ended_by += outcomes.lost if fact.kind == "taken" else ()
        said = {"kind": fact.kind, "channel": fact.channel, "events": events, "ended_by": ended_by, "lasts": fact.lasts}
        if events:
            facts[name] = {key: value for key, value in said.items() if value}
    maturity = {key: named(by_lead, wanted) for key, wanted in (("strong", STRONG), ("medium", MEDIUM))}
    maturity = {key: names for key, names in maturity.items() if names}
    calls = named([kind for kind in steps if kind.actor != "lead"], [_CALL])
    # Without a call of ours nobody knows whether a meeting was sales' doing.
    work = {"contacts": [*calls, *named(steps, [_MEETING])]} if calls else {}
    parts = (("facts", facts), ("maturity", maturity), ("work", work))
    return {key: value for key, value in parts if value}


def _noun(kind: EventType) -> str | None:
    """Name what an event type is; what our own people say of a lead that they were handed is theirs."""
    if kind.actor == "us" and is_called(kind.name, GIVEN_BACK):
        return "refusal(s) by sales"
    if kind.actor == "us" and is_called(kind.name, TAKEN_OVER):
        return "acceptance(s) by sales"
    return noun_of(kind.name)
