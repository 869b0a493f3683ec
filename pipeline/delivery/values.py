"""What counts as the same value, and what as a change worth a write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.sinks.protocol import Value

Values = Mapping[str, Value]
"""By the other system's field names."""

_CLOSE = 1.5e-4
"""What systems lose of a number: single precision, two decimals of a per cent. Less is no change worth a word."""
_DATE = re.compile(r"\d+\w* \w+ \d{4}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NEVER_SIGNIFICANT = frozenset({"date", "model", "expected_value", "what_changed"})
"""What moves each night, or as the probability does. What has changed names its days, so that it stays true; a trend
that is written nowhere else does not."""
_PROBABILITIES = {"probability": 1.0, "score": 100.0}


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are the same to a system that gives a number back as a text, and nothing as "" or 0.

    >>> same("0.1234", 0.1234), same("", None), same(0.0, None), same("MQL", "SQL")
    (True, True, True, False)
    """
    one, other = (None if value == "" else value for value in (one, other))
    if isinstance(one, int | float) or isinstance(other, int | float):
        try:
            left, right = float(one or 0.0), float(other or 0.0)
        except ValueError:
            return False
        return abs(left - right) <= _CLOSE * max(abs(left), abs(right), 1.0)
    return one == other


@dataclass(frozen=True)
class Significance:
    """What makes a lead worth a write: what is decided of it, a kind of reason, or enough of a probability."""

    mapping: Mapping[str, str]
    """Our names, each with the system's field."""
    probability_change: float

    def differs(self, former: Values, wanted: Values, *, is_same_wording: bool = True) -> bool:
        """Tell whether what a lead shall hold differs significantly from what it was last told to hold.

        Where reasons are worded in another way than then nobody can tell new ones by their texts: that there is one,
        or none, is all that counts of them.
        """
        if former.keys() != wanted.keys():
            return True
        return any(
            self._differs(name, former[field], wanted[field], is_same_wording) for name, field in self.mapping.items()
        )

    def _differs(self, name: str, former: Value, wanted: Value, is_same_wording: bool) -> bool:
        if name in _NEVER_SIGNIFICANT:
            return False
        if name in _PROBABILITIES and isinstance(former, int | float) and isinstance(wanted, int | float):
            return abs(former - wanted) >= self.probability_change * _PROBABILITIES[name] * (1 - 1e-9)
        if name.startswith("reason") and isinstance(former, str) and isinstance(wanted, str):
            return is_same_wording and _kind(former) != _kind(wanted)
        return not same(former, wanted)


def _kind(reason: str) -> str:
    """Tell which story a reason is, whatever its date and the figures behind it.

    >>> _kind("raises: Asked for a quote on 28 June 2026. Of the looks at 1,204 leads that had within 7 days")
    'raises: Asked for a quote on #'
    """
    return _NUMBER.sub("#", _DATE.sub("#", reason.partition(". ")[0]))
