"""The compiled engine as a process sees it: compiled once for all declarations, kept on disk, at work on every core."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from house import ROOT

PROGRAM = """
import json
import pyarrow as pa
from features.engines import kernel
from features.language.feature import Feature
from features.engines.compiled import compute_event_features, plan_of
from features.language.filters import Filter, Vocabulary

times = pa.array([0, 5, 9], pa.timestamp("us"))
events = {"lead_id": ["a", "a", "b"], "occurred_at": times, "known_at": times, "event_type": ["x", "y", "x"],
          "actor": ["lead"] * 3, "channel": ["seo", None, "seo"], "quantity": [1, 1, 2], "value": [1.0, None, 2.0],
          "local_day": pa.array([0, 0, 0], pa.date32()), "local_hour": pa.array([0, 0, 0], pa.int8())}
at = pa.table({"lead_id": ["a", "b"], "as_of": pa.array([10, 10], pa.timestamp("us")), "created_at": times[:2]})
for features in ((Feature("count"),), (Feature("sum", Filter("x")), Feature("last_touch", of="channel")),
                 (Feature("share", Filter("x", hours=(0, 2))), Feature("active_days"))):
    plan = plan_of(features, Vocabulary(("x",), ("seo",)))
    given = {name: column for name, column in events.items() if name in ("lead_id", *plan.event_columns)}
    compute_event_features(pa.table(given), at, plan)
walk = kernel.walk
print(json.dumps([len(walk.signatures), sum(walk.stats.cache_hits.values()), sum(walk.stats.cache_misses.values())]))
"""


def _run(folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True, timeout=300
    )
    return result.stdout.strip()


def test_the_kernel_is_compiled_once_and_a_second_process_finds_it_compiled(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "features", tmp_path / "features", ignore=shutil.ignore_patterns("__pycache__"))
    # Signatures, those found compiled, those that had to be compiled: whatever is declared, whichever columns are read.
    assert _run(tmp_path) == "[1, 0, 1]"
    assert _run(tmp_path) == "[1, 1, 0]"
