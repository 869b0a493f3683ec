"""Which columns of the leads may be used: those that never change, and don't know how it ended.

A column that a CRM overwrites in place looks like the best of all predictors, and is worth nothing on the day of the
score. Its name often tells; where it does not, the newest leads do (``models.evaluation.written``). Being good is no
proof: where neither tells, what is too good is left out, and asked about.

What other tables say of a lead is judged alike: its account's industry, its contact's position, its campaign's channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from models.evaluation.written import (
    FEWEST,
    PURE,
    SUSPECT,
    Alone,
    Flags,
    Levels,
    Numbers,
    Shown,
    look_at_newest,
    look_at_order,
    number_levels,
    tell_alone,
    worth,
)
from pipeline.core.sql import identifier
from pipeline.profiling.events import reading
from pipeline.profiling.links import Link
from pipeline.profiling.profile import TIMES, Column, Profile
from pipeline.profiling.tables import HAPPENED, in_settings
from pipeline.profiling.words import (
    ACCOUNT,
    AT_CREATION,
    CAMPAIGN,
    CONVERTED_TO,
    OURS_IDS,
    OVERWRITTEN,
    PERSONAL,
    PERSONS,
    SHARED,
    has,
    is_called_id,
    singular,
)

_FEW = 50
"""So few values name nobody."""
_MUCH = 0.5
"""The share of all that convert which may lie in values of which nearly all do: more of it is odd."""
_ALMOST_SURE = 0.95
_MOSTLY = 0.5
"""The share of the ids of a column that another table must hold, to say more of leads."""
_REPEATED = 4
"""Rows of a value, on average, from which on an id rather names a page, or a campaign, than a lead."""
_COVERED = 0.5
"""The share of leads that frequent values must cover, for a column of many values to be a category."""


@dataclass(frozen=True)
class Attribute:
    """A column that may be used, or may not: then ``refused`` says why."""

    name: str
    kind: Literal["number", "category"]
    auc: float | None
    """How well it alone tells who converts, on the half of the leads that its rates were not taken from."""
    refused: str | None = None
    is_asked: bool = False
    """Whether it is left out only because nothing tells when it was written: the user may know."""
    is_vouched_for: bool = False
    """Whether a person says that it never changes after creation."""
    worth: float | None = None
    """How much the AUC of all attributes together gains by it, where it is asked about."""
    measured: bool = True
    """Whether its values may be looked at, if only to say what it is worth: not what names a person."""


@dataclass(frozen=True)
class Lives:
    """When each lead was born and ended, in days; the age at its end is infinite where it is open."""

    born: Numbers
    ended: Numbers
    lost: Flags
    until: float
    assumed: bool
    """Whether the times are assumed, from the order of the leads and who converted."""


def settle_numbers(settings: dict[str, Any], profile: Profile, numbers: Sequence[str]) -> None:
    """Leave of what was said on how a table writes numbers what those that are used need: the rest may differ."""
    wanted = reading(profile, numbers, from_query=True)
    for key in ("decimal", "thousands"):
        if key in wanted:
            settings[key] = wanted[key]
        else:
            settings.pop(key, None)


def judge_by_name(profile: Profile, taken: Sequence[str]) -> list[Attribute]:
    """List the columns of a table of leads that could be attributes; ``taken`` have another use."""
    found = []
    for column in profile.columns.values():
        if column.name not in (*taken, HAPPENED) and column.kind not in ("empty", *TIMES):
            refused = _refusal(column, profile)
            kind: Literal["number", "category"] = "number" if column.kind == "number" else "category"
            found.append(Attribute(column.name, kind, None, refused, measured=refused in (None, _LATER)))
    return found


_DEEDS = (
    r"activities|e ?mails|calls|meetings|notes|tasks|touch(?:es|points)|interactions|messages|replies|"
    r"activites|appels|taches|rendez vous|aktivitaten|anrufe|termine|aufgaben|actividades|llamadas|tareas"
)
"""What is counted of what was done with a lead, and grows with it."""
_LATER = "its name says that it is overwritten, or sums up what came later"


def _refusal(column: Column, profile: Profile) -> str | None:
    at_creation = has(column.name, AT_CREATION)
    if _names_a_lead(column, profile):
        return "names a lead, or is free text"
    if has(column.name, PERSONS) and column.kind != "flag":
        return "personal"
    if has(column.name, OVERWRITTEN) or (column.kind == "number" and has(column.name, _DEEDS)):
        return _LATER
    if has(column.name, PERSONAL) and column.distinct > _FEW and not at_creation:
        return "personal"
    if column.distinct < 2:  # noqa: PLR2004 - one value tells nothing
        if column.filled < _COVERED:
            return f"empty in {1 - column.filled:.0%} of the rows, else always the same"
        return "always the same"
    return None


def _names_a_lead(column: Column, profile: Profile) -> bool:
    """Tell what names a lead, or is written for one, from what many leads share: a page, a campaign."""
    repeats = column.distinct * _REPEATED <= column.filled * profile.rows
    if column.kind == "text":
        return not repeats or not has(column.name, AT_CREATION)
    if column.kind == "identifier" or (is_called_id(column.name) and column.distinct > _FEW):
        return not repeats or not has(column.name, AT_CREATION) or has(column.name, ACCOUNT)
    return column.kind == "category" and column.distinct > profile.rows // 2


def judge_by_outcome(
    attributes: Sequence[Attribute],
    values: Mapping[str, Sequence[object]],
    converted: Sequence[bool],
    lives: Lives | None = None,
) -> list[Attribute]:
    """Measure how well each attribute alone tells who converts, and refuse those that know it.

    ``values`` holds a column for each attribute, ``converted`` whether the lead of each row did; ``lives`` tells when a
    value was written. Where too few convert, nothing can be measured: then ``auc`` stays None.
    """
    labels = np.asarray(converted, dtype=bool)
    if min(labels.sum(), (~labels).sum()) < FEWEST:
        return list(attributes)
    levels: dict[str, Levels] = {}
    judged = []
    for one in attributes:
        if one.name not in values:
            judged.append(one)
            continue
        column = pd.Series(values[one.name])
        levels[one.name] = number_levels(column, is_number=one.kind == "number")
        judged.append(_judge(one, column, levels[one.name], labels, lives))
    kept = [levels[one.name] for one in judged if not one.refused and one.name in levels]
    base = worth(kept, labels) or 0.5
    return [
        replace(one, worth=(worth([*kept, levels[one.name]], labels) or base) - base)
        if one.refused and one.name in levels
        else one
        for one in judged
    ]


def _judge(one: Attribute, column: pd.Series, levels: Levels, labels: Flags, lives: Lives | None) -> Attribute:
    alone = tell_alone(levels, labels, column if one.kind == "number" else None)
    one = replace(one, auc=alone.auc)
    counts = np.bincount(levels)
    covered = counts[counts >= _REPEATED].sum() >= _COVERED * counts.sum()
    if not one.refused and one.kind == "category" and not covered:
        return replace(one, refused="names a lead, or is free text: hardly any of its values is there twice")
    shown = _look(levels, labels, lives)
    late = next((found for found in shown if found.is_late), None)
    if late is not None:
        return replace(one, refused=f"knows the outcome: {_late(late)}; {_evidence(one, alone, column, levels)}")
    honest = bool(shown) and shown[0].is_honest and not any(found.is_odd for found in shown)
    if one.refused or honest or not _is_too_good(one, alone, levels, lives):
        return one
    sure = "knows" if (alone.auc or 0) >= _ALMOST_SURE else "may know"
    evidence = _evidence(one, alone, column, levels)
    return replace(one, refused=f"{sure} the outcome: {evidence}, and nothing tells when it was written", is_asked=True)


def _is_too_good(one: Attribute, alone: Alone, levels: Levels, lives: Lives | None) -> bool:
    """Tell a column that is too good to be taken unasked; a value that few leads have proves nothing."""
    if has(one.name, AT_CREATION):
        return (alone.auc or 0) >= _ALMOST_SURE
    if (alone.auc or 0) >= SUSPECT or alone.pure >= _MUCH:
        return True
    if lives is None or lives.assumed or min(lives.lost.sum(), (~lives.lost).sum()) < FEWEST:
        return False
    return tell_alone(levels, lives.lost).pure >= _MUCH


def _look(levels: Levels, labels: Flags, lives: Lives | None) -> list[Shown]:
    """Look at what the newest leads show of the outcomes to come: of conversions first, then of losses."""
    if lives is None:
        return []
    if lives.assumed:
        # Only their order is known, and worse leads would look like young ones: enough to acquit, not to accuse.
        found = look_at_order(levels, lives.born, labels)
        return [replace(found, expected=0.0, still_written=False)] if found else []
    both = [look_at_newest(levels, lives.born, lives.ended, happens, lives.until) for happens in (labels, lives.lost)]
    return [found for found in both if found is not None]


def _late(shown: Shown) -> str:
    if shown.novel > _COVERED:
        return (
            f"of the {shown.young:,} newest open leads {shown.novel:.0%} have a value that older ones hardly ever have"
        )
    return (
        f"of the {shown.young:,} newest open leads {shown.expected:.0f} have an outcome still to come, and it shows "
        f"{max(shown.share, 0.0):.0%} of what it showed of older ones at that age"
    )


def _evidence(one: Attribute, alone: Alone, column: pd.Series, levels: Levels) -> str:
    said = f"alone it has an AUC of {alone.auc:.2f} (chance: up to {alone.chance:.2f})" if alone.auc is not None else ""
    if alone.level_rate < PURE:
        return said
    text = "nothing" if alone.level == 0 else "one of its ranges"
    if one.kind == "category" and alone.level:
        text = repr(str(column[levels == alone.level].iloc[0])[:_FEW])
    value = f"of the {alone.level_count:,} leads with {text} {alone.level_rate:.0%} convert"
    return f"{said}, {value}" if said else value


def find_parents(
    profiles: Mapping[str, Profile], table: str, links: Sequence[Link], leads: str
) -> tuple[list[Attribute], str, list[str]]:
    """Find what the accounts, contacts and campaigns that a lead names say of it.

    Gives the attributes, the SQL of the leads that adds them to ``leads``, and the tables that it reads besides.

    Not those that it got when it was converted, and nothing of our own people, whose choice follows from whom we
    believed in.
    """
    attributes: list[Attribute] = []
    selected, joins, reads = "", "", []
    # A query would not see the columns that lie inside of others.
    links = [] if profiles[table].table.nested else links
    taken = {name.casefold() for name in profiles[table].columns}
    for link in links:
        if (
            link.share < _MOSTLY
            or not has(link.column, rf"{SHARED}|{CAMPAIGN}|partner|produit|product|produkt")
            or has(link.column, rf"{OURS_IDS}|{CONVERTED_TO}")
            or link.target in reads
        ):
            continue
        parent = profiles[link.target]
        what = singular(parent.name).replace(" ", "_")
        found = [one for one in judge_by_name(parent, [link.key]) if not one.refused]
        named = {one.name: f"{what}_{one.name}" for one in found}
        named = {name: called for name, called in named.items() if called.casefold() not in taken}
        if not named:
            continue
        taken |= {called.casefold() for called in named.values()}
        attributes += [replace(one, name=named[one.name]) for one in found if one.name in named]
        alias = identifier(f"of_{what}")
        selected += "".join(f",\n  {alias}.{identifier(name)} AS {identifier(as_)}" for name, as_ in named.items())
        values = ", ".join(f"min({identifier(name)}) AS {identifier(name)}" for name in named)
        key = identifier(link.key)
        joins += (
            f"\nLEFT JOIN (\n  SELECT {key} AS key, {values}\n  FROM {identifier(in_settings(link.target))}\n"
            f"  WHERE CAST({key} AS VARCHAR) <> ''\n  GROUP BY 1\n"
            f") AS {alias} ON {alias}.key = lead.{identifier(link.column)}"
        )
        reads.append(link.target)
    return attributes, f"SELECT lead.*{selected}\nFROM {leads} AS lead{joins}", reads
