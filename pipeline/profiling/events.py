"""From a table of events to the settings of a source: what happened, when, to which lead, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.core.sql import identifier
from pipeline.profiling.actors import Acting, find_actor
from pipeline.profiling.joins import KNOWN_SINCE, LINKED, is_direct, is_told, join_query, tables_read
from pipeline.profiling.leads import LeadTable
from pipeline.profiling.links import Way, find_key
from pipeline.profiling.profile import TIMES, Column, Profile, read_time, time_sql
from pipeline.profiling.tables import HAPPENED, Tables
from pipeline.profiling.times import PAID, occurred_column, recordings
from pipeline.profiling.words import (
    CAMPAIGN,
    CHANGED,
    CHANNEL,
    CLICK_ID,
    CONTENT,
    CREATED,
    CURRENCY,
    EVENT_TYPE,
    EVENT_WORDS,
    IN_CENTS,
    KNOWN,
    LEAD,
    LIFECYCLE,
    LOST,
    PLANNED,
    QUANTITY,
    STAGE,
    SURE,
    TRAFFIC,
    VALUE,
    has,
    is_called,
    plain,
    rank,
    singular,
    sounds_won,
)
from pipeline.reading.moments import EPOCHS

_RECORD = 30
_MOST_KINDS = 1000
_MOST_PAGES = 50
"""A site of more pages than these is told by its traffic, not by each page."""
_NO_STEP = (
    r"end|ended|ends|finish(?:ed)?|stop|due|start|started|begin|duration|scheduled|planned|expected|expires?|timestamp"
)
RECORDED_SINCE = "recorded_since"
_SENDER_ID = r"(?:insert|message|event|hit|dedupe?|deduplication|idempotency) ?(?:id|uuid|key)"
_ALL_BUT_DIRT = 0.95
_FEW_KINDS = 20
_ALWAYS = 0.99
"""Of the rows: some dirt is expected."""
OVERWRITTEN = f"{CHANGED}|{PLANNED}"


@dataclass
class Proposed:
    """A part of the settings, the comments on its lines by their places in it, and the tables that its query reads."""

    name: str
    table: str
    """The table that its rows come from."""
    settings: dict[str, Any]
    comments: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What to tell the user of it."""
    used_too: list[str] = field(default_factory=list)
    """Columns that it was made of, and that its settings do not name."""


def reading(profile: Profile, used: Sequence[str], *, from_query: bool = False) -> dict[str, Any]:
    """Give the settings that say how a table is read, as far as they differ from the defaults."""
    settings = {} if from_query else profile.table.settings.model_dump(exclude_defaults=True, mode="json")
    columns = [profile.columns[name] for name in used if name in profile.columns]
    formats = [text for column in columns if column.kind in TIMES for text in column.formats]
    # Of numbers, what counts the fewest must be tried first: too large a number is no time of it.
    distinct = sorted(dict.fromkeys(formats), key=lambda name: EPOCHS.index(name) if name in EPOCHS else -1)
    if distinct and distinct != ["iso"]:
        settings["time_format"] = distinct[0] if len(distinct) == 1 else distinct
    written = {column.number_format for column in columns if column.kind == "number"}
    if "comma" in written:
        settings |= {"decimal": ",", "thousands": "."}
    elif "grouped" in written:
        settings["thousands"] = ","
    elif "apostrophe" in written:
        settings["thousands"] = "'"
    return settings


def _what_happened(
    profile: Profile, occurred: Column, lead_id: str | None, said: str | None
) -> tuple[list[str], list[str], dict[str, Any], bool]:
    """Tell what the rows say happened: their columns of types, the times of further moments, and the mapping.

    Gives, too, whether nobody acted: a record came to be, or a deal was won.
    """
    # A column of times that is called by what happened then (won_date) says it better than any type.
    spelled = profile.table.spelled is not None
    happened = event_name(occurred.name) if not spelled and _is_called_by_its_event(occurred.name) else None
    types = [] if happened else type_columns(profile, occurred, lead_id)
    happened, types = (None, [str(said)]) if said in profile.columns else (happened, types)
    name = underscored(profile.name)
    is_record = not types and not happened and rank(name, LEAD) >= _RECORD
    begun = happened or (f"{name}_created" if is_record else name)
    event_type: Any = (types if len(types) > 1 else types[0]) if types else {"constant": begun}
    known = {one.column for one in profile.recorded if one.holds and one.occurred == occurred.name}
    known |= recordings(profile)
    times = [] if spelled else profile.of_kind("time")
    times = [c for c in times if c is not occurred and c.name not in known and not has(c.name, OVERWRITTEN)]
    ends = [c.name for c in times if _is_called_by_its_event(c.name) or (not types and _is_a_step(c.name))]
    columns: dict[str, Any] = {"occurred_at": occurred.name, "event_type": event_type}
    if ends:  # a row tells of several moments
        columns = {"events": {occurred.name: begun, **{end: event_name(end) for end in ends}}}
    return types, ends, columns, bool(is_record or happened)


