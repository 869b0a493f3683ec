"""Exports that make two leads of one: ids that were rounded, cut or lost their zeros, files that say it all again.

Nothing that is read of them is right, and nothing tells it later: init refuses them, and says how to export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from features.core.errors import InputError
from pipeline.core.sql import identifier
from pipeline.profiling.profile import Column, Profile
from pipeline.profiling.tables import Tables
from pipeline.profiling.words import CREATED, LEAD, OURS_IDS, STAGE, SURE, has, is_called_id, plain, rank, singular
from pipeline.reading.nothing import CASED_LENGTH, CHECKED_LENGTH, SCIENTIFIC, with_check

_AGAIN, _HARDLY_MORE = 1.3, 1.01
_MOSTLY, _NEARLY_ALL = 0.9, 0.99
_DRESSED = r"0\d+|\d+[.]0"
"""An id that a spreadsheet, or pandas, would write in another way."""


def refuse_damaged(tables: Tables, profiles: Mapping[str, Profile]) -> None:
    """Raise InputError where ids were shortened or cut, or files hold the same rows again, as of another day.

    Ids are shortened, too, that lack zeros in front which another table has: each lead would be there twice.
    """
    _refuse_rounded_ids(profiles)
    _refuse_bare_ids(tables, profiles)
    _refuse_cut_ids(tables, profiles)
    for profile in profiles.values():
        _refuse_dumps(tables, profile)


def _refuse_dumps(tables: Tables, profile: Profile) -> None:
    """Refuse what somebody exports whole from time to time: of each row only what it is by now is true.

    A row is the same one where its id always comes with the same creation, and its status differs all the same.
    """
    path = profile.table.settings.path or ""
    created = [column for column in profile.of_kind("time") if rank(column.name, CREATED) >= SURE]
    status = [column for column in profile.of_kind("category", "flag") if has(column.name, STAGE)]
    ids = [column for column in profile.of_kind("identifier") if is_called_id(column.name)]
    if not ("*" in path and created and status and ids):
        return
    own, since, state = (identifier(columns[0].name) for columns in (ids, created, status))
    rows, things, creations, states = tables.ask_row(
        f"SELECT count(*), count(DISTINCT {own}), count(DISTINCT ({own}, {since})), count(DISTINCT ({own}, {state})) "
        f"FROM {profile.table.relation} WHERE {own} IS NOT NULL"
    )
    if rows >= _AGAIN * things and creations <= _HARDLY_MORE * things and states > creations:
        raise InputError(
            f"the files of {path} hold the same rows again and again ({rows:,} rows of {things:,} by {ids[0].name}), "
            f"each as it was when its file was exported: {status[0].name} differs, {created[0].name} does not. Keep "
            f"the newest file, and take the others out of the folder, or leave them all out: --without {profile.name}"
        )


def _refuse_rounded_ids(profiles: Mapping[str, Profile]) -> None:
    """Raise InputError where a column that is called like a lead holds nothing but shortened numbers: 1.0E+05."""
    for name, profile in profiles.items():
        for column in profile.columns.values():
            rounded = [text for text in column.examples if re.fullmatch(SCIENTIFIC, text.strip())]
            if rank(column.name, LEAD) and rounded and len(rounded) == len(column.examples):
                raise InputError(
                    f"{name}.{column.name} holds numbers that a spreadsheet has shortened, as in {column.examples[0]}: "
                    f"{column.distinct:,} are left of all ids; the file is damaged: export the column as text, and "
                    "don't save the file from a spreadsheet"
                )


def _refuse_bare_ids(tables: Tables, profiles: Mapping[str, Profile]) -> None:
    """Raise InputError where two tables name the same by ids that meet only without zeros in front, or .0 behind."""
    ids = [
        (profile, column)
        for profile in profiles.values()
        for column in profile.of_kind("identifier", "number")
        if is_called_id(column.name)
    ]
    for profile, column in ids:
        if not any(re.fullmatch(_DRESSED, text.strip()) for text in column.examples):
            continue
        for other, its in ids:
            if other is profile or not _are_called_alike((profile, column), (other, its)):
                continue
            own, held = (_bare_ids(one.table.relation, name.name) for one, name in ((profile, column), (other, its)))
            merged, meeting, bare, fewer = tables.ask_row(
                f"WITH own AS ({own}), other AS ({held}), counts AS (SELECT count(*) AS ids, "
                "count(DISTINCT bare) AS bare FROM own UNION ALL SELECT count(*), count(DISTINCT bare) FROM other) "
                "SELECT (SELECT sum(ids - bare) FROM counts), count(*) FILTER (id IN (SELECT id FROM own)), "
                "count(*) FILTER (bare IN (SELECT bare FROM own)), (SELECT min(ids) FROM counts) FROM other"
            )
            # Where a table has 7 and 007, these are two.
            if not merged and bare >= _MOSTLY * fewer and meeting < _NEARLY_ALL * bare:
                raise InputError(
                    f"{bare - meeting:,} of the {fewer:,} ids in {other.name}.{its.name} meet one of {profile.name}."
                    f"{column.name} only without the zeros in front, or the .0 behind, that it has there, so that one "
                    "lead would be two. A spreadsheet drops such zeros, pandas writes .0: export both as text, or "
                    f"leave one out: --without {other.name}"
                )


def _are_called_alike(one: tuple[Profile, Column], other: tuple[Profile, Column]) -> bool:
    """Tell whether two columns may name the same: an ``id`` is that of what its table lists."""
    own, its = (
        f"{singular(profile.name)} id" if plain(column.name) == "id" else plain(column.name)
        for profile, column in (one, other)
    )
    return own == its or (rank(own, LEAD) == rank(its, LEAD) > 0)


def _bare_ids(relation: str, column: str) -> str:
    text = f"trim(CAST({identifier(column)} AS VARCHAR))"
    return (
        f"SELECT DISTINCT {text} AS id, ltrim(regexp_replace({text}, '[.]0$', ''), '0') AS bare FROM {relation} "
        f"WHERE {text} <> ''"
    )


def _refuse_cut_ids(tables: Tables, profiles: Mapping[str, Profile]) -> None:
    """Raise InputError where ids stand with 18 letters in one column, and with the first 15 of them in another one.

    They would never meet: no lead would have what the other file tells, or each would count twice.
    """
    ids = [
        (
            f"{name}.{column.name}",
            f"CAST({identifier(column.name)} AS VARCHAR)",
            profile.table.relation,
            {*map(len, column.examples)},
        )
        for name, profile in profiles.items()
        for column in profile.of_kind("identifier", "category", "text")
        if not has(column.name, OURS_IDS)
    ]
    for whole, long, holding, lengths in ids:
        for cut, short, held, others in ids:
            if CHECKED_LENGTH not in lengths or CASED_LENGTH not in others:
                continue
            (same,) = tables.ask_row(
                f"SELECT count(DISTINCT {short}) FROM {held} "
                f"WHERE {with_check(short)} IN (SELECT {long} FROM {holding})"
            )
            if same:
                raise InputError(
                    f"{same:,} ids of {cut} are those of {whole} without their last three letters, as reports of "
                    "Salesforce cut them: the two would never meet, and a lead would be two. Export both with "
                    f"{CHECKED_LENGTH} letters (in a report, by a formula: CASESAFEID(Id)), or cut the longer ones to "
                    f"{CASED_LENGTH}"
                )
