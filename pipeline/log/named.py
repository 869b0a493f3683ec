"""What an ingested log names, for which people may have words: its event types, channels and attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow.parquet as pq

from features.core.errors import SettingsError, nearest
from pipeline.core.project import Places, require
from pipeline.core.sql import identifier, open_reader
from pipeline.log.history import read_event_types, require_event_types
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

_TYPES = """
SELECT event_type FROM read_parquet(?) WHERE list_contains(?, actor)
GROUP BY event_type ORDER BY count(*) DESC, event_type
"""


def named_types(places: Places, actors: Collection[str]) -> list[str]:
    """List the event types of what these actors did, the most frequent first."""
    require(places.interactions)
    with open_reader() as connection:
        rows = connection.execute(_TYPES, [str(places.interactions), sorted(actors)]).fetchall()
    return [event_type for (event_type,) in rows]


def named_channels(places: Places, attributes: Iterable[str]) -> list[str]:
    """List the channels of events and of what was spent, and the values of these attributes, the most frequent first.

    ``attributes`` are those of the leads that say where they came from.
    """
    require(places.interactions, places.spend, places.leads)
    columns = [(places.interactions, "channel"), (places.spend, "channel")]
    columns += [(places.leads, name) for name in attributes]
    union = " UNION ALL ".join(
        f"SELECT CAST({identifier(name)} AS VARCHAR) AS channel FROM read_parquet(?)" for _, name in columns
    )
    with open_reader() as connection:
        rows = connection.execute(
            f"SELECT channel FROM ({union}) WHERE channel <> '' GROUP BY channel ORDER BY count(*) DESC, channel",
            [str(path) for path, _ in columns],
        ).fetchall()
    return [channel for (channel,) in rows]


def require_named(places: Places, policy: DecisionPolicy) -> None:
    """Raise where the settings of ``decision`` name what the log does not.

    NotEnoughDataError for an event type that never occurs, SettingsError for an attribute that leads do not have.
    """
    seen = read_event_types(places.interactions)
    for place, names in policy.event_types:
        require_event_types(seen, place, names)
    schema = pq.read_schema(places.leads)
    for place, name in policy.attributes:
        if name not in schema.names:
            raise SettingsError(f"{place}: leads have no attribute {name!r}; {nearest(name, schema.names)}")


def require_ends(places: Places, episodes: Episodes) -> None:
    """Raise NotEnoughDataError where no lead of the log converts, or is lost, by a type that the settings name.

    An export that calls them otherwise leaves all customers open; whoever scores says so before anything is written.
    """
    seen = read_event_types(places.interactions)
    for place in ("conversion", "lost"):
        require_event_types(seen, f"episodes.{place}", getattr(episodes, place))
