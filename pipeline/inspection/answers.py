"""``leadcast answers``: what sales made of the last lists: who was worked and how soon, and why leads were refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from features.core.errors import InputError, SettingsError
from features.core.schema import MACHINE
from pipeline.core.project import HERE, Project, require
from pipeline.core.sql import fetch_row, file_literal, identifier, literal, open_reader, was_in_time
from pipeline.settings.decision import DecisionPolicy, Recommend

DAYS = 28
"""How many days of lists are looked at, up to the last one."""
_EVERYBODY = "all"
_NO_REASON = "without a reason"
_NO_LIST = f"{HERE.scores} has kept no list yet; 'leadcast score' keeps what it decides"


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    recommend: Recommend


@dataclass(frozen=True)
class Answered:
    """What became of the leads of some lists, each counted once, from the first list on that it was on."""

    who: str
    """Whose leads they are: a team, or where the settings say so a person; or of all."""
    listed: int
    worked: int
    """Contacted, taken up or refused since."""
    median_hours: float | None
    """From the list to that, of those that were worked; None where nobody was."""
    same_day: int
    """Worked on the company's day of the list."""
    refused: int


@dataclass(frozen=True)
class Answers:
    """What sales made of the lists of some days; times are UTC."""

    since: str
    until: str
    lists: int
    too_early: int
    """Leads that came onto the list on the company's day on which the log ends: they are counted nowhere else."""
    all: Answered
    parts: tuple[Answered, ...]
    reasons: dict[str, int]
    """Why leads were refused, the most frequent first."""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return asdict(self)


def look_at_answers(project: Project[Sections]) -> Answers:
    """Read the lists of the last days (data/scores), and what the log says of their leads since.

    Lists that were computed long after their moment, as by a backfill, are none. Who was united with another lead since
    is that one.

    Raises SettingsError where nothing says what working on a lead is, InputError where no list was kept.
    """
    require(project.interactions, project.leads, project.aliases)
    policy = project.parameters.decision
    refusing = _types(policy, "refuses")
    working = list(dict.fromkeys([*policy.work.contacts, *_types(policy, "taken"), *refusing]))
    if not working:
        raise SettingsError(
            "nothing says what working on a lead is; name the contacts (decision.work: {contacts: [call_made]}), or "
            "what takes or refuses a lead (decision.facts)"
        )
    files = [str(path) for path in sorted(project.scores.glob("as_of=*/model=*/recommendations.parquet"))]
    # What an earlier version has kept has no lists, and lists no owners.
    files = [path for path in files if {"list", "owner"} <= set(pq.read_schema(path).names)]
    if not files:
        raise InputError(_NO_LIST)
    team = f"CAST(lead.{identifier(policy.territory)} AS VARCHAR)" if policy.territory else "NULL"
    person = "listed.owner" if policy.by_person else "NULL"
    columns = {name for path in files for name in pq.read_schema(path).names}
    kept = (
        "SELECT coalesce(alias.lead_id, score.lead_id) AS lead_id, as_of, owner, list "
        "FROM read_parquet($files, hive_partitioning = false, union_by_name = true) AS score "
        f"LEFT JOIN read_parquet($aliases) AS alias ON alias.alias_id = score.lead_id WHERE {was_in_time(columns)}"
    )
    asked = {"files": files, "aliases": str(project.aliases), "within": project.parameters.recommend.maximum_age}
    with open_reader() as connection:
        moments = connection.execute(f"SELECT DISTINCT as_of FROM ({kept}) ORDER BY as_of", asked).fetchall()
        if not moments:
            raise InputError(_NO_LIST)
        last: datetime = moments[-1][0]
        since = last - timedelta(days=DAYS)
        found = connection.execute(
            "WITH listed AS (SELECT lead_id, min(as_of) AS as_of, arg_min(owner, as_of) AS owner FROM "
            f"({kept}) WHERE list = 'sales' AND as_of > $since GROUP BY lead_id), "
            "act AS (SELECT lead_id, occurred_at, event_type, content FROM read_parquet($log) "
            f"WHERE event_type IN ({_listed(working)}) AND actor <> '{MACHINE}') "
            f"SELECT listed.lead_id, any_value(listed.as_of) AS as_of, any_value(coalesce({person}, {team})) AS who, "
            "min(act.occurred_at) AS worked_at, "
            f"count(*) FILTER (act.event_type IN ({_listed(refusing)})) > 0 AS is_refused, "
            f"arg_max(coalesce(act.content, {literal(_NO_REASON)}), act.occurred_at) "
            f"FILTER (act.event_type IN ({_listed(refusing)})) AS reason "
            "FROM listed LEFT JOIN act ON act.lead_id = listed.lead_id AND act.occurred_at >= listed.as_of "
            "LEFT JOIN read_parquet($leads) AS lead ON lead.lead_id = listed.lead_id "
            "GROUP BY listed.lead_id ORDER BY listed.lead_id",
            asked | {"since": since, "log": str(project.interactions), "leads": str(project.leads)},
        ).df()
        (until,) = fetch_row(
            connection, f"SELECT max(known_at) FROM read_parquet({file_literal(project.interactions)})"
        )
    lists = [moment for (moment,) in moments if moment > since]
    # Whoever came onto the list on the day on which knowledge ends has had no day yet.
    today = policy.day_of(until)
    is_early = np.array([policy.day_of(moment.to_pydatetime()) >= today for moment in found["as_of"]], dtype=bool)
    found = found[~is_early]
    parts = found.groupby("who", sort=True)
    reasons = found["reason"].dropna().value_counts()
    return Answers(
        since=_written(lists[0]),
        until=_written(last),
        lists=len(lists),
        too_early=int(is_early.sum()),
        all=_answered(_EVERYBODY, found, policy),
        parts=tuple(_answered(str(who), rows, policy) for who, rows in parts),
        reasons={str(reason): int(count) for reason, count in reasons.items()},
    )


