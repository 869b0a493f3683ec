"""Whose a value is that stands in another system: ours, or a person's, who is not overruled.

A system may give back less than was written (a text is cut, a number rounded), and it may be put back to a backup:
neither is an edit. What a person set stays the person's, though it be what we want, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.delivery.ledger import Known
from pipeline.delivery.values import Values, same
from pipeline.settings.push import Push
from pipeline.sinks.protocol import Value

_SHORTEST_CUT = 8
"""Letters that a text of ours must have left where nobody says how many the field takes."""
_DECIMALS = (2, 3)
"""That fields of money and per cent keep of a probability; a score may also be whole."""
_TOGETHER = (
    "tier", "maturity", "action", "stage", "facts", "target", "list", "list_reason",
    "reason_1", "reason_2", "reason_3", "reason_for", "reason_against", "grade", "recontact_on", "channel",
    "trend", "what_changed", "date", "lottery_group",
)  # fmt: skip
"""What contradicts itself when only some of it is written."""


@dataclass(frozen=True)
class Ownership:
    """What is known of the fields that are written."""

    push: Push
    sizes: Mapping[str, int | None]
    """How many letters text fields take, None for any number, as far as the system says so."""
    resync: bool = False
    """Whether the system was put back to a backup, and people may have changed fields since."""

    def fitting(self, name: str, value: Value) -> Value:
        """Cut a text to what its field takes."""
        size = self.sizes.get(name)
        if size is None or not isinstance(value, str) or len(value) <= size:
            return value
        return value[: size - 3] + "..." if size > _SHORTEST_CUT else value[:size]

    def holds(self, name: str, current: Value, ours: Value) -> bool:
        """Tell whether a field holds what it shall, as far as it can: a text that is cut, or a whole number."""
        if name in self.push.whole and isinstance(ours, float) and not _is_empty(current):
            return same(current, round(ours))
        return same(current, ours) or self._is_cut(name, current, ours)

    def is_ours(self, name: str, current: Value, ours: Value) -> bool:
        """Tell whether a field holds what is ours, or what the system makes of it: a rounded number, too."""
        return self.holds(name, current, ours) or self._is_rounded(name, current, ours)

    def edited(self, target: Collection[str], current: Values, known: Known, earlier: Sequence[Values]) -> set[str]:
        """List the fields that hold neither what we wrote last, nor what we may have written, nor a backup of it.

        ``earlier`` are the states of a lead: before our first write, and after each, the oldest first. A lead is a
        backup where all fields are as after one of the writes; after a restoration, where most are, and what differs is
        what people have changed since, or where all are as before the first. One field alone is always a person's.
        """
        found = {name for name in target if self._is_edited(name, current[name], known)}
        if not found or not earlier or (len(found) == 1 and not self.resync):
            return found
        unwritten, *written = (
            {name for name in target if name in state and self.is_ours(name, current[name], state[name])}
            for state in earlier
        )
        best = max(reversed(written), key=len, default=set[str]())
        if self.resync and len(unwritten) == len(target):
            return set()
        enough = 2 * len(best) >= len(target) if self.resync else len(best) == len(target)
        return found - best if enough else found

    def kept(self, edited: Collection[str]) -> set[str]:
        """List the fields that stay as they are: what people have changed, and what would contradict it."""
        together = set(self._together)
        return {*edited, *together} if together & set(edited) else set(edited)

    @cached_property
    def _together(self) -> list[str]:
        return [field for name, field in self.push.mapping.items() if name in _TOGETHER]

    def _is_edited(self, name: str, current: Value, known: Known) -> bool:
        if name not in known.held:
            return False  # we have not written it before
        in_doubt = known.target or {} if known.is_in_doubt else {}
        ours = [known.held[name], *([in_doubt[name]] if name in in_doubt else [])]
        return not any(self.is_ours(name, current, value) for value in ours)

    def _is_cut(self, name: str, current: Value, ours: Value) -> bool:
        if not isinstance(current, str) or not isinstance(ours, str):
            return False
        if name not in self.sizes:
            return len(current) >= _SHORTEST_CUT and ours.startswith(current)
        size = self.sizes[name]
        return size is not None and current in {ours[:size], ours[:size].rstrip(), self.fitting(name, ours)}

    def _is_rounded(self, name: str, current: Value, ours: Value) -> bool:
        if not isinstance(ours, float) or _is_empty(current):
            return False
        is_whole = name in self.push.whole or name == self.push.mapping.get("score")
        return any(same(current, round(ours, digits)) for digits in (*((0, 1) if is_whole else ()), *_DECIMALS))


def _is_empty(current: Value) -> bool:
    """Tell an empty field, which is no small number, from one that holds nought."""
    return current is None or current == ""
