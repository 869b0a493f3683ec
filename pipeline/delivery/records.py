"""From recommendations to what the leads' fields shall hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from features.core.errors import InputError, nearest
from features.core.recommendation import RECOMMENDATION
from features.core.schema import WORDING
from pipeline.delivery.values import Values
from pipeline.settings.push import Push
from pipeline.sinks.protocol import Value

ROWS = 2_000
"""Recommendations that are held at once."""
_SELECTABLE = {field.name: field.allowed for field in RECOMMENDATION if field.allowed}
_LONGEST = 255
"""Letters of a text: what every CRM's own fields of one line take."""
_OF_PROBABILITY = frozenset({
    "probability", "score", "expected_value", "grade", "guess", "trend", "what_changed",
    "reason_1", "reason_2", "reason_3", "reason_for", "reason_against",
})  # fmt: skip
"""What rests on the probability alone, and is emptied where that is not to be relied on."""


class Row(NamedTuple):
    """A recommendation."""

    lead_id: str
    as_of: datetime
    probability: float | None
    """None of a lead that has ended."""
    score: float | None
    maturity: str
    tier: str
    reasons: Sequence[str]
    model_version: str
    stage: str | None = None
    facts: Sequence[str] | None = None
    target: str | None = None
    expected_value: float | None = None
    list: str | None = None
    list_reason: str | None = None
    guess: str | None = None
    grade: str | None = None
    reasons_for: Sequence[str] | None = None
    reasons_against: Sequence[str] | None = None
    trend: str | None = None
    what_changed: str | None = None
    recontact_on: date | None = None
    action: str | None = None
    channel: str | None = None
    lottery_group: str | None = None


class Wanted(NamedTuple):
    """A lead, and what its fields shall hold."""

    key: str
    values: Values


@dataclass(frozen=True)
class Selection:
    """Which leads are pushed: all, those of a tier or a maturity, or a share of all that is the same every day."""

    only: Mapping[str, Sequence[str]]
    """Tiers, or maturities, that are taken."""
    share: float = 1.0
    lead: str | None = None
    """The only one that is taken."""

    def takes(self, row: Row) -> bool:
        """Tell whether a recommendation is among them."""
        if self.lead is not None and row.lead_id != self.lead:
            return False
        if any(getattr(row, name) not in values for name, values in self.only.items()):
            return False
        return self.share >= 1.0 or int.from_bytes(sha256(row.lead_id.encode()).digest()[:8]) < self.share * 2**64


def select(only: Sequence[str], share: float, lead: str | None = None) -> Selection:
    """Read what the command line asks for, as in tier=SQL."""
    chosen: dict[str, list[str]] = {}
    for text in only:
        name, sign, value = text.partition("=")
        if not sign or name not in _SELECTABLE:
            raise InputError(f"--only {text!r} is no condition; write it as in tier=SQL ({nearest(name, _SELECTABLE)})")
        if value not in _SELECTABLE[name]:
            raise InputError(f"--only {text!r}: there is no such {name}; {nearest(value, _SELECTABLE[name])}")
        chosen.setdefault(name, []).append(value)
    return Selection(chosen, share, lead)


def wanted_of(
    path: Path, push: Push, selection: Selection, suspended: Mapping[str, str], zone: str = "UTC"
) -> Iterator[list[Wanted]]:
    """Give what the leads of the recommendations shall hold, the best first, in parts.

    ``suspended`` has the leads whose score is not to be relied on, with the date since when; dates are those of
    ``zone``. Raises InputError where the recommendations are of an earlier version, and lack what is mapped.
    """
    makers = [(field, _MAKERS[name]) for name, field in push.mapping.items() if name in _MAKERS]
    day, here = push.mapping.get("date"), ZoneInfo(zone)
    action, words = push.mapping.get("action"), push.words_of_actions
    with pq.ParquetFile(path) as file:
        held = [name for name in Row._fields if name in file.schema_arrow.names]
        if lacking := sorted(set(push.mapping) & set(Row._fields) - set(held)):
            raise InputError(
                f"push.fields maps {', '.join(lacking)}, which {path.parent} lacks: an earlier "
                "version has written it; score anew"
            )
        for batch in file.iter_batches(ROWS, columns=held):
            part = []
            for values_of in zip(*(batch[name].to_pylist() for name in held), strict=True):
                row = Row(**dict(zip(held, values_of, strict=True)))
                if not selection.takes(row):
                    continue
                since = suspended.get(row.lead_id)
                values = {field: make(row) for field, make in makers}
                if day is not None:
                    values[day] = row.as_of.replace(tzinfo=UTC).astimezone(here).date().isoformat()
                if action is not None:
                    values[action] = _in_words(words, row)
                if since is not None:
                    values |= _suspended(since, push.mapping)
                part.append(Wanted(row.lead_id, values))
            yield part


def read_wording(schema: pa.Schema) -> str:
    """Read how the reasons of recommendations are worded; empty where an earlier version has written them."""
    told: dict[bytes, bytes] = schema.metadata or {}
    return told.get(WORDING.encode(), b"").decode()


def _suspended(since: str, mapping: Mapping[str, str]) -> dict[str, Value]:
    """Say since when no probability is to be relied on; nothing of the former one, nor of why, is left standing.

    Tier, facts and what to do stay: a list that everybody works on can't be empty tomorrow.
    """
    told: dict[str, Value] = {field: None for name, field in mapping.items() if name in _OF_PROBABILITY}
    return told | {field: since for name, field in mapping.items() if name == "suspended_since"}


def _in_words(words: Mapping[str, str], row: Row) -> Value:
    """Say what to do next; where a day belongs to it, a date, which is right for weeks."""
    if row.action is None:
        return None
    day = "" if row.recontact_on is None else row.recontact_on.isoformat()
    return _cut(words.get(row.action, row.action).replace("{day}", day))


def _reason(place: int) -> Callable[[Row], Value]:
    return lambda row: _cut(row.reasons[place]) if place < len(row.reasons) else None


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


_MAKERS: Mapping[str, Callable[[Row], Value]] = {
    "tier": lambda row: row.tier,
    "probability": lambda row: None if row.probability is None else round(row.probability, 4),
    "score": lambda row: None if row.score is None else round(row.score, 2),
    "maturity": lambda row: row.maturity,
    "reason_1": _reason(0),
    "reason_2": _reason(1),
    "reason_3": _reason(2),
    "model": lambda row: row.model_version[:16],
    "stage": lambda row: row.stage,
    "facts": lambda row: _cut("; ".join(row.facts)) if row.facts else None,
    "target": lambda row: row.target,
    "expected_value": lambda row: None if row.expected_value is None else round(row.expected_value, 2),
    "list": lambda row: row.list,
    "list_reason": lambda row: row.list_reason,
    "guess": lambda row: row.guess,
    "grade": lambda row: row.grade,
    "reason_for": lambda row: _cut(row.reasons_for[0]) if row.reasons_for else None,
    "reason_against": lambda row: _cut(row.reasons_against[0]) if row.reasons_against else None,
    "trend": lambda row: row.trend,
    "what_changed": lambda row: _cut(row.what_changed) if row.what_changed else None,
    "channel": lambda row: row.channel,
    "suspended_since": lambda _: None,
    "lottery_group": lambda row: row.lottery_group,
    "recontact_on": lambda row: None if row.recontact_on is None else row.recontact_on.isoformat(),
}
