"""A table of leads in the order of time, as banks publish them: no events but the outcome, and prices that drift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

HONEST = ("age", "job", "contact", "euribor", "previous")
LEADS = 3_000
_CATEGORIES = {"job", "contact"}


def write_dated_table(root: Path, *, drifts: bool, attributes: Sequence[str] = HONEST, seed: int = 1) -> None:
    """Write raw files and settings of 3,000 leads over 900 days; who converts does so five hours after creation.

    Where it ``drifts``, 6 % convert at first and 45 % at last, and what foretold it does so no more. Otherwise 15 %
    convert throughout, more of those with previous contact. ``duration`` is the length of the call that won them.
    """
    draw = np.random.default_rng(seed)
    time = np.sort(draw.random(LEADS))
    created = pd.Timestamp("2024-05-01") + pd.to_timedelta((time * 900 * 1440).astype(int), unit="min")
    is_late = time >= 0.7
    is_known = draw.random(LEADS) < np.where(is_late & drifts, 0.1, 0.3)
    is_mobile = draw.random(LEADS) < (np.where(time < 0.5, 0.4, 0.9) if drifts else 0.6)
    level = np.select([~is_late | (not drifts), time < 0.8], [0.06 if drifts else 0.12, 0.2], 0.45)
    signal = 0.3 * (is_mobile - 0.5) * np.where(is_late, -1, 1) if drifts else 1.6 * is_known + 0.8 * is_mobile - 0.9
    converts = draw.random(LEADS) < 1 / (1 + np.exp(-np.log(level / (1 - level)) - signal))
    leads = pd.DataFrame(
        {
            "id": [f"L{number:05d}" for number in range(LEADS)],
            "created": created,
            "age": draw.integers(18, 80, LEADS),
            "job": draw.choice(["admin", "blue", "tech", "retired"], LEADS),
            "contact": np.where(is_mobile, "cellular", "telephone"),
            "euribor": np.round(np.where(is_late, 1.4, 4.9) * drifts + draw.normal(2, 0.01, LEADS), 3),
            "previous": is_known.astype(int),
            "duration": np.exp(5.2 + 0.95 * converts + draw.normal(0, 0.75, LEADS)).astype(int),
        }
    )
    (root / "raw").mkdir(parents=True, exist_ok=True)
    leads.to_csv(root / "raw/leads.csv", index=False)
    won = pd.DataFrame({"id": leads["id"], "at": created + pd.Timedelta("5h"), "what": "won"})
    won[converts].to_csv(root / "raw/outcomes.csv", index=False)
    settings = {
        "data_root": "raw",
        "ingest": {
            "sources": {
                "outcomes": {
                    "path": "outcomes.csv", "known_at": "as_it_occurred", "actor": "system",
                    "columns": {"lead_id": "id", "occurred_at": "at", "event_type": "what"},
                }
            },
            "leads": {
                "path": "leads.csv",
                "columns": {"lead_id": "id", "created_at": "created"},
                "attributes": {name: "category" if name in _CATEGORIES else "number" for name in attributes},
            },
        },
        "episodes": {"conversion": ["won"]},
        "snapshots": {"horizon": "7d", "policies": [{"ages": ["1h"]}]},
        "decision": {"tiers": {"mql": 0.1, "sql": 0.3}},
        "evaluate": {"replicates": 100, "model_name": "deposits"},
    } | {name: {} for name in ("validate", "features", "train", "recommend", "words")}  # fmt: skip
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
