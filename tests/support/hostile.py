"""Leads whose names would run: as formulas in a spreadsheet, or as code in a browser."""

from __future__ import annotations

from pathlib import Path

import duckdb
from world import Project

NAMES = (
    "=cmd|' /C calc'!A0",
    "+31 6 1234",
    "-2+3",
    "@SUM(A1:A9)",
    "\tbehind a tab",
    "\rbehind a return",
    "<script>document.title='ran'</script>",
    "\"><img src=x onerror=document.title='ran'>",
    "{{ 7 * 7 }}&lt;é🙂\n'quoted'",
)


def rename_leads(project: Project, leads: list[str]) -> dict[str, str]:
    """Give hostile names to these leads wherever the log has them; gives the new name of each old one."""
    renamed = dict(zip(leads, NAMES, strict=False))
    for path, order in ((project.interactions, "lead_id, occurred_at, source, sequence"), (project.leads, "lead_id")):
        _rename(path, order, renamed)
    return renamed


def _rename(path: Path, order: str, renamed: dict[str, str]) -> None:
    written = path.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE renamed AS SELECT unnest(?) AS lead_id, unnest(?) AS name",
            [
                list(renamed),
                list(renamed.values()),
            ],
        )
        connection.execute(
            f"COPY (SELECT log.* REPLACE (coalesce(name, log.lead_id) AS lead_id) FROM read_parquet('{path}') AS log"
            f" LEFT JOIN renamed USING (lead_id) ORDER BY {order}) TO '{written}' (FORMAT parquet)"
        )
    written.replace(path)
