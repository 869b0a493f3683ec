"""What people call what a log names: ``pricing_view`` is a look at prices, and who did it looked at the prices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Part = Literal["event_types", "channels", "attributes", "milestones", "features"]
"""Whose names they are."""
WordsByPart = Mapping[Part, Mapping[str, tuple[str, ...]]]
"""Of one language: a noun for each name, and behind that of an event type what was done, as in "looked at the prices".

What a noun has in the plural alone stands in brackets: look(s) at prices; instead of what, before a bar: entr(y|ies).
"""
_PLURAL = re.compile(r"(?<=\w)\((?:(\w+)\|)?(\w+)\)")
"""Brackets that touch a letter; others are part of the text."""


@dataclass(frozen=True)
class Labels:
    """The words of the language that was chosen, and those of the other, which stand in where it lacks some."""

    chosen: WordsByPart
    other: WordsByPart

    def has(self, part: Part, name: str) -> bool:
        """Tell whether somebody has said what a name is called, in either language."""
        return self._words(part, name) is not None

    def noun(self, part: Part, name: str, *, plural: bool = False) -> str:
        """Say what a name is called; one without a noun is made readable, and has no plural.

        >>> labels = Labels({"event_types": {"pricing_view": ("look(s) at prices", "looked at the prices")}}, {})
        >>> labels.noun("event_types", "pricing_view", plural=True), labels.noun("channels", "paid_social")
        ('looks at prices', 'paid social')
        """
        words = self._words(part, name)
        if words is None:
            return readable(name)
        return _PLURAL.sub(lambda found: found[2] if plural else found[1] or "", words[0])

    def verb(self, event_type: str) -> str:
        """Say what was done, as it stands behind who did it; the name made readable where nobody has said it."""
        words = self._words("event_types", event_type)
        return readable(event_type) if words is None else words[1]

    def lacking(self, part: Part, names: Iterable[str]) -> list[str]:
        """List the names that have no words in the language that was chosen, in their order."""
        return [name for name in names if name not in self.chosen.get(part, {})]

    def _words(self, part: Part, name: str) -> tuple[str, ...] | None:
        return self.chosen.get(part, {}).get(name) or self.other.get(part, {}).get(name)


def readable(name: str) -> str:
    """Write a name of the log as words.

    >>> readable("pricing_view"), readable("accepted by sales")
    ('pricing view', 'accepted by sales')
    """
    return " ".join(name.replace("_", " ").split()) or name