def told_of_answers(answers: Answers) -> Iterator[str]:
    """Say it line by line."""
    everybody = answers.all
    if answers.too_early:
        leads = _several(answers.too_early, "lead")
        yield f"{leads} came onto the list on the day on which the log ends: too early to say, and counted nowhere"
    if not everybody.listed:
        before = " before that day" if answers.too_early else ""
        lists = _several(answers.lists, "list")
        yield f"Nobody was on the list of sales{before}, in {lists} until {answers.until} UTC"
        return
    yield (
        f"{_several(everybody.listed, 'lead')} came onto the list of sales, in {_several(answers.lists, 'list')} from "
        f"{answers.since} to {answers.until} UTC"
    )
    yield f"  worked since: {_of(everybody.worked, everybody.listed)}; on the same day {everybody.same_day:,}"
    if everybody.median_hours is not None:
        yield f"  half of those were worked within {everybody.median_hours:,.1f} hours of the list"
    yield f"  refused: {_of(everybody.refused, everybody.listed)}"
    for reason, count in answers.reasons.items():
        yield f"    {reason}: {count:,}"


def _answered(who: str, rows: pd.DataFrame, policy: DecisionPolicy) -> Answered:
    worked = rows[rows["worked_at"].notna()]
    hours = (worked["worked_at"] - worked["as_of"]) / timedelta(hours=1)
    days = zip(worked["worked_at"], worked["as_of"], strict=True)
    return Answered(
        who,
        listed=len(rows),
        worked=len(worked),
        median_hours=float(hours.median()) if len(worked) else None,
        same_day=sum(policy.day_of(at.to_pydatetime()) == policy.day_of(then.to_pydatetime()) for at, then in days),
        refused=int(rows["is_refused"].sum()),
    )


def _types(policy: DecisionPolicy, kind: str) -> list[str]:
    return [one for fact in policy.facts.values() if fact.kind == kind for one in fact.events]


def _listed(types: Iterable[str]) -> str:
    return ", ".join(map(literal, types)) or "NULL"


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _of(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.0%})"


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
