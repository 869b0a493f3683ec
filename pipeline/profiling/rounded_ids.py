"""Ids that a spreadsheet has shortened to so few that nothing looks like an id any more: 1.0E+05."""

from __future__ import annotations

import re
from collections.abc import Mapping

from features.core.errors import InputError
from pipeline.profiling.profile import Profile
from pipeline.profiling.words import LEAD, rank
from pipeline.reading.odd_ids import SCIENTIFIC


def refuse_rounded_ids(profiles: Mapping[str, Profile]) -> None:
    """Raise InputError where a column that is called like a lead holds nothing but shortened numbers."""
    for name, profile in profiles.items():
        for column in profile.columns.values():
            rounded = [text for text in column.examples if re.fullmatch(SCIENTIFIC, text.strip())]
            if rank(column.name, LEAD) and rounded and len(rounded) == len(column.examples):
                raise InputError(
                    f"{name}.{column.name} holds numbers that a spreadsheet has shortened, as in {column.examples[0]}: "
                    f"{column.distinct:,} are left of all ids; the file is damaged: export the column as text, and "
                    "don't save the file from a spreadsheet"
                )
