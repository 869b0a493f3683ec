"""How often people were right, as ``leadcast tiers`` tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from features.core.time import format_duration
from pipeline.core.project import Project, read_json
from pipeline.evaluate.people import judge_people, without_repeated
from pipeline.log.words import read_words
from pipeline.matrix.slices import delay_of, horizon_of
from pipeline.settings.ingest import Ingest
from pipeline.settings.timeline import Episodes


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    ingest: Ingest


@dataclass(frozen=True)
class People:
    """What came of the words that gave a tier to an open lead."""

    horizon: str
    words: int
    """All of them, with those that only say again what was said."""
    not_settled: int
    """Words whose outcome is not known yet."""
    unobserved: int
    """Words from before conversions were recorded."""
    settled_from: str | None
    """The day on which the outcome of the first word that is not settled is known; None where all are."""
    known_late: int
    """Words among the settled that became known only when their lead's episode, or the horizon, was over."""
    said: tuple[dict[str, Any], ...]
    """Of the settled words, by what was said: the fields of ``models.evaluation.people.Right``."""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return asdict(self)


def look_at_people(project: Project[Sections]) -> People | None:
    """Judge what people said by what came of it; None where no word is kept, or a stage has not run yet."""
    needed = (
        project.decisions, project.snapshot_counts, project.interactions, project.leads, project.former_creations,
    )  # fmt: skip
    if project.parameters.ingest.decisions is None or not all(path.exists() for path in needed):
        return None
    counts = read_json(project.snapshot_counts)
    horizon, delay, until = horizon_of(counts), delay_of(counts), datetime.fromisoformat(counts["observed_until"])
    starts = [datetime.fromisoformat(one["observed_from"]) for one in counts.get("outcomes_from", {}).values()]
    words = read_words(project, project.parameters.episodes, horizon, delay, until, max(starts, default=None))
    settled = without_repeated(words[~words["immature"] & ~words["unobserved"]], horizon)
    waiting = words.loc[words["immature"] & ~words["unobserved"], "decided_at"]
    decided, known, ended = (settled[name].to_numpy() for name in ("decided_at", "known_at", "outcome_at"))
    late = (known > decided) & (known > np.fmin(decided + np.timedelta64(horizon), ended))  # fmin passes over NaT
    return People(
        horizon=format_duration(horizon),
        words=len(words),
        not_settled=len(waiting),
        unobserved=int(words["unobserved"].sum()),
        settled_from=None if waiting.empty else f"{waiting.min() + horizon + delay:%Y-%m-%d}",
        known_late=int(late.sum()),
        said=tuple(asdict(one) for one in judge_people(project, settled, horizon)),
    )


def told_of_people(people: People) -> Iterator[str]:
    """Say in words how often people were right."""
    if not people.words:
        yield "what people said: no word has given a tier to a lead that was open (ingest.decisions)"
        return
    if not people.said:
        when = f"; the first will be from {people.settled_from} on" if people.settled_from else ""
        yield f"what people said: none of {_words(people.words)} is settled{when}"
    else:
        yield f"what people said (ingest.decisions), and what came of it within {people.horizon}:"
        yield from (f"  {_side(one)}" for one in people.said)
        if people.known_late:
            yield f"  {_words(people.known_late)} became known only after the outcome, and may have been said after it"
        if people.not_settled:
            yield f"  {_words(people.not_settled)} not settled yet; the first will be from {people.settled_from} on"
    if people.unobserved:
        yield f"  {_words(people.unobserved)} from before conversions were recorded"


def _side(one: dict[str, Any]) -> str:
    leads = f"{one['leads']:,} lead{'s' if one['leads'] != 1 else ''}"
    counted = f"{one['said']}: {_words(one['words'])} on {leads}, {one['converted']:,} converted"
    share = one["share"]
    if share is None:
        judged = ", too few leads to tell"
    else:
        judged = f", {share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})"
    if not one["foretold"]:
        return f"{counted}{judged}; we had foretold none of them"
    return (
        f"{counted}{judged}; of {one['foretold']:,} that we had foretold, we promised {one['promised']:,.1f} "
        f"and {one['foretold_converted']:,} converted"
    )


def _words(number: int) -> str:
    return f"{number:,} word{'s' if number != 1 else ''}"
