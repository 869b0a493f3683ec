"""What happened, where no column alone says it, spelled out by a query.

the table says                                          what happened
Field = StageName, NewValue = Closed Won                StageName Closed Won
Field = Amount, NewValue = 1200                         Amount: what people type into it is no step
activityTypeId = 12, and another table: 12 = New Lead   New Lead
activityTypeId = 12, and no table says what that is     12, which is told
event = Deal closed, result = Won                       Deal closed Won: it is said of no other event
a row of calls, direction = inbound                     call inbound: the lead's, as call outbound is ours
a row of charges, status = failed                       charge failed: the other rows are a charge, which is a sale
a row of invoices, amount = -120                        refund: a credit note is no sale
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from pipeline.core.sql import identifier, literal
from pipeline.profiling.actors import BY, is_end, read_actors
from pipeline.profiling.events import says_what_happened, type_columns, type_holding
from pipeline.profiling.links import is_key
from pipeline.profiling.profile import TIMES, Column, Profile
from pipeline.profiling.tables import HAPPENED, Spelled, Tables
from pipeline.profiling.times import PAID, occurred_column
from pipeline.profiling.words import (
    EVENT_TYPE,
    LOST,
    MAIL_CLICKED,
    MAIL_OPENED,
    OURS_IDS,
    PERSONAL,
    PERSONS,
    STAGE,
    SURE,
    UNDONE,
    VALUE,
    WON,
    YES,
    has,
    is_called,
    plain,
    rank,
    singular,
    sounds_won,
)

_FIELD = r"(?:changed |modified |updated )?(?:field|property|attribute)(?: (?:name|key|label|api name|changed))?"
_NEW_VALUE = r"(?:new|to|after)(?: (?:value|string))?|value(?: (?:to|new|after))?|changed to"
_CODE = r"id|code|key|no|nr|number"
_NAME = r"(?:.* )?(?:name|label|title|bezeichnung|nom|libelle|nombre|naam)"
_NO_SALE = (
    r"fail(?:ed|ure)?|pending|void(?:ed)?|uncollectible|incomplete|unpaid|draft|abandoned|open|on hold|trial(?:ing)?|"
    r"requires \w+|offen|fehlgeschlagen|ausstehend|echoue|en attente|fallid[oa]|pendiente"
)
"""What the status of a sale is called that is none, or is none yet; one that was taken back was one (``UNDONE``)."""
_LASTING = r"subscriptions?|memberships?|abonnements?|abos?|suscripcion(?:es)?"
"""What a table of sales is called that last: one that was cancelled, or has expired, was one until then."""
_ENDED = 85
_DIRECTION = r"(?:.* )?(?:direction|richtung|sens|direccion|richting|direzione)"
_INBOUND = r"in|inbound|incoming|received|eingehend\w*|entrante?s?|inkomend"
_OUTBOUND = r"out|outbound|outgoing|sent|outbound (?:api|dial|reply|call)|ausgehend\w*|sortante?s?|salientes?|uitgaand"
_BLANK = "without one"
_TAKEN_BACK = "were taken back, so that their leads converted, and they bring no revenue"
_MOST_STEPS = 50
"""Values of a field beyond which they are amounts, names or dates, and no steps."""
_MOST_CODES = 200
_LONGEST_STEP = 60
_AGAIN = 2
"""How often a step is come to, on average, at the least."""
_COVERED = 0.95
_A_TYPE = 70
_HALF = 0.5
_SHOWN = 3


def spell_out(
    tables: Tables, profiles: Mapping[str, Profile], event_type: str | None, conversion: Sequence[str]
) -> dict[str, Profile]:
    """Add to each table of events that needs it the column that says what happened.

    None needs it that has the column which does so by what the user says: its name, or event types that it holds.
    """
    found, said = {}, event_type or type_holding(profiles, conversion)
    for name, profile in profiles.items():
        occurred, spelled = occurred_column(profile), None
        if occurred is not None and HAPPENED not in map(plain, profile.columns) and said not in profile.columns:
            spelled = _changes(tables, profile, occurred) or _kinds(tables, profile, profiles, occurred)
        found[name] = _with(tables, profile, spelled) if spelled else profile
    return found


def _with(tables: Tables, profile: Profile, spelled: Spelled) -> Profile:
    """Let the table have what happened as a column, for questions; of the settings only a query has it."""
    view, raw = profile.table.relation, identifier(f"{profile.name} without {HAPPENED}")
    tables.connection.execute(f"ALTER VIEW {view} RENAME TO {raw}")
    tables.connection.execute(f"CREATE VIEW {view} AS SELECT event.*, {spelled.sql} AS {HAPPENED} FROM {raw} AS event")
    counts = tables.ask(f"SELECT {HAPPENED}, count(*) FROM {view} WHERE {HAPPENED} <> '' GROUP BY 1 ORDER BY 2 DESC, 1")
    texts = tuple(text for text, _ in counts)
    filled = sum(count for _, count in counts) / max(profile.rows, 1)
    column = Column(HAPPENED, "category", filled, len(texts), texts[:12], values=texts)
    table = replace(profile.table, nested=profile.table.nested | {HAPPENED}, spelled=spelled)
    return replace(profile, table=table, columns={**profile.columns, HAPPENED: column})


def _text(profile: Profile, name: str) -> str:
    """Write the SQL of a column's text; columns of most files hold nothing else."""
    table = profile.table
    named = f"event.{identifier(name)}"
    return named if table.types[table.columns.index(name)] == "VARCHAR" else f"CAST({named} AS VARCHAR)"


