"""Tables of which no row is an act of a lead: what leads agreed to, what people decided of them, what currencies are
worth, who owns a territory.
"""  # noqa: D205 - one sentence

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.sql import identifier
from pipeline.profiling.links import is_key
from pipeline.profiling.profile import TIMES, Column, Kind, Profile, read_time
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import (
    CONSENT,
    DECIDED,
    LEAD,
    LOST,
    OURS,
    OURS_IDS,
    OUTCOMES,
    PAGES,
    THEIRS,
    VALUE,
    has,
    is_called_id,
    plain,
    rank,
    singular,
    sounds_won,
)
from pipeline.settings.people import Meaning, Purpose, Said, Status

SPEND_COST = r"cost|spend|spent|cout|kosten|coste|depense|depenses"
_PURPOSE = r"purposes?|zwecke?|verwendungszwecke?|finalites?|finalidad(?:es)?|doel(?:en)?"
PURPOSES: Mapping[Purpose, str] = {
    "mail": r"e ?mails?|mails?|newsletters?|courriels?",
    "telephone": r"telephone|phone|(?:phone )?calls?|telefon|anrufe?|appels?",
    "advertising": r"advertising|advertisements?|ads|werbung|publicites?",
    "everything": r"everything|all|alles|tout",
}
"""What a purpose is called that has a channel of ours."""
_PURPOSES = (
    rf"{'|'.join(PURPOSES.values())}|any|sms|post|letters?|fax|marketing|profiling|analytics|tracking|cookies?|"
    r"personali[sz]ation|third parties|research|briefe?|profilbildung|courrier|prospection|profilage"
)
"""What leads agree to: how they may be addressed, and what for."""
STATUSES: Mapping[Status, str] = {
    "given": (
        r"given|granted|accepted|agreed|consented|confirmed|subscribed|opt(?:ed)? in|in|double opt in|yes|true|"
        r"donnee?|accordee?|accepte|acceptee?|oui|gegeben|erteilt|eingewilligt|zugestimmt|bestatigt|ja"
    ),
    "refused": r"refused|declined|denied|rejected|no|false|refus|refusee?|non|abgelehnt|verweigert|nein",
    "withdrawn": (
        r"withdrawn|withdrew|revoked|opt(?:ed)? out|out|unsubscribed|expired|"
        r"retiree?|retrait|revoquee?|widerrufen|zuruckgezogen"
    ),
    "objected": r"objected|objection|opposee?|opposition|widersprochen|widerspruch",
}
"""What is said of an agreement; what has expired holds no more, as what was withdrawn."""
_AGREED = rf"{'|'.join(STATUSES.values())}|pending|unknown"
_ONLY_AGREED = (
    r"given|revoked|opt(?:ed)? (?:in|out)|double opt in|objected|objection|consented|"
    r"donnee?|opposee?|opposition|revoquee?|eingewilligt|erteilt|widerrufen|widersprochen|widerspruch"
)
"""What is said of an agreement, and hardly of a sale."""
TIERS: Mapping[Said, str] = {
    "disqualified": (
        r"disqualified|unqualified|junk|spam|never|(?:not a|no|bad) fit|out of target|outside (?:the )?target|"
        r"disqualifiee?|ecartee?|hors cible|jamais|disqualifiziert|ungeeignet|aussortiert|nie"
    ),
    "SQL": r"sql|sales qualified(?: lead)?|(?:very )?hot(?: lead)?|(?:lead )?chaude?|hei(?:ss)?|heisser lead",
    "recycled": r"recycled?|recyclee?|a recycler|remise? en piste|a relancer|recycelt|zuruck an(?:s)? marketing",
    "MQL": r"mql|marketing qualified(?: lead)?|(?:keep )?warm(?: lead)?|(?:lead )?tiede|lauwarm|warm ?halten",
    "IQL": r"iql|information qualified(?: lead)?|cold(?: lead)?|(?:lead )?froide?|kalt|kalter lead",
}
"""What people call the tiers that they give; of the German word for hot, plain words lose the last letter."""
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
_DECISIONS = r"decisions?|verdicts?|entscheidung(?:en)?|entscheid|einschatzung(?:en)?|urteile?|beurteilung(?:en)?|avis"
_LOGS = r"events?|logs?|histor\w*|activit\w*|transitions?|changes?|verlauf|historique|journal|stages?"
_TURNS = r"old|new|previous|before|after|lifecycle|events?|activity|action"
_ACTS = f"{OURS}|{THEIRS}|{PAGES}|meeting|appointment|termin|rendez vous"
_UNTIL = r"until|valid (?:to|through)|through|ends?|expir\w+|bis|jusqu(?: a?u?)?|jusque|fin|au|tot|hasta"
_CALL_ON = (
    r"call (?:again|back|on|after)|callback|next call|recontact\w*|follow ?up|relance\w*|rappel\w*|"
    r"wiedervorlage|ruckruf|anruf(?:en)?"
)
_BY = rf"{OURS_IDS}|who|seller|initials|par|qui|von|wer|kurzel"
_REASON = r"reasons?|why|grund|begrundung|motifs?|raisons?|pourquoi|warum|comments?|notes?|remarks?|commentaire"
_TEXTS: tuple[Kind, ...] = ("category", "flag", "identifier", "text")
_PER_DAY = r"per day|a day|daily|capacity|places|leads|calls|hours|par jour|pro tag|am tag|kapazitat|capacite"
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
class DecisionTable:
    """A table in which people say what they decided of leads: its columns, as far as they are there."""

    table: str
    tier: str
    call_on: str | None
    until: str | None
    by: str | None
    reason: str | None


