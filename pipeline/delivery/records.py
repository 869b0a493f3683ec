"""From recommendations to what the leads' fields shall hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from features.errors import InputError, nearest
from features.schema import RECOMMENDATION
from pipeline.delivery.values import Values
from pipeline.push_configuration import Push
from pipeline.sinks.protocol import Value

ROWS = 10_000
"""Recommendations that are held at once."""
_COLUMNS = ("lead_id", "as_of", "probability", "score", "maturity", "tier", "reasons", "model_version")
_SELECTABLE = {field.name: field.allowed for field in RECOMMENDATION if field.allowed}
_LONGEST = 255
"""Letters of a text: what every CRM's own fields of one line take."""
SUSPENDED = "suspended"


@dataclass(frozen=True)
class Wanted:
    """A lead, and what its fields shall hold."""

    key: str
    values: Values


@dataclass(frozen=True)
class Selection:
    """Which leads are pushed: all, those of a tier or a maturity, or a share of all that is the same every day."""

    only: Mapping[str, str]
    share: float = 1.0

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a recommendation is among them."""
        if any(row[name] != value for name, value in self.only.items()):
            return False
        return self.share >= 1.0 or int.from_bytes(sha256(row["lead_id"].encode()).digest()[:8]) < self.share * 2**64


def select(only: Sequence[str], share: float) -> Selection:
    """Read what the command line asks for, as in tier=SQL."""
    chosen = {}
    for text in only:
        name, sign, value = text.partition("=")
        if not sign or name not in _SELECTABLE:
            raise InputError(f"--only {text!r} is no condition; {nearest(name, _SELECTABLE)}; write it as in tier=SQL")
        if value not in _SELECTABLE[name]:
            raise InputError(f"--only {text!r}: there is no such {name}; {nearest(value, _SELECTABLE[name])}")
        chosen[name] = value
    return Selection(chosen, share)


def wanted_of(path: Path, push: Push, selection: Selection, suspended: Mapping[str, str]) -> Iterator[list[Wanted]]:
    """Give what the leads of the recommendations shall hold, the best first, in parts.

    ``suspended`` has the leads whose score is not to be relied on, with the date since when.
    """
    mapping = push.mapping
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS, columns=list(_COLUMNS)):
            rows = [row for row in batch.to_pylist() if selection.takes(row)]
            yield [
                Wanted(row["lead_id"], _values(row, mapping, push.actions, suspended.get(row["lead_id"])))
                for row in rows
            ]


def _values(
    row: Mapping[str, Any], mapping: Mapping[str, str], actions: Mapping[Any, str], suspended_since: str | None
) -> dict[str, Value]:
    if suspended_since is not None:
        ours = _suspended(suspended_since)
    else:
        reasons = [*row["reasons"], None, None, None]
        as_of: datetime = row["as_of"]
        ours = {
            "tier": row["tier"],
            "probability": round(row["probability"], 4),
            "score": round(row["score"], 2),
            "maturity": row["maturity"],
            "action": actions.get(row["tier"]),
            "date": as_of.date().isoformat(),
            "model": row["model_version"][:16],
        } | {f"reason_{number}": _shorten(reasons[number - 1]) for number in (1, 2, 3)}
    return {field: ours.get(name) for name, field in mapping.items()}


def _suspended(since: str) -> dict[str, Value]:
    """Say that no score is to be relied on, and since when; nothing of the former one is left standing."""
    return {
        "tier": SUSPENDED,
        "maturity": SUSPENDED,
        "action": f"no score since {since}: decide without",
        "date": since,
    }


def _shorten(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST:
        return text
    return text[: _LONGEST - 3] + "..."
