"""What the tests of vendors' exports share: a log, what was spent, and what was made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from raw_logs import query_of
from small_project import SmallProject

BEGINNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


SPEND = {
    "path": "spend.csv",
    "columns": {
        "day": "Day",
        "channel": {"constant": "SEA"},
        "campaign": "Campaign",
        "cost": "Cost",
        "clicks": "Clicks",
    },
}


HEADER = "Day,Campaign,Cost,Clicks\n"


COSTS = "2026-01-01,A,10.11,1\n2026-01-01,B,20.22,2\n2026-01-02,A,30.33,3\n2026-01-02,B,40.44,4\n"


def settings_of(project: SmallProject) -> dict[str, Any]:
    """Read what ``init`` proposed for ingest."""
    content: dict[str, Any] = yaml.safe_load((project.root / "params.yaml").read_text())["ingest"]
    return content


def spent(project: SmallProject) -> float | None:
    """Add up what was spent, by the cent."""
    [(total,)] = query_of(project.root, f"SELECT sum(cost) FROM '{project.root}/data/spend.parquet'")
    return None if total is None else round(total, 2)


def visits(count: int = 60) -> list[tuple[str, datetime, str]]:
    """Make up two visits of each lead, and a signature of every third."""
    rows = []
    for number in range(count):
        at = BEGINNING + timedelta(hours=5 * number)
        rows += [(f"v{number:03}", at, "visit"), (f"v{number:03}", at + timedelta(hours=30), "visit")]
        rows += [(f"v{number:03}", at + timedelta(hours=40), "signed")] if number % 3 == 0 else []
    return rows


def log_csv() -> str:
    """Write the visits as CSV."""
    return "visitor,time,event\n" + "".join(f"{lead},{at:%Y-%m-%d %H:%M:%S},{what}\n" for lead, at, what in visits())
