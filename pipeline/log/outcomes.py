"""From when on the sources of a log recorded conversions: as stated, or as the log itself shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from features.core.errors import SettingsError
from features.core.schema import CONVERTED, MACHINE
from features.timeline.recording import CHANCE, Lives, Recording, find_start
from pipeline.core.project import Places, read_json
from pipeline.core.sql import ask_rows

_BILLION = 10**9
_CONVERSIONS = f"FROM {{}} WHERE list_contains(?, event_type) AND actor <> '{MACHINE}' ORDER BY ALL"


@dataclass(frozen=True)
class Start:
    """From when on a source recorded conversions, where not all along."""

    source: str
    observed_from: datetime
    stated: bool
    recording: Recording | None
    """How its conversions set in; None where they are too few to tell."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        seen = self.recording
        return {
            "observed_from": self.observed_from.isoformat(),
            "stated": self.stated,
            "conversions": seen and seen.conversions,
            "conversions_before": seen and seen.before,
            "expected_before": seen and seen.expected,
            "chance": seen and seen.chance,
            "told": self.told(),
        }

    def told(self) -> str:
        """Say it in words."""
        seen = self.recording
        if self.stated or not seen:
            return f"{self.source}: conversions are observed from {self.observed_from:%Y-%m-%d} on, as stated"
        day, expected = f"{self.observed_from:%Y-%m-%d}", f"{seen.expected:,.0f}"
        if seen.before:
            strays = f"{seen.before:,} conversion{'s' if seen.before > 1 else ''}"
            evidence, recorded = f"{strays} before {day}, far fewer than the {expected} expected", "hardly recorded"
        else:
            evidence, recorded = f"no conversion before {day}, where {expected} would be expected", "not recorded"
        return (
            f"{self.source}: {evidence} of leads of these ages; by chance that happens {odds(seen.chance)}. "
            f"So they were {recorded}, and whether a lead converted then is unknown; if they were, say since when in "
            f"ingest.sources.{self.source}.observed_from"
        )


def find_starts(places: Places, by_source: Mapping[str, Iterable[Lives]]) -> list[Start]:
    """Find the sources of conversions that did not record them all along, the one that sets in last first.

    A source that states it is believed. ``by_source`` is what ``lives_of`` gives, of all leads.
    """
    sources = read_json(places.ingested)["sources"]
    stated = {name: source["observed_from"] for name, source in sources.items() if source.get("observed_from")}
    starts = []
    for name, lives in by_source.items():
        until = datetime.fromisoformat(sources[name]["observed_until"])
        recording = find_start(lives, until)
        if name in stated:
            starts.append(Start(name, datetime.fromisoformat(stated[name]), stated=True, recording=recording))
        elif recording and recording.chance < CHANCE / len(by_source):
            starts.append(Start(name, recording.first, stated=False, recording=recording))
    return sorted(starts, key=lambda start: start.observed_from, reverse=True)


def refuse_without_effect(places: Places, conversion: Sequence[str], bringing: Sequence[str]) -> None:
    """Raise SettingsError where a source states from when on it recorded conversions, and is not one bringing any."""
    sources = read_json(places.ingested)["sources"]
    idle = [name for name, source in sources.items() if source.get("observed_from") and name not in bringing]
    if idle:
        raise SettingsError(
            f"ingest.sources.{idle[0]}.observed_from has no effect: the source brings no conversion "
            f"({', '.join(conversion)}); leave it out"
        )


def sources_of(log: Path, conversion: Sequence[str]) -> list[str]:
    """Name the sources that bring conversions, in their order."""
    with ask_rows(log) as (connection, rows):
        found = connection.execute("SELECT DISTINCT source " + _CONVERSIONS.format(rows), [list(conversion)]).fetchall()
    return [name for (name,) in found]


def lives_of(log: Path | pa.Table, conversion: Sequence[str], episodes: pd.DataFrame) -> dict[str, list[Lives]]:
    """Tell of each source that brings conversions which episodes ended with one; the log may be that of some leads."""
    by_source = conversions_by_source(log, conversion)
    return {name: [Lives.of(episodes, _ended_by(own, episodes))] for name, own in by_source.items()}


def conversions_by_source(log: Path | pa.Table, conversion: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Read lead_id and outcome_at of the conversions that each source brings, in the order of the sources."""
    with ask_rows(log) as (connection, rows):
        query = "SELECT DISTINCT source, lead_id, occurred_at AS outcome_at " + _CONVERSIONS.format(rows)
        found = connection.execute(query, [list(conversion)]).df()
    return {str(name): own for name, own in found.groupby("source")}


def _ended_by(conversions: pd.DataFrame, episodes: pd.DataFrame) -> pd.Series:
    """Tell which episodes ended with one of the conversions."""
    own = pd.MultiIndex.from_frame(conversions[["lead_id", "outcome_at"]])
    ended = pd.MultiIndex.from_frame(episodes[["lead_id", "outcome_at"]]).isin(own)
    return pd.Series(ended, index=episodes.index) & (episodes["outcome"] == CONVERTED)


def observed_from(starts: Sequence[Start]) -> datetime | None:
    """Give the moment from when on all sources recorded conversions; None where that is as old as the log."""
    return starts[0].observed_from if starts else None


def odds(chance: float) -> str:
    """Say how seldom it is.

    >>> odds(0.0002), odds(1e-30)
    ('once in 5,000 times', 'less than once in a billion times')
    """
    return "less than once in a billion times" if chance < 1 / _BILLION else f"once in {1 / chance:,.0f} times"
