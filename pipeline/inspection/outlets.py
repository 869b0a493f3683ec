"""What doctor says of where results go: what publish writes and mails to, and the columns by which pages name leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from features.core.errors import LeadcastError
from pipeline.core.project import Project
from pipeline.publishing.folder import check_folder
from pipeline.publishing.mail import check
from pipeline.reading.lead_columns import find_empty
from pipeline.settings.parameters import Parameters

Told = tuple[Literal["good", "odd"], str, str]
"""Whether something is odd, what was found, and its remedy."""


def examine_outlets(project: Project[Parameters]) -> Iterator[Told]:
    """Look at all of them. What ``leadcast publish`` alone would fail of is odd.

    Raises SettingsError where the table of leads lacks a column of ``leads.shown``, InputError where it can't be read:
    the stage ``report`` would fail of it.
    """
    yield from _of_publishing(project)
    shown = project.parameters.leads.shown.places
    if not shown:
        return
    empty = find_empty(project, shown)
    for place in empty:
        yield "odd", f"{place}: its column holds nothing in any row", "name another column, or leave it out"
    if not empty:
        yield "good", "all that leads.shown names is there, and holds something", ""


def _of_publishing(project: Project[Parameters]) -> Iterator[Told]:
    settings = project.parameters.publish
    if settings is None:
        return
    for place, folder in (("publish.folder", settings.folder), ("publish.lists", settings.lists)):
        if folder is None:
            continue
        try:
            check_folder(project, place, project.root / folder)
        except LeadcastError as error:
            yield _odd(error)
        else:
            yield "good", f"{place} can be written to", ""
    if settings.mail is None:
        return
    try:
        check(settings.mail)
    except LeadcastError as error:
        yield _odd(error)
    else:
        yield "good", "publish.mail has a server, and all that it needs of the environment", ""


def _odd(error: LeadcastError) -> Told:
    what, _, remedy = str(error).rpartition("; ")
    return "odd", what, remedy
