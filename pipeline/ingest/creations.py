"""When leads came to be, where no table of leads says it: with their first event, as far as it was known.

An event that occurred first may become known last. Then the lead's creation was thought to be another before, and a
snapshot of that time must not know better: what was thought, and until when, is kept beside the leads.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.sql import file_literal
from pipeline.ingest.relations import Relations

_FIRST = """
SELECT lead_id, min(occurred_at) AS created_at, min({known_at}) AS known_at,
    arg_min(occurred_at, {known_at}) AS at_first
FROM {log} {named} GROUP BY lead_id
"""
"""Of events that became known at once, ``at_first`` may be any: one that occurred before it takes its place below."""

_FORMER = """
WITH learned AS (
    SELECT lead_id, at_first AS created_at, known_at FROM {creations} WHERE at_first > created_at UNION ALL
    SELECT lead_id, log.occurred_at, {known_at} FROM {log} AS log {named} JOIN {creations} AS creation USING (lead_id)
    WHERE log.occurred_at < creation.at_first
), step AS (
    SELECT lead_id, created_at, known_at FROM learned
    WINDOW before AS (
        PARTITION BY lead_id ORDER BY known_at, created_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
    QUALIFY created_at < coalesce(min(created_at) OVER before, TIMESTAMP 'infinity')
)
SELECT lead_id, created_at, lead(known_at) OVER (PARTITION BY lead_id ORDER BY known_at) AS until FROM step
QUALIFY until IS NOT NULL
"""

_NAMED = "JOIN (SELECT lead_id, min(linked_at) AS named_at FROM {aliases} GROUP BY lead_id) AS named USING (lead_id)"


def date_leads(relations: Relations, interactions: Path, *, linked: bool) -> str:
    """Make the table ``creations`` of all leads of a log: lead_id, created_at, known_at, as known today.

    A lead is known with its first known event and, where ids are ``linked``, not before a link has named it: until
    then nobody knew that the id is a lead's. Gives the query of what creations were thought to be before, and up to
    and with which moment: lead_id, created_at, until.
    """
    parts = {
        "log": f"read_parquet({file_literal(interactions)})",
        "known_at": "greatest(log.known_at, named_at)" if linked else "log.known_at",
        "named": _NAMED.format(aliases=relations.aliases) if linked else "",
        "creations": relations.creations,
    }
    relations.creations.make_table(_FIRST.format(**parts | {"log": f"{parts['log']} AS log"}))
    return _FORMER.format(**parts)
