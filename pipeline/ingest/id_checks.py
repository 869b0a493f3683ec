"""Ids that are odd as a whole: a column that a spreadsheet rounded, one id that is everybody's, tables that never meet.

visits                 leads                 so
1.00174E+11            100174290385          refused: what was rounded can't be told apart any more
100174000000           100174290385          refused, too: the column was rounded and then written out
123.0                  123                   told: pandas makes such numbers of a column with gaps
4711                   00004711              told: a spreadsheet drops zeros that lead
Ann@example.org        ann@example.org       told: one address, written in two ways
00Q5f00000AbCdE        00Q5f00000AbCdEQAV    told: the same lead, without what tells its capitals
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from features.core.errors import InputError
from pipeline.core.sql import fetch_row, literal
from pipeline.ingest.relations import Relations
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.reading.nothing import CASED_LENGTH, CHECKED_LENGTH, NEVER, PERHAPS, is_rounded, with_check
from pipeline.reading.quarantine import ROUNDED
from pipeline.settings.ingest import Identities, Leads, Source
from pipeline.settings.people import Consents, Decisions

_LOOKED_AT = 100_000
"""Rows of a table, spread over all of it."""
_MANY = 0.01
"""The share of rounded ids from which on a table is refused; fewer are set aside."""
_MOSTLY = 0.9
_FEW = 20
_MOST_OF_ONE = 0.02
"""The share of a source's rows from which on one id is told, if others have far fewer."""
_TIMES_MORE = 10
_FEWEST_LEADS = 50


@dataclass(frozen=True)
class Ids:
    """What the distinct ids of one column of a table look like, as far as looked at."""

    table: str
    field: str
    count: int
    digits: int
    """Whole numbers."""
    rounded: int
    """Written as 1.0E+11."""
    emptied: int
    """Long numbers that end in zeros, or beyond the fifteenth digit in nothing else."""
    long: int
    fractions: int
    """Whole numbers with .0."""
    padded: int
    """Whole numbers that begin with a zero."""
    shortest: int
    longest: int

    @property
    def place(self) -> str:
        """Name the column."""
        return f"{self.table}: {self.field}"


def look_at_ids(tables: Tables) -> list[Ids]:
    """Look at the ids of all tables, and raise InputError where a spreadsheet has rounded a column of them."""
    found = [
        _look(table, field)
        for table in tables.values()
        for field in _fields(table)
        if not any(map(table.reads_again, table.files))  # whose ids were never in a spreadsheet
    ]
    told = [_refusal(tables[ids.table], ids) for ids in found]
    if any(told):
        raise InputError("\n".join(dict.fromkeys(filter(None, told))))
    return found


def _fields(table: SourceTable) -> list[str]:
    columns = getattr(table.settings, "columns", None)
    if isinstance(table.settings, Source | Leads | Identities | Decisions | Consents):
        return [name for name in ("lead_id", "alias_id", "account_id", "event_id") if getattr(columns, name, None)]
    return []


def _look(table: SourceTable, field: str) -> Ids:
    step = table.usable // _LOOKED_AT + 1
    sampled = f"{field} IS NOT NULL AND (reason IS NULL OR reason = {literal(ROUNDED.format(field))})"
    sampled += f" AND sequence // {table.width} % {step} = 0" if step > 1 else ""
    whole = "regexp_full_match(id, '[0-9]+')"
    found = fetch_row(
        table.connection,
        f"SELECT count(*), count(*) FILTER ({whole}), count(*) FILTER ({is_rounded('id')}), "
        f"count(*) FILTER ({whole} AND length(id) >= 12 AND (regexp_full_match(id, '[0-9]*00000') "
        "OR (length(id) > 15 AND ltrim(id[16:], '0') = ''))), "
        f"count(*) FILTER ({whole} AND length(id) >= 12), "
        "count(*) FILTER (regexp_full_match(id, '[0-9]+[.]0')), "
        f"count(*) FILTER ({whole} AND id[1] = '0' AND length(id) > 1), "
        f"coalesce(min(length(id)) FILTER ({whole}), 0), coalesce(max(length(id)) FILTER ({whole}), 0) "
        f"FROM (SELECT DISTINCT trim({field}) AS id FROM {table.mapped} WHERE {sampled})",
    )
    return Ids(table.name, field, *found)


def _refusal(table: SourceTable, ids: Ids) -> str | None:
    if ids.rounded:
        counts = f"count(*), count(*) FILTER ({is_rounded(ids.field)})"
        held = f"SELECT {counts} FROM {table.mapped} WHERE {ids.field} IS NOT NULL"
        rows, rounded = fetch_row(table.connection, held)
        if rounded > _MANY * rows:
            return (
                f"{ids.place} of {rounded:,} of {rows:,} rows is a number that a spreadsheet has shortened, as in "
                "1.23457E+11, so many ids have become one; the file is damaged: export the column as text, and don't "
                "save the file from a spreadsheet"
            )
    if ids.long >= _FEW and ids.emptied >= _MOSTLY * ids.long and ids.long >= ids.count / 2:
        return (
            f"{ids.place} ends in zeros in {ids.emptied:,} of {ids.long:,} long numbers, as where a spreadsheet has "
            "rounded them, so many ids have become one; the file is damaged: export the column as text, and don't save "
            "the file from a spreadsheet"
        )
    return None


