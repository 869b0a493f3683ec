"""Times as Parquet holds them: of any unit, with and without a zone, as pandas and Arrow write them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from raw_logs import source_of
from small_project import SmallProject

_AT = datetime(2026, 7, 2, 10, 30)


def _ingest(root: Path, table: pa.Table, name: str = "log", **settings: Any) -> SmallProject:  # noqa: ANN401
    project = SmallProject(root).set({"log": source_of("log.parquet", **settings)}, leads=None)
    pq.write_table(table, project.raw / f"{name}.parquet")
    return project


def _table(times: pa.Array) -> pa.Table:
    return pa.table({"lead": [f"L{n}" for n in range(len(times))], "at": times, "what": ["visit"] * len(times)})


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("stored_zone", "time_zone", "expected"),
    [
        (None, "UTC", _AT),
        (None, "Europe/Amsterdam", datetime(2026, 7, 2, 8, 30)),
        ("UTC", "UTC", _AT),
        ("Europe/Amsterdam", "UTC", _AT),  # Arrow stores the moment in UTC; its zone says how to show it
        ("+02:00", "UTC", _AT),
    ],
)
def test_a_time_of_any_unit_is_the_moment_that_it_is(
    unit: str, stored_zone: str | None, time_zone: str, expected: datetime, tmp_path: Path
) -> None:
    times = pa.array([_AT, None], pa.timestamp(unit, stored_zone))
    project = _ingest(tmp_path, _table(times), time_zone=time_zone)
    assert project.ingest().code == 0
    assert project.log("occurred_at") == [(expected,)]
    assert project.set_aside() == [(2, "missing occurred_at")]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_a_day_is_its_midnight(kind: pa.DataType, tmp_path: Path) -> None:
    project = _ingest(tmp_path, _table(pa.array([date(2026, 7, 2)], kind)), time_zone="Europe/Amsterdam")
    assert project.ingest().code == 0
    assert project.log("occurred_at") == [(datetime(2026, 7, 1, 22),)]


@pytest.mark.parametrize("unit", ["ns", "us"])
@pytest.mark.parametrize("zone", [None, "Europe/Amsterdam"])
def test_what_pandas_writes_is_read_by_init_and_ingest_alike(unit: str, zone: str | None, tmp_path: Path) -> None:
    times = pd.date_range("2026-01-05 10:00", periods=400, freq="7h").as_unit(unit)
    if zone:
        times = times.tz_localize(zone)
    frame = pd.DataFrame({
        "lead": [f"L{n % 80:03}" for n in range(400)], "time": times, "event": ["visit", "form", "visit", "won"] * 100,
    })  # fmt: skip
    project = SmallProject(tmp_path)
    for path in [project.root / "params.yaml", *project.raw.iterdir()]:
        path.unlink()
    frame.to_parquet(project.raw / "log.parquet")
    assert project.run("init", "raw", "--yes", "--conversion", "won").code == 0
    proposed = yaml.safe_load((project.root / "params.yaml").read_text())
    assert "time_format" not in proposed["ingest"]["sources"]["log"]
    assert project.run("ingest").code == 0
    expected = (times.tz_convert("UTC").tz_localize(None) if zone else times).as_unit("us")
    assert sorted(moment for (moment,) in project.log("occurred_at")) == [time.to_pydatetime() for time in expected]


def test_times_with_a_zone_inside_of_a_struct_are_read(tmp_path: Path) -> None:
    times = pa.array([_AT], pa.timestamp("ns", "UTC"))
    table = _table(times).append_column("hit", pa.StructArray.from_arrays([times], names=["at"]))
    project = _ingest(tmp_path, table, columns={"occurred_at": "hit.at"})
    assert project.ingest().code == 0
    assert project.log("occurred_at") == [(_AT,)]


def test_a_query_reads_times_in_nanoseconds(tmp_path: Path) -> None:
    project = _ingest(tmp_path, _table(pa.array([_AT], pa.timestamp("ns", "UTC"))), name="hits")
    source = source_of("", known_at="as_it_occurred") | {"query": 'SELECT lead, "at", what FROM hits'}
    del source["path"]
    project.set({"log": source}, leads=None, tables={"hits": {"path": "hits.parquet"}})
    assert project.ingest().code == 0
    assert project.log("occurred_at") == [(_AT,)]


def test_a_time_of_day_is_refused_by_the_name_of_its_file_and_column(tmp_path: Path) -> None:
    project = _ingest(tmp_path, _table(pa.array([_AT.time()], pa.time64("ns"))))
    outcome = project.ingest()
    assert outcome.code == 4
    assert "log.parquet: the column 'at' holds TIME_NS and no times; map another one" in outcome.text
