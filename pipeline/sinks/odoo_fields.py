"""The fields of Odoo's leads that take scores: their types, and how values become texts and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from pipeline.sinks.closed import kind_of
from pipeline.sinks.protocol import Record, Value

_FITTING = {"number": {"float"}, "date": {"date", "char"}, "text": {"char", "text"}}
_MADE = {"number": "float", "date": "date", "text": "char"}
_NATIVE = "probability"
"""Odoo's own field, in per cent; it keeps what we write if that differs, at two decimals, from what Odoo computed."""
_LARGEST_ID = 2**31 - 1
_LEAST, _MOST = 0.01, 99.99
"""Per cent: 0 and 100 would count as lost and won, and Odoo would learn from them."""


class Fields:
    """The fields that are mapped, and the one that names the lead."""

    def __init__(self, key: str, mapping: Mapping[str, str]) -> None:
        self.key = key
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
        return "" if value is None else str(value)

    def _percent(self, percent: float, remote_id: str) -> str:
        """Keep within what Odoo takes for open, and apart from what it has computed itself."""
        kept = round(min(max(percent, _LEAST), _MOST), 2)
        with self._lock:
            computed = self._computed.get(remote_id)
        if kept == computed:
            kept += 0.01 if kept < _MOST else -0.01
        return f"{kept:.2f}"

    def problems(self, described: Mapping[str, Mapping[str, str]]) -> list[str]:
        """Say which fields are missing, or of another type than they must be."""
        found = []
        if self.key not in described:
            found.append(f"crm.lead has no field {self.key}; push.sink.key_field must hold our lead_id")
        for field, ours in self._ours.items():
            kind = described.get(field, {}).get("type")
            if kind is None:
                remedy = "leadcast crm setup makes it" if field.startswith("x_") else "map another (push.fields)"
                found.append(f"crm.lead has no field {field}, or the scoring user may not see it; {remedy}")
            elif field == _NATIVE and ours != "probability":
                found.append(f"Odoo's own field {field} takes our probability, and not {ours}; map probability to it")
            elif kind not in _FITTING[kind_of(ours)]:
                fitting = " or ".join(sorted(_FITTING[kind_of(ours)]))
                found.append(f"the field {field} is of type {kind}; {ours} needs {fitting}")
        return found

    def missing(self, described: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
        """Define the custom fields that are missing."""
        return [
            {"name": field, "ttype": _MADE[kind_of(ours)], "field_description": f"Leadcast {ours.replace('_', ' ')}"}
            for field, ours in self._ours.items()
            if field.startswith("x_") and field not in described
        ]
