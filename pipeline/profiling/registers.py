"""Tables of which no row is an act of a lead: what leads agreed to, what currencies are worth, who owns a territory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.sql import identifier
from pipeline.profiling.links import is_key
from pipeline.profiling.profile import Column, Profile, read_time
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import CONSENT, OURS_IDS, VALUE, has, plain, rank

SPEND_COST = r"cost|spend|spent|cout|kosten|coste|depense|depenses"
_PURPOSE = r"purposes?|zwecke?|verwendungszwecke?|finalites?|finalidad(?:es)?|doel(?:en)?"
_PURPOSES = (
    r"e ?mails?|mails?|newsletters?|telephone|phone|calls?|sms|post|letters?|fax|advertising|ads|marketing|profiling|"
    r"analytics|tracking|cookies?|personali[sz]ation|everything|all|any|third parties|research|"
    r"telefon|anrufe?|werbung|briefe?|profilbildung|alles|"
    r"courriels?|courrier|appels?|publicite|prospection|profilage|tout"
)
"""What leads agree to: how they may be addressed, and what for."""
_ONLY_AGREED = (
    r"given|revoked|opt(?:ed)? (?:in|out)|double opt in|objected|objection|consented|"
    r"donnee?|opposee?|opposition|revoquee?|eingewilligt|erteilt|widerrufen|widersprochen|widerspruch"
)
"""What is said of an agreement, and hardly of a sale."""
_AGREED = (
    rf"{_ONLY_AGREED}|granted|refused|withdrawn|withdrew|accepted|agreed|declined|denied|rejected|confirmed|pending|"
    r"expired|unknown|subscribed|unsubscribed|yes|no|true|false|in|out|"
    r"accordee?|accepte|acceptee?|refus|refusee?|retiree?|retrait|oui|non|"
    r"gegeben|zugestimmt|bestatigt|verweigert|abgelehnt|zuruckgezogen|ja|nein"
)
_MOST_STATUSES, _NARROW = 12, 8
"""Who has opted in may be listed with all else that is known of a lead: that table is wider."""
_RATE = r"rates?|taux|kurse?|wechselkurse?|cours|cambio|koers(?:en)?|wisselkoers(?:en)?|fx"
_WORTH_OF_OURS = r"dated conversion rates?"
"""Salesforce's name for what one unit of ours is worth in the other currency: the other way round."""
_CURRENCIES = (
    r"AED|ARS|AUD|BDT|BGN|BHD|BRL|CAD|CHF|CLP|CNH|CNY|COP|CZK|DKK|EGP|EUR|GBP|GEL|GHS|HKD|HRK|HUF|IDR|ILS|INR|ISK|JOD|JPY|KES|KRW|"
    r"KWD|KZT|LKR|MAD|MXN|MYR|NGN|NOK|NZD|OMR|PEN|PHP|PKR|PLN|QAR|RON|RSD|RUB|SAR|SEK|SGD|THB|TND|TRY|TWD|UAH|UYU|USD|VND|XAF|XOF|ZAR"
)
_HARDLY = 0.05
"""How far a currency moves from one rate to the next, in half of the cases at most; what is sold of a day does not."""
_SINCE = r"from|since|valid from|start|starts|begin|begins|von|ab|seit|depuis|du|desde|vanaf"


@dataclass(frozen=True)
class RateTable:
    """A table of exchange rates: its columns, and whether it says what ours is worth in the other currency."""

    table: str
    day: str
    currency: str
    rate: str
    is_inverse: bool


@dataclass(frozen=True)
class Registers:
    """The tables of which no row is an act, each with what to tell of it; of rates, also how to read them."""

    told: Mapping[str, str]
    rates: RateTable | None


def find_registers(tables: Tables, profiles: Mapping[str, Profile], leads: str | None) -> Registers:
    """Find what leads agreed to, and exchange rates; what is said to be the leads is none."""
    told: dict[str, str] = {}
    rates: RateTable | None = None
    if len(profiles) == 1:
        return Registers(told, None)
    for name, profile in profiles.items():
        if name == leads:
            continue
        if is_consents(profile):
            told[name] = "it says what leads agreed to, which is no act of theirs; ingest.consents takes it"
        elif (found := find_rates(tables, profile)) and rates is None:
            rates = found
            told[name] = "its exchange rates have nothing to convert"
    return Registers(told, rates)


