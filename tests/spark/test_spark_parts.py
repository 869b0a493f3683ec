"""A log in parts: every event in one of them, no lead cut in two, and tasks that need no Spark to be asked."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import catalogue_of
from visits import VOCABULARY

from features.core.errors import InputError
from features.language.feature import Feature
from pipeline.core.sql import open_reader
from pipeline.matrix.local import read_log
from pipeline.matrix.parts import Asked, deal_snapshots
from pipeline.matrix.tasks import ComputeLeads
from pipeline.partitions.parts import Part, cut_alike, cut_log, read_part
from pipeline.spark.jobs import do

IDS = ["", "A", "AA", "a", "lead 1", "lead 10", "Ä", "ß", "\U0001f600"]
"""In the order of their bytes."""

logs = st.dictionaries(st.sampled_from(IDS), st.integers(1, 30)).map(
    lambda counts: [lead for lead in sorted(counts, key=str.encode) for _ in range(counts[lead])]
)


def write(folder: Path, leads: list[str], row_group: int) -> Path:
    path = folder / "interactions.parquet"
    rows = {"lead_id": pa.array(leads, pa.string()), "quantity": pa.array(range(len(leads)), pa.int64())}
    pq.write_table(pa.table(rows), path, row_group_size=row_group)
    return path


@given(logs, st.integers(1, 12), st.integers(1, 40), st.integers(1, 9))
def test_every_event_is_in_one_part_and_no_lead_in_two(leads: list[str], group: int, events: int, size: int) -> None:
    with TemporaryDirectory() as folder:
        log = write(Path(folder), leads, group)
        parts = cut_log(log, "lead_id", events)
        read = [pa.concat_tables(read_log(log, ["lead_id", "quantity"], size, part)) for part in parts]
    assert [number for rows in read for number in rows["quantity"].to_pylist()] == list(range(len(leads)))
    assert sum(len(set(rows["lead_id"].to_pylist())) for rows in read) == len(set(leads))
    assert (parts[0].first, parts[-1].until) == ("", None)
    assert [part.until for part in parts[:-1]] == [part.first for part in parts[1:]]
    assert len(parts) <= 1 + len(leads) // events


def test_ids_whose_bounds_are_shortened_in_the_file_are_each_in_one_part(tmp_path: Path) -> None:
    ids = [f"{'x' * 300}{number:05}" for number in range(6_000)]
    log, leads = write(tmp_path, ids, 1_100), tmp_path / "leads.parquet"
    with open_reader() as reader:
        reader.register("leads", pa.table({"lead_id": ids}))
        reader.execute(f"COPY (FROM leads) TO '{leads}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    metadata = pq.read_metadata(leads)
    assert metadata.num_row_groups > 1
    assert len(metadata.row_group(0).column(0).statistics.min) < len(ids[0])
    for place, found in enumerate(zip(*cut_alike({log: 1, leads: 1}, "lead_id", 1_000), strict=True)):
        assert len(found) > 3
        read = [rows["lead_id"].to_pylist() for part in found for rows in read_part(part, ["lead_id"], 5_000)]
        assert [one for some in read for one in some] == ids, place


@given(logs, st.lists(st.sampled_from(IDS)), st.integers(1, 12), st.integers(1, 5))
def test_every_snapshot_is_asked_of_the_part_of_its_lead(
    leads: list[str], asked: list[str], events: int, batch: int
) -> None:
    table = pa.table({"lead_id": pa.array(sorted(asked, key=str.encode), pa.string())})
    with TemporaryDirectory() as folder:
        parts = cut_log(write(Path(folder), leads, 3), "lead_id", events)
        rows = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch))
        dealt = deal_snapshots(rows, parts, "lead_id", Path(folder))
        found = [[lead for piece in one.batches() for lead in piece["lead_id"].to_pylist()] for one in dealt]
    assert [lead for ids in found for lead in ids] == table["lead_id"].to_pylist()
    for one, ids in zip(dealt, found, strict=True):
        assert ids
        assert len(ids) == one.end - one.start
        assert all(one.part.first <= lead for lead in ids)
        assert one.part.until is None or all(lead < one.part.until for lead in ids)
    assert [one.start for one in dealt] == [0, *(one.end for one in dealt)][: len(dealt)]


def test_a_task_that_does_not_see_the_project_says_so(tmp_path: Path) -> None:
    there = tmp_path / "elsewhere.parquet"
    asked = Asked(Part("", None, there, range(1)), tmp_path / "asked.arrows", 0, 1)
    job = ComputeLeads(asked, catalogue_of([Feature("count")], VOCABULARY), 10**6, tmp_path, (), None)
    with pytest.raises(InputError, match=f"^Spark's executors do not see {there}; the project's folder must lie on"):
        do(job)
