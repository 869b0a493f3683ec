"""However the log is cut into batches, the matrix is the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engines import events_table
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import Catalogue
from features.declarations import Feature, Filter, Vocabulary
from features.engine import compute_matrix
from features.errors import InputError
from features.reference import Interaction
from pipeline import matrix
from pipeline.matrix import join_leads, stream_matrix

EPOCH, HOUR, DAY = datetime(1970, 1, 1), timedelta(hours=1), timedelta(days=1)
CATALOGUE = Catalogue(
    Vocabulary(event_types=("form", "visit")),
    (
        Feature("count", Filter()),
        Feature("count", Filter(event_type="form"), window=DAY),
        Feature("sum", Filter(event_type="visit")),
        Feature("days_since_last", Filter()),
        Feature("days_since_first", Filter(event_type="form")),
        Feature("active_days", Filter(), window=2 * DAY),
        Feature("decayed_count", Filter(), half_life=DAY),
    ),
    (("country", "category"), ("employees", "number")),
)


@dataclass(frozen=True)
class Case:
    """A log by lead and the hours of each lead's snapshots, as drawn."""

    log: dict[str, list[Interaction]]
    snapshots: dict[str, list[int]]


EVENTS = st.builds(
    lambda hour, delay, kind, value: Interaction(
        hour * 3_600_000_000,
        (hour + delay) * 3_600_000_000,
        kind,
        actor="lead",
        value=value,
        local_day=hour // 24,
    ),
    st.integers(0, 96),
    st.sampled_from([0, 0, 0, 30]),
    st.sampled_from(["visit", "form", "fax"]),
    st.sampled_from([None, 0.1, 2.5]),
)
LEADS = st.sampled_from(
    ["A", "AA", "B", "b", "Ä", "ß", "lead 1", "lead 10", "lead 2"]
)  # byte order, not the alphabet's


@st.composite
def cases(draw: st.DrawFn) -> Case:
    log = draw(st.dictionaries(LEADS, st.lists(EVENTS, min_size=1, max_size=12), max_size=5))
    # Leads without events, events without snapshots; moments before and after all events.
    snapshots = draw(st.dictionaries(LEADS, st.lists(st.integers(-5, 200), min_size=1, max_size=3), min_size=1))
    ordered = {lead: sorted(log[lead], key=lambda event: event.occurred_at) for lead in sorted(log, key=str.encode)}
    return Case(ordered, {lead: sorted(snapshots[lead]) for lead in sorted(snapshots, key=str.encode)})


def snapshot_table(case: Case) -> pa.Table:
    rows = [
        {
            "lead_id": lead,
            "as_of": EPOCH + hour * HOUR,
            "created_at": EPOCH - DAY,
            "started_at": EPOCH - DAY,
            "episode": 1,
            "country": None if number % 3 == 0 else f"country of {lead}",
            "employees": float(number),
        }
        for number, (lead, hours) in enumerate(case.snapshots.items())
        for hour in hours
    ]
    return pa.Table.from_pylist(rows).cast(
        pa.schema(
            [
                ("lead_id", pa.string()),
                *((name, pa.timestamp("us")) for name in ("as_of", "created_at", "started_at")),
                ("episode", pa.int64()),
                ("country", pa.string()),
                ("employees", pa.float64()),
            ]
        )
    )


def stream(events: pa.Table, snapshots: pa.Table, *, batch: int, row_group: int) -> list[pa.Table]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "BATCH", batch)
        path = Path(folder) / "interactions.parquet"
        pq.write_table(events, path, row_group_size=row_group)
        return list(stream_matrix(path, snapshots, CATALOGUE))


@settings(max_examples=60, deadline=None)
@given(case=cases(), batch=st.integers(1, 5), row_group=st.integers(1, 7))
def test_small_batches_give_what_one_big_batch_gives(case: Case, batch: int, row_group: int) -> None:
    events, snapshots = events_table(case.log), snapshot_table(case)
    streamed = pa.concat_tables(stream(events, snapshots, batch=batch, row_group=row_group))
    whole = compute_matrix(events, snapshots, CATALOGUE)
    assert streamed.schema == whole.schema
    pd.testing.assert_frame_equal(streamed.to_pandas(), whole.to_pandas(), check_exact=True)


def test_a_lead_with_more_events_than_a_batch_is_not_cut_in_two() -> None:
    long = [Interaction(hour * 3_600_000_000, hour * 3_600_000_000, "visit", "lead") for hour in range(50)]
    case = Case({"A": long[:1], "B": long, "C": long[:2]}, {"A": [100], "B": [10, 100], "C": [100], "D": [100]})
    streamed = pa.concat_tables(stream(events_table(case.log), snapshot_table(case), batch=8, row_group=1000))
    assert streamed["lead_id"].to_pylist() == ["A", "B", "B", "C", "D"]
    assert streamed["count__all"].to_pylist() == [1, 10, 50, 2, 0]


def test_a_log_without_events_still_gives_every_snapshot_its_row() -> None:
    case = Case({}, {"A": [0], "B": [1]})
    (only,) = stream(events_table(case.log), snapshot_table(case), batch=4, row_group=10)
    assert only["count__all"].to_pylist() == [0, 0]
    assert only["lead__employees"].to_pylist() == [0, 1]


def test_no_snapshots_give_no_rows() -> None:
    case = Case({"A": [Interaction(0, 0, "visit", "lead")]}, {"A": [1]})
    assert stream(events_table(case.log), snapshot_table(case).slice(0, 0), batch=4, row_group=10) == []


def test_snapshots_get_the_creation_and_the_attributes_of_their_own_lead(tmp_path: Path) -> None:
    leads = {
        "lead_id": ["A", "B", "C"],
        "created_at": pa.array([EPOCH, EPOCH + DAY, EPOCH + 2 * DAY], pa.timestamp("us")),
        "employees": [1.0, None, 3.0],
        "country": ["NL", "DE", None],
        "notes": ["secret", "secret", "secret"],
    }
    pq.write_table(pa.table(leads), tmp_path / "leads.parquet")
    snapshots = pd.DataFrame(
        {"lead_id": ["A", "C", "C"], "as_of": EPOCH, "started_at": EPOCH, "episode": [1, 1, 2], "label": None},
        index=[7, 7, 7],
    )
    rows = join_leads(snapshots, tmp_path / "leads.parquet", CATALOGUE).to_pylist()
    assert [(row["lead_id"], row["created_at"], row["country"], row["employees"]) for row in rows] == [
        ("A", EPOCH, "NL", 1.0),
        ("C", EPOCH + 2 * DAY, None, 3.0),
        ("C", EPOCH + 2 * DAY, None, 3.0),
    ]
    assert "notes" not in rows[0]


def test_a_log_that_lacks_an_attribute_of_the_model_is_a_message(tmp_path: Path) -> None:
    pq.write_table(pa.table({"lead_id": ["a"], "created_at": [0]}), tmp_path / "leads.parquet")
    catalogue = Catalogue(Vocabulary(), (), (("country", "category"),))
    with pytest.raises(InputError, match="the model reads the attributes country, which the leads of this log lack"):
        join_leads(pd.DataFrame(), tmp_path / "leads.parquet", catalogue)
