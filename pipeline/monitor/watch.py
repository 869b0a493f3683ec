"""What ``leadcast monitor`` does: read, judge, suspend, and gather what is written, tracked and posted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from features.core.errors import InputError
from features.core.time import format_duration
from models.core.verdicts import Verdict, ordered
from pipeline.core.project import Progress, Project, read_json, require
from pipeline.log.history import observe
from pipeline.log.reach import Reach
from pipeline.log.source_verdicts import source_verdicts
from pipeline.monitor.drifting import find_drift
from pipeline.monitor.promised import foreseen_of, rows_of, verdicts_of, watch_promises, weeks_of
from pipeline.monitor.scores import read_scores
from pipeline.monitor.suspending import begins_of, suspend
from pipeline.registry.champion import load_champion
from pipeline.settings.parameters import Parameters

ALARMS = ("promise_broken", "source_silent", "source_thin")
"""The codes that raise an alarm, where they are wrong; all others are notes."""


@dataclass(frozen=True)
class Monitored:
    """What was found; ``told`` is what ``reports/monitor.json`` holds, and names no lead."""

    told: Mapping[str, Any]
    verdicts: list[Verdict]
    run_id: str
    """Of the champion, in MLflow."""
    model_version: str

    @property
    def alarms(self) -> list[Verdict]:
        """The verdicts that raise an alarm."""
        return [one for one in self.verdicts if is_alarm(one)]


def is_alarm(verdict: Verdict) -> bool:
    """Tell whether a verdict raises an alarm."""
    return verdict.code in ALARMS and verdict.severity == "wrong"


def run(project: Project[Parameters], progress: Progress, when: str | None) -> Monitored:
    """Watch the champion as of a moment (UTC; the end of the log where None is asked for), and suspend what is broken.

    Raises RegistryError where there is no champion, InputError where there is no log or ``when`` is no date.
    """
    require(project.interactions, project.leads)
    until = None if when is None else _moment(when)
    settings = project.parameters.monitor
    progress("fetching the champion")
    loaded = load_champion(project, project.parameters.evaluate)
    champion, run_id = loaded.model, loaded.run_id
    horizon, delay = project.parameters.snapshots.horizon, observe(project).outcome_delay
    progress("comparing what was promised with what happened")
    scores = read_scores(project, champion, until)
    first = watch_promises(scores, settings, horizon, delay, begins_of(project, champion.version))
    begins = begins_of(project, champion.version, first)
    promised = watch_promises(scores, settings, horizon, delay, begins) if begins else first
    progress("comparing what leads are like with what was learned from")
    drift = find_drift(project, champion, scores, until)
    sources = _sources(project) if until is None or until >= Reach(project).latest else []
    verdicts = ordered([*verdicts_of(promised, scores), *sources, *drift.verdicts()])
    moment = drift.until
    held = suspend(project, champion.version, promised, scores, moment)
    told = {
        "as_of": moment.isoformat(),
        "model_version": champion.version,
        "trained_until": champion.manifest["trained_until"],
        "horizon": format_duration(horizon),
        "outcome_delay": format_duration(delay),
        "false_alarms": settings.false_alarms,
        "minimum_expected": settings.minimum_expected,
        "learned_from": scores.learned_from,
        "set_aside": {
            "scores": scores.set_aside.scores,
            "promised": round(scores.set_aside.promised, 3),
            "of_promised": round(scores.set_aside.of_promised, 3),
        },
        "looks": int(scores.frame["as_of"].nunique()),
        "too_early_until": promised.early_until and promised.early_until.isoformat(),
        "verdicts": [one.to_json() | {"is_alarm": is_alarm(one)} for one in verdicts],
        "promises": rows_of(promised),
        "weeks": weeks_of(scores, promised),
        "foreseen": foreseen_of(scores),
        "drift": drift.as_json(),
        "suspended": [one.to_json() | {"named": one.named} for one in held],
    }
    return Monitored(told, verdicts, run_id, champion.version)


def _sources(project: Project[Parameters]) -> list[Verdict]:
    """Say which sources are missing at the end of the log; of an earlier moment nobody has noted it."""
    found = source_verdicts(read_json(project.ingested), Reach(project).needed)
    return [one for one in found if one.code in ALARMS]


def _moment(when: str) -> datetime:
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        raise InputError(f"--as-of {when!r} is no date; write one as 2026-06-29") from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
