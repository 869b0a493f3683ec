"""However the log is cut into batches, the matrix is the same."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engines import events_table
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.errors import InputError
from features.engines.reference import Interaction, compute, events_of_others
from features.language.catalogue import Catalogue
from features.language.feature import Feature
from features.language.filters import Filter, Vocabulary
from pipeline.matrix import local as matrix
from pipeline.matrix.batches import Batch, size_batches
from pipeline.matrix.local import stream_matrix, write_matrix

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
        Feature("days_to_first", Filter("visit")),
        Feature("last_touch", of="event_type", position=2),
        Feature("share", Filter("form", actors=("lead", "us"))),
        Feature("count", Filter("form"), scope="account"),
        Feature("days_since_last", window=None, scope="account"),
        Feature("sum", window=DAY, scope="account"),
    ),
    (("country", "category"), ("employees", "number")),
)


@dataclass(frozen=True)
class Case:
    """A log by lead and the hours of each lead's snapshots, as drawn."""

    log: dict[str, list[Interaction]]
    snapshots: dict[str, list[int]]

    @property
    def leads(self) -> list[str]:
        """All leads, in byte order; one of them at least has an account."""
        return sorted({*self.log, *self.snapshots, "öö"}, key=str.encode)

    @property
    def created(self) -> dict[str, int]:
        """In which hour each lead was created, and known."""
        return {lead: 8 * number for number, lead in enumerate(self.leads)}


def account_of(lead: str) -> str | None:
    return {"A": "one", "AA": "one", "B": "one", "öö": "one", "b": "two", "Ä": "two"}.get(lead)


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
    snapshots = draw(
        st.dictionaries(LEADS, st.lists(st.integers(-5, 200), min_size=1, max_size=3, unique=True), min_size=1)
    )
    ordered = {lead: sorted(log[lead], key=lambda event: event.occurred_at) for lead in sorted(log, key=str.encode)}
    return Case(ordered, {lead: sorted(snapshots[lead]) for lead in sorted(snapshots, key=str.encode)})


def snapshot_table(case: Case, known: int | None = None, occurred: int | None = None) -> pa.Table:
    """Give the snapshots; ``known`` and ``occurred`` are hours before each, where they are cut."""
    at = [(lead, EPOCH + hour * HOUR) for lead, hours in case.snapshots.items() for hour in hours]
    cuts = {"known_until": known, "occurred_until": occurred}
    return pa.table(
        {
            "lead_id": pa.array([lead for lead, _ in at], pa.string()),
            "as_of": pa.array([as_of for _, as_of in at], pa.timestamp("us")),
            **{
                name: pa.array([as_of - hours * HOUR for _, as_of in at], pa.timestamp("us"))
                for name, hours in cuts.items()
                if hours is not None
            },
            "created_at": pa.array([EPOCH + case.created[lead] * HOUR for lead, _ in at], pa.timestamp("us")),
            "started_at": pa.array([EPOCH] * len(at), pa.timestamp("us")),
            "episode": pa.array([1] * len(at), pa.int64()),
            "trigger": pa.array([str(number) for number in range(len(at))], pa.string()),
        }
    )


def leads_table(case: Case) -> pa.Table:
    created = pa.array([EPOCH + hour * HOUR for hour in case.created.values()], pa.timestamp("us"))
    numbers = range(len(case.leads))
    return pa.table(
        {
            "lead_id": pa.array(case.leads, pa.string()),
            "created_at": created,
            "known_at": created,
            "account_id": pa.array([account_of(lead) for lead in case.leads], pa.string()),
            "country": pa.array([None if number % 3 == 0 else f"country {number}" for number in numbers], pa.string()),
            "employees": pa.array([float(number) for number in numbers]),
            "notes": pa.array(["secret" for _ in numbers], pa.string()),
        }
    )


def test_snapshots_get_the_creation_and_the_attributes_of_their_own_lead() -> None:
    case = Case({}, {"A": [24], "C": [44], "b": [76, 100]})
    rows = pa.concat_tables(stream(case)).select(["lead_id", "lead_age_days", "lead__country", "lead__employees"])
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("A", 1.0, None, 0.0),
        ("C", 1.5, "country 1", 1.0),
        ("b", 2.5, "country 2", 2.0),
        ("b", 3.5, "country 2", 2.0),
    ]


