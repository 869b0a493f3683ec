"""The click ids of leads, from their raw table: read for one file, and kept nowhere."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from features.core.errors import SettingsError
from pipeline.core.project import Project
from pipeline.reading import lead_columns
from pipeline.settings.leads import Exports

_PLACE = "exports.click_id"
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")


class Sections(lead_columns.Sections, Protocol):
    """The sections of the settings that are asked for here."""

    exports: Exports | None


def is_click_id(text: str) -> bool:
    """Tell whether a text can be a click id: no platform's has other signs, and no formula is made of these.

    >>> is_click_id("Cj0KCQ-x_1"), is_click_id("=HYPERLINK(1)"), is_click_id("gclid=Cj0")
    (True, False, False)
    """
    return _WELL_FORMED.fullmatch(text) is not None


def read_click_ids(project: Project[Sections], as_of: datetime) -> dict[str, str]:
    """Give the click id of each lead that has one, by lead_id; of several, that of its own first row.

    What stands at an alias is its lead's once both are known as one before ``as_of`` (UTC). Raises SettingsError where
    nobody says which column it is, or the table has no such, InputError where it can't be read.
    """
    exports = project.parameters.exports
    if exports is None or exports.click_id is None:
        raise SettingsError(
            "nobody says which column holds the click id; name the column of the table of ingest.leads: "
            "exports: {click_id: gclid}"
        )
    found = lead_columns.read_of_leads(project, {_PLACE: exports.click_id}, as_of)
    return {lead: texts[_PLACE] for lead, texts in found.items()}
