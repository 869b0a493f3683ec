"""The fields of Odoo's leads that take scores: their types, and how values become texts and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from pipeline.sinks.closed import CHOICES, DATED, LETTERS, kind_of
from pipeline.sinks.protocol import Record, Value

_FITTING = {"number": {"float"}, "date": {"date", "char"}, "text": {"char", "text"}}
_WHY = {
    ("selection", "action"): ", because it is a sentence, which may name a day",
    ("integer", "probability"): ", because it would be 0 in most leads; score fits in there",
}
_MADE = {"number": "float", "date": "date", "text": "char"}
_ALSO = {**{name: {"selection"} for name in CHOICES}, "score": {"integer"}}
"""Types that some of ours fit into, too."""
_LENGTHS = {name: LETTERS[name] for name in (*CHOICES, *DATED)}
"""How many letters a text needs that must not be cut."""
ATTRIBUTES = ["type", "selection", "size"]
"""What is asked of each field."""
_NATIVE = "probability"
"""Odoo's own field, in per cent; it keeps what we write if that differs, at two decimals, from what Odoo computed."""
_LARGEST_ID = 2**31 - 1
_LEAST, _MOST = 0.01, 99.99
"""Per cent: 0 and 100 would count as lost and won, and Odoo would learn from them."""


Described = Mapping[str, Mapping[str, Any]]
"""What ``fields_get`` tells of each field."""


class Fields:
    """The fields that are mapped, and the one that names the lead."""

    def __init__(self, key: str, mapping: Mapping[str, str]) -> None:
        self.key = key
        self.may_be_whole = "score" in mapping
        """Whether a field must be known to hold whole numbers or not before it is written to."""
        self.whole: frozenset[str] = frozenset()
        """Fields that hold whole numbers: what is written to them is rounded."""
        self._ours = {field: ours for ours, field in mapping.items()}
        self._computed: dict[str, float] = {}
        self._lock = Lock()

    def keys(self, keys: Sequence[str]) -> list[str] | list[int]:
        """Give keys as Odoo has them: its own id is a whole number."""
        if self.key != "id":
            return list(keys)
        numbers = [int(key) for key in keys if key.isascii() and key.isdecimal() and not key.startswith("0")]
        return [number for number in numbers if number <= _LARGEST_ID]

    def read(self) -> list[str]:
        """List the fields that are read."""
        computed = ["automated_probability"] if _NATIVE in self._ours else []
        return [self.key, *self._ours, "active", "stage_id", *computed]

    def values(self, row: Mapping[str, Any]) -> dict[str, Value]:
        """Give what a lead holds; Odoo writes False for nothing."""
        if _NATIVE in self._ours:
            with self._lock:
                self._computed[str(row["id"])] = round(float(row["automated_probability"]), 2)
        held: dict[str, Value] = {field: None if row[field] is False else row[field] for field in self._ours}
        return held | ({_NATIVE: float(row[_NATIVE]) / 100} if _NATIVE in self._ours else {})

    def row(self, record: Record, names: Sequence[str]) -> list[str]:
        """Write values as texts, as ``load`` takes them; an empty one clears."""
        return [self._text(record, name) for name in names]

    def _text(self, record: Record, name: str) -> str:
        value = record.values[name]
        if name == _NATIVE and isinstance(value, int | float):
            return self._percent(100 * value, str(record.remote_id))
        if name == _NATIVE:  # none of ours: Odoo's own goes on
            with self._lock:
                value = self._computed.get(str(record.remote_id))
        if name in self.whole and isinstance(value, int | float):
            value = round(value)
        return "" if value is None else str(value)

    def _percent(self, percent: float, remote_id: str) -> str:
        """Keep within what Odoo takes for open, and apart from what it has computed itself."""
        kept = round(min(max(percent, _LEAST), _MOST), 2)
        with self._lock:
            computed = self._computed.get(remote_id)
        if kept == computed:
            kept += 0.01 if kept < _MOST else -0.01
        return f"{kept:.2f}"

    def learn(self, described: Described) -> None:
        """Remember which fields take whole numbers."""
        self.whole = frozenset(field for field in self._ours if described.get(field, {}).get("type") == "integer")

    def sizes(self, described: Described) -> dict[str, int | None]:
        """Give how many letters the texts take, None without a limit; Odoo cuts longer ones, and says nothing."""
        limits = {field: described[field].get("size") for field in self._ours if field in described}
        return {field: int(limit) if limit else None for field, limit in limits.items()}

    def problems(self, described: Described) -> list[str]:
        """Say which fields are missing, or of another type than they must be."""
        found = []
        if self.key not in described:
            found.append(f"crm.lead has no field {self.key}; push.sink.key_field must hold our lead_id")
        for field, ours in self._ours.items():
            if field not in described:
                remedy = "leadcast crm setup makes it" if field.startswith("x_") else "map another (push.fields)"
                found.append(f"crm.lead has no field {field}, or the scoring user may not see it; {remedy}")
            elif field == _NATIVE and ours != "probability":
                found.append(f"Odoo's own field {field} takes our probability, and not {ours}; map probability to it")
            else:
                found += _unfit(ours, field, described[field])
        return found

    def missing(self, described: Described) -> list[dict[str, str | bool]]:
        """Define the custom fields that are missing; a copy of a lead is another lead, and has no score yet."""
        return [
            {
                "name": field,
                "ttype": _MADE[kind_of(ours)],
                "field_description": f"Leadcast {ours.replace('_', ' ')}",
                "copied": False,
            }
            for field, ours in self._ours.items()
            if field.startswith("x_") and field not in described
        ]


def _unfit(ours: str, field: str, described: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with the type of a field, its selection, or its size."""
    kind, size, fitting = described["type"], described.get("size"), _FITTING[kind_of(ours)] | _ALSO.get(ours, set())
    if kind not in fitting:
        why = _WHY.get((kind, ours), "")
        yield f"the field {field} is of type {kind}; {ours} needs {' or '.join(sorted(fitting))}{why}"
    elif kind == "selection":
        held = {key for key, _ in described.get("selection") or []}
        lacking = [value for value in CHOICES[ours] if value not in held]
        if lacking:
            yield (
                f"the selection {field} lacks {', '.join(lacking)} among its values; "
                f"add them with these letters, or map {ours} to a char or text"
            )
    elif size and size < _LENGTHS.get(ours, 0):
        yield f"the field {field} takes {size} letters; {ours} needs {_LENGTHS[ours]}: make it longer, or map another"