def stream(
    case: Case, *, batch: int = 4, rows: int = 1000, row_group: int = 10, asked: pa.Table | None = None
) -> list[pa.Table]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, duckdb.connect() as connection:
        patch.setattr(matrix, "size_batches", lambda *_: Batch(batch, rows, 2))
        log, leads = Path(folder) / "interactions.parquet", Path(folder) / "leads.parquet"
        events = events_table(case.log)
        events = events.append_column("source", pa.array(["log"] * len(events), pa.string()))
        events = events.append_column("sequence", pa.array(np.arange(len(events))))
        pq.write_table(events, log, row_group_size=row_group)
        pq.write_table(leads_table(case), leads)
        connection.register("taken", snapshot_table(case) if asked is None else asked)
        return list(stream_matrix(connection, "FROM taken", log, leads, CATALOGUE, keep=("trigger",)))


@settings(max_examples=60)
@given(
    case=cases(),
    batch=st.integers(1, 5),
    rows=st.integers(1, 9),
    row_group=st.integers(1, 7),
    known=st.sampled_from([None, None, 0, 24, -24]),
    occurred=st.sampled_from([None, None, 0, 24, -24]),
)
def test_small_batches_give_what_the_reference_gives(
    case: Case, batch: int, rows: int, row_group: int, known: int | None, occurred: int | None
) -> None:
    asked = snapshot_table(case, known, occurred)
    streamed = pa.concat_tables(stream(case, batch=batch, rows=rows, row_group=row_group, asked=asked))
    at = [(lead, hour * 3_600_000_000) for lead, hours in case.snapshots.items() for hour in hours]
    assert streamed["lead_id"].to_pylist() == [lead for lead, _ in at]
    assert streamed["trigger"].to_pylist() == [str(number) for number in range(len(at))]
    created = {lead: case.created[lead] * 3_600_000_000 for lead in case.leads}
    for name, feature in zip(CATALOGUE.names, CATALOGUE.features, strict=True):
        expected = []
        for lead, as_of in at:
            own, account = case.log.get(lead, []), account_of(lead)
            others = {other: case.log.get(other, []) for other in case.leads if account_of(other) == account}
            events = own if feature.scope == "lead" else events_of_others(others if account else {}, lead, created)
            cuts = (None if hours is None else as_of - hours * 3_600_000_000 for hours in (known, occurred))
            known_until, occurred_until = cuts
            value = compute(
                events,
                as_of,
                feature,
                CATALOGUE.vocabulary,
                created[lead],
                known_until=known_until,
                occurred_until=occurred_until,
            )
            expected.append(value if isinstance(value, str) else None if math.isnan(value) else np.float32(value))
        column = streamed[name].to_pylist()
        assert [None if value != value else value for value in column] == expected, name  # noqa: PLR0124 - NaN


def test_several_looks_at_the_same_lead_and_moment_keep_their_own_values() -> None:
    late = Interaction(0, 50 * 3_600_000_000, "form", "lead")
    case = Case({"A": [late], "B": [late]}, {lead: [60, 60, 60] for lead in ("A", "B")})
    asked = snapshot_table(case)
    looks = {"known_until": [60, 40, 40] * 2, "occurred_until": [60, 60, 30] * 2}
    for name, hours in looks.items():
        asked = asked.append_column(name, pa.array([EPOCH + hour * HOUR for hour in hours], pa.timestamp("us")))
    streamed = pa.concat_tables(stream(case, asked=asked))
    # By lead and moment, then by known_until and occurred_until; each account counts the form of the other lead.
    assert streamed["trigger"].to_pylist() == ["2", "1", "0", "5", "4", "3"]
    assert streamed["count__all"].to_pylist() == streamed["account__count__form"].to_pylist() == [0, 0, 1] * 2


def test_a_lead_with_more_events_than_a_batch_is_not_cut_in_two() -> None:
    long = [Interaction(hour * 3_600_000_000, hour * 3_600_000_000, "visit", "lead") for hour in range(50)]
    case = Case({"A": long[:1], "B": long, "C": long[:2]}, {"A": [100], "B": [10, 100], "C": [100], "D": [100]})
    streamed = pa.concat_tables(stream(case, batch=8, rows=2, row_group=1000))
    assert streamed["lead_id"].to_pylist() == ["A", "B", "B", "C", "D"]
    assert streamed["count__all"].to_pylist() == [1, 10, 50, 2, 0]


