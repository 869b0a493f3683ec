"""Whether the events of a log are still of the types that a model learned from, source by source.

Settings do not tell: where another column is mapped as the event type they ask the same question, for a column may be
renamed in an export. But then all that leads do is of types that the model never saw, and they seem to do nothing.

Each type counts once for a lead, so that a tracker that notes every scroll brings one type more, however many rows;
what machines did is nothing that a lead did. New types are no fault: they come with every campaign. It is one where
next to nothing is left of what there was in the leanest four weeks of the log that the model comes from:

    web: at least 97 % known in any four weeks     now 60 %   a new tracker: scored
                                                   now  2 %   other events than those of the model: refused
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from features.core.errors import StaleError
from features.core.schema import MACHINE
from features.core.time import microseconds
from features.timeline.rhythm import WATCHED

_LEFT = 0.1
"""Where less than this share is left of the leanest four weeks, the events are others."""
_FEW = 10
"""Leads that four weeks must have to say something by themselves."""
_CHANCE = 0.001
"""How likely it may be, by chance, that none of the leads of four weeks does what is known."""
_EVENTS = 4_000_000
"""Of a log with more, only every second lead is looked at, or every third, and so on."""
_LISTED = 8

_BLOCKS = f"""
SELECT source, count(DISTINCT lead_id), count(*) FILTER (list_contains($known, event_type)), count(*)
FROM (
    SELECT DISTINCT source, lead_id, event_type, (epoch_us($until) - epoch_us(known_at) - 1) // $width AS block
    FROM read_parquet($log)
    WHERE known_at < $until AND known_at >= $since AND hash(lead_id) % $one_in = 0 AND actor <> '{MACHINE}'
)
GROUP BY source, block ORDER BY ALL
"""
_UNKNOWN = f"""
SELECT event_type, count(*) AS events, count(DISTINCT lead_id) AS leads FROM read_parquet($log)
WHERE source = $source AND known_at < $until AND known_at >= $since AND NOT list_contains($known, event_type)
AND actor <> '{MACHINE}' GROUP BY ALL ORDER BY events DESC, event_type
"""


@dataclass(frozen=True)
class _Block:
    """What the leads of a source did in four weeks, each type of a lead counted once."""

    source: str
    leads: int
    known: int
    things: int


def leanest_shares(connection: duckdb.DuckDBPyConnection, interactions: Path, known: Sequence[str]) -> dict[str, float]:
    """Give for each source the share of ``known`` types in the leanest four weeks of the log, as the manifest keeps it.

    Of all that is in the log, not of what was learned from alone: what a model that is measured on newer events did not
    know is in its figures, and no surprise. Some of the leads of a large log tell it.
    """
    query = "SELECT min(known_at), max(known_at) + INTERVAL 1 MICROSECOND, count(*) FROM read_parquet(?)"
    since, until, events = connection.execute(query, [str(interactions)]).fetchall()[0]
    if not events:
        return {}
    of_source: dict[str, list[_Block]] = {}
    for block in _blocks(connection, interactions, known, since, until, one_in=events // _EVENTS + 1):
        of_source.setdefault(block.source, []).append(block)
    return {source: _leanest(blocks) for source, blocks in of_source.items()}


def refuse_others(
    connection: duckdb.DuckDBPyConnection,
    interactions: Path,
    known: Sequence[str],
    leanest: Mapping[str, float],
    as_of: datetime,
) -> None:
    """Raise StaleError where what leads did in the four weeks before ``as_of`` is nothing that the model knows.

    ``leanest`` is what ``leanest_shares`` gave when it was trained. A source whose name it does not hold was renamed,
    and is compared with the leanest of all.
    """
    if not leanest:
        return
    since = as_of - WATCHED
    for block in _blocks(connection, interactions, known, since, as_of):
        share = leanest.get(block.source, min(leanest.values()))
        if block.known >= _LEFT * share * block.things or not _is_enough(block.leads, share):
            continue
        asked = {"log": str(interactions), "source": block.source, "since": since, "until": as_of}
        rows = connection.execute(_UNKNOWN, asked | {"known": known}).fetchall()
        raise StaleError(
            f"{block.source} has other events than the model learned from: in the {WATCHED.days} days before "
            f"{as_of:%Y-%m-%d %H:%M} {block.known / block.things:.0%} of what its leads did (each type of a lead "
            f"counted once) is of a type that the model knows, where it was never less than {share:.0%}. Unknown are "
            f"{_unknown(rows)}; the model knows {_listed(known)}. Is another column mapped as event_type "
            f"under ingest.sources.{block.source} in params.yaml? Mend it and run leadcast ingest; where the types "
            "themselves are new, train again (dvc repro) and make that model the champion"
        )


def _blocks(
    connection: duckdb.DuckDBPyConnection,
    interactions: Path,
    known: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    one_in: int = 1,
) -> list[_Block]:
    asked = {
        "log": str(interactions),
        "known": known,
        "since": since,
        "until": until,
        "width": microseconds(WATCHED),
        "one_in": one_in,
    }
    return [_Block(*row) for row in connection.execute(_BLOCKS, asked).fetchall()]


def _leanest(blocks: Sequence[_Block]) -> float:
    """Give the lowest share of blocks with some leads; where all have few, that of all together."""
    large = [block.known / block.things for block in blocks if block.leads >= _FEW]
    return min(large, default=sum(block.known for block in blocks) / sum(block.things for block in blocks))


def _is_enough(leads: int, share: float) -> bool:
    """Whether so many leads can't all do something unknown by chance; of half of all, at most, each does."""
    return leads * math.log(1 - min(share, 0.5)) < math.log(_CHANCE)


def _unknown(rows: Sequence[tuple[str, int, int]]) -> str:
    """Name unknown types with their events, the most frequent first; what few leads have may be a name of theirs."""
    common = [f"{name} ({events:,})" for name, events, leads in rows if leads >= _FEW]
    rare = len(rows) - len(common)
    counted = [f"{rare:,} of fewer than {_FEW} leads each"] if rare else []
    return ", ".join([*([_listed(common)] if common else []), *counted])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
