"""Companies whose conversions are drawn, as the log and the snapshots have them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import yaml
from raw_logs import source_of
from small_project import SmallProject

START, DAY = datetime(2025, 6, 1), timedelta(days=1)


def write_company(
    project: SmallProject, since: float, strays: int = 0, hole: tuple[float, float] = (0, 0)
) -> tuple[int, int]:
    """Write a log of a year whose conversions are recorded from a day on, and some before; gives those seen, unseen.

    Between two days none is recorded.
    """
    random = np.random.default_rng(1)
    created, lasting = random.uniform(0, 330, 1_500), random.exponential(120, 1_500)
    at = created + lasting
    seen = (at >= since) & (at < 365) & ((at < hole[0]) | (at >= hole[1]))
    seen[np.flatnonzero(at < since)[:strays]] = True
    events = [(lead, day, "visit") for lead in range(1_500) for day in random.uniform(created[lead], 365, 2)]
    project.write(
        leads_csv="lead,created\n" + "".join(f"L{lead},{moment(day)}\n" for lead, day in enumerate(created)),
        log_csv="lead,at,what\n" + "".join(f"L{lead},{moment(day)},{what}\n" for lead, day, what in events),
        deals_csv="lead,at,what\n" + "".join(f"L{lead},{moment(at[lead])},won\n" for lead in np.flatnonzero(seen)),
    )
    return int(seen.sum()), int((at < since).sum())


def moment(day: float) -> str:
    return (START + day * DAY).isoformat(sep=" ", timespec="seconds")


def snapshots_of(
    project: SmallProject, lost: dict[str, Any] | None = None, **deals: object
) -> tuple[str, dict[str, Any], pd.DataFrame]:
    sources = {"log": source_of(), "deals": source_of("deals.csv", None, actor="system", **deals)}
    project.set(sources | ({"lost": lost} if lost else {}))
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    if lost:
        content["episodes"]["lost"] = ["lost"]
    content["snapshots"] = {"policies": [{"calendar": "monday"}], "horizon": "30d"}
    (project.root / "params.yaml").write_text(yaml.safe_dump(content))
    assert project.run("ingest").code == 0
    outcome = project.run("snapshots")
    assert outcome.code == 0, outcome.text
    counts = json.loads((project.root / "data/snapshots.json").read_text())
    return outcome.text, counts, pd.read_parquet(project.root / "data/snapshots.parquet")
