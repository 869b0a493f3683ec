"""Money: which currency amounts are turned into and by which rates, what brings revenue, and what is paid for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow.parquet as pq

from pipeline.core.project import Places
from pipeline.core.sql import identifier, literal
from pipeline.profiling.events import reading
from pipeline.profiling.profile import Profile, read_time
from pipeline.profiling.registers import RateTable, number_sql
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import UNDONE, has, plain
from pipeline.settings.kpi import GROUPS

_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD"}
_BESIDE = r"(?i)EUR|USD|GBP|CHF|€|£|\$"


@dataclass
class Money:
    """What was settled: comments and notes, the tables that a query of rates reads, and whether rates are told of."""

    comments: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    tells_of_rates: bool = False


class _Rate(NamedTuple):
    since: date
    least: float
    most: float


def propose_revenue(connection: duckdb.DuckDBPyConnection, log: Path, conversions: Sequence[str]) -> dict[str, Any]:
    """Propose ``kpi.revenue``: conversions most of which have a value, and what takes one back, by its name.

    What was given back counts against it: as it stands where the log has it below 0, else turned round. A sale of which
    its status says that it was taken back brings nothing.
    """
    rows = connection.execute(
        "SELECT event_type, count(*), count(value), count(*) FILTER (value < 0) FROM read_parquet(?) GROUP BY ALL "
        "ORDER BY ALL",
        [str(log)],
    ).fetchall()
    valued = {kind: (amounts, below) for kind, events, amounts, below in rows if 2 * amounts > events}
    earned = {kind: 1 for kind in conversions if kind in valued and not has(kind, UNDONE)}
    if not earned:
        return {}
    for kind, (amounts, below) in valued.items():
        if kind not in conversions and re.fullmatch(UNDONE, plain(kind)):
            earned[kind] = 1 if 2 * below > amounts else -1
    return {"revenue": earned}


def propose_groups(connection: duckdb.DuckDBPyConnection, places: Places) -> dict[str, Any]:
    """Propose ``kpi.groups`` where money is spent on a channel that is taken for organic where nobody says otherwise.

    Of the usual groups the channels of the log are listed; what money is spent on is paid.
    """
    is_attribute = "channel" in pq.read_schema(places.leads).names
    named, spent = (
        [name for (name,) in connection.execute(
            f"SELECT channel FROM read_parquet(?) WHERE channel IS NOT NULL{also} GROUP BY 1 ORDER BY count(*) DESC, 1",
            [str(path)],
        ).fetchall()]
        for path, also in (
            (places.leads if is_attribute else places.interactions, ""),
            (places.spend, " AND cost > 0"),
        )
    )  # fmt: skip
    called = {name.casefold(): name for name in named}
    groups = {
        group: [called[name.casefold()] for name in names if name.casefold() in called]
        for group, names in GROUPS.items()
    }
    paid = [name for name in groups["organic"] if name in spent]
    if not paid:
        return {}
    groups["paid"] += [name for name in paid if name not in groups["paid"]]
    groups["organic"] = [name for name in groups["organic"] if name not in paid]
    return {"groups": {group: names for group, names in groups.items() if names}}


def settle_currencies(
    tables: Tables, profiles: Mapping[str, Profile], rates: RateTable | None, ingest: dict[str, Any]
) -> Money:
    """Name in ``ingest`` the currency that amounts are turned into, and the rates; without, take such amounts out."""
    money = Money()
    parts = [*ingest["sources"].values(), *([ingest["spend"]] if "spend" in ingest else [])]
    named = {part["columns"]["currency"] for part in parts if "currency" in part["columns"]}
    others = {name: profile for name, profile in profiles.items() if rates is None or name != rates.table}
    counts, firsts = _count_currencies(tables, others, named)
    counts += _take_signs(tables, others, parts, money)
    money.notes += _said_of_cents(others, parts)
    if not counts:
        return money
    base: str | None = max(counts, key=lambda text: (counts[text], text))
    listed = ", ".join(f"{text} ({count:,})" for text, count in counts.most_common(5))
    money.comments["ingest.currency"] = f"amounts come in {listed}"
    if len(counts) > 1:
        why = "name a table of exchange rates under ingest.rates, and map value and currency"
        given: dict[str, _Rate] = {}
        money.tells_of_rates = rates is not None
        if rates is not None:
            given = _read_rates(tables, profiles[rates.table], rates)
            base, why = _choose_base(counts, firsts, given, rates)
        if rates is None or base is None:
            said = f"amounts come in {len(counts)} currencies ({listed}), so none is used; {why}"
            money.notes.append(said)
            _take_amounts_out(ingest)
            return money
        _propose_rates(profiles[rates.table], rates, ingest, money)
        _tell_direction(rates, base, given, counts, money)
    ingest["currency"] = base
    if "rates" in ingest:  # after the currency, which they are rates of
        ingest["rates"] = ingest.pop("rates")
    for part in parts:  # every amount needs a currency where one has it
        if {"value", "cost"} & part["columns"].keys() and "currency" not in part["columns"]:
            part["columns"]["currency"] = {"constant": base}
    return money


def _said_of_cents(profiles: Mapping[str, Profile], parts: Sequence[dict[str, Any]]) -> list[str]:
    """Tell of whole amounts beside currencies in small letters, as services for payment write cents."""
    notes = []
    for profile in profiles.values():
        for part in parts:
            value, code = (profile.columns.get(str(part["columns"].get(name))) for name in ("value", "currency"))
            if value is None or code is None or not all(text.isdigit() for text in value.examples):
                continue
            if all(text.islower() for text in code.examples):
                notes.append(
                    f"{profile.name}.{value.name} holds whole numbers, as in {value.examples[0]}, beside currencies in "
                    "small letters, as services for payment write cents: if these are, every amount is a hundred times "
                    "too high: write 0.01 for 1 in kpi.revenue, or let a query divide it"
                )
    return list(dict.fromkeys(notes))


def _take_amounts_out(ingest: dict[str, Any]) -> None:
    """Take out what would add up pounds and yen."""
    for source in ingest["sources"].values():
        for name in ("value", "currency"):
            source["columns"].pop(name, None)
    ingest.pop("spend", None)


def _count_currencies(
    tables: Tables, profiles: Mapping[str, Profile], named: set[str]
) -> tuple[Counter[str], dict[str, date]]:
    """Count the amounts in each currency, and give the first day of each, as far as times tell."""
    counts: Counter[str] = Counter()
    firsts: dict[str, date] = {}
    for profile in profiles.values():
        times = [read_time(column) for column in profile.of_kind("time")]
        first = f"CAST(min(least({', '.join(times)})) AS DATE)" if times else "NULL::DATE"
        for name in sorted(named & profile.columns.keys()):
            code = f"upper(trim(CAST({identifier(name)} AS VARCHAR)))"
            query = f"SELECT {code}, count(*), {first} FROM {profile.table.relation} WHERE {code} <> '' GROUP BY 1"
            for text, count, day in tables.ask(query):
                counts[text] += count
                if day is not None:
                    firsts[text] = min(day, firsts.get(text, day))
    return counts, firsts


def _take_signs(
    tables: Tables, profiles: Mapping[str, Profile], parts: Sequence[dict[str, Any]], money: Money
) -> Counter[str]:
    """Map the one currency whose sign stands beside the amounts of a part that names none; count them.

    An amount that bears another sign than the others is in another currency: then none of the part is used.
    """
    counts: Counter[str] = Counter()
    for part in parts:
        key = "value" if "value" in part["columns"] else "cost"
        column = part["columns"].get(key)
        if not isinstance(column, str) or "currency" in part["columns"]:
            continue
        beside: Counter[str] = Counter()
        for profile in profiles.values():
            if column in profile.columns and profile.columns[column].kind == "number":
                text = f"CAST({identifier(column)} AS VARCHAR)"
                sign = f"upper(regexp_extract({text}, {literal(_BESIDE)}))"
                query = f"SELECT {sign}, count(*) FROM {profile.table.relation} WHERE {sign} <> '' GROUP BY 1"
                beside.update({_SIGNS.get(found, found): count for found, count in tables.ask(query)})
        if len(beside) > 1:
            listed = ", ".join(f"{code} ({count:,})" for code, count in sorted(beside.items()))
            money.notes.append(
                f"{column} holds amounts in several currencies ({listed}), so none is used; write the currency into a "
                "column of its own"
            )
            del part["columns"][key]
        elif beside:
            (code,) = beside
            part["columns"]["currency"] = {"constant": code}
            if code == "USD":
                money.notes.append(f"the $ beside {column} is taken for USD; where it is another dollar, name that one")
            counts += beside
    return counts


def _read_rates(tables: Tables, profile: Profile, rates: RateTable) -> dict[str, _Rate]:
    day = read_time(profile.columns[rates.day])
    rate = number_sql(profile.columns[rates.rate])
    rows = tables.ask(
        f"SELECT upper(trim({identifier(rates.currency)})), CAST(min({day}) AS DATE), min({rate}), max({rate}) "
        f"FROM {profile.table.relation} GROUP BY 1 ORDER BY 1"
    )
    return {code: _Rate(*rest) for code, *rest in rows}


def _choose_base(
    counts: Counter[str], firsts: Mapping[str, date], given: Mapping[str, _Rate], rates: RateTable
) -> tuple[str | None, str]:
    """Take the currency that the rates do not name, or always with 1; None, with the reason, where they are no help."""
    unnamed = [code for code, _ in counts.most_common() if code not in given]
    ones = [code for code, rate in given.items() if rate.least == rate.most == 1]
    base = ones[0] if len(ones) == 1 else next(iter(unnamed), None)
    if base is None:
        return None, f"the rates of {rates.table} don't say which currency they turn amounts into: name it under ingest"
    lacking = [code for code in unnamed if code != base]
    if lacking:
        return None, f"the rates of {rates.table} lack {', '.join(lacking)}: bring them, and map value and currency"
    late = [code for code in sorted(counts) if code != base and code in firsts and given[code].since > firsts[code]]
    if late:
        said = ", ".join(f"those of {code} begin {given[code].since}, amounts {firsts[code]}" for code in late)
        return None, f"the rates of {rates.table} begin too late ({said}): bring older ones, and map value and currency"
    return base, ""


def _propose_rates(profile: Profile, rates: RateTable, ingest: dict[str, Any], money: Money) -> None:
    columns = {"day": rates.day, "currency": rates.currency, "rate": rates.rate}
    if not rates.is_inverse:
        ingest["rates"] = {**reading(profile, [rates.day, rates.rate]), "columns": columns}
        return
    query = (
        f"SELECT {identifier(rates.day)}, {identifier(rates.currency)},\n"
        f"  1 / {number_sql(profile.columns[rates.rate])} AS rate\nFROM {profile.table.relation}"
    )
    ingest["rates"] = {
        "query": query,
        **reading(profile, [rates.day], from_query=True),
        "columns": columns | {"rate": "rate"},
    }
    money.reads.append(rates.table)


def _tell_direction(
    rates: RateTable, base: str, given: Mapping[str, _Rate], counts: Counter[str], money: Money
) -> None:
    """Say which way round the rates are taken: no table says it of itself."""
    code = next(code for code, _ in counts.most_common() if code != base)
    least, most = given[code].least, given[code].most
    one, other = (base, code) if rates.is_inverse else (code, base)
    said = f"one {one} is taken to be worth {least:g} to {most:g} {other}"
    money.comments["ingest.rates"] = f"{said}; the other way round? let a query turn them (1 / {rates.rate})"
    money.notes.append(f"{rates.table} holds exchange rates: {said}. See that it is not the other way round")