def _changes(tables: Tables, profile: Profile, occurred: Column) -> Spelled | None:
    """Spell out a history of fields: a field with what it became, where that is one of few steps; or the field alone.

    What people type into a field (a name, a telephone number, an amount) is no step of anything.
    """
    fields = [one for one in profile.of_kind("category", "flag") if is_called(one.name, _FIELD)]
    values = [name for name in profile.columns if is_called(name, _NEW_VALUE)]
    if not fields or not values or {fields[0].name, values[0]} & profile.table.nested:
        return None
    field, value = _text(profile, fields[0].name), f"nullif({_text(profile, values[0])}, '')"
    rows = tables.ask(
        f"SELECT {field} AS field, count(DISTINCT {value}), count({value}), coalesce(max(length({value})), 0), "
        f"coalesce(avg(CAST(regexp_matches({value}, '[A-Za-z]{{2}}') AS DOUBLE)), 0) "
        f"FROM {profile.table.relation} AS event WHERE {field} <> '' GROUP BY 1 ORDER BY 1"
    )
    steps = [
        name
        for name, distinct, filled, longest, in_words in rows
        if distinct <= min(_MOST_STEPS, filled / _AGAIN)
        and 0 < longest <= _LONGEST_STEP
        and (has(name, STAGE) or (in_words > _HALF and not has(name, f"{PERSONAL}|{PERSONS}|{OURS_IDS}")))
    ]
    sql = field
    if steps:
        sql = f"concat_ws(' ', {field}, CASE WHEN {field} IN ({', '.join(map(literal, steps))}) THEN {value} END)"
    kinds = [name for name in type_columns(profile, occurred) if name not in (fields[0].name, values[0])]
    if kinds:  # of what is no change of a field: a record came to be
        sql = f"CASE WHEN coalesce({field}, '') = '' THEN {_text(profile, kinds[0])} ELSE {sql} END"
    return Spelled(sql, fields=tuple(name for name, *_ in rows))


