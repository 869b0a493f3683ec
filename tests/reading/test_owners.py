"""Who owns which territory, and from when: a table beside the log, of which each day knows what holds on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from raw_logs import SOUND, query_of, read_quarantine, run_ingest, write_raw

from features.core.errors import InputError
from features.core.schema import OWNERSHIP

COLUMNS = {"territory": "where", "owner": "who", "from": "begin", "until": "end", "per_day": "room"}
OWNERS: dict[str, Any] = {"path": "owners.csv", "columns": COLUMNS}
HEAD = "where,who,begin,end,room\n"


def owners(root: Path, rows: str, **changes: object) -> list[tuple[Any, ...]]:
    write_raw(root, log_csv=SOUND, owners_csv=HEAD + rows)
    run_ingest(root, owners=OWNERS | changes)
    return query_of(
        root, f"SELECT territory, owner, begins::VARCHAR, ends::VARCHAR, unit, places FROM '{root}/data/owners.parquet'"
    )


def test_rows_are_sorted_and_an_empty_day_means_ever(tmp_path: Path) -> None:
    assert owners(tmp_path, "south,Ben,,2026-01-05,3\nnorth,Ann,2026-01-05,,0\nsouth,Ann,2026-01-05,,4\n") == [
        ("north", "Ann", "2026-01-05", None, "leads", 0.0),
        ("south", "Ben", None, "2026-01-05", "leads", 3.0),
        ("south", "Ann", "2026-01-05", None, "leads", 4.0),
    ]
    schema = pq.read_schema(tmp_path / "data/owners.parquet")
    assert [(field.name, field.type) for field in schema] == [(field.name, field.arrow) for field in OWNERSHIP]


def test_until_is_the_first_day_without_the_row_unless_it_is_said_to_be_the_last_with_it(tmp_path: Path) -> None:
    rows = "south,Ben,2026-01-01,2026-01-31,3\nsouth,Ann,2026-02-01,2026-02-01,4\n"
    assert [row[2:4] for row in owners(tmp_path / "last", rows, until_is_last=True)] == [
        ("2026-01-01", "2026-02-01"),
        ("2026-02-01", "2026-02-02"),
    ]
    assert [row[2:4] for row in owners(tmp_path / "first", rows)] == [("2026-01-01", "2026-01-31")]
    assert read_quarantine(tmp_path / "first", "owners") == [("owners.csv", 3, "until before from")]


def test_what_can_not_be_used_is_set_aside_with_its_reason_and_counted(tmp_path: Path) -> None:
    rows = (
        "north,Ann,2026-01-05,,3\n,Ann,,,3\nwest,,,,3\nwest,Ben,soon,,3\nwest,Ben,,never,3\n"
        "west,Ben,2026-02-01,2026-01-01,3\nwest,Ben,,,\nwest,Ben,,,many\nwest,Ben,,,-1\nwest,Ben,,,1.5\n"
        "north,Ann,2026-01-05,,3\n"
    )
    write_raw(tmp_path, log_csv=SOUND, owners_csv=HEAD + rows)
    summary = run_ingest(tmp_path, owners=OWNERS).owners
    assert [reason for _, _, reason in read_quarantine(tmp_path, "owners")] == [
        "missing territory", "missing owner", "unreadable from", "unreadable until", "until before from",
        "missing per_day", "unreadable per_day", "per_day below 0",
        "per_day is not a whole number", "duplicate",
    ]  # fmt: skip
    assert summary is not None
    assert (summary.rows, summary.used, sum(summary.set_aside.values())) == (11, 1, 10)


def test_hours_may_be_fractions_and_places_may_be_said_elsewhere(tmp_path: Path) -> None:
    names = {"territory": "where", "owner": "who"}
    [hours] = owners(tmp_path / "hours", "north,Ann,,,2.5\n", unit="hours")
    assert hours[4:] == ("hours", 2.5)
    [without] = owners(tmp_path / "without", "north,Ann,,,2.5\n", columns=names)
    assert without[4:] == (None, None)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("s,Ben,,2026-01-06,3\ns,Ann,2026-01-05,,4\n", "'s' has two rows that hold on 2026-01-05; let each end"),
        ("s,Ben,,,3\ns,Ann,2026-01-05,2026-01-06,4\ns,Cy,2026-01-07,,1\n", "on 2026-01-05, and 1 more times"),
        ("s,Ben,,,3\ns,Ann,,,4\n", "two rows that hold before its first change"),
        ("s,,,,3\n", "no row can be used"),
    ],
)
def test_two_owners_of_a_territory_on_a_day_and_none_at_all_are_refused(
    rows: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        owners(tmp_path, rows)
    assert not (tmp_path / "data/owners.parquet").exists()


def test_without_a_table_there_is_an_empty_one(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND)
    assert run_ingest(tmp_path).owners is None
    table = pq.read_table(tmp_path / "data/owners.parquet")
    assert (table.num_rows, table.schema.names) == (0, [field.name for field in OWNERSHIP])
