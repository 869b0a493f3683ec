"""Today's leads decided by both models at the same moment, with the same settings; nothing of it joins the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.core.errors import LeadcastError
from features.core.schema import OPEN_TIERS
from models.core.model import Model
from models.decision.kpis import by_tier, sums
from pipeline.core.project import Progress, Project
from pipeline.delivery.records import select, wanted_of
from pipeline.delivery.values import Significance, Values
from pipeline.log.reach import Reach
from pipeline.registry.models import Named
from pipeline.review.comparison import Churn
from pipeline.review.kinds import kinds_of
from pipeline.scoring.comparing import can_be_asked
from pipeline.scoring.deciding import Decided
from pipeline.scoring.earlier import look_back
from pipeline.scoring.files import write_recommendations
from pipeline.scoring.open_leads import MICROSECOND, recommend
from pipeline.settings.parameters import Parameters
from pipeline.settings.push import Push
from pipeline.settings.question import differences, question_of

SQL = "SQL"
_SHOWN = ["lead_id", "tier", "probability", "list"]
_SCRATCH = Path("data/.tmp/compare")


@dataclass(frozen=True)
class DecidedByBoth:
    """What both make of the same leads."""

    churn: Churn
    details: Mapping[str, Any]
    """Transitions of tiers, expected conversions and work under each, the worst-hit segment; it names no lead."""
    moved: pd.DataFrame
    """The leads whose tier is another: lead_id, tier and probability of both, and today's list of both."""


def why_not(project: Project[Parameters], one: Named) -> str | None:
    """Say why today's leads can't be decided with a model, if they can't."""
    changed = differences(one.model.manifest["question"], question_of(project.parameters))
    if changed:
        return f"params.yaml is not what {one.asked} was trained with: {'; '.join(changed)}"
    if not can_be_asked(one.model, project.leads):
        return f"the log lacks attributes, or accounts, that {one.asked} has learned from"
    return None


def decide_with_both(project: Project[Parameters], a: Named, b: Named, progress: Progress) -> DecidedByBoth | str:
    """Decide the leads that are open at the end of the log with each; says why not, where they can't be."""
    for one in (a, b):
        if told := why_not(project, one):
            return told
    reach = Reach(project)
    as_of = reach.latest + MICROSECOND
    try:
        reach.refuse_silent(as_of)
        of_a, of_b = (_decide(project, one, as_of, progress) for one in (a, b))
    except LeadcastError as error:
        return str(error)
    return _side_by_side(project, b.model, as_of, of_a, of_b)


def _decide(project: Project[Parameters], one: Named, as_of: datetime, progress: Progress) -> tuple[pa.Table, Decided]:
    """Decide with a model as ``leadcast score`` would; reasons are made only where the CRM is told some."""
    progress(f"deciding today's leads with {one.asked}")
    settings = project.parameters
    if not _tells_reasons(settings.push):
        brief = settings.recommend.model_copy(update={"reasons_for": ()})
        project = Project(project.root, settings.model_copy(update={"recommend": brief}))
    earlier = look_back(project, settings.decision, as_of)
    recommendations, _, decided = recommend(project, one.model, as_of, lambda _: None, earlier)
    return recommendations, decided


def _tells_reasons(push: Push | None) -> bool:
    return push is not None and any(name.startswith("reason") for name in push.mapping)


