"""The failures a user can cause, each with an exit code; every message says what, where and what next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LeadcastError(Exception):
    """A failure that the user can mend; the command line prints its message, never a trace."""

    exit_code = 1


class SettingsError(LeadcastError):
    """The parameters are wrong: all violations at once, each with where it stands."""

    exit_code = 3


class InputError(LeadcastError):
    """An input is missing, unreadable, or too much of it is broken."""

    exit_code = 4


class ContractError(LeadcastError):
    """Data broke a fatal expectation."""

    exit_code = 5


class NotEnoughDataError(LeadcastError):
    """The log is too short or holds too few outcomes to learn from."""

    exit_code = 6


class StaleError(LeadcastError):
    """The data is too old, or from a time, for which a score would mislead."""

    exit_code = 7


class RegistryError(LeadcastError):
    """The model registry lacks the model that was asked for."""

    exit_code = 8


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for a mistyped name: the nearest known one, or the list of all.

    >>> nearest("chanel", ["channel", "value"])
    "did you mean 'channel'?"
    >>> nearest("zzz", ["channel", "value"])
    'known are: channel, value'
    """
    choices = list(known)
    matches = difflib.get_close_matches(name, choices, n=1)
    if matches:
        return f"did you mean {matches[0]!r}?"
    return f"known are: {', '.join(sorted(choices))}"