def _kinds(tables: Tables, profile: Profile, profiles: Mapping[str, Profile], occurred: Column) -> Spelled | None:
    """Spell out numbers that stand for event types, and ends that another column tells of one event type."""
    reads: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    for code in filter(partial(_is_code, profile), profile.columns.values()):
        meanings = (_meanings(tables, profile, code, other) for other in profiles.values() if other is not profile)
        sql, named = _text(profile, code.name), code.name
        if found := next(filter(None, meanings), None):
            sql, reads = f"coalesce({found[0]}, {sql})", (found[1],)
            break
        if all(text.isdigit() for text in code.examples):
            notes = (_said_of_numbers(profile, code),)
            break
    else:
        types = type_columns(profile, occurred)
        found_otherwise = (None if types else _sales(tables, profile)) or _directed(tables, profile, types)
        if found_otherwise is not None or len(types) != 1 or types[0] in profile.table.nested:
            return found_otherwise
        named, sql = types[0], _text(profile, types[0])
    if ending := _ends_of_one(tables, profile, named):
        of, column = ending
        where = f"{_text(profile, named)} = {literal(of)}"
        sql = f"concat_ws(' ', {sql}, CASE WHEN {where} THEN nullif({_text(profile, column)}, '') END)"
        told = f"{profile.name}: where {named} is {of}, {column} says how it ended: both together are its event type"
        notes = (*notes, told)
    return Spelled(sql, reads, notes=notes) if reads or notes else None


def _sales(tables: Tables, profile: Profile) -> Spelled | None:
    """Spell out what became of a sale, where the table says of some that they failed, wait, or were taken back."""
    lasts = has(profile.name, _LASTING)
    if not lasts and not has(profile.name, PAID):
        return None
    what = literal(singular(profile.name).replace(" ", "_"))
    for column in profile.of_kind("category", "flag"):
        undone = [text for text in column.values if has(text, UNDONE)]
        denied = [text for text in column.values if has(text, _NO_SALE) or rank(text, LOST) > _ENDED * lasts]
        none = [text for text in denied if text not in undone]
        if (none or undone) and column.name not in profile.table.nested and has(column.name, STAGE):
            return _sales_by_status(tables, profile, what, column.name, none, undone)
    return (None if lasts else _sales_by_mark(tables, profile, what)) or _sales_by_sign(tables, profile, what)