def _side_by_side(
    project: Project[Parameters],
    model: Model,
    as_of: datetime,
    a: tuple[pa.Table, Decided],
    b: tuple[pa.Table, Decided],
) -> DecidedByBoth:
    table_a, table_b = (_open(table) for table, _ in (a, b))
    both = table_a.merge(table_b, on="lead_id", suffixes=("_a", "_b"), validate="one_to_one")
    was, now = (both[f"tier_{name}"] == SQL for name in "ab")
    left, joined = int((was & ~now).sum()), int((~was & now).sum())
    churn = Churn(
        as_of=as_of.isoformat(),
        leads=len(both),
        sql_of_a=int(was.sum()),
        sql_of_b=int(now.sum()),
        left=left,
        joined=joined,
        left_share=left / int(was.sum()) if was.any() else 0.0,
    )
    counts = both.groupby(["tier_a", "tier_b"]).size()
    tiers = [one for one in OPEN_TIERS if (both[["tier_a", "tier_b"]] == one).any(axis=None)]
    details = {
        "transitions": {one: {other: int(counts.get((one, other), 0)) for other in tiers} for one in tiers},
        "tiers": {name: [one._asdict() for one in by_tier(table)] for name, table in (("a", table_a), ("b", table_b))},
        "work": {name: _work(project, *side) for name, side in (("a", a), ("b", b))},
        "on_the_list": {
            "left": int(((both["list_a"] == "sales") & (both["list_b"] != "sales")).sum()),
            "joined": int(((both["list_a"] != "sales") & (both["list_b"] == "sales")).sum()),
        },
        "worst_hit": _worst_hit(project, model, as_of, both, was, now),
        "rewritten": _rewritten(project, a[0], b[0]),
    }
    columns = ["lead_id", *(f"{name}_{one}" for name in ("tier", "probability", "list") for one in "ab")]
    moved = both.loc[both["tier_a"] != both["tier_b"], columns]
    moved = moved.sort_values(["probability_b", "lead_id"], ascending=[False, True], ignore_index=True)
    return DecidedByBoth(churn, details, moved)


def _open(recommendations: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = recommendations.select(_SHOWN).to_pandas()
    frame = frame[frame["probability"].notna()]
    return frame.astype(dict.fromkeys(("lead_id", "tier", "list"), "str")).reset_index(drop=True)


def _work(project: Project[Parameters], recommendations: pa.Table, decided: Decided) -> dict[str, Any]:
    """Say what the leads of sales take: calls, where they were measured, and hours, where a call's are stated."""
    counted = sums(recommendations)
    tiers, lists = counted["tiers"], counted["lists"]
    assert isinstance(tiers, dict)  # noqa: S101 - for the types
    assert isinstance(lists, dict)  # noqa: S101 - for the types
    sql, on_list = int(tiers.get(SQL, 0)), int(lists.get("sales", 0))
    calls = sql * decided.costs.new if decided.costs.new_leads else None
    hours = project.parameters.decision.work.call_hours
    return {
        "leads": counted["leads"],
        "expected_conversions": counted["expected_conversions"],
        "sql": sql,
        "on_the_list": on_list,
        "places": decided.spent.places,
        "calls": calls,
        "hours": None if hours is None else (sql if calls is None else calls) * hours,
    }


def _worst_hit(
    project: Project[Parameters], model: Model, as_of: datetime, both: pd.DataFrame, was: pd.Series, now: pd.Series
) -> dict[str, Any] | None:
    """Find the segment of which most leave the list of sales and are not made up for; None where none shrinks."""
    leads = both["lead_id"].to_numpy(object)
    kinds = kinds_of(project, model, leads, np.full(len(leads), np.datetime64(as_of, "us")))
    worst: dict[str, Any] | None = None
    most = 0
    for kind, values in kinds.items():
        for value in sorted(set(values)):
            rows = values == value
            before, after = int(was[rows].sum()), int(now[rows].sum())
            if before - after > most:
                most = before - after
                worst = {"name": kind, "value": value or "not known", "sql_of_a": before, "sql_of_b": after}
    return worst


def _rewritten(project: Project[Parameters], a: pa.Table, b: pa.Table) -> int | None:
    """Count the leads that a push of B would write to a CRM that holds what A says; None without ``push``.

    What is written, and what is worth a write, is as ``leadcast push`` has it.
    """
    push = project.parameters.push
    if push is None:
        return None
    held, wanted = (_wanted(project, push, table) for table in (a, b))
    significance = Significance(push.mapping, push.probability_change)
    return sum(key not in held or significance.differs(held[key], values) for key, values in wanted.items())


def _wanted(project: Project[Parameters], push: Push, recommendations: pa.Table) -> dict[str, Values]:
    """Give what the CRM would hold of each lead."""
    place = project.root / _SCRATCH / "recommendations.parquet"
    try:
        write_recommendations(place, recommendations)
        wanted = (one for part in wanted_of(place, push, select((), 1.0), {}) for one in part)
        return dict(wanted)
    finally:
        place.unlink(missing_ok=True)
