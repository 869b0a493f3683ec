"""A small sample world as a stranger reads it from its files, who knows nothing of the simulation."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy.typing as npt
import pyarrow.parquet as pq

from pipeline.sample import SampleCounts, write_sample
from pipeline.sample.chain import Exit, Source, State
from pipeline.sample.company import CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

LEADS = 1_500
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
LOG_END = datetime(2026, 7, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
PAUSE = timedelta(days=60)
Row = dict[str, str]


@dataclass(frozen=True)
class Seen:
    """An event as a file tells it."""

    contact: str
    kind: str
    source: Source
    occurred: datetime
    known: datetime


@dataclass
class History:
    """All that the files say of one lead; spells are (state, start, end, exit)."""

    lead: str
    channel: int
    large: int
    created: datetime
    born: datetime
    merged: datetime | None  # when its duplicate is united with it; None without a duplicate
    duplicate: str | None
    events: list[Seen] = field(default_factory=list)
    spells: list[tuple[State, datetime, datetime, Exit]] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """A small world as it was written, and as its files read."""

    directory: Path
    counts: SampleCounts
    web: list[dict[str, object]]
    email: list[list[str]]
    crm: list[str]
    leads: list[Row]
    outcomes: list[Row]
    identities: list[Row]
    spend: list[Row]
    truth: dict[str, npt.NDArray[Any]]

    def events(self) -> list[Seen]:
        """Every event once, broken rows and strangers' hits included where they can be read."""
        seen: dict[str, Seen] = {}
        for hit in self.web:
            if hit["visitor"] is not None:
                occurred, received = (as_utc(hit[name]) for name in ("ts", "received_at"))
                seen[str(hit["hit_id"])] = Seen(str(hit["visitor"]), str(hit["event"]), Source.WEB, occurred, received)
        for fields in self.email:
            if len(fields) == 5 and fields[2].startswith("20"):
                occurred = datetime.fromisoformat(fields[2]).astimezone(UTC)
                known = occurred + timedelta(hours=6)
                seen[fields[0]] = Seen(fields[1], fields[3], Source.EMAIL, occurred, known)
        for record in self.records():
            if record["lead"] is not None:
                occurred = datetime.fromisoformat(record["when"]).replace(tzinfo=AMSTERDAM).astimezone(UTC)
                source = Source.CRM_SALES if record["by"] == "sales" else Source.CRM_LEAD
                seen[record["id"]] = Seen(record["lead"], record["kind"], source, occurred, occurred)
        return list(seen.values())

    def records(self) -> list[Row]:
        """Read the CRM's lines that are whole."""
        return [json.loads(line) for line in self.crm if line.endswith("}")]


def as_utc(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value.replace(tzinfo=UTC)


def table(path: Path) -> list[Row]:
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def unzipped(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def small_world(directory: Path) -> World:
    """Write the world and read it back."""
    counts = write_sample(directory, leads=LEADS, seed=1)
    truth = pq.read_table(directory / "truth.parquet")
    return World(
        directory=directory,
        counts=counts,
        web=pq.read_table(directory / "web.parquet").to_pylist(),
        email=[line.split(";") for line in unzipped(directory / "email.csv.gz").splitlines()[1:]],
        crm=(directory / "crm.jsonl").read_text().splitlines(),
        leads=table(directory / "leads.csv"),
        outcomes=table(directory / "outcomes.csv"),
        identities=table(directory / "identities.csv"),
        spend=table(directory / "spend.csv"),
        truth={name: truth[name].to_numpy() for name in truth.column_names},
    )


def monday_of(moment: datetime) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def in_fallback(event: Seen) -> bool:
    return event.source >= Source.CRM_LEAD and event.occurred.strftime("%F %H") in {"2025-10-26 00", "2025-10-26 01"}


def state_at(history: History, moment: datetime) -> State:
    return next(state for state, start, end, _ in history.spells if start <= moment < end)


def read_histories(world: World) -> dict[str, History]:
    twins = defaultdict(list)
    for row in world.leads:
        twins[row["created_at"]].append(row)
    linked = {(row["alias_id"], row["lead_id"]): datetime.fromisoformat(row["linked_at"]) for row in world.identities}
    events = defaultdict(list)
    for event in world.events():
        events[event.contact].append(event)
    aliases = defaultdict(list)
    for alias, lead in linked:
        aliases[lead].append(alias)
    closed = defaultdict(list)
    for row in world.outcomes:
        exit_ = Exit.CONVERT if row["outcome"] == "won" else Exit.LOSE
        closed[row["lead_id"]].append((datetime.fromisoformat(row["closed_at"]), exit_))

    histories = {}
    for main, *others in twins.values():
        lead, created = main["lead_id"], datetime.fromisoformat(main["created_at"])
        duplicate = others[0]["lead_id"] if others else None
        own = {lead, duplicate, *aliases[lead]} - {None}
        seen = [event for contact in own if contact for event in events[contact]]
        history = History(
            lead=lead,
            channel=CHANNELS.index(main["channel"]),
            large=int(int(main["employees"]) >= 50),
            created=created,
            born=min([created, *(event.occurred for event in seen)]),
            merged=linked.get((duplicate, lead), NEVER) if duplicate else None,
            duplicate=duplicate,
            events=seen,
        )
        history.spells.extend(read_spells(history, closed[lead]))
        histories[lead] = history
    return histories


def read_spells(history: History, closed: list[tuple[datetime, Exit]]) -> list[tuple[State, datetime, datetime, Exit]]:
    """Cut a lead's time at what changes its state: cases opened, outcomes, and forms after the pause."""
    changes = [(event.occurred, Exit.CONTACT) for event in history.events if event.kind == "case_opened"]
    changes += closed
    ends = sorted(moment for moment, exit_ in closed if exit_ == Exit.LOSE)
    forms = sorted(event.occurred for event in history.events if event.kind == "form")
    for lost in ends:
        again = next((form for form in forms if form > lost), None)
        if again is not None:
            changes.append((again, Exit.REOPEN))
    spells = []
    if history.born < history.created:
        spells.append((State.ANONYMOUS, history.born, history.created, Exit.NONE))
    state, start = State.OPEN, history.created
    following = {Exit.CONTACT: State.WORKED, Exit.LOSE: State.PAUSED, Exit.REOPEN: State.OPEN}
    for moment, exit_ in [*sorted(changes), (LOG_END, Exit.NONE)]:
        if state == State.PAUSED and start + PAUSE < moment:
            spells.append((State.PAUSED, start, start + PAUSE, Exit.NONE))
            state, start = State.LOST, start + PAUSE
        spells.append((state, start, moment, exit_))
        if exit_ == Exit.CONVERT:
            break
        state, start = following.get(exit_, state), moment
    return spells


def is_marker(history: History, event: Seen) -> bool:
    """Tell a first hit, the opening of a case and a form that reopens one: they go with the change of state itself."""
    if event.kind == "case_opened" or (event.kind == "page_view" and event.occurred == history.born):
        return True
    return event.kind == "form" and any(
        event.occurred == end and exit_ == Exit.REOPEN for _, _, end, exit_ in history.spells
    )