def id_warnings(relations: Relations, tables: Tables, found: list[Ids]) -> list[str]:
    """Tell what may be wrong with ids; names none but those that are words."""
    told = [*_strangers(found), *_cut(relations), *_everybody(relations), *_addresses(relations)]
    told += _accounts(relations) if "leads" in tables else []
    told += _aliases(relations) if "identities" in tables else []
    return told


def _strangers(found: list[Ids]) -> Iterator[str]:
    """Tell of tables whose ids are written in another way than those of other tables."""
    leads = [ids for ids in found if ids.field in ("lead_id", "alias_id") and ids.count >= _FEW]
    whole = [ids for ids in leads if ids.digits >= _MOSTLY * ids.count]
    for ids in leads:
        if ids.fractions >= _MOSTLY * ids.count and whole:
            yield (
                f"{ids.place} is written as numbers with .0, and {whole[0].place} without, so they never meet; export "
                "the column as text (pandas: as Int64, which takes gaps)"
            )
    padded = [ids for ids in whole if ids.padded and ids.shortest == ids.longest]
    for ids in whole:
        for other in padded:
            if not ids.padded and ids.shortest < other.longest >= ids.longest:
                yield (
                    f"{ids.place} has up to {ids.longest} digits and no zero in front, {other.place} always "
                    f"{other.longest}, some with zeros in front: a spreadsheet may have dropped them, so that the two "
                    "don't meet; export the column as text"
                )
                break


def _cut(relations: Relations) -> Iterator[str]:
    """Tell of leads that are there twice: by an id of 18 letters, and by the first 15 of them."""
    ids = f"SELECT DISTINCT lead_id FROM {relations.counts}"
    (twice,) = fetch_row(
        relations.connection,
        f"SELECT count(*) FROM ({ids} WHERE length(lead_id) = {CASED_LENGTH}) "
        f"WHERE {with_check('lead_id')} IN ({ids} WHERE length(lead_id) = {CHECKED_LENGTH})",
    )
    if twice:
        yield (
            f"leads are there twice, {twice:,} of them: by an id of {CHECKED_LENGTH} letters, and by the first "
            f"{CASED_LENGTH} of them, as reports of Salesforce cut them; export all with {CHECKED_LENGTH} (by a "
            "formula: CASESAFEID(Id))"
        )


def _everybody(relations: Relations) -> Iterator[str]:
    """Tell of one lead that has a good part of a source's rows: it may be everybody whom the source doesn't know."""
    rows = relations.connection.execute(
        "SELECT source, arg_max(lead_id, rows), max(rows), sum(rows), count(*) "
        f"FROM {relations.counts} GROUP BY source ORDER BY source"
    ).fetchall()
    for source, lead, most, total, leads in rows:
        if leads < _FEWEST_LEADS or most <= _MOST_OF_ONE * total or most < _TIMES_MORE * total / leads:
            continue
        named = f" ({lead!r})" if lead.strip().casefold() in PERHAPS | NEVER else ""
        yield (
            f"{source}: one id{named} has {most:,} of {int(total):,} rows ({most / total:.0%}), where a lead has "
            f"{total / leads:.1f}; see whether it stands for all whom nobody knows, for a machine or a test, and leave "
            "it out of the export"
        )


def _addresses(relations: Relations) -> Iterator[str]:
    """Tell of addresses that are one, and written in two ways."""
    leads, addresses = fetch_row(
        relations.connection,
        "SELECT count(DISTINCT lead_id), count(DISTINCT lower(trim(lead_id))) "
        f"FROM {relations.counts} WHERE contains(lead_id, '@')",
    )
    if leads > addresses:
        yield (
            f"{leads - addresses:,} of {leads:,} leads that are named by an address differ from another one only in "
            "capital letters, or spaces, and count twice; write all alike, as with lower(trim(email)) in a query"
        )


def _accounts(relations: Relations) -> Iterator[str]:
    counts = f"SELECT count(*) FILTER (nameless), count(*) FROM {relations.leads}"
    nameless, leads = fetch_row(relations.connection, counts)
    if nameless:
        yield f"leads: account_id of {nameless:,} of {leads:,} leads is a word such as null; they have no account"
    most, held, accounts = fetch_row(
        relations.connection,
        "SELECT coalesce(max(leads), 0), coalesce(sum(leads), 0), count(*) FROM "
        f"(SELECT count(*) AS leads FROM {relations.leads} WHERE account_id IS NOT NULL GROUP BY account_id)",
    )
    if accounts >= _FEWEST_LEADS and most > _MOST_OF_ONE * held and most >= _TIMES_MORE * held / accounts:
        yield (
            f"leads: one account_id has {most:,} of {int(held):,} leads; see whether it stands for all that have none"
        )


def _aliases(relations: Relations) -> Iterator[str]:
    most, held, leads = fetch_row(
        relations.connection,
        "SELECT coalesce(max(aliases), 0), coalesce(sum(aliases), 0), count(*) FROM "
        f"(SELECT count(*) AS aliases FROM {relations.aliases} GROUP BY lead_id)",
    )
    if leads >= _FEWEST_LEADS and most > _MOST_OF_ONE * held and most >= _TIMES_MORE * held / leads:
        yield (
            f"identities: one lead has {most:,} of {int(held):,} aliases, others {held / leads:.1f}; see whether it "
            "stands for all whom nobody knows"
        )
