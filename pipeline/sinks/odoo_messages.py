"""What Odoo's ``load`` says of rows that it has not taken: which are bad, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from pipeline.sinks.secrets import redact

_MET = ("could not serialize access", "deadlock detected", "could not obtain lock")
"""What PostgreSQL says where transactions met; ``load`` tells it of the row, as it tells all else."""


class Bad(NamedTuple):
    """What becomes of a row that was not taken."""

    what: Literal["skipped", "rejected", "later"]
    reason: str


def bad_rows(messages: Iterable[Mapping[str, Any]], rows: int) -> dict[int, Bad]:
    """Give the bad rows by their places; none where the rows were refused together.

    The first message of a row counts: a lead that is unknown is then taken for a new one, and lacks a name.
    """
    first: dict[int, Mapping[str, Any]] = {}
    for message in messages:
        if message.get("type", "error") == "error" and message.get("record") is not None:
            first.setdefault(message["record"], message)
    # What stopped all rows is told of the first, be it good or bad. Alone, or with the rest, it gets its own verdict.
    if rows > 1 and "field" not in first.get(0, {"field": None}):
        del first[0]
    return {place: _judged(message) for place, message in first.items()}


def _judged(message: Mapping[str, Any]) -> Bad:
    reason = " ".join(redact(str(message.get("message"))).split())
    if any(told in reason for told in _MET):
        return Bad("later", reason)
    # The id is unknown to load where the lead was archived or deleted since we looked.
    return Bad("skipped" if message.get("field") == ".id" else "rejected", reason)
