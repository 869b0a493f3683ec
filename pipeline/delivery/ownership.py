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
_TOGETHER = ("tier", "maturity", "action", "reason_1", "reason_2", "reason_3", "date")
"""What contradicts itself when only some of it is written."""


@dataclass(frozen=True)
class Ownership:
    """What is known of the fields that are written."""

    push: Push
    sizes: Mapping[str, int]
    """How many letters text fields take, as far as the system says so."""
    resync: bool = False
    """Whether the system was put back to a backup, and people may have changed fields since."""

    def fitting(self, name: str, value: Value) -> Value:
        """Cut a text to what its field takes."""
        size = self.sizes.get(name)
        if size is None or not isinstance(value, str) or len(value) <= size:
            return value
        return value[: size - 3] + "..." if size > _SHORTEST_CUT else value[:size]

    def holds(self, name: str, current: Value, ours: Value) -> bool:
        """Tell whether a field holds what is ours, or what the system makes of it."""
        return same(current, ours) or self._is_cut(name, current, ours) or self._is_rounded(name, current, ours)

    def edited(self, target: Collection[str], current: Values, known: Known, earlier: Sequence[Values]) -> set[str]:
        """List the fields that hold neither what we wrote last, nor what we may have written, nor a backup of it.

        ``earlier`` are the states of all fields that earlier writes have left. A lead is a backup of one of them where
        all fields are; after a restoration, where most are: what differs is what people have changed since.
        """
        found = {name for name in target if self._is_edited(name, current[name], known)}
        if not found:
            return found
        states = [state for state in earlier if state.keys() >= set(target)]
        if not states:
            return found
        matches = [{name for name in target if self.holds(name, current[name], state[name])} for state in states]
        best = max(matches, key=len)
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
        return not any(self.holds(name, current, value) for value in ours)

    def _is_cut(self, name: str, current: Value, ours: Value) -> bool:
        if not isinstance(current, str) or not isinstance(ours, str):
            return False
        size = self.sizes.get(name)
        if size is not None:
            return current in {ours[:size], ours[:size].rstrip(), self.fitting(name, ours)}
        return len(current) >= _SHORTEST_CUT and ours.startswith(current)

    def _is_rounded(self, name: str, current: Value, ours: Value) -> bool:
        if not isinstance(ours, float):
            return False
        is_whole = name in self.push.whole or name == self.push.mapping.get("score")
        return any(same(current, round(ours, digits)) for digits in (*((0, 1) if is_whole else ()), *_DECIMALS))
