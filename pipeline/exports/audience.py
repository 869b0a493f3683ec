"""Who may be written to, or shown something, next: lead ids for nurturing tools, and nothing else of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import numpy as np

from features.core.errors import InputError, nearest
from features.core.schema import Channel
from pipeline.core.project import Project, require
from pipeline.core.sql import literal, open_reader
from pipeline.exports.scored import CLOSED, NO_CONSENT_KNOWN, Sections, is_unknown, known_until, read_scored
from pipeline.kpi.history import Scored
from pipeline.kpi.leads import Clock, log_of
from pipeline.scoring.standing import hold


@dataclass(frozen=True)
class Wanted:
    """Whom an audience is made of; what is empty says nothing."""

    channel: Channel
    """The way to them that must be open."""
    tiers: tuple[str, ...] = ()
    maturities: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    """What they looked at, or took part in: any of these."""
    within: timedelta = timedelta(days=30)
    """How long before the scores they did."""


@dataclass
class Audience:
    """The lead ids, in their order, and how many of those asked for were left out, by reason."""

    lead_ids: list[str]
    left_out: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    """What else should be known of the file, a line each."""


def find_audience(project: Project[Sections], scored: Scored, wanted: Wanted, now: datetime) -> Audience:
    """Find who is asked for by the scores, and may be reached by all that is known before ``now`` (UTC).

    Tier, maturity and contents are those of the moment of the scores; whether somebody objected, is closed, has
    converted or is in work is as it stands now. Raises InputError where no act is about a content.
    """
    parameters = project.parameters
    require(project.interactions, project.leads, project.consents)
    with open_reader() as connection:
        leads = read_scored(project, parameters, connection, scored, now)
        for column, values in (("tier", wanted.tiers), ("maturity", wanted.maturities)):
            if values:
                leads = leads[leads[column].isin(values)]
        if wanted.contents:
            leads = leads[leads["lead_id"].isin(_looked_at(project, connection, scored.as_of, wanted))]
        ids = leads["lead_id"].to_list()
        held = hold(project, parameters.decision, connection, ids, now)
        until = known_until(project, connection, now)
        unknown = wanted.channel == "advertising" and is_unknown(project, connection, wanted.channel, now)
    consent = held.consent
    reasons = {
        "objected to everything": ~np.isnat(consent.objected) if consent else np.zeros(len(ids), bool),
        CLOSED: held.closed,
        "in work by sales": held.taken,
        f"{wanted.channel} closed": held.shut(wanted.channel),
    }
    audience = Audience([], told=[until])
    for place, (lead_id, why) in enumerate(zip(ids, leads["why"], strict=True)):
        reason = why if isinstance(why, str) else next((name for name, holds in reasons.items() if holds[place]), None)
        if reason is None:
            audience.lead_ids.append(lead_id)
        else:
            audience.left_out[reason] += 1
    audience.told.append(f"tier, maturity and content are those of the scores of {scored.as_of:%Y-%m-%d %H:%M} UTC")
    if unknown:
        audience.told.append(NO_CONSENT_KNOWN)
    return audience


def _looked_at(
    project: Project[Sections], connection: duckdb.DuckDBPyConnection, as_of: datetime, wanted: Wanted
) -> Sequence[str]:
    """List the leads that did something themselves that is about one of the contents, and was known."""
    clock = Clock(as_of, project.parameters.decision.time_zone)
    own = f"FROM {log_of(project)} WHERE {clock.known} AND actor = 'lead' AND content IS NOT NULL"
    known = [content for (content,) in connection.execute(f"SELECT DISTINCT content {own} ORDER BY 1").fetchall()]
    by_case = {content.casefold(): content for content in known}
    for content in wanted.contents:
        if content.casefold() not in by_case:
            raise InputError(f"no act of a lead is about {content!r}; {nearest(content, known)}")
    asked = {content.casefold() for content in wanted.contents}
    named = ", ".join(literal(content) for content in known if content.casefold() in asked)
    rows = connection.execute(
        f"SELECT DISTINCT lead_id {own} AND content IN ({named}) AND occurred_at >= $since",
        {"since": as_of - wanted.within},
    ).fetchall()
    return [lead_id for (lead_id,) in rows]