@dataclass(frozen=True)
class Registers:
    """The tables of which no row is an act, each with what to tell of it; and how to read those that can be read."""

    told: Mapping[str, str]
    rates: RateTable | None = None
    consents: Sequence[str] = ()
    decisions: Sequence[DecisionTable] = ()


def find_registers(
    tables: Tables, profiles: Mapping[str, Profile], leads: str | None, ends: Collection[str] = ()
) -> Registers:
    """Find what leads agreed to, what people decided of them, and exchange rates.

    What is said to be the leads is none, nor what says the ``ends`` that the user names.
    """
    told: dict[str, str] = {}
    rates: RateTable | None = None
    consents: list[str] = []
    decisions: list[DecisionTable] = []
    if len(profiles) == 1:
        return Registers(told)
    for name, profile in profiles.items():
        if name == leads:
            continue
        if is_consents(profile):
            told[name] = "it says what leads agreed to, which is no act of theirs; ingest.consents takes it"
            consents.append(name)
        elif found := find_decisions(profile, ends):
            told[name] = "it says what people decided of leads, which is no act of theirs; ingest.decisions takes it"
            decisions.append(found)
        elif (found_rates := find_rates(tables, profile)) and rates is None:
            rates = found_rates
            told[name] = "its exchange rates have nothing to convert"
    return Registers(told, rates, consents, decisions)


def meaning(text: str, words: Mapping[Meaning, str]) -> Meaning | None:
    """Give what a word of a table means; None where it is none that is known.

    >>> meaning("Widerrufen", STATUSES), meaning("pending", STATUSES)
    ('withdrawn', None)
    """
    return next((meant for meant, pattern in words.items() if re.fullmatch(pattern, plain(text))), None)


def is_consents(profile: Profile) -> bool:
    """Tell a table of consents: all its statuses are words of an agreement, and its name or its purposes say so."""
    few = _few(profile)
    statuses = statuses_of(profile)
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


def statuses_of(profile: Profile) -> list[Column]:
    """List the columns all of whose values are words of an agreement."""
    return [column for column in _few(profile) if _all(column, _AGREED)]


def purposes_of(profile: Profile) -> list[Column]:
    """List the columns that say what an agreement is about: those that are called so or, of others, whose words are."""
    few = [column for column in _few(profile) if not _all(column, _AGREED)]
    return [column for column in few if has(column.name, _PURPOSE)] or [
        column for column in few if _all(column, _PURPOSES)
    ]


def _few(profile: Profile) -> list[Column]:
    return [column for column in profile.of_kind("category", "flag") if column.distinct <= _MOST_STATUSES]


def _says_no_more(profile: Profile, said: Sequence[Column]) -> bool:
    """Tell that a table says the same few things again and again: of a lead or a form, an opt-in is one of many."""
    others = [column for column in profile.of_kind("number", "flag", "category", "text") if column not in said]
    return not others and any(not is_key(column, profile) for column in profile.of_kind("identifier"))


def _all(column: Column, words: str) -> bool:
    return all(re.fullmatch(rf"(?:{words})", plain(text)) for text in column.values)