def is_consents(profile: Profile) -> bool:
    """Tell a table of consents: all its statuses are words of an agreement, and its name or its purposes say so."""
    few = [column for column in profile.of_kind("category", "flag") if column.distinct <= _MOST_STATUSES]
    statuses = [column for column in few if _all(column, _AGREED)]
    if not statuses:
        return False
    if has(profile.name, CONSENT) and len(profile.columns) <= _NARROW:
        return True
    purposes = [column for column in few if column not in statuses and _all(column, _PURPOSES)]
    if (
        purposes
        and any(has(column.name, CONSENT) for column in statuses)
        and _says_no_more(profile, statuses + purposes)
    ):
        return True
    sure = any(re.fullmatch(_ONLY_AGREED, plain(text)) for column in statuses for text in column.values)
    named = [column for column in few if column not in statuses and has(column.name, _PURPOSE)]
    return bool(named) and (sure or bool(purposes))


def _says_no_more(profile: Profile, said: Sequence[Column]) -> bool:
    """Tell that a table says the same few things again and again: of a lead or a form, an opt-in is one of many."""
    others = [column for column in profile.of_kind("number", "flag", "category", "text") if column not in said]
    return not others and any(not is_key(column, profile) for column in profile.of_kind("identifier"))


def _all(column: Column, words: str) -> bool:
    return all(re.fullmatch(rf"(?:{words})", plain(text)) for text in column.values)


def find_rates(tables: Tables, profile: Profile) -> RateTable | None:
    """Find the day, the code and the rate where a table has one rate above 0 for a day and a currency, and no id.

    What moves as little as currencies do, or is called so, is a rate.
    """
    if any(not is_key(column, profile) for column in profile.of_kind("identifier")):
        return None
    codes = [
        column
        for column in profile.of_kind("category", "flag")
        if column.filled == 1 and all(re.fullmatch(_CURRENCIES, text.strip().upper()) for text in column.values)
    ]
    # Of two currencies at a fixed rate, the numbers are as few as the answers to a question.
    numbers = [column for column in profile.of_kind("number", "flag", "category") if column.number_format]
    numbers = [column for column in numbers if has(column.name, _RATE)] or numbers
    if len(codes) != 1 or len(numbers) != 1:
        return None
    (code,), (rate,) = codes, numbers
    called = has(rate.name, _RATE) or has(profile.name, _RATE)
    if not called and (rank(rate.name, VALUE) or has(rate.name, SPEND_COST)):
        return None
    for day in profile.of_kind("time"):
        if day.filled == 1 and _are_rates(tables, profile, day, code, rate, called=called):
            inverse = has(profile.name, _WORTH_OF_OURS)
            return RateTable(profile.name, day.name, code.name, rate.name, inverse)
    return None


def _are_rates(tables: Tables, profile: Profile, day: Column, code: Column, rate: Column, *, called: bool) -> bool:
    number = number_sql(rate)
    least, most_of_a_day, moved = tables.ask_row(
        f"WITH rates AS (SELECT CAST({read_time(day)} AS DATE) AS day, "
        f"{identifier(code.name)} AS code, {number} AS rate FROM {profile.table.relation}), "
        "moves AS (SELECT abs(ln(rate / lag(rate) OVER (PARTITION BY code ORDER BY day))) AS moved "
        "FROM rates WHERE rate > 0) "
        "SELECT (SELECT min(coalesce(rate, 0)) FROM rates), (SELECT max(found) FROM "
        "(SELECT count(DISTINCT rate) AS found FROM rates GROUP BY day, code)), (SELECT median(moved) FROM moves)"
    )
    return bool(least > 0 and most_of_a_day == 1 and (called or (moved is not None and moved <= _HARDLY)))


def number_sql(column: Column) -> str:
    """Write the SQL that reads a column of numbers, as it is written."""
    text = f"trim(CAST({identifier(column.name)} AS VARCHAR))"
    if column.number_format == "comma":
        text = f"replace(regexp_replace({text}, '[.'' ]', '', 'g'), ',', '.')"
    elif column.number_format == "grouped":
        text = f"regexp_replace({text}, '[,'' ]', '', 'g')"
    return f"TRY_CAST({text} AS DOUBLE)"


def said_of_owners(profile: Profile) -> str | None:
    """Say of a table that leads to no lead what it is, where it tells who owns something from a day on."""
    owners = [column for column in profile.columns.values() if has(column.name, OURS_IDS)]
    since = [column for column in profile.of_kind("time", "planned", "stamp") if has(column.name, _SINCE)]
    if not owners or not since:
        return None
    # A number is what they can take, and nothing that they own.
    others = [column for column in profile.of_kind("category", "flag", "identifier", "text") if column not in owners]
    of = next((column.name for column in others if column.number_format is None), None)
    if of is None:
        return None
    return f"it says who owns a {plain(of)}, and from when; where leads have it as an attribute, ingest.owners takes it"
