"""A small sample world as a stranger reads it from its files, who knows nothing of the simulation."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy.typing as npt
import pyarrow.parquet as pq

from pipeline.sample import SampleCounts, Scenario, write_sample
from pipeline.sample.chain import LOSS_REASONS, REFUSAL_REASONS, Exit, Source, State
from pipeline.sample.company import CHANNELS
from pipeline.sample.scenario import PLAIN

if TYPE_CHECKING:
    from pathlib import Path

LEADS = 1_500
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
LOG_START = datetime(2025, 1, 1, tzinfo=UTC)  # a Wednesday
LOG_END = datetime(2026, 7, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
WEEK = timedelta(days=7)
PAUSES = {
    "no answer": timedelta(days=60),
    "no need": timedelta(days=120),
    "budget postponed": timedelta(days=90),
    "competitor": timedelta(days=180),
    "outside the target": timedelta(days=60),
}
# What the CRM says when a lead moves from one state to the next.
STEPS = {"case_opened": Exit.HAND_OVER, "accepted": Exit.ACCEPT, "opportunity_opened": Exit.OPEN_OPPORTUNITY}
Row = dict[str, str]


@dataclass(frozen=True)
class Seen:
    """An event as a file tells it; about is its content, its topic or its reason, machine says whose doing it was."""

    contact: str
    kind: str
    source: Source
    occurred: datetime
    known: datetime
    about: str | None = None
    by_sales: bool = False
    machine: str | None = None


class Spell(NamedTuple):
    """A stretch of time in one state, and the exit that ended it; of losses and refusals, state and exit are apart."""

    state: int
    start: datetime
    end: datetime
    exit: int

    @property
    def paused(self) -> bool:
        """Whether the lead can't come back yet from its loss."""
        return State.PAUSED <= self.state < State.LOST

    @property
    def lost(self) -> bool:
        """Whether the lead may come back from its loss."""
        return self.state >= State.LOST

    @property
    def in_episode(self) -> bool:
        """Whether the lead may convert."""
        return State.OPEN <= self.state <= State.OPPORTUNITY


@dataclass
class History:
    """All that the files say of one lead; mail_until is its creation where it never agreed to mail."""

    lead: str
    channel: int
    large: int
    territory: str
    created: datetime
    born: datetime
    merged: datetime | None  # when its duplicate is united with it; None without a duplicate
    duplicate: str | None
    mail_until: datetime
    events: list[Seen] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)

    def left_by(self, *exits: int) -> bool:
        """Whether any spell ended by one of these exits."""
        return any(spell.exit in exits for spell in self.spells)


@dataclass(frozen=True)
class World:
    """A small world as it was written, and as its files read; without a truth, truth and machines are empty."""

    directory: Path
    counts: SampleCounts
    web: list[dict[str, object]]
    email: list[list[str]]
    crm: list[str]
    leads: list[Row]
    outcomes: list[Row]
    identities: list[Row]
    consents: list[Row]
    spend: list[Row]
    owners: list[Row]
    rates: list[Row]
    truth: dict[str, npt.NDArray[Any]]
    machines: dict[str, str]

    def events(self) -> list[Seen]:
        """Every event once, broken rows and strangers' hits included where they can be read."""
        return [*self._hits().values(), *self._mails().values(), *self._acts().values()]

    def _hits(self) -> dict[str, Seen]:
        seen = {}
        for hit in self.web:
            if hit["visitor"] is not None:
                occurred, received = (as_utc(hit[name]) for name in ("ts", "received_at"))
                content = None if hit["content"] is None else str(hit["content"])
                visitor, kind = str(hit["visitor"]), str(hit["event"])
                seen[str(hit["hit_id"])] = Seen(visitor, kind, Source.WEB, occurred, received, content)
        return seen

    def _mails(self) -> dict[str, Seen]:
        seen = {}
        for fields in self.email:
            if is_whole(fields):
                message, contact, time, kind, _ = fields
                occurred = datetime.fromisoformat(time).astimezone(UTC)
                known, machine = occurred + timedelta(hours=6), self.machines.get(message)
                seen[message] = Seen(contact, kind, Source.EMAIL, occurred, known, machine=machine)
        return seen

    def _acts(self) -> dict[str, Seen]:
        seen = {}
        for record in self.records():
            if record["lead"] is not None:
                occurred = datetime.fromisoformat(record["when"]).replace(tzinfo=AMSTERDAM).astimezone(UTC)
                about = record.get("reason", record.get("topic"))
                lead, kind, by_sales = record["lead"], record["kind"], record["by"] == "sales"
                seen[record["id"]] = Seen(lead, kind, Source.CRM, occurred, occurred, about, by_sales)
        return seen

    def records(self) -> list[Row]:
        """Read the CRM's lines that are whole."""
        return [json.loads(line) for line in self.crm if line.endswith("}")]

    def away(self, territory: str, monday: datetime) -> bool:
        """Whether nobody sells in a territory in a week: it has no owner, or one with room for no lead.

        Nobody knows who will be away after the log's end; nobody is taken to be.
        """
        day = max(monday, LOG_START).date().isoformat()
        rooms = [
            int(row["leads_per_day"])
            for row in self.owners
            if row["territory"] == territory and row["from"] <= day and (not row["until"] or day < row["until"])
        ]
        return sum(rooms) == 0 and monday < LOG_END


