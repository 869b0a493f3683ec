"""The failures a user can cause, each with an exit code; every message says what, where and what next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from unicodedata import normalize


class LeadcastError(Exception):
    """A failure that the user can mend; the command line prints its message, never a trace.

    The first line of each failure's docstring says when it happens, the rest what to do: docs/commands.md quotes both.
    """

    exit_code = 1


class SettingsError(LeadcastError):
    """The settings are wrong: all violations are told at once, each with where it stands.

    Correct params.yaml at the places that the message names, by docs/parameters.md; then run the command again.
    """

    exit_code = 3


class InputError(LeadcastError):
    """An input is missing, unreadable, or too much of it is broken.

    Bring the file, or mend the mapping under ingest; look up the lines that the message names. What an earlier stage
    should have written comes with dvc repro.
    """

    exit_code = 4


class ContractError(LeadcastError):
    """Data broke a fatal expectation.

    Open reports/data-docs/index.html, which says what was expected and what was found, and mend the mapping or the
    data; then run dvc repro.
    """

    exit_code = 5


class NotEnoughDataError(LeadcastError):
    """The log is too short or holds too few outcomes to learn from.

    Check that episodes.conversion names what really is a conversion. Then bring a longer log, shorten
    snapshots.horizon, or look at each lead more often (snapshots.policies).
    """

    exit_code = 6


class StaleError(LeadcastError):
    """A score would mislead: the data is too old, or learned from; or a source stopped, lacks a day, or is another.

    Bring newer files and run leadcast ingest; or name the moment with --as-of, and add --backfill where the model has
    learned from that time. Where it is right that a source is silent, say so: closed, quiet or closed_days. Where its
    events are of other types than the model learned, check event_type in params.yaml, or train again.
    """

    exit_code = 7


class RegistryError(LeadcastError):
    """The model registry lacks the model that was asked for, or can't be reached.

    Check evaluate.model_name and MLFLOW_TRACKING_URI; dvc repro registers a model, leadcast ui shows those there are.
    """

    exit_code = 8


class DeliveryError(LeadcastError):
    """The CRM, or the mail server, can't be reached, refuses us, or takes no more today.

    Of a CRM, run leadcast crm check, which says what is wrong, and leadcast crm status; then push again: what was
    written is not written twice. Of a mail server, mend publish.mail as the message says, then publish again.
    """

    exit_code = 9


class VerdictError(LeadcastError):
    """A model, or what it learned from, is wrong: all stages have run, but nobody should act on the result.

    Read reports/verdicts.json, or the head of reports/summary.txt: each verdict says what was seen and what to do. One
    that you know to be harmless is acquitted by its code, with a reason, under evaluate.acquitted; then run again.
    """

    exit_code = 10


class AlarmError(LeadcastError):
    """The champion no longer keeps what it promised, or a source that it needs is missing: leadcast monitor says so.

    Read reports/monitor.html: beside each alarm stands what to do. A broken promise suspends its leads until another
    model is the champion, or a person lifts it: leadcast monitor --lift 'SEGMENT' --why 'REASON'.
    """

    exit_code = 11


_MOST_LISTED = 40
"""Names that a person still reads through."""
_SEVERAL = 10
"""Leads, or one in so many of all, that have what is no name of one."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for a mistyped name: the nearest known one, or the list of all; of very many, the first.

    >>> nearest("chanel", ["channel", "value"])
    "did you mean 'channel'?"
    >>> nearest("zzz", ["channel", "value"])
    'known are: channel, value'
    """
    choices = list(known)
    if not choices:
        return "none of them is of several leads, so each may be an id: is another column mapped?"
    matches = difflib.get_close_matches(name, choices, n=1)
    if matches:
        return f"did you mean {matches[0]!r}?"
    listed = ", ".join(sorted(choices)[:_MOST_LISTED])
    rest = len(choices) - _MOST_LISTED
    return f"known are: {listed}" + (f" and {rest} more" if rest > 0 else "")


def of_several(names: Mapping[str, int]) -> list[str]:
    """Give the names that may be told, by how many leads have each: what few have may be an id, or a name of theirs.

    >>> of_several({"visit": 90, "won": 12, "A-1001": 1})
    ['visit', 'won']
    """
    enough = min(_SEVERAL, sum(names.values()) / _SEVERAL)
    return [name for name, leads in names.items() if leads >= enough]


def letters_of(name: str) -> str:
    """Give what is left of a name without case, accents, spaces and signs; nothing of a mere number.

    >>> letters_of("Gagné !"), letters_of("CLOSED_won"), letters_of("1.0")
    ('gagne', 'closedwon', '')
    """
    left = "".join(letter for letter in normalize("NFKD", name).casefold() if letter.isalnum())
    return "" if left.isnumeric() else left
