"""Acts that people call strong, and after which leads convert hardly more often than anyhow.

    of 1,000 looks at leads 50 convert within 30d: 5.0 %, and 1.5 times that is 7.5 %

    after                  leads    convert    at most, by chance
    a request for a quote    200    60 30.0 %  38.0 %
    a download               400    21  5.3 %   8.5 %   may be a sign
    a form                   400    12  3.0 %   5.7 %   is none

A lead counts by its first such act, if it had not converted before, and if it is known whether it did so afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist
from typing import Protocol

from features.core.schema import MACHINE
from features.core.time import format_duration
from features.timeline.history import EPOCH
from features.timeline.snapshots import find_episodes
from pipeline.core.project import Project
from pipeline.core.sql import literal, open_reader
from pipeline.log.history import observe, read_history
from pipeline.log.outcomes import find_starts, lives_of, observed_from
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.features import Features
from pipeline.settings.timeline import Episodes, Snapshots

FEWEST = 50
"""Leads that must have done it before anything is said of it."""
HARDLY = 1.5
"""How many times as often as anyhow those must convert that did something strong."""
_SURE = NormalDist().inv_cdf(0.99)


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes
    features: Features
    snapshots: Snapshots


@dataclass(frozen=True)
class Share:
    """How many were looked at, and how many of them convert within the horizon."""

    all: int
    converting: int

    @property
    def value(self) -> float:
        """Give the share that converts; 0 of nobody."""
        return self.converting / self.all if self.all else 0.0

    @property
    def at_most(self) -> float:
        """Give what the true share exceeds once in a hundred times at the most (Wilson 1927).

        >>> round(Share(400, 12).at_most, 3)
        0.057
        """
        square = _SURE**2 / self.all
        spread = (self.value * (1 - self.value) / self.all + square / (4 * self.all)) ** 0.5
        return float((self.value + square / 2 + _SURE * spread) / (1 + square))


@dataclass(frozen=True)
class Strength:
    """What becomes of the leads that did something which the settings call strong, or let raise a lead."""

    event_type: str
    places: tuple[str, ...]
    """Where the settings say so."""
    after: Share
    """Of the leads that did it, from their first such act on."""
    anyhow: Share
    """Of all looks at leads."""
    horizon: timedelta

    @property
    def is_contradicted(self) -> bool:
        """Whether so few convert that it is no chance."""
        return self.after.at_most < HARDLY * self.anyhow.value

    def told(self) -> str:
        """Say it in words."""
        after, anyhow = self.after, self.anyhow
        return (
            f"{' and '.join(self.places)}: after {self.event_type!r} leads hardly convert more often than anyhow: "
            f"{after.converting:,} of {after.all:,} leads convert within {format_duration(self.horizon)} after it "
            f"({after.value:.1%}, by chance at most {after.at_most:.1%}), and {anyhow.value:.1%} do at any look "
            f"({anyhow.converting:,} of {anyhow.all:,})"
        )


def find_strengths(project: Project[Sections], anyhow: Share) -> list[Strength]:
    """Count for each event type that is called strong, or raises a lead, how many leads convert after it.

    ``anyhow`` is of all looks that have a label. What others and machines did counts for nothing; a type that too few
    leads have is left out.
    """
    decision = project.parameters.decision
    places = {name: ["decision.maturity.strong"] for name in decision.maturity.strong}
    for fact, said in decision.facts.items():
        for name in said.events if said.kind == "raises" else ():
            places.setdefault(name, []).append(f"decision.facts.{fact}")
    shares = _shares_after(project, list(places)) if places else []
    horizon = project.parameters.snapshots.horizon
    return [
        Strength(name, tuple(those), after, anyhow, horizon)
        for (name, those), after in zip(places.items(), shares, strict=True)
        if after.all >= FEWEST
    ]


def _shares_after(project: Project[Sections], types: Sequence[str]) -> list[Share]:
    """Count the leads that did each of some types, and of these the ones that convert within the horizon after it."""
    conversion, horizon = project.parameters.episodes.conversion, project.parameters.snapshots.horizon
    observation, history = observe(project), read_history(project, project.parameters.episodes)
    by_source = lives_of(project.interactions, conversion, find_episodes(history))
    since = observed_from(find_starts(project, by_source))
    firsts, counts = [], []
    for place, name in enumerate(types):
        firsts.append(f"min(occurred_at) FILTER (actor = 'lead' AND event_type = {literal(name)}) AS act_{place}")
        judged = f"act_{place} BETWEEN $since AND $until AND NOT coalesce(converted < act_{place}, false)"
        counts += [f"count(*) FILTER ({judged})", f"count(*) FILTER ({judged} AND converted < act_{place} + $horizon)"]
    with open_reader() as connection:
        [row] = connection.execute(
            f"SELECT {', '.join(counts)} FROM (SELECT {', '.join(firsts)}, min(occurred_at) FILTER "
            f"(actor <> '{MACHINE}' AND list_contains($conversion, event_type)) AS converted "
            "FROM read_parquet($log) GROUP BY lead_id)",
            {
                "log": str(project.interactions),
                "conversion": list(conversion),
                "horizon": horizon,
                "since": since or EPOCH,
                "until": observation.outcomes_until - observation.outcome_delay - horizon,
            },
        ).fetchall()
    return [Share(*row[place : place + 2]) for place in range(0, len(row), 2)]