def event_source(
    tables: Tables,
    profile: Profile,
    found: Sequence[Way],
    lead: LeadTable,
    profiles: Mapping[str, Profile],
    constants: Sequence[str] = (),
    said: str | None = None,
) -> Proposed:
    """Propose the source that reads the events of a table.

    ``constants`` say the same in all rows of a lead; ``said`` is the column of event types that the user names.
    """
    occurred = occurred_column(profile)
    assert occurred is not None  # noqa: S101 - only tables with times hold events
    direct = next((way[0].column for way in found if is_direct(way, lead)), None)
    types, ends, columns, nobody_acted = _what_happened(profile, occurred, direct, said)
    found = [way for way in found if is_told(way, lead, profiles)]
    columns |= where_from(profile, [*types, *constants])
    if not types and any(_is_overwritten_kind(name) for name in profile.columns) and not _holds_sales(profile):
        for name in ("value", "currency"):  # an amount that is overwritten with its status
            columns.pop(name, None)
    known, why = known_at(profile, occurred)
    if known == "as_it_occurred" and any(profile.columns[end].holds_days for end in ends):
        known, why = {"delay": "1d"}, "of some moments only the day is told, so they are known when it is over"
    comments = {
        "columns.occurred_at": f"{occurred.filled:.0%} filled, as in {occurred.examples[0]}",
        "known_at": why,
    }
    if types:
        first = profile.columns[types[0]]
        comments["columns.event_type"] = f"{first.distinct:,} kinds, as in {', '.join(first.examples[:3])}"
    told = profile.columns[known["column"]] if isinstance(known, dict) and "column" in known else None
    used = [occurred.name, *ends, *([told.name] if told else []), *([columns["value"]] if "value" in columns else [])]
    spelled = profile.table.spelled if types == [HAPPENED] else None
    if direct is None or len(found) > 1 or spelled:
        select = f"event.*,\n  {spelled.sql} AS {HAPPENED}" if spelled else "event.*"
        query, linked = join_query(profile.name, found, lead, select, profiles=profiles, occurred=occurred, known=told)
        if linked:
            known = {"column": KNOWN_SINCE}
            comments["known_at"] = "not before the row was tied to its lead"
        settings = {"query": query, **reading(profile, used, from_query=True)}
        columns = {"lead_id": LINKED, **columns}
        comments["columns.lead_id"] = "the lead that the ids of the row lead to"
        name = f"{underscored(profile.name)}_events"
        reads = [*tables_read(profile, found), *(spelled.reads if spelled else ())]
        key = find_key(profile) if spelled else None
    else:
        settings = reading(profile, used)
        columns = {"lead_id": direct, **columns}
        comments["columns.lead_id"] = f"{profile.columns[str(direct)].distinct:,} distinct"
        key = _sender_id(tables, profile, columns) or find_key(profile)
        name, reads = profile.name, []
    if key is not None and key.name != direct:
        columns["event_id"] = key.name
    acting = Acting("system") if nobody_acted else find_actor(tables, profile, types)
    settings |= {"known_at": known, "actor": acting.setting, "columns": columns}
    used_too = [acting.column] if acting.column else []
    comments |= {"actor": acting.why} if acting.why else {}
    return Proposed(name, profile.name, settings, comments, reads, [*(spelled.notes if spelled else ())], used_too)


def _sender_id(tables: Tables, profile: Profile, columns: Mapping[str, Any]) -> Column | None:
    """Find the id that the sender gave an event: what was sent twice has it twice, where a row's own id is another."""
    same = [name for name in (columns["lead_id"], columns.get("occurred_at"), columns.get("event_type"),
                              columns.get("value")) if isinstance(name, str)]  # fmt: skip
    told = ", ".join(identifier(name) for name in same)
    for column in profile.of_kind("identifier"):
        if column.unique or column.filled < _ALWAYS or column.name in same or not has(column.name, _SENDER_ID):
            continue
        own = identifier(column.name)
        ids, events = tables.ask_row(
            f"SELECT count(DISTINCT {own}), count(*) FROM (SELECT DISTINCT {own}, {told} FROM {profile.table.relation} "
            f"WHERE {own} IS NOT NULL)"
        )
        if ids == events:
            return column
    return None


