"""How leads stand is what a naive count over their events says, from what was known at the moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from world import Project

from models.decision.facts import Fact
from models.decision.tiers import CutOffs
from pipeline.core.project import read_json


def last(events: Iterable[Any], types: Iterable[str], *, by_lead: bool = False) -> datetime | None:
    wanted = [one for one in events if one.event_type in types and (not by_lead or one.actor == "lead")]
    return max((one.occurred_at for one in wanted), default=None)


def holds(fact: Fact, events: list[Any], as_of: datetime) -> datetime | None:
    """Say since when a fact holds."""
    said, ended = last(events, fact.events), last(events, fact.ended_by)
    if said is None or (ended is not None and ended > said):
        return None
    return None if fact.lasts is not None and said <= as_of - fact.lasts else said


def open_leads(world: Project) -> pd.DataFrame:
    table = pq.read_table(world.recommendations).to_pandas()
    return table[table["probability"].notna()]


def test_every_open_lead_is_decided_as_its_events_say(world: Project) -> None:
    policy = world.parameters.decision
    table = open_leads(world)
    as_of = table["as_of"].iloc[0].to_pydatetime()
    log = pq.read_table(world.interactions).to_pandas()
    log = log[(log["known_at"] < as_of) & (log["occurred_at"] < as_of) & (log["actor"] != "machine")]
    of_lead = {lead: list(rows.itertuples()) for lead, rows in log.groupby("lead_id")}
    base_rate = read_json(world.model / "manifest.json")["base_rate"]
    cuts = CutOffs.of(policy.settled, base_rate)
    seen = dict.fromkeys(("SQL", "raised", "refused", "recycled", "hot", "warm", "cold", "stage"), 0)
    for lead in table.itertuples():
        events = of_lead.get(lead.lead_id, [])
        since = {name: holds(fact, events, as_of) for name, fact in policy.facts.items()}
        of_kind = {
            kind: max((at for name, at in since.items() if at and policy.facts[name].kind == kind), default=None)
            for kind in ("raises", "refuses")
        }
        refused = of_kind["refuses"] is not None and (
            of_kind["raises"] is None or of_kind["raises"] <= of_kind["refuses"]
        )
        raised = of_kind["raises"] is not None and not refused
        acts = sorted(one.occurred_at for one in events if one.actor == "lead")
        recent = [one for one in acts if one >= as_of - policy.recycled.within]
        before = [one for one in acts if one < as_of - policy.recycled.within]
        quiet = bool(recent and before and recent[0] - before[-1] >= policy.recycled.silence)
        maturity = policy.maturity
        strong = last(events, maturity.strong, by_lead=True)
        medium = last(events, maturity.medium, by_lead=True)
        days = {one.local_day for one in events if one.actor == "lead" and one.occurred_at >= as_of - maturity.hot_for}
        hot = raised or (strong is not None and strong >= as_of - maturity.hot_for)
        warm = len(days) >= maturity.active_days or any(
            one is not None and one >= as_of - maturity.warm_for for one in (strong, medium)
        )
        assert lead.maturity == ("hot" if hot else "warm" if warm else "cold")
        told = [fact.split(" ", 1)[1] for fact in lead.facts]
        assert sorted(told) == sorted(name for name, moment in since.items() if moment is not None)
        if lead.tier == "SQL":
            assert not refused
            assert raised or lead.probability >= cuts.sql
        elif lead.tier == "recycled":
            assert refused or not (raised or lead.probability >= cuts.sql)
        else:
            assert not quiet
            assert lead.tier == ("MQL" if lead.probability >= cuts.mql else "IQL")
            assert refused or not (raised or lead.probability >= cuts.sql)
        if lead.list == "sales":
            assert (lead.tier, since["in work by sales"]) == ("SQL", None)
        for name, found in (("raised", raised), ("refused", refused), ("stage", lead.stage)):
            seen[name] += bool(found)
        seen[lead.maturity] += 1
        if lead.tier in seen:
            seen[lead.tier] += 1
    assert min(seen.values()) > 0, seen


def test_places_of_a_territory_are_not_exceeded_and_the_sums_stand_beside(world: Project) -> None:
    table = open_leads(world)
    territories = pq.read_table(world.leads, columns=["lead_id", "territory"]).to_pandas().set_index("lead_id")
    called = table[table["list"] == "sales"]
    (capacity,) = world.parameters.decision.capacity
    counts = called["lead_id"].map(territories["territory"]).value_counts()
    assert counts.max() <= capacity.leads
    told = read_json(world.scoring)
    assert told["lists"]["sales"] == len(called)
    assert told["list_reasons"] == table["list_reason"].value_counts().to_dict()
    assert sorted(table["rank"].dropna()) == list(range(1, int(table["rank"].notna().sum()) + 1))
