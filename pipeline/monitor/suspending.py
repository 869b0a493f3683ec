"""A broken promise suspends its leads; a person lifts that, or another model is the champion."""

from __future__ import annotations

from datetime import datetime

from models.evaluation.promises import WHOLE
from pipeline.core.project import Places
from pipeline.core.suspensions import Suspension, read_suspensions, write_suspensions
from pipeline.monitor.promised import Promised, evidence_of, segment_of
from pipeline.monitor.scores import Scores


def begins_of(places: Places, model_version: str, promised: Promised | None = None) -> dict[tuple[str, str], datetime]:
    """Tell of which parts only later looks (UTC) count, by kind and name: what was before is settled by a person.

    Lifting that of all leads settles every part: these may be named by what is ``promised``.
    """
    lifted = {
        one.segment: datetime.fromisoformat(one.lifted)
        for one in read_suspensions(places)
        if one.lifted is not None and one.model in (None, model_version)
    }
    whole = lifted.get(WHOLE)
    begins: dict[tuple[str, str], datetime] = {}
    for segment, moment in lifted.items():
        kind, colon, name = segment.partition(": ")
        begins[(kind, name) if colon else (WHOLE, WHOLE)] = moment if whole is None else max(whole, moment)
    if whole is not None and promised is not None:
        begins |= {
            (one.kind, one.name): max(whole, begins.get((one.kind, one.name), whole)) for one in promised.promises
        }
    return begins


def suspend(places: Places, model_version: str, promised: Promised, scores: Scores, on: datetime) -> list[Suspension]:
    """Suspend the leads whose promise is broken, unless they are; gives all that hold of this model's scores.

    Where that of all leads is broken, its parts need no suspension of their own.
    """
    known = read_suspensions(places)
    held = {one.segment for one in known if one.holds(model_version)}
    broken = promised.broken
    wanted = broken[:1] if broken and broken[0].kind == WHOLE else broken
    new = []
    for one in wanted:
        where, segment = scores.where(one.kind, one.name), segment_of(one)
        if where is not None and segment not in held and WHOLE not in held:
            new.append(Suspension(where, f"{on:%Y-%m-%d}", segment, evidence_of(one), model_version))
    if new:
        write_suspensions(places, [*known, *new])
    return [one for one in [*known, *new] if one.holds(model_version)]
