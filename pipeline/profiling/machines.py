"""Whether scanners and proxies act in a mail log: types that sound like sendings and answers, and answers too fast."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.profiling.outcomes import EventType
from pipeline.profiling.words import MAIL_CLICKED, MAIL_DECLINED, MAIL_OPENED, MAIL_SENT, has
from pipeline.settings.events import Machines

_SHARE, _FEWEST_LEADS = 0.01, 5
"""From which share of answers, and from how many leads on, fast ones are no accident."""
_SECONDS: int = Machines.model_fields["within_seconds"].default
_FAST = f"""
SELECT count(*) FILTER (is_answer), count(*) FILTER (is_fast), count(DISTINCT lead_id) FILTER (is_fast),
    bool_and(epoch_us(occurred_at) % 60000000 = 0)
FROM (
    SELECT lead_id, occurred_at, is_answer, is_answer AND bool_or(NOT is_answer) OVER (
        PARTITION BY lead_id, campaign ORDER BY occurred_at
        RANGE BETWEEN INTERVAL {_SECONDS} SECONDS PRECEDING AND CURRENT ROW
    ) AS is_fast
    FROM (
        SELECT lead_id, campaign, occurred_at, list_contains($answers, event_type) AS is_answer
        FROM read_parquet($log) WHERE source = $source AND list_contains($mails, event_type)
    )
)
"""


@dataclass(frozen=True)
class FoundMachines:
    """The rules proposed for a source, and why."""

    source: str
    types: dict[str, list[str]]
    why: str


def find_machines(
    connection: duckdb.DuckDBPyConnection, log: Path, types: Sequence[EventType], ends: Collection[str]
) -> Iterator[FoundMachines]:
    """Propose rules for each source of an ingested log in which enough answers follow a sending within seconds.

    What a mail says of an episode's end (``ends``) is left to whoever named it.
    """
    for source in sorted({kind.source for kind in types}):
        own = [kind for kind in types if kind.source == source and kind.name not in ends]
        acts = {kind.name for kind in own if kind.actor == "lead"}
        found = {
            "sent": [kind.name for kind in own if kind.name not in acts and has(kind.name, MAIL_SENT)],
            "opens": [name for name in sorted(acts) if has(name, MAIL_OPENED)],
            "clicks": [name for name in sorted(acts) if has(name, MAIL_CLICKED)],
            "unsubscribes": [name for name in sorted(acts) if has(name, MAIL_DECLINED)],
        }
        answers = [*found["opens"], *found["clicks"]]
        if not found["sent"] or not answers:
            continue
        asked = {"log": str(log), "source": source, "answers": answers, "mails": [*found["sent"], *answers]}
        ((rows, fast, leads, whole_minutes),) = connection.execute(_FAST, asked).fetchall()
        if fast >= _SHARE * rows and leads >= _FEWEST_LEADS and not whole_minutes:
            why = f"{fast:,} of {rows:,} opens and clicks come within {_SECONDS} seconds of the sending: no person's"
            yield FoundMachines(source, {name: listed for name, listed in found.items() if listed}, why)
