"""One way to run a feature on each engine: tables written as text in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from features.core.schema import INTERACTION
from features.engines import census, kernel, patterns
from features.engines import compiled as engine
from features.engines.compiled import CUTS, compute_event_features
from features.engines.plan import Plan
from features.engines.reference import Interaction, compute, events_of_others
from features.language.feature import SCOPES, Feature
from features.language.filters import Vocabulary
from features.language.measures import MEASURES

Log = Mapping[str, Sequence[Interaction]]
Snapshots = Sequence[tuple[str, int] | tuple[str, int, int] | tuple[str, int, int, int]]
"""Leads with as_of and, all of them or none, known_until and occurred_until."""
Value = float | str
Engine = Callable[..., list[list[Value]]]
"""A way to compute features."""

CREATED_AT = round(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1_000_000)
"""When all leads of these tables were created."""
TYPES = {field.name: field.arrow for field in INTERACTION}


def moment(text: str) -> int:
    """Read a time in UTC as microseconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def parse_log(text: str) -> dict[str, list[Interaction]]:
    """Read a log from a table: lead, occurred_at, then event type and ``key=value`` pairs.

    A local day is the day in UTC; ``known_at`` is the time of the event where it isn't given.
    """
    log: dict[str, list[Interaction]] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        lead, day, time, event_type, *pairs = line.split()
        values = dict(pair.split("=", 1) for pair in pairs)
        occurred_at = moment(f"{day} {time}")
        known_at = moment(values.pop("known_at").replace("T", " ")) if "known_at" in values else occurred_at
        log.setdefault(lead, []).append(
            Interaction(
                occurred_at,
                known_at,
                event_type,
                actor=values.pop("actor", "lead"),
                channel=values.pop("channel", None),
                campaign=values.pop("campaign", None),
                content=values.pop("content", None),
                value=float(values.pop("value")) if "value" in values else None,
                quantity=int(values.pop("quantity", "1")),
                local_day=occurred_at // 86_400_000_000,
                local_hour=occurred_at // 3_600_000_000 % 24,
            )
        )
        assert not values, f"unknown in the table: {values}"
    return {lead: sorted(events, key=lambda event: event.occurred_at) for lead, events in sorted(log.items())}


def events_table(log: Log) -> pa.Table:
    rows = [
        {"lead_id": lead, **{name: getattr(event, name) for name in Interaction.__dataclass_fields__}}
        for lead in sorted(log)
        for event in log[lead]
    ]
    names = ["lead_id", *Interaction.__dataclass_fields__]
    return pa.table({name: pa.array([row[name] for row in rows], TYPES[name]) for name in names})


def snapshots_table(snapshots: Snapshots) -> pa.Table:
    """Give snapshots as a table, with the cuts that the first has."""
    names = ("as_of", *CUTS)[: len(snapshots[0]) - 1] if snapshots else ("as_of",)
    moments = zip(*(at for _, *at in snapshots), strict=True) if snapshots else [()]
    return pa.table(
        {
            "lead_id": pa.array([lead for lead, *_ in snapshots], pa.string()),
            **{name: pa.array(at, pa.timestamp("us")) for name, at in zip(names, moments, strict=True)},
            "created_at": pa.array([CREATED_AT] * len(snapshots), pa.timestamp("us")),
        }
    )


def account_of(lead: str) -> str:
    """Put all leads but one into the same account."""
    return "alone" if lead == "z" else "shared"


def on_reference(
    log: Log, snapshots: Snapshots, features: Sequence[Feature], vocabulary: Vocabulary
) -> list[list[Value]]:
    """Compute features by their definition; numbers are rounded as the matrix holds them."""
    rows = []
    for lead, as_of, *cuts in snapshots:
        account = {other: log[other] for other in log if account_of(other) == account_of(lead)}
        events = {
            "lead": log.get(lead, ()),
            "account": events_of_others(account, lead, dict.fromkeys(account, CREATED_AT)),
        }
        asked = dict(zip(CUTS, cuts, strict=False))
        values = [
            compute(events[feature.scope], as_of, feature, vocabulary, CREATED_AT, **asked) for feature in features
        ]
        rows.append([value if isinstance(value, str) else float(np.float32(value)) for value in values])
    return rows


def on_kernel(log: Log, snapshots: Snapshots, features: Sequence[Feature], vocabulary: Vocabulary) -> list[list[Value]]:
    """Compute features by the engine."""
    events, at = events_table(log), snapshots_table(snapshots)
    by_account = _with_accounts(events).sort_by([("account_id", "ascending"), ("occurred_at", "ascending")])
    known = np.maximum(by_account["known_at"].to_numpy(), np.datetime64(CREATED_AT, "us"))
    by_account = by_account.drop_columns("known_at").append_column("known_at", pa.array(known, pa.timestamp("us")))
    asking = _with_accounts(at).append_column("row", pa.array(np.arange(len(at)))).sort_by("account_id")
    columns: dict[Feature, list[Value]] = {}
    for scope in SCOPES:
        own = tuple(feature for feature in features if feature.scope == scope)
        plan = Plan(own, vocabulary)
        if scope == "lead":
            values = compute_event_features(events, at, plan)
        else:
            values = np.empty((len(own), len(at)), dtype=np.float32)
            values[:, asking["row"].to_numpy()] = compute_event_features(by_account, asking, plan, "account_id")
        for feature, column in zip(own, values, strict=True):
            columns[feature] = [_as_text(feature, value, vocabulary) for value in column.tolist()]
    return [[columns[feature][row] for feature in features] for row in range(len(at))]


def interpret(patch: pytest.MonkeyPatch) -> None:
    """Run the kernel as the Python that it is written in, which counts for coverage and reads past no array's end."""
    for module in (kernel, patterns, census):
        for name, function in vars(module).items():
            if hasattr(function, "py_func"):
                patch.setattr(module, name, function.py_func)
    patch.setattr(engine, "walk", kernel.walk)


def _with_accounts(table: pa.Table) -> pa.Table:
    return table.append_column(
        "account_id", pa.array([account_of(lead) for lead in table["lead_id"].to_pylist()], pa.string())
    )


def _as_text(feature: Feature, value: float, vocabulary: Vocabulary) -> Value:
    """Give what a label stands for."""
    if feature.of is None or not MEASURES[feature.measure].is_category or math.isnan(value):
        return value
    return vocabulary.labels(feature.of)[int(value)]
