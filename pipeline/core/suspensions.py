"""Segments whose scores are not to be relied on, as a file: people write it, too; push, exports and live pages heed it.

``data/suspensions.json`` is a list of ``{"where": {"channel": "SEO"}, "since": "2026-06-30"}``. The keys of ``where``
are columns of the recommendations, attributes of the leads, or ``age_days``, since their creation; a value is a text, a
number, null where there must be none, or ``{"from": 0.1, "below": 0.3}``. ``"where": "all"`` means all leads. An entry
may say its ``segment`` in words, its ``reason`` and the ``model`` whose promise was broken: scores of another model are
none of it. One that somebody has lifted stays, with ``lifted`` and ``why``, for the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from features.core.errors import InputError, nearest
from pipeline.core.project import Places, write_json
from pipeline.core.sql import file_literal, identifier, literal, open_reader

AGE = "age_days"
"""What a condition may name beside columns: the days since the lead's creation."""
_KEYS = ("where", "since", "reason", "segment", "model", "lifted", "why")
_BOUNDS = {"from": ">=", "below": "<"}
Value = str | float | None | Mapping[str, float]


@dataclass(frozen=True)
class Suspension:
    """Leads whose scores are not to be relied on."""

    where: Mapping[str, Value]
    """Empty means all leads."""
    since: str
    """The day, as in 2026-06-30."""
    segment: str = ""
    """What it is called, as in ``channel: seo``."""
    reason: str = ""
    model: str | None = None
    """The model_version whose promise was broken; None where it is of any model."""
    lifted: str | None = None
    """The day on which somebody has lifted it."""
    why: str = ""

    @property
    def named(self) -> str:
        """What people call it."""
        return self.segment or (f"leads with {dict(self.where)}" if self.where else "all leads")

    def holds(self, model_version: str) -> bool:
        """Tell whether it holds of the scores of a model."""
        return self.lifted is None and self.model in (None, model_version)

    def to_json(self) -> dict[str, Any]:
        """Give it as the file holds it."""
        told = {"segment": self.segment, "reason": self.reason, "model": self.model, "lifted": self.lifted}
        told["why"] = self.why
        return {"where": dict(self.where) or "all", "since": self.since, **{k: v for k, v in told.items() if v}}


def read_suspensions(places: Places) -> list[Suspension]:
    """Read all of them, the one suspended first before the others; none where there is no file.

    Raises InputError where it can't be read.
    """
    path = places.suspensions
    if not path.exists():
        return []
    try:
        found = [_read(one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path} can\'t be read ({error or "no segments"}); write it as [{{"where": {{"channel": "SEO"}}, '
            '"since": "2026-06-30"}]'
        ) from None
    return sorted(found, key=lambda one: one.since)


def write_suspensions(places: Places, suspensions: Sequence[Suspension]) -> None:
    """Write all of them, the one suspended first before the others."""
    write_json(places.suspensions, [one.to_json() for one in sorted(suspensions, key=lambda one: one.since)])


def lift(places: Places, segment: str, on: datetime, why: str) -> Suspension:
    """Lift the suspension of a segment, by its name, and keep who reads the file told why.

    Of one that was suspended of several models it is that of each; the one given is the last.

    Raises InputError where no such segment is suspended.
    """
    known = read_suspensions(places)
    names = [one.named for one in known if one.lifted is None]
    if segment not in names:
        raise InputError(f"no segment {segment!r} is suspended; {nearest(segment, names) if names else 'none is'}")
    lifted = [
        replace(one, lifted=f"{on:%Y-%m-%d}", why=why) if one.lifted is None and one.named == segment else one
        for one in known
    ]
    write_suspensions(places, lifted)
    return [now for now, one in zip(lifted, known, strict=True) if now is not one][-1]


def find_suspended(places: Places, scored: Path, model_version: str) -> Iterator[tuple[Suspension, list[str]]]:
    """Give each suspension that holds of some scores, with the open leads that it means.

    A lead that has ended has no score that could be wrong. Raises InputError where nothing has what is named.
    """
    held = [one for one in read_suspensions(places) if one.holds(model_version)]
    if not held:
        return
    own = pq.read_schema(scored).names
    attributes = pq.read_schema(places.leads).names if places.leads.exists() else []
    leads = f"LEFT JOIN read_parquet({file_literal(places.leads)}) AS lead USING (lead_id)" if attributes else ""
    with open_reader() as connection:
        for one in held:
            # The names of the folders would be taken for columns, as_of among them.
            meant = condition(one, own, attributes, places.suspensions)
            rows = connection.execute(
                f"SELECT lead_id FROM read_parquet({file_literal(scored)}, hive_partitioning = false) AS scored "
                f"{leads} WHERE scored.probability IS NOT NULL AND {meant}"
            ).fetchall()
            yield one, [lead for (lead,) in rows]


def condition(suspension: Suspension, own: Sequence[str], attributes: Sequence[str], path: Path) -> str:
    """Write the SQL that tells which scores are meant: ``scored`` has the columns ``own``, ``lead`` the others.

    Raises InputError where neither has what is named.
    """
    tests = []
    for name, value in suspension.where.items():
        if name == AGE:
            column = "epoch(scored.as_of - lead.created_at) / 86400.0"
        elif name in {*own, *attributes}:
            column = f"{'scored' if name in own else 'lead'}.{identifier(name)}"
        else:
            raise InputError(
                f"{path} suspends by {name!r}, which neither the recommendations nor the leads have; "
                f"{nearest(name, {*own, *attributes, AGE})}"
            )
        tests.append(_test(column, value))
    return " AND ".join(tests) or "TRUE"


def _test(column: str, value: Value) -> str:
    """Compare numbers as numbers, also where they are written as texts."""
    if value is None:
        return f"{column} IS NULL"
    if isinstance(value, Mapping):
        number = f"TRY_CAST({column} AS DOUBLE)"
        return " AND ".join(f"{number} {_BOUNDS[name]} {float(bound)!r}" for name, bound in value.items())
    try:
        exact = float(value)
    except ValueError:
        exact = nan
    # A channel may be called nan, or infinity.
    if isfinite(exact):
        return f"TRY_CAST({column} AS DOUBLE) = {exact!r}"
    return f"CAST({column} AS VARCHAR) = {literal(str(value))}"


def _read(one: dict[str, Any]) -> Suspension:
    excess = sorted(set(one) - set(_KEYS))
    if excess:
        raise ValueError(f"a segment has {', '.join(_KEYS[:-1])} and {_KEYS[-1]}, and no {excess[0]!r}")
    where = {} if one["where"] == "all" else one["where"]
    if one["where"] != "all" and not where:
        raise ValueError("where names columns, each with a value, or says all")
    for value in where.values():
        if not (value is None or isinstance(value, str | int | float | dict)) or isinstance(value, bool):
            raise ValueError("where names columns, each with one value")
        if isinstance(value, dict) and not (value and set(value) <= set(_BOUNDS)):
            raise ValueError("bounds are {'from': ..., 'below': ...}, either or both")
    told = {name: one[name] for name in _KEYS[2:] if name in one}
    return Suspension(where, f"{datetime.fromisoformat(one['since']):%Y-%m-%d}", **told)
