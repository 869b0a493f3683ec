"""How leads ended and how far that is known: what the log on disk says to whoever looks at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow.parquet as pq

from features.core.errors import NotEnoughDataError, nearest, of_several
from features.core.schema import MACHINE
from features.timeline.history import History
from features.timeline.snapshots import find_episodes
from pipeline.core.project import Places, Project, read_json
from pipeline.core.sql import open_reader
from pipeline.log import reach
from pipeline.log.ends import LEAD_COLUMNS, history_of, pause_of_customers, read_ends
from pipeline.log.reach import Reach
from pipeline.settings.timeline import Episodes, Snapshots


class Sections(reach.Sections, Protocol):
    """The sections of the settings that are asked for here."""

    snapshots: Snapshots


@dataclass(frozen=True)
class Observation:
    """How far the log reaches; times in UTC."""

    log_until: datetime
    """The moment up to which every source that feeds features reaches; no lead is looked at later.

    Outcomes may be known less far: then leads are scored of whose end nothing is known yet, and that is told."""
    outcomes_until: datetime
    """Until when every source of conversions was observed."""
    outcome_delay: timedelta
    """How long after it occurred a conversion is known at the latest."""

    @property
    def sales_until(self) -> datetime:
        """The moment up to which all conversions are known."""
        return self.outcomes_until - self.outcome_delay


def observe(project: Project[Sections]) -> Observation:
    """Tell how far the sources reach, and up to when it is known who had converted, which is what a label says.

    A source that brings losses alone says nothing of that.

    Raises NotEnoughDataError where a type that the settings name never occurs: it names the nearest type that does.
    """
    sources = read_json(project.ingested)["sources"]
    seen = read_event_types(project.interactions)
    episodes = project.parameters.episodes
    for place, names in episodes.event_types:
        require_event_types(seen, place, names)
    require_event_types(seen, "snapshots.policies", project.parameters.snapshots.triggers)
    bringing = sorted(set(seen.loc[seen["event_type"].isin(episodes.conversion), "source"]))
    delay = project.parameters.snapshots.outcome_delay
    if delay is None:
        delay = _delay_of_conversions(project.interactions, episodes.conversion)
    reach = Reach(project)
    # One that has ended for good, or is silent as a rule, says nothing of when the others were last read.
    telling = [name for name in bringing if reach.state(name) not in ("closed", "quiet")] or bringing
    until = min(datetime.fromisoformat(sources[name]["observed_until"]) for name in telling)
    return Observation(reach.latest, until, max(delay, timedelta(0)))


_DELAYS = f"""
SELECT max(delay) FROM (
    SELECT quantile_disc(date_diff('microsecond', occurred_at, known_at), 0.99) AS delay
    FROM read_parquet(?) WHERE list_contains(?, event_type) AND actor <> '{MACHINE}' GROUP BY event_type
)
"""


def _delay_of_conversions(interactions: Path, event_types: Sequence[str]) -> timedelta:
    """Tell how long after it occurred a conversion is known: the 99th percentile of the type that takes longest.

    Not of the source: where one in a hundred rows is a conversion, the others' delays would hide it.
    """
    with open_reader() as connection:
        row = connection.execute(_DELAYS, [str(interactions), list(event_types)]).fetchone()
    return timedelta(microseconds=row[0] if row else 0)


def require_event_types(seen: pd.DataFrame, place: str, names: Sequence[str]) -> None:
    """Raise NotEnoughDataError where a type that the settings name never occurs; it names the nearest that does."""
    counts = seen.groupby("event_type")[["events", "leads"]].sum()
    absent = [name for name in names if name not in counts.index]
    if absent:
        # Where an id is mapped as the type, each is a name of somebody.
        known = counts.loc[of_several(counts["leads"].to_dict())]
        top = ", ".join(f"{name} ({count:,})" for name, count in known["events"].nlargest(8).items())
        raise NotEnoughDataError(
            f"{place}: no event of type {absent[0]!r} in the log; {nearest(absent[0], known.index)}"
            f"{f'; the most frequent are {top}' if top else ''}"
        )


def read_history(places: Places, settings: Episodes) -> History:
    """Read what ends or reopens an episode of each lead."""
    leads = pq.read_table(places.leads, columns=LEAD_COLUMNS)
    return history_of(places.interactions, leads, pq.read_table(places.former_creations), settings)


def episodes_at(
    places: Places, settings: Episodes, lead_id: str, created_at: datetime, moment: datetime
) -> pd.DataFrame:
    """Cut the life of one lead into episodes as ``find_episodes`` does, by what was known at ``moment`` (UTC).

    ``created_at`` is its creation as it was known then.
    """
    events = read_ends(places.interactions, settings, lead_id)
    events = events[(events["known_at"] < moment) & (events["occurred_at"] < moment)]
    frame = pd.DataFrame({"lead_id": [lead_id], "created_at": [created_at], "known_at": [created_at]})
    frame = frame.astype({"created_at": "datetime64[us]", "known_at": "datetime64[us]"})
    pause = pause_of_customers(settings)
    return find_episodes(History.of(frame, events, settings.reopen_after, reopen_after_conversion=pause))


def read_event_types(interactions: Path) -> pd.DataFrame:
    """Count the events by type and source, and about how many leads have them, but for what machines did."""
    with open_reader() as connection:
        frame: pd.DataFrame = connection.execute(
            "SELECT event_type, source, count(*) AS events, approx_count_distinct(lead_id) AS leads "
            f"FROM read_parquet(?) WHERE actor <> '{MACHINE}' GROUP BY ALL ORDER BY ALL",
            [str(interactions)],
        ).df()
    return frame