def _sales_by_status(
    tables: Tables, profile: Profile, what: str, column: str, none: Sequence[str], undone: Sequence[str]
) -> Spelled | None:
    """Go by a status, but where a time of the sale says as much, and when; a row without a status is no second sale."""
    status = _text(profile, column)
    if none and _has_time_of_sale(tables, profile, f"{status} IN ({', '.join(map(literal, none))})"):
        return None
    rows = tables.ask(
        f"SELECT coalesce({status}, ''), count(*) FROM {profile.table.relation} AS event GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    counts = {text or _BLANK: count for text, count in rows}
    others = [text for text in counts if text not in {*none, *undone}]
    # Where the status of others says that they were sold, nothing says it of what has none: a further line of one.
    silent = [text for text in others if text == _BLANK and len(others) > 1]
    others = [text for text in others if text not in silent]
    parts = ((others, "are sales"), (none, "are none"), (undone, _TAKEN_BACK), (silent, "are left out"))
    said = [
        f"{sum(counts[text] for text in texts):,} {meaning} "
        f"({', '.join(f'{counts[text]:,} {text}' for text in counts if text in texts)})"
        for texts, meaning in parts
        if texts
    ]
    note = f"of the {profile.rows:,} rows of {profile.name}, by their {column} as of the export, "
    unsaid = f"WHEN coalesce({status}, '') = '' THEN NULL " if silent else ""
    sql = (
        f"CASE {unsaid}WHEN {status} IN ({', '.join(map(literal, (*none, *undone)))}) "
        f"THEN concat_ws(' ', {what}, {status}) ELSE {what} END"
    )
    return Spelled(sql, notes=(note + ", ".join(said),), is_sale=True)


def _has_time_of_sale(tables: Tables, profile: Profile, is_none: str) -> bool:
    """Tell whether a column of times says when it was sold, and has none wherever the status says that it was not."""
    for column in profile.of_kind(*TIMES):
        if rank(column.name, WON) and column.name not in profile.table.nested:
            filled = f"coalesce({_text(profile, column.name)}, '') <> ''"
            (contradicted,) = tables.ask_row(
                f"SELECT count(*) FILTER ({filled} AND {is_none}) FROM {profile.table.relation} AS event"
            )
            if not contradicted:
                return True
    return False


def _sales_by_mark(tables: Tables, profile: Profile, what: str) -> Spelled | None:
    """Go by a column that says of each sale whether it was cancelled, or when (``is_voided``, ``refunded_at``)."""
    for column in profile.of_kind("flag", *TIMES):
        is_undone = has(column.name, UNDONE)
        yes = [text for text in column.values if text.casefold() in YES]
        if column.name in profile.table.nested or not (
            is_undone or rank(column.name, LOST) or has(column.name, "voided?")
        ):
            continue
        text = _text(profile, column.name)
        says = f"{text} IN ({', '.join(map(literal, [*yes, 'true']))})" if column.kind == "flag" else f"{text} <> ''"
        (marked,) = tables.ask_row(f"SELECT count(*) FILTER ({says}) FROM {profile.table.relation} AS event")
        if 0 < marked < profile.rows:
            called = re.sub(r"\b(?:is|was|at|on|am|le|date|time|datum)\b *", "", plain(column.name)).strip()
            meaning = _TAKEN_BACK if is_undone else "are none"
            note = f"of the {profile.rows:,} rows of {profile.name} {marked:,} {meaning}, by their {column.name}"
            sql = f"CASE WHEN {says} THEN concat_ws(' ', {what}, {literal(called)}) ELSE {what} END"
            return Spelled(sql, notes=(note,), is_sale=True)
    return None


def _sales_by_sign(tables: Tables, profile: Profile, what: str) -> Spelled | None:
    for column in (one for one in profile.of_kind("number") if rank(one.name, VALUE)):
        is_below = f"regexp_matches({_text(profile, column.name)}, '^[^0-9]*-[^0-9]*[0-9]')"
        (below,) = tables.ask_row(f"SELECT count(*) FILTER ({is_below}) FROM {profile.table.relation} AS event")
        if below:
            note = (
                f"of the {profile.rows:,} rows of {profile.name} {below:,} are refunds: their {column.name} is below 0"
            )
            return Spelled(f"CASE WHEN {is_below} THEN 'refund' ELSE {what} END", notes=(note,), is_sale=True)
    return None


def _directed(tables: Tables, profile: Profile, types: Sequence[str]) -> Spelled | None:
    """Spell out which calls and messages came in and which went out, or who wrote them, where their kind does not tell.

    Of mails whose rows tell of several moments, as when they were opened, these say more.
    """
    if len(types) > 1 or any(has(one.name, f"{MAIL_OPENED}|{MAIL_CLICKED}") for one in profile.of_kind(*TIMES)):
        return None
    kind = _text(profile, types[0]) if types else literal(singular(profile.name).replace(" ", "_"))
    for column in profile.of_kind("category", "flag"):
        way = _way(column)
        if not way or column.name in {*types, *profile.table.nested}:
            continue
        text, cases = (
            _text(profile, column.name),
            " ".join(f"WHEN {literal(said)} THEN {literal(way[said])}" for said in way),
        )
        of_each = tables.ask(
            f"SELECT count(DISTINCT {text}) FROM {profile.table.relation} AS event WHERE {text} <> '' GROUP BY {kind}"
        )
        differ = [number > 1 for (number,) in of_each]
        # Where the words of some types tell who acted, and of others do not, they are asked.
        if all(differ) or (not has(column.name, BY) and (any(differ) or not types)):
            note = f"{profile.name}: {column.name} says who acted, and is a part of the event type"
            return Spelled(f"concat_ws(' ', {kind}, CASE {text} {cases} END)", notes=(note,), acted=True)
    return None


def _way(column: Column) -> dict[str, str]:
    """Say of each of a column's texts which way a message went, or who acted; nothing where one tells neither."""
    if re.fullmatch(_DIRECTION, plain(column.name)):
        ways = {"inbound": _INBOUND, "outbound": _OUTBOUND}
        found = {text: way for text in column.values for way in ways if re.fullmatch(ways[way], plain(text))}
        return found if len(found) == len(column.values) else {}
    if not has(column.name, BY):
        return {}
    return {text: f"by {actor}" for text, actor in read_actors(column).items()}


def _is_code(profile: Profile, column: Column) -> bool:
    """Tell a column that is called the number, or the id, of an event type; an id of an event tells it from others."""
    called = re.sub(rf"(?<=type|kind|tipo|tric) (?:{_CODE})$", "", plain(column.name))
    is_number = all(text.isdigit() for text in column.examples)
    if re.search(rf" (?:{_CODE})$", called) or (called == plain(column.name) and not is_number):
        return False
    return (
        column.kind in ("number", "category", "flag", "identifier")
        and rank(called, EVENT_TYPE) >= _A_TYPE
        and says_what_happened(called, profile.name)
        and column.distinct <= min(_MOST_CODES, profile.rows / _AGAIN)
        and column.filled >= _COVERED
        and column.name not in profile.table.nested
    )


def _said_of_numbers(profile: Profile, code: Column) -> str:
    listed = ", ".join(code.examples[:_SHOWN])
    return (
        f"{profile.name}.{code.name} says what happened by numbers ({listed} ...), and no table here says what they "
        "mean: event types are numbers, and all count as acts of the lead. Put a table of two columns beside it, "
        f"{code.name} and name; or say by actor, episodes and words what they are"
    )


def _meanings(tables: Tables, profile: Profile, code: Column, other: Profile) -> tuple[str, str] | None:
    """Write the SQL of what a code means by another table: one that is small, has no times, and holds them all."""
    if other.of_kind(*TIMES) or other.rows > 10 * _MOST_CODES:
        return None
    usable = [one for name, one in other.columns.items() if name not in other.table.nested]
    keys = [one for one in usable if is_key(replace(one, kind="identifier"), other) and _belongs(code, one, other)]
    names = [
        one
        for one in usable
        if one.kind in ("category", "flag", "identifier", "text") and one not in keys and not one.number_format
    ]
    names.sort(key=lambda one: (not is_called(one.name, _NAME), -one.filled))
    codes = f"SELECT DISTINCT {_text(profile, code.name)} AS code FROM {profile.table.relation} AS event"
    for key in keys if names else ():
        own = _text(other, key.name)
        (held,) = tables.ask_row(
            f"SELECT avg(CAST(code IN (SELECT {own} FROM {other.table.relation} AS event) AS DOUBLE)) "
            f"FROM ({codes}) WHERE code <> ''"
        )
        if (held or 0.0) >= _COVERED:
            word, own = _text(other, names[0].name), own.replace("event.", "word.", 1)
            word = word.replace("event.", "word.", 1)
            said = f"(SELECT min({word}) FROM {other.table.relation} AS word WHERE {own} = {_text(profile, code.name)})"
            return said, other.name
    return None


def _belongs(code: Column, key: Column, other: Profile) -> bool:
    """Tell by its names that a table says what the codes mean: small numbers are in every table."""
    if plain(key.name) == plain(code.name):
        return True
    called = {*singular(other.name).split()} & set(plain(code.name).split()) - {"id"}
    return bool(called) and has(key.name, rf"{_CODE}|value")


def _ends_of_one(tables: Tables, profile: Profile, named: str) -> tuple[str, str] | None:
    """Find the event type of which another column says how it ended; none where an event type says so itself.

    Where several event types have such a column, it is what is known of their lead by now.
    """
    told = [
        one
        for one in profile.of_kind("category", "flag")
        if one.name != named
        and one.name not in profile.table.nested
        and has(one.name, f"{STAGE}|{_NEW_VALUE}|disposition|label|answer")
        and any(sounds_won(text) >= SURE for text in one.values)
    ]
    kind = _text(profile, named)
    kinds = tables.ask(f"SELECT DISTINCT {kind} FROM {profile.table.relation} AS event") if told else []
    if len(kinds) < _AGAIN or any(sounds_won(text) >= SURE for (text,) in kinds if text):
        return None
    for column in told:
        ends = ", ".join(literal(text) for text in column.values if is_end(text))
        of = tables.ask(
            f"SELECT DISTINCT {kind} FROM {profile.table.relation} AS event "
            f"WHERE {_text(profile, column.name)} IN ({ends})"
        )
        if len(of) == 1 and of[0][0]:
            return of[0][0], column.name
    return None
