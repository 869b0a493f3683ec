"""Who acted: the lead, we, or a system. A column that says it goes before the words of the event types."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.core.sql import identifier
from pipeline.profiling.profile import Column, Profile
from pipeline.profiling.tables import HAPPENED, Tables
from pipeline.profiling.words import LOST, NOBODYS, OURS, STAGE, SURE, THEIRS, has, plain, rank, sounds_won

BY = (
    r"by|actor|acted|performed|created by|initiat(?:ed|or)|author|agent|user|party|"
    r"auteur|acteur|par|durch|von|akteur|ausgelost"
)
_WORDS = {
    "us": r"us|we|sales|reps?|agents?|sellers?|salesperson|employees?|staff|team|marketing|support|admins?|operators?|"
    r"internal|company|sdr|bdr|ae|account manager|vertrieb|verkaufer|mitarbeiter|commercial|vendeur|equipe|interne?",
    "lead": r"leads?|contacts?|customers?|clients?|prospects?|visitors?|external|externe?|"
    r"interessent(?:in)?|kunde|kundin|kontakt",
    "system": r"system|systeme|automat\w*|bots?|robots?|workflows?|api|integrations?|machine|scripts?",
}
_USER = r"users?|benutzer|nutzer|utilisateur"
"""Of a CRM one of us, of a help desk the customer: the other words beside it tell."""
_HISTORY = r"histor\w*|stages|transitions?|verlauf"
_MOST_ACTORS = 20
_ALWAYS = 0.99
_SHOWN = 5


class Acting(NamedTuple):
    """Who acted, as the settings say it, and the column that says so, if one does."""

    setting: Any
    column: str | None = None
    why: str = ""


def find_actor(tables: Tables, profile: Profile, types: Sequence[str]) -> Acting:
    """Propose who acted, by a column that says it, the table's name and its types.

    What we do follows from whom we believed in, so it must be told from what the lead does.
    """
    spelled = profile.table.spelled if types == [HAPPENED] else None
    if spelled and (spelled.fields or spelled.is_sale):
        return Acting("system" if spelled.is_sale else moved_by_us(profile.columns[HAPPENED].values))
    if spelled and spelled.acted:
        texts = profile.columns[HAPPENED].values
        untold = [text for text in texts if not text.endswith(("inbound", "outbound", "by lead", "by us", "by system"))]
        us = [text for text in texts if text.endswith(("outbound", "by us")) or (text in untold and has(text, OURS))]
        system = [text for text in texts if text.endswith("by system")]
        return Acting({"default": "lead", **{who: of for who, of in (("us", us), ("system", system)) if of}})
    if len(types) == 1 and has(types[0], STAGE) and has(profile.name, _HISTORY):
        return Acting(moved_by_us(profile.columns[types[0]].values))
    by_words = _by_words(profile, types)
    for column in profile.of_kind("category", "flag"):
        if len(types) > 1 or column.name in types or not has(column.name, BY) or column.filled < _ALWAYS:
            continue
        actors = read_actors(column)
        if actors:
            return _told(tables, profile, types, column, actors, by_words)
    return Acting(by_words)


def read_actors(column: Column) -> dict[str, str]:
    """Read who acted from each of a column's texts; nothing where one of them is no such word."""
    if column.distinct > _MOST_ACTORS:
        return {}
    found = {text: _actor_of(text) for text in column.values}
    beside = {actor for actor in found.values() if actor}
    user = "us" if "lead" in beside else "lead" if "us" in beside else ""
    actors = {text: actor or (user if re.fullmatch(_USER, plain(text)) else "") for text, actor in found.items()}
    return actors if all(actors.values()) else {}


def _actor_of(text: str) -> str:
    """Read one text.

    >>> [_actor_of(text) for text in ("Sales", "account manager", "customer", "Workflow", "Anna Jansen")]
    ['us', 'us', 'lead', 'system', '']
    """
    words = plain(text)
    return next((who for who, word in _WORDS.items() if re.fullmatch(rf"(?:{word})(?: (?:{word}))*", words)), "")


def _told(
    tables: Tables,
    profile: Profile,
    types: Sequence[str],
    column: Column,
    actors: Mapping[str, str],
    by_words: Any,  # noqa: ANN401 - a word or a mapping
) -> Acting:
    """Let each event type be done by who always does it; where that differs, by whom its words say."""
    kind = f"CAST({identifier(types[0])} AS VARCHAR)" if types else "'any'"
    by = f"CAST({identifier(column.name)} AS VARCHAR)"
    rows = tables.ask(
        f"SELECT {kind}, {by}, count(*) FROM {profile.table.relation} WHERE trim({kind}) <> '' AND trim({by}) <> '' "
        "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    )
    found: dict[str, set[str]] = defaultdict(set)
    for text, who, _ in rows:
        found[text].add(actors[who])
    differ = [text for text, who in found.items() if len(who) > 1]
    if len(differ) == len(found):
        return Acting(
            by_words, None, f"{column.name} says who acted, and every event type is of several: its words tell"
        )
    why = f"{column.name} says who acted"
    if differ:
        why += f"; where that differs within an event type, its words do: {', '.join(differ[:_SHOWN])}"
    always = {text: next(iter(who)) if len(who) == 1 else _said(by_words, text) for text, who in found.items()}
    if len(set(always.values())) == 1:
        return Acting(next(iter(always.values())), column.name, why)
    default = "lead" if "lead" in always.values() else actors[rows[0][1]]
    others = [who for who in ("us", "system", "lead") if who != default and who in always.values()]
    listed = {who: [text for text in always if always[text] == who] for who in others}
    return Acting({"default": default, **listed}, column.name, why)


def moved_by_us(stages: Sequence[str]) -> Any:  # noqa: ANN401 - a word or a mapping
    """Say who moves things from stage to stage: people do; that one has ended is nobody's act that teaches anything."""
    ends = [text for text in stages if is_end(text)]
    return {"default": "us", "system": ends} if ends else "us"


def is_end(text: str) -> bool:
    """Tell whether a stage is called an end."""
    return sounds_won(text) >= SURE or rank(text, LOST) > 0


def _said(setting: Any, text: str) -> str:  # noqa: ANN401 - a word or a mapping
    """Say who acts in an event type, by a setting."""
    if isinstance(setting, str):
        return setting
    return next((who for who, texts in setting.items() if who != "default" and text in texts), str(setting["default"]))


def _by_words(profile: Profile, types: Sequence[str]) -> Any:  # noqa: ANN401 - a word or a mapping
    worked = any(has(name, "owner|rep|agent|assigned|assignee|user|by|proprietaire") for name in profile.columns)
    ours = has(profile.name, "tasks?|calls?|appels|taches") or (worked and has(profile.name, "activit(?:y|ies)|notes?"))
    if not types:
        return "us" if ours else "lead"
    examples = profile.columns[types[0]].values or profile.columns[types[0]].examples
    if ours:
        theirs = [text for text in examples if has(text, THEIRS)]
        return {"default": "us", "lead": theirs} if theirs and len(types) == 1 else "us"
    nobodys = [text for text in examples if has(text, NOBODYS)]
    listed = [text for text in examples if has(text, OURS) and not has(text, THEIRS) and text not in nobodys]
    others = {who: texts for who, texts in (("us", listed), ("system", nobodys)) if texts and len(types) == 1}
    return {"default": "lead", **others} if others else "lead"