def as_utc(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value.replace(tzinfo=UTC)


def is_whole(fields: list[str]) -> bool:
    """Whether a line of the mail provider's log has all fields, and a moment that can be read."""
    return len(fields) == 5 and fields[2].startswith("20")


def table(path: Path) -> list[Row]:
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def unzipped(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def small_world(
    directory: Path, *, leads: int = LEADS, seed: int = 1, truth: bool = True, scenario: Scenario = PLAIN
) -> World:
    """Write the world and read it back."""
    counts = write_sample(directory, leads=leads, seed=seed, truth=truth, scenario=scenario)
    told: dict[str, npt.NDArray[Any]] = {}
    machines: dict[str, str] = {}
    if truth:
        rows = pq.read_table(directory / "truth.parquet")
        told = {name: rows[name].to_numpy() for name in rows.column_names}
        acts = pq.read_table(directory / "truth-machines.parquet").to_pylist()
        machines = {act["message_id"]: act["machine"] for act in acts}
    return World(
        directory=directory,
        counts=counts,
        web=pq.read_table(directory / "web.parquet").to_pylist(),
        email=[line.split(";") for line in unzipped(directory / "email.csv.gz").splitlines()[1:]],
        crm=(directory / "crm.jsonl").read_text().splitlines(),
        leads=table(directory / "leads.csv"),
        outcomes=table(directory / "outcomes.csv"),
        identities=table(directory / "identities.csv"),
        consents=table(directory / "consents.csv"),
        spend=table(directory / "spend.csv"),
        owners=table(directory / "owners.csv"),
        rates=table(directory / "rates.csv"),
        truth=told,
        machines=machines,
    )


def monday_of(moment: datetime) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def in_fallback(event: Seen) -> bool:
    return event.source == Source.CRM and event.occurred.strftime("%F %H") in {"2025-10-26 00", "2025-10-26 01"}


def state_at(history: History, moment: datetime) -> int:
    return next(spell.state for spell in history.spells if spell.start <= moment < spell.end)


def read_histories(world: World) -> dict[str, History]:
    """Gather what the files say of each lead, by its id."""
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
        if row["outcome"] != "refund":
            closed[row["lead_id"]].append((datetime.fromisoformat(row["closed_at"]), exit_of(row)))
    mail_until = read_mail(world.consents)

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
            territory=main["territory"],
            created=created,
            born=min([created, *(event.occurred for event in seen)]),
            merged=linked.get((duplicate, lead), NEVER) if duplicate else None,
            duplicate=duplicate,
            mail_until=mail_until.get(lead, created),
            events=seen,
        )
        history.spells.extend(read_spells(history, closed[lead]))
        histories[lead] = history
    return histories


def exit_of(outcome: Row) -> int:
    return Exit.CONVERT if outcome["outcome"] == "won" else Exit.LOSE + LOSS_REASONS.index(outcome["reason"])


def read_mail(consents: list[Row]) -> dict[str, datetime]:
    """Until when mail goes to each lead that agreed to it: it withdraws, or it objects to everything."""
    until = {row["lead_id"]: NEVER for row in consents if (row["purpose"], row["status"]) == ("mail", "given")}
    for row in consents:
        lead, moment = row["lead_id"], datetime.fromisoformat(row["changed_at"])
        if lead in until and (row["purpose"], row["status"]) in {("mail", "withdrawn"), ("everything", "objected")}:
            until[lead] = min(until[lead], moment)
    return until


def read_spells(history: History, closed: list[tuple[datetime, int]]) -> list[Spell]:
    """Cut a lead's time at what changes its state: steps of sales, outcomes, returns by a form, and ends of pauses."""
    changes = [*closed, (LOG_END, int(Exit.NONE))]
    for event in history.events:
        if event.kind in STEPS:
            changes.append((event.occurred, STEPS[event.kind]))
        elif event.kind == "refused":
            changes.append((event.occurred, Exit.REFUSE + REFUSAL_REASONS.index(event.about or "")))
    # Neither customers nor lost leads send any other form than the one by which they come back.
    forms = sorted(event.occurred for event in history.events if event.kind == "form")
    for (end, _), (following, _) in pairwise([*sorted(closed), (LOG_END, 0)]):
        changes += [(form, Exit.REOPEN) for form in forms if end < form < following][:1]

    spells = []
    if history.born < history.created:
        spells.append(Spell(State.ANONYMOUS, history.born, history.created, Exit.NONE))
    state, start = int(State.OPEN), history.created
    for moment, exit_ in sorted(changes):
        if State.PAUSED <= state < State.LOST:
            until = start + PAUSES[LOSS_REASONS[state - State.PAUSED]]
            if until < moment:
                spells.append(Spell(state, start, until, Exit.NONE))
                state, start = state + len(LOSS_REASONS), until
        spells.append(Spell(state, start, moment, exit_))
        state, start = state_after(state, exit_), moment
    return spells


def state_after(state: int, exit_: int) -> int:
    """Return the state that an exit leads to; fails where that exit doesn't leave the state before."""
    if exit_ == Exit.NONE:
        return state
    allowed: dict[int, tuple[set[int], int]] = {
        Exit.HAND_OVER: ({State.OPEN}, State.HANDED_OVER),
        Exit.ACCEPT: ({State.HANDED_OVER}, State.ACCEPTED),
        Exit.OPEN_OPPORTUNITY: ({State.ACCEPTED}, State.OPPORTUNITY),
        Exit.CONVERT: ({State.OPEN, State.HANDED_OVER, State.ACCEPTED, State.OPPORTUNITY}, State.CUSTOMER),
        Exit.REOPEN: ({State.CUSTOMER, *range(State.LOST, State.LOST + len(LOSS_REASONS))}, State.OPEN),
    }
    if exit_ >= Exit.LOSE:
        before, after = allowed[Exit.CONVERT][0], State.PAUSED + exit_ - Exit.LOSE
    elif exit_ >= Exit.REFUSE:
        before, after = {int(State.HANDED_OVER)}, int(State.OPEN)
    else:
        before, after = allowed[exit_]
    assert state in before, f"exit {exit_} doesn't leave state {state}"
    return after


def is_marker(history: History, event: Seen) -> bool:
    """Tell what a lead doesn't do by chance: first hits, changes of its state, mails sent to it, machines' acts."""
    if event.machine or event.kind in {*STEPS, "refused", "newsletter_sent", "email_sent"}:
        return True
    if event.kind == "page_view" and event.occurred == history.born:
        return True
    return event.kind == "form" and any(
        event.occurred == spell.end and spell.exit == Exit.REOPEN for spell in history.spells
    )
