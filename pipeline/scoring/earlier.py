"""The lists of earlier runs: who was on the last one and, of the same company's day, who has had an hour since.

A day's places are shared by all its runs. Whoever was on a list keeps its place until somebody has dealt with it; that
place stays used, whatever becomes of the lead. Only what was computed for an earlier moment is looked at, and of what
happened only what was known at this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.core.schema import MACHINE
from pipeline.core.project import Places
from pipeline.core.sql import file_literal, identifier, literal, open_reader
from pipeline.settings.decision import DecisionPolicy

AS_OF = "as_of=%Y-%m-%dT%H-%M-%S.%f"
"""Sorted as texts, the folders of the history are sorted by their moments."""
_NOBODY = ("lead_id", "territory", "account")


@dataclass(frozen=True)
class Earlier:
    """Who was called for by earlier runs."""

    called: frozenset[str] = frozenset()
    """On the last list of sales, of whichever day."""
    kept: frozenset[str] = frozenset()
    """Those of them whose list was of the same company's day."""
    used: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({name: [] for name in _NOBODY}, dtype=object))
    """On any list of the same day, and dealt with since: lead_id, territory, account."""
    last: Path | None = None
    """The file of the last list."""


def look_back(places: Places, policy: DecisionPolicy, as_of: datetime) -> Earlier:
    """Read the lists before ``as_of`` (UTC), and who of the same company's day was dealt with since."""
    last = newest_before(places, as_of)
    if last is None:
        return Earlier()
    called = called_in(last)
    day = policy.day_of(as_of)
    of_today = [
        (moment, path)
        for path in places.scores.glob("as_of=*/model=*/recommendations.parquet")
        if (moment := moment_of(path)) < as_of and policy.day_of(moment) == day
    ]
    if not of_today:
        return Earlier(called, last=last)
    listed = [(lead, moment) for moment, path in sorted(of_today) for lead in sorted(called_in(path))]
    return Earlier(called, called, _dealt_with(places, policy, listed, as_of), last)


def newest_before(places: Places, as_of: datetime) -> Path | None:
    """Give the newest scores before ``as_of`` (UTC); None where there are none."""
    kept = places.scores.glob("as_of=*/model=*/recommendations.parquet")
    earlier = [path for path in kept if path.parts[-3] < f"{as_of:{AS_OF}}"]
    return max(earlier, key=lambda path: (path.parts[-3], path.stat().st_mtime_ns), default=None)


def called_in(path: Path) -> frozenset[str]:
    """Give who was on the list of sales; nobody in scores that are older than lists."""
    if "list" not in pq.read_schema(path).names:
        return frozenset()
    called = pq.read_table(path, columns=["lead_id"], filters=[("list", "=", "sales")])
    return frozenset(called["lead_id"].to_pylist())


def moment_of(path: Path) -> datetime:
    """Give the moment of scores by the folder that they lie in, UTC."""
    return datetime.strptime(path.parts[-3], AS_OF)  # noqa: DTZ007 - times are in UTC without a zone


def _dealt_with(
    places: Places, policy: DecisionPolicy, listed: Sequence[tuple[str, datetime]], as_of: datetime
) -> pd.DataFrame:
    """Tell who of those on lists was contacted, taken up or decided upon since, by what was known at ``as_of``."""
    taking = [kind for fact in policy.facts.values() if fact.kind in ("taken", "refuses") for kind in fact.events]
    types = sorted({*policy.work.contacts, *taking})
    if not listed or not types:
        return Earlier().used
    named = ", ".join(map(literal, types))
    territory = f"CAST(lead.{identifier(policy.territory)} AS VARCHAR)" if policy.territory else "NULL::VARCHAR"
    leads, moments = zip(*listed, strict=True)
    with open_reader() as connection:
        connection.register("listed", pa.table({"lead_id": leads, "at": pa.array(moments, pa.timestamp("us"))}))
        return connection.execute(
            f"SELECT DISTINCT listed.lead_id, {territory} AS territory, lead.account_id AS account FROM listed "
            f"JOIN read_parquet({file_literal(places.interactions)}) AS event ON event.lead_id = listed.lead_id "
            f"AND event_type IN ({named}) AND actor <> '{MACHINE}' AND occurred_at >= listed.at "
            "AND occurred_at < $1 AND event.known_at < $1 "
            f"LEFT JOIN read_parquet({file_literal(places.leads)}) AS lead ON lead.lead_id = listed.lead_id "
            "ORDER BY listed.lead_id",
            [as_of],
        ).df()