def _is_called_by_its_event(name: str) -> bool:
    return bool(sounds_won(name) or rank(name, LOST))


def _is_a_step(name: str) -> bool:
    """Tell a column of times that says what happened then: opened_at, and not received_at or end_date."""
    return not (has(name, KNOWN + "|" + _NO_STEP) or rank(name, CREATED) >= SURE) and event_name(name) != "event"


def _holds_sales(profile: Profile) -> bool:
    return is_called(profile.name, rf"(?:\w+ )?(?:{PAID})(?: exports?)?")


def _is_overwritten_kind(name: str) -> bool:
    return has(name, STAGE) and not has(name, "event|activity|action")


def underscored(table: str) -> str:
    """Write a table's name in the singular, as the name of a source or an event type."""
    return singular(table).replace(" ", "_")


def type_columns(profile: Profile, occurred: Column, lead_id: str | None = None) -> list[str]:
    """Choose the columns that say what happened: one, an activity and its lifecycle, or what is spelled out.

    A status is none where a row is a thing with a key and the time is that of its creation: it came later.
    """
    if profile.table.spelled is not None:
        return [HAPPENED]
    came_later = find_key(profile) is not None and (
        rank(occurred.name, CREATED) >= _RECORD
        or has(occurred.name, "sent|opened|submitted|started|due|closed?")
        or _holds_sales(profile)
    )
    columns = [
        column
        for column in profile.columns.values()
        if column.name not in (lead_id, occurred.name)
        and column.kind in ("category", "flag", "identifier", "text")
        and column.distinct <= _MOST_KINDS
        and (column.distinct > 1 or rank(column.name, EVENT_TYPE) >= SURE)
        # A number is no stage: it is how a web server answered.
        and not (column.number_format and rank(column.name, EVENT_TYPE) == rank("status", EVENT_TYPE))
        and (column.distinct <= _MOST_PAGES or rank(column.name, EVENT_TYPE) != rank("page", EVENT_TYPE))
    ]
    kinds = [
        column
        for column in columns
        if says_what_happened(column.name, profile.name) and not (came_later and _is_overwritten_kind(column.name))
    ]
    best = max(kinds, key=lambda column: (rank(column.name, EVENT_TYPE), column.filled), default=None)
    if best is None:
        return []
    cycle = next((column.name for column in columns if has(column.name, LIFECYCLE) and column.name != best.name), None)
    wider = next((column.name for column in kinds if best.filled < _ALL_BUT_DIRT and _is_wider(column)), None)
    return [wider, best.name] if wider and not cycle else [best.name, *([cycle] if cycle else [])]


def _is_wider(column: Column) -> bool:
    """Tell a column that says of every row of which kind it is, in a few words: a call of track, page or identify."""
    is_kind = rank(column.name, EVENT_TYPE) >= rank("type", EVENT_TYPE)
    return is_kind and column.filled >= _ALWAYS and column.distinct <= _FEW_KINDS


def says_what_happened(name: str, table: str) -> bool:
    """Tell an event's type from the type of another thing: ``type`` and ``touch_type``, not ``device_type``.

    A column that is called like its rows says which of their kinds each is: the goal of goals.
    """
    if not rank(name, EVENT_TYPE):
        return plain(name) == singular(table)
    return set(plain(name).split()) <= {*singular(table).split(), *EVENT_WORDS}


def where_from(profile: Profile, types: Sequence[str]) -> dict[str, Any]:
    """Map channel or traffic columns, campaign, content, value, currency and quantity, as far as they are there."""
    free = {
        name: column
        for name, column in profile.columns.items()
        if name not in types and column.kind not in ("empty", *TIMES)
    }
    columns: dict[str, Any] = {}
    channel = next((name for name in free if has(name, CHANNEL)), None)
    if channel:
        columns["channel"] = channel
    else:
        columns |= _traffic(free)
    campaign = next((name for name in free if has(name, CAMPAIGN) and name not in columns.values()), None)
    if campaign:
        columns["campaign"] = campaign
    about = [column for name, column in free.items() if is_called(name, CONTENT) and name not in columns.values()]
    content = next(
        (column.name for column in about if column.kind == "category" and column.distinct < _MOST_KINDS), None
    )
    if content:
        columns["content"] = content
    return columns | _how_much(profile, free, columns)