def find_decisions(profile: Profile, ends: Collection[str]) -> DecisionTable | None:
    """Find what people decided of leads: a row gives a lead a tier and, but for that, says who, why and how long.

    A history of stages has the same words, and so may a lead: neither says until when, nor who and why, nor is it
    called a decision.
    """
    tiers = [column for column in _few(profile) if any(meaning(text, TIERS) for text in column.values)]
    if len(tiers) != 1 or set(tiers[0].values) & set(ends):
        return None
    (tier,) = tiers
    known = [text for text in tier.values if meaning(text, TIERS)]
    is_table_of_them, named = has(profile.name, _DECISIONS), singular(profile.name)
    if has(profile.name, _LOGS) or has(tier.name, _TURNS) or any(map(_ends, {*tier.values} - {*known})):
        return None
    if not is_table_of_them and (rank(named, LEAD) or has(profile.name, OUTCOMES) or has(named, _ACTS)):
        return None
    found = _beside(profile, tier)
    if is_table_of_them or has(tier.name, _DECISIONS):
        fits = 2 * len(known) >= len(tier.values) and len(profile.columns) <= _NARROW
    else:
        used = {tier.name, found.call_on, found.until, found.by, found.reason}
        others = [column for column in profile.of_kind("number", *_TEXTS) if column.name not in used]
        says_no_more = all(is_called_id(column.name) for column in others)
        fits = _says_for_how_long_or_why(found) and says_no_more and len(known) == len(tier.values)
    return found if fits else None


def _ends(text: str) -> bool:
    """Tell a word that says what became of a lead: people who approve loans give no tiers."""
    return bool(sounds_won(text) or rank(text, LOST) or has(text, DECIDED))


def sounds_decided(profile: Profile) -> bool:
    """Tell a table that is called and made like one of decisions, whatever its words are."""
    return has(profile.name, _DECISIONS) and any(
        _says_for_how_long_or_why(_beside(profile, column)) for column in _few(profile)
    )


def _says_for_how_long_or_why(found: DecisionTable) -> bool:
    return bool(found.until or found.call_on or (found.by and found.reason))


def _beside(profile: Profile, tier: Column) -> DecisionTable:
    """Find what a table says beside the tier, each in a column of its own."""
    said: dict[str, str | None] = {}
    for key, pattern, kinds in (
        ("call_on", _CALL_ON, TIMES),
        ("until", _UNTIL, TIMES),
        ("by", _BY, _TEXTS),
        ("reason", _REASON, _TEXTS),
    ):
        free = [column for column in profile.of_kind(*kinds) if column.name not in {tier.name, *said.values()}]
        said[key] = next((column.name for column in free if has(column.name, pattern)), None)
    return DecisionTable(profile.name, tier.name, said["call_on"], said["until"], said["by"], said["reason"])


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
        text = f"regexp_replace({text}, '[, ]', '', 'g')"
    elif column.number_format == "apostrophe":
        text = f"regexp_replace({text}, '[''\u2019]', '', 'g')"
    return f"TRY_CAST({text} AS DOUBLE)"


@dataclass(frozen=True)
class OwnerTable:
    """A table that says who owns a territory from a day on; what it names besides, as far as it is there."""

    table: str
    territory: str
    owner: str
    since: str
    until: str | None
    per_day: str | None


def find_owners(profile: Profile) -> OwnerTable | None:
    """Find who owns something from a day on, in a table that leads to no lead."""
    owners = [column for column in profile.columns.values() if has(column.name, OURS_IDS)]
    since = [column for column in profile.of_kind(*TIMES) if has(column.name, _SINCE)]
    if not owners or not since:
        return None
    # A number is what they can take, and nothing that they own.
    others = [column for column in profile.of_kind("category", "flag", "identifier", "text") if column not in owners]
    of = next((column.name for column in others if column.number_format is None), None)
    if of is None:
        return None
    until = next(
        (one.name for one in profile.of_kind(*TIMES, "empty") if has(one.name, _UNTIL) and one is not since[0]), None
    )
    numbers = [one for one in profile.of_kind("number", "flag", "category") if one.number_format and one not in owners]
    per_day = next((one.name for one in numbers if has(one.name, _PER_DAY)), None)
    return OwnerTable(profile.name, of, owners[0].name, since[0].name, until, per_day)


def said_of_owners(owners: OwnerTable) -> str:
    """Say what a table of owners is."""
    return (
        f"it says who owns a {plain(owners.territory)}, and from when; where leads have it as an attribute, "
        "ingest.owners takes it"
    )
