"""How far the log reaches, by the state of each source: what every stage and command asks that looks at a moment.

A source matters where it feeds features (it brings acts of those who count) or ends episodes. One that was silent for
longer than ever stops whatever would compute with it; a day with far fewer rows than usual stops a scoring.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from features.core.errors import StaleError
from features.core.schema import MACHINE
from pipeline.core.project import Places, Project, read_json
from pipeline.core.sql import open_reader
from pipeline.log.source_verdicts import DECLARE, FILL, recent_holes
from pipeline.settings.features import Features
from pipeline.settings.timeline import Episodes


def _observed(sources: dict[str, dict[str, Any]]) -> dict[str, datetime]:
    """Tell up to when each source was observed (UTC); one without a usable row is left out."""
    return {
        name: datetime.fromisoformat(source["observed_until"])
        for name, source in sources.items()
        if source["observed_until"]
    }


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    features: Features


class Reach:
    """The sources of the log, as ``ingest`` judged them, and which of them matter for these settings."""

    def __init__(self, project: Project[Sections]) -> None:
        ingested = read_json(project.ingested)
        self.sources: dict[str, dict[str, Any]] = ingested["sources"]
        self.silence = timedelta(hours=ingested.get("silences", {}).get("longest_hours", 0.0))
        """The longest in which no source at all had a row, where enough of them are known."""
        self._parameters, self._log = project.parameters, project.interactions

    @cached_property
    def _roles(self) -> tuple[frozenset[str], frozenset[str]]:
        """Look into the log which sources feed features, and which end episodes; most nights need not know."""
        parameters = self._parameters
        ends = [*parameters.episodes.conversion, *parameters.episodes.lost]
        wanted = {
            "actors": list(parameters.features.actors),
            "unused": [*ends, *parameters.features.exclude_types],
            "ends": ends,
            "log": str(self._log),
        }
        with open_reader() as connection:
            rows = connection.execute(
                "SELECT source, bool_or(list_contains($actors, actor) AND NOT list_contains($unused, event_type)), "
                f"bool_or(list_contains($ends, event_type) AND actor <> '{MACHINE}') FROM read_parquet($log) "
                "GROUP BY source",
                wanted,
            ).fetchall()
        feeding = frozenset(name for name, feeds, _ in rows if feeds)
        return feeding, frozenset(name for name, _, ends_episodes in rows if ends_episodes)

    @property
    def feeding(self) -> frozenset[str]:
        """The sources that bring acts which features count."""
        return self._roles[0]

    @property
    def needed(self) -> frozenset[str]:
        """The sources without which a number would be wrong."""
        return self._roles[0] | self._roles[1]

    @property
    def log_until(self) -> datetime:
        """When the last event of any source became known."""
        return max(_observed(self.sources).values())

    @property
    def latest(self) -> datetime:
        """The moment up to which every source that feeds features reaches."""
        ends = {name: until for name in self.sources if (until := self._reaches(name))}
        return min([self.log_until, *(until for name, until in ends.items() if name in self.feeding)])

    @property
    def outcomes_until(self) -> datetime:
        """The moment up to which it is known who has ended, by every source that says so and still runs."""
        running = (name for name in self._roles[1] if self.state(name) not in ("closed", "quiet"))
        return min([self.log_until, *(until for name in running if (until := self._reaches(name)))])

    def state(self, name: str) -> str:
        """Give the state of a source."""
        state: str = _rhythm(self.sources[name]).get("state", "running")
        return state

    def _reaches(self, name: str) -> datetime | None:
        """Tell up to when a source is known, if not as far as the log: silence of one that runs says something."""
        reaches = _rhythm(self.sources[name]).get("reaches")
        return datetime.fromisoformat(reaches) if reaches else None

    def refuse_silent(self, as_of: datetime | None = None) -> None:
        """Raise StaleError where a source that matters has been silent for longer than ever, at the end or by then."""
        silent = [
            (name, since, source["rhythm"]["evidence"])
            for name, source in sorted(self.sources.items())
            if self.state(name) == "silent" and name in self.needed
            for since in [datetime.fromisoformat(source["rhythm"]["since"])]
            if as_of is None or as_of > since + timedelta(hours=source["rhythm"]["silent_after_hours"])
        ]
        if silent:
            told = "; ".join(f"{name} on {since:%Y-%m-%d %H:%M} UTC ({evidence})" for name, since, evidence in silent)
            name, since, _ = silent[0]
            raise StaleError(
                f"silent for longer than ever, by the day of the last row: {told}. "
                + DECLARE.format(name=name, day=since.date(), moment=f"{since:%Y-%m-%dT%H:%M:%S}")
            )

    def refuse_thin(self, as_of: datetime | None = None) -> None:
        """Raise StaleError where a source that matters had a day with far fewer rows, of the four weeks before."""
        found = [(name, hole) for name, one in sorted(self.sources.items()) for hole in recent_holes(one, as_of)]
        found = [(name, hole) for name, hole in found if name in self.needed]
        if found:
            told = "; ".join(f"{name}: {hole['told']}" for name, hole in found[:5])
            more = f"; {len(found) - 5} more" if len(found) > 5 else ""  # noqa: PLR2004 - that many are read
            name, hole = found[0]
            raise StaleError(
                f"far fewer rows than usual, so leads would seem colder than they are: {told}{more}. "
                + FILL.format(name=name, day=hole["day"] or hole["from"][:10])
            )

    def is_beyond(self, moment: datetime, maximum_age: timedelta) -> bool:
        """Tell whether a moment lies so long after what the sources reach that nobody knows what leads did since.

        So long is ``maximum_age``, and the longest silence of the log: where little happens, no news is no fault.
        """
        return moment > self.latest + maximum_age + self.silence

    def ends(self) -> str:
        """Name the sources that reach no further than ``latest``, each with its end."""
        ends = {name: self._reaches(name) or until for name, until in _observed(self.sources).items()}
        latest = self.latest
        return ", ".join(
            f"{name} on {until:%Y-%m-%d %H:%M} UTC"
            for name, until in sorted(ends.items())
            if name in self.feeding and (until <= latest or latest == self.log_until)
        )


def looked_until(places: Places) -> datetime:
    """Tell up to when leads are looked at, as the snapshots were taken; without them, when the log ends."""
    if places.snapshot_counts.exists():
        return datetime.fromisoformat(read_json(places.snapshot_counts)["log_until"])
    return max(_observed(read_json(places.ingested)["sources"]).values())


def _rhythm(source: dict[str, Any]) -> dict[str, Any]:
    rhythm: dict[str, Any] = source.get("rhythm") or {}
    return rhythm
