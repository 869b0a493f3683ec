"""One way to run a feature on each engine: tables written as text in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from features.catalogue import Catalogue
from features.declarations import Feature, Vocabulary
from features.engine import compute_event_features
from features.reference import Interaction, compute
from features.schema import INTERACTION

Log = Mapping[str, Sequence[Interaction]]
Snapshots = Sequence[tuple[str, int]]

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
                value=float(values.pop("value")) if "value" in values else None,
                quantity=int(values.pop("quantity", "1")),
                local_day=occurred_at // 86_400_000_000,
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
    return pa.table(
        {
            "lead_id": pa.array([lead for lead, _ in snapshots], pa.string()),
            "as_of": pa.array([as_of for _, as_of in snapshots], pa.timestamp("us")),
        }
    )


def on_reference(
    log: Log, snapshots: Snapshots, features: Sequence[Feature], vocabulary: Vocabulary
) -> list[list[float]]:
    return [
        [compute(log.get(lead, ()), as_of, feature, vocabulary) for feature in features] for lead, as_of in snapshots
    ]


def on_kernel(log: Log, snapshots: Snapshots, features: Sequence[Feature], vocabulary: Vocabulary) -> list[list[float]]:
    catalogue = Catalogue(vocabulary, tuple(features))
    values: list[list[float]] = compute_event_features(
        events_table(log), snapshots_table(snapshots), catalogue
    ).tolist()
    return values
