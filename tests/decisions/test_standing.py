"""How leads stand is what a naive count over their events says, from what was known at the moment."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow.parquet as pq
from world import Project

from features.core.schema import CHANNELS
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


def days_of_work(moment: datetime | None, as_of: datetime) -> int:
    """Count the whole working days between the day of a moment and today, in Amsterdam."""
    assert moment is not None
    zone = ZoneInfo("Europe/Amsterdam")
    day, today = (one.replace(tzinfo=UTC).astimezone(zone).date() for one in (moment, as_of))
    return sum((day + timedelta(days=ahead)).weekday() < 5 for ahead in range(1, (today - day).days))


def agreed(changes: list[Any], purpose: str) -> tuple[datetime | None, str | None]:
    """Say when a lead last agreed to a purpose, and by which status it is closed; nobody here has another id."""
    own = [one for one in changes if one.purpose in (purpose, "everything")]
    given = max((one.changed_at for one in own if one.status == "given"), default=None)
    closing = [one for one in own if one.status != "given" and (given is None or one.changed_at >= given)]
    return given, max(closing, key=lambda one: one.changed_at).status if closing else None


def consents_known(world: Project, as_of: datetime) -> dict[str, list[Any]]:
    """List what each lead said of purposes."""
    consents = pq.read_table(world.consents).to_pandas()
    assert (consents["own_id"] == consents["lead_id"]).all()
    consents = consents[(consents["known_at"] < as_of) & (consents["changed_at"] < as_of)]
    return by_lead(consents)


def by_lead(table: pd.DataFrame) -> dict[str, list[Any]]:
    """List the rows of each lead, in their order."""
    rows = defaultdict(list)
    for row in table.itertuples():
        rows[row.lead_id].append(row)
    return rows


def told_of(changes: list[Any]) -> list[str]:
    """Say what is closed by what a lead does not agree to."""
    closed = [f"{purpose} {status}" for purpose in CHANNELS if (status := agreed(changes, purpose)[1])]
    objected = any((one.purpose, one.status) == ("everything", "objected") for one in changes)
    return [*closed, *(["objected to everything"] if objected else [])]


def open_leads(world: Project) -> pd.DataFrame:
    table = pq.read_table(world.recommendations).to_pandas()
    return table[table["probability"].notna()]


def test_every_open_lead_is_decided_as_its_events_say(world: Project) -> None:  # noqa: PLR0915 - all of a lead at once
    policy = world.parameters.decision
    table = open_leads(world)
    as_of = table["as_of"].iloc[0].to_pydatetime()
    log = pq.read_table(world.interactions).to_pandas()
    log = log[(log["known_at"] < as_of) & (log["occurred_at"] < as_of) & (log["actor"] != "machine")]
    of_lead = by_lead(log)
    changes_of = consents_known(world, as_of)
    base_rate = read_json(world.model / "manifest.json")["base_rate"]
    cuts = CutOffs.of(policy.settled, base_rate)
    kinds = ("SQL", "raised", "refused", "recycled", "hot", "warm", "cold", "stage", "late", "closed")
    seen = dict.fromkeys(kinds, 0)
    for lead in table.itertuples():
        events = of_lead.get(lead.lead_id, [])
        since = {name: holds(fact, events, as_of) for name, fact in policy.facts.items()}
        changes = changes_of.get(lead.lead_id, [])
        given, unsubscribed = agreed(changes, "mail")[0], since["unsubscribed"]
        lifted = given is not None and unsubscribed is not None and given > unsubscribed
        since["unsubscribed"] = None if lifted else unsubscribed
        refusals = told_of(changes)
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
        assert sorted(told) == sorted([*refusals, *(name for name, moment in since.items() if moment is not None)])
        if "objected to everything" in told:
            assert (lead.tier, lead.list) == ("disqualified", "none")
        elif lead.tier == "SQL":
            assert not refused
            assert raised or lead.probability >= cuts.sql
        elif lead.tier == "recycled":
            assert refused or not (raised or lead.probability >= cuts.sql)
        else:
            assert not quiet
            assert lead.tier == ("MQL" if lead.probability >= cuts.mql else "IQL")
            assert refused or not (raised or lead.probability >= cuts.sql)
        handed = last(events, policy.work.handed_over)
        contacted = last(events, policy.work.contacts)
        touched = not handed or handed != since["in work by sales"] or (contacted is not None and contacted >= handed)
        late = not touched and not refused
        late = late and days_of_work(handed, as_of) >= policy.work.touched_within
        assert (lead.list_reason == "untouched") == late
        if lead.list == "sales" and not late:
            assert (lead.tier, since["in work by sales"]) == ("SQL", None)
            assert not [one for one in told if one.startswith("telephone ")]
        if lead.list == "marketing":
            assert not [one for one in told if one == "unsubscribed" or one.startswith("mail ")]
        shown = {"raised": raised, "refused": refused, "stage": lead.stage, "late": late, "closed": refusals}
        for name, found in shown.items():
            seen[name] += bool(found)
        seen[lead.maturity] += 1
        if lead.tier in seen:
            seen[lead.tier] += 1
    assert min(seen.values()) > 0, seen


def test_nobody_s_places_are_exceeded_and_the_sums_stand_beside(world: Project) -> None:
    table = open_leads(world)
    territories = pq.read_table(world.leads, columns=["lead_id", "territory"]).to_pandas().set_index("lead_id")
    whose = table["lead_id"].map(territories["territory"])
    day = world.parameters.decision.day_of(table["as_of"].iloc[0].to_pydatetime())
    with (world.root / world.parameters.data_root / "owners.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["from"] <= str(day) and not "" < row["until"] <= str(day)]
    owners = {row["territory"]: row["owner"] for row in rows}
    places = {row["territory"]: int(row["leads_per_day"]) for row in rows}
    assert table["owner"].tolist() == whose.map(owners).tolist()
    called = whose[table["list"] == "sales"].value_counts()
    assert called.max() > 0
    told = read_json(world.scoring)
    for territory, count in places.items():
        waiting = (table["list_reason"] == "capacity") & (whose == territory)
        assert called.get(territory, 0) == count or (called.get(territory, 0) < count and not waiting.any())
    assert (told["time"]["places"], told["places_left"]) == (sum(places.values()), sum(places.values()) - called.sum())
    assert told["lists"]["sales"] == called.sum()
    assert told["list_reasons"] == table["list_reason"].value_counts().to_dict()
    assert sorted(table["rank"].dropna()) == list(range(1, int(table["rank"].notna().sum()) + 1))
