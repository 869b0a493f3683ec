"""Whether what ingest marks as done by machines was: files of the sample world, whose truth says it of every line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks.findings import Finding, Progress
from benchmarks.measurement import ROOT
from pipeline.core.project import Project
from pipeline.core.sql import open_reader
from pipeline.ingest import stage as ingest
from pipeline.sample import write_sample
from pipeline.settings.file import load_parameters

WORLDS, LEADS = 10, 4_000
PROMISED = 0.95
ACTS = {"opens": "%_open", "clicks": "%_click", "unsubscribes": "unsubscribe"}
_ACTS = """
SELECT event_id, event_type, actor = 'machine' AS marked, machine IS NOT NULL AS is_machine
FROM read_parquet(?) AS log LEFT JOIN read_parquet(?) AS truth ON event_id = message_id WHERE source = 'email'
"""
_COUNTS = """
SELECT count(*) FILTER (marked AND is_machine), count(*) FILTER (marked), count(*) FILTER (is_machine),
    count(*) FILTER (NOT marked AND NOT is_machine), count(*) FILTER (NOT is_machine)
FROM acts WHERE event_type LIKE ?
"""


def read_acts(root: Path, leads: int, seed: int) -> pd.DataFrame:
    """Write a world, ingest it by the sample's settings, and give what was marked beside what is true of each mail.

    Rows: event_id, event_type, marked, is_machine, one for each line of the mail provider's log that is used.
    """
    parameters = load_parameters(ROOT / "params.yaml")
    write_sample(root / parameters.data_root, leads=leads, seed=seed, truth=True)
    project = Project(root, parameters)
    ingest.run(project, lambda _: None)
    files = [str(project.interactions), str(root / parameters.data_root / "truth-machines.parquet")]
    with open_reader() as reader:
        return reader.execute(_ACTS, files).df()


def count(acts: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Count how right the marks of opens, clicks and unsubscribes are, as shares.

    recall: of machines' acts, those marked; precision: of those marked, machines'; left: of people's, those left.
    """
    found = {}
    with open_reader() as reader:
        reader.register("acts", acts)
        for name, pattern in ACTS.items():
            ((right, marked, machines, left, people),) = reader.execute(_COUNTS, [pattern]).fetchall()
            found[name] = {"recall": right / machines, "precision": right / marked, "left": left / people}
    return found


def of_machines(progress: Progress, scale: float) -> Iterator[Finding]:
    """Hold marks to the truth over worlds of several seeds, all together."""
    worlds = []
    for seed in range(max(2, int(WORLDS * scale))):
        with tempfile.TemporaryDirectory() as folder:
            worlds.append(read_acts(Path(folder), LEADS, seed))
    progress(f"what machines did with mails: {len(worlds)} worlds")
    for name, shares in count(pd.concat(worlds)).items():
        yield Finding.within(f"of the {name} by machines: marked as such", shares["recall"], PROMISED, 1)
        yield Finding.within(f"of the {name} marked as machines': done by one", shares["precision"], PROMISED, 1)
        yield Finding.within(f"of the {name} by people: left to them", shares["left"], PROMISED, 1)