@settings(max_examples=40)
@given(
    delays=st.lists(st.sampled_from([0, 0, 0, 0, 1]), min_size=1, max_size=20),
    row_group=st.integers(1, 8),
    encoding=st.sampled_from(["PLAIN", "DELTA_BINARY_PACKED"]),
)
def test_when_events_were_known_is_read_unless_all_were_known_as_they_occurred(
    delays: list[int], row_group: int, encoding: str
) -> None:
    times = pa.array([hour * HOUR + EPOCH for hour in range(len(delays))], pa.timestamp("us"))
    known = pa.array([(hour + delay) * HOUR + EPOCH for hour, delay in enumerate(delays)], pa.timestamp("us"))
    columns = {"occurred_at": times, "known_at": known, "quantity": pa.array([1] * len(delays))}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "interactions.parquet"
        encodings = dict.fromkeys(("occurred_at", "known_at"), encoding)
        pq.write_table(
            pa.table(columns), log, row_group_size=row_group, use_dictionary=["quantity"], column_encoding=encodings
        )
        read = pa.concat_tables(matrix.read_log(log, list(columns), 5))
        alone = pa.concat_tables(matrix.read_log(log, ["known_at"], 5))
    assert alone["known_at"].to_pylist() == known.to_pylist(), "there is nothing beside it that says the same"
    assert read.column_names == (["occurred_at", "known_at"] if any(delays) else ["occurred_at"])
    assert read["occurred_at"].to_pylist() == times.to_pylist()
    assert not any(delays) or read["known_at"].to_pylist() == known.to_pylist()


def test_a_log_without_events_still_gives_every_snapshot_its_row() -> None:
    case = Case({}, {"A": [0], "B": [1]})
    (only,) = stream(case)
    assert only["count__all"].to_pylist() == [0, 0]
    assert only["lead__employees"].to_pylist() == [0, 1]


def test_no_snapshots_give_no_rows() -> None:
    case = Case({"A": [Interaction(0, 0, "visit", "lead")]}, {})
    assert stream(case) == []


def test_a_log_that_lacks_an_attribute_of_the_model_is_a_message(tmp_path: Path) -> None:
    pq.write_table(pa.table({"lead_id": ["a"], "created_at": [0]}), tmp_path / "leads.parquet")
    catalogue = Catalogue(Vocabulary(), (), (("country", "category"),))
    with (
        duckdb.connect() as connection,
        pytest.raises(InputError, match="the model reads the attributes country, which the leads of this log lack"),
    ):
        next(stream_matrix(connection, "", tmp_path / "log.parquet", tmp_path / "leads.parquet", catalogue))


def test_accounts_that_no_lead_has_are_a_message(tmp_path: Path) -> None:
    nobody = pa.table({"lead_id": ["a"], "account_id": pa.nulls(1, pa.string())})
    pq.write_table(nobody, tmp_path / "leads.parquet")
    catalogue = Catalogue(Vocabulary(), (Feature("count", scope="account"),))
    with duckdb.connect() as connection, pytest.raises(InputError, match="map ingest.leads.columns.account_id"):
        next(stream_matrix(connection, "", tmp_path / "log.parquet", tmp_path / "leads.parquet", catalogue))


def test_the_file_has_row_groups_of_one_size_whatever_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "ROW_GROUP", 4)
    table = pa.table({"lead_id": [str(number) for number in range(11)], "trigger": ["monday"] * 11})
    for name, sizes in (("a", (1, 5, 5)), ("b", (11,)), ("c", (4, 4, 3))):
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        batches = [table.slice(start, size) for start, size in zip(starts, sizes, strict=True)]
        assert list(write_matrix(batches, tmp_path / name))[-1] == 11
    file = pq.ParquetFile(tmp_path / "a")
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [4, 4, 3]
    assert file.read() == table
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_the_file_has_the_same_bytes_whatever_dictionaries_the_batches_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "ROW_GROUP", 8)
    texts = ["b", "a", None, "a", "c", "b", "d", "a", "e", "c", "a"]
    values = np.arange(11, dtype=np.float32)
    for name, sizes in (("a", (1, 4, 6)), ("b", (11,)), ("c", (7, 3, 1))):
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        batches = [
            pa.table(
                {
                    "lead_id": pa.array(texts[start : start + size]).dictionary_encode(),
                    "trigger": ["monday"] * size,
                    "value": values[start : start + size],
                }
            )
            for start, size in zip(starts, sizes, strict=True)
        ]
        list(write_matrix(batches, tmp_path / name))
    assert pq.read_table(tmp_path / "a")["lead_id"].to_pylist() == texts
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_limit_of_memory_bounds_what_is_taken_at_once() -> None:
    small, large = size_batches(10**8, 100), size_batches(10**10, 100)
    assert small.events < large.events
    assert small.rows < large.rows
    assert small.workers * small.events * 128 < 10**8