def _traffic(free: Mapping[str, Column]) -> dict[str, Any]:
    """Map the columns that channels are made of."""
    columns: dict[str, Any] = {}
    for key, pattern in TRAFFIC.items():
        named = next((name for name in free if has(name, pattern)), None)
        if named:
            columns[key] = named
    if "traffic_medium" in columns and "traffic_source" not in columns:
        named = next((name for name in free if plain(name) == "source"), None)
        columns |= {"traffic_source": named} if named else {}
    clicks = [name for name in free if has(name, CLICK_ID)]
    if clicks:
        columns["click_id"] = clicks if len(clicks) > 1 else clicks[0]
    return columns


def _how_much(profile: Profile, free: Mapping[str, Column], mapped: Mapping[str, Any]) -> dict[str, Any]:
    """Map a value with its currency, and a quantity."""
    columns: dict[str, Any] = {}
    amounts = [column for column in profile.of_kind("number") if rank(column.name, VALUE) and column.name in free]
    values = [column for column in amounts if not has(column.name, IN_CENTS)]
    if values:
        columns["value"] = max(values, key=lambda column: rank(column.name, VALUE)).name
        currency = next((name for name, column in free.items() if has(name, CURRENCY) and column.distinct < 200), None)  # noqa: PLR2004 - there are no more
        if currency:
            columns["currency"] = currency
    taken = {*columns.values(), *(name for name in mapped.values() if isinstance(name, str))}
    quantity = next((c.name for c in profile.of_kind("number") if has(c.name, QUANTITY) and c.name not in taken), None)
    if quantity and all(text.isdigit() and text != "0" for text in profile.columns[quantity].examples):
        columns["quantity"] = quantity
    return columns


def known_at(profile: Profile, occurred: Column) -> tuple[Any, str]:
    """Propose when an event was known: a column that says it, a day later where only days are told, or at once."""
    judged = [one for one in profile.recorded if one.occurred == occurred.name]
    for one in judged:
        if one.holds:
            return {"column": one.column}, one.said
    if occurred.holds_days:
        return {"delay": "1d"}, "only the day is told, so it is known when the day is over"
    told = "; ".join(f"{one.column} {one.said}" for one in judged) or "no column says when it reached you"
    return "as_it_occurred", f"{told}: is it delivered later? then {{delay: 6h}}"


class Known(NamedTuple):
    """When the rows of a query were known: the setting, why it is so, and what the query must select for it."""

    setting: Any
    why: str
    select: str = ""
    column: str = ""
    """The column of the table that says it."""


def known_in_query(tables: Tables, profile: Profile, occurred: Column, where: str = "true") -> Known:
    """Propose when the rows of a query over a table (``event``) were known, of those that it takes."""
    known, why = known_at(profile, occurred)
    if not (isinstance(known, dict) and "column" in known):
        return Known(known, why)
    column = profile.columns[known["column"]]
    named = f"event.{identifier(column.name)}"
    empty, rows = tables.ask_row(
        f"SELECT count(*) FILTER ({read_time(column, 'event')} IS NULL), count(*) "
        f"FROM {profile.table.relation} AS event WHERE {read_time(occurred, 'event')} IS NOT NULL AND {where}"
    )
    if empty > (1 - _ALWAYS) * rows:
        told = f"{column.name} says when it reached you, but says nothing in {empty:,} of {rows:,} rows"
        return Known({"delay": "1d"} if occurred.holds_days else "as_it_occurred", f"{told}: is it delivered later?")
    if column.holds_days:
        over = f",\n  {time_sql(named, column)} + INTERVAL 1 DAY AS {RECORDED_SINCE}"
        told = f"{why}; only its day is told, so it is known when that is over"
        return Known({"column": RECORDED_SINCE}, told, over, column.name)
    return Known(known, why, f",\n  {named}", column.name)


def type_holding(profiles: Mapping[str, Profile], wanted: Sequence[str]) -> str | None:
    """Find the column whose values hold the event types that the user names, where none is called a type."""
    for profile in profiles.values():
        occurred = occurred_column(profile)
        if occurred is None or not wanted or type_columns(profile, occurred):
            continue
        for column in profile.of_kind("category", "flag"):
            if set(wanted) <= set(column.values) and not _is_overwritten_kind(column.name):
                return column.name
    return None


def event_name(column: str) -> str:
    """Name the event of a column of times.

    >>> [event_name(name) for name in ("won_date", "First Contact Date", "converted_at", "date_signed")]
    ['won', 'first_contact', 'converted', 'signed']
    """
    of_time = {"date", "at", "on", "time", "timestamp", "datetime", "le", "day", "datum"}
    return "_".join(word for word in plain(column).split() if word not in of_time) or "event"
