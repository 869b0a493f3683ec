"""Whichever executor computes the matrix, its file has the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from declared import declarations
from engines import Log, Snapshots
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matrices import catalogue_of, write_matrix_of
from sparks import LOCAL, require_spark
from visits import EVE, LEADS, VOCABULARY, hours, logs

from features.core.errors import InputError
from features.engines.reference import Interaction
from features.language.feature import Feature, Scope
from features.language.filters import Filter
from pipeline.matrix import spark
from pipeline.settings.run import Run

HOUR = 3_600_000_000
SPARK = Run(executor="spark", master=LOCAL)

snapshots = st.lists(st.tuples(st.sampled_from(LEADS), hours.map(lambda hour: hour * HOUR)), max_size=8).map(sorted)
cut_snapshots = st.lists(
    st.tuples(st.sampled_from(LEADS), *(hours.map(lambda hour: hour * HOUR) for _ in range(3))), max_size=8
).map(sorted)


@pytest.fixture(autouse=True)
def _spark() -> None:
    require_spark()


def bytes_of(run: Run, log: Log, at: Snapshots, features: Sequence[Feature]) -> bytes | None:
    """Give the file of the matrix; None where there is none, for nothing was asked."""
    with TemporaryDirectory() as folder:
        catalogue = catalogue_of(features, VOCABULARY)
        target = write_matrix_of(run, Path(folder), log, at, catalogue)
        left = {path.name for path in Path(folder).iterdir()}
        assert left <= {"interactions.parquet", "leads.parquet", "matrix.parquet"}, "what is between goes"
        return target.read_bytes() if target.exists() else None


@given(
    logs,
    st.one_of(snapshots, snapshots, cut_snapshots),
    st.lists(declarations(), min_size=1, max_size=30),
    st.integers(1, 9),
)
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_drawn_logs_and_declarations_give_the_same_bytes(
    log: dict[str, list[Interaction]], at: list[tuple[str, int]], features: list[Feature], part: int
) -> None:
    expected = bytes_of(Run(), log, at, features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark, "PART_EVENTS", part)
        assert bytes_of(SPARK, log, at, features) == expected


def test_a_lead_and_an_account_over_many_row_groups_are_not_cut_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    def events(number: int) -> list[Interaction]:
        return [Interaction(HOUR * hour, HOUR * hour, "click", value=0.1 * hour) for hour in range(number)]

    log = {"a": events(1), "b": events(100), "c": events(3), "none": events(20), "z": events(2)}
    at = [(lead, HOUR * hour) for lead in ("a", "b", "c", "none", "y", "z") for hour in (10, 200)]
    features = [Feature("sum"), Feature("count", scope="account"), Feature("sum", Filter("click"), scope="account")]
    expected = bytes_of(Run(), log, at, features)
    monkeypatch.setattr(spark, "PART_EVENTS", 7)
    assert bytes_of(SPARK, log, at, features) == expected


def test_a_log_without_events_still_gives_every_snapshot_its_row() -> None:
    at = [("a", HOUR), ("b", HOUR)]
    features = [Feature("count"), Feature("days_since_last", scope="account")]
    expected = bytes_of(Run(), {}, at, features)
    assert expected is not None
    assert bytes_of(SPARK, {}, at, features) == expected


@pytest.mark.parametrize(
    ("scope", "leads", "told"),
    [("lead", 1, "^a lead has more events than a task"), ("account", 3, "^the leads of an account together have more")],
)
def test_what_is_too_large_for_a_task_is_one_message(tmp_path: Path, scope: Scope, leads: int, told: str) -> None:
    events = [Interaction(EVE[1] - second, 0, "click") for second in range(9_000 // leads, 0, -1)]
    log = {"abc"[number]: events for number in range(leads)}
    run = Run(executor="spark", master=LOCAL, memory_limit="1MB")
    catalogue = catalogue_of([Feature("count", scope=scope)], VOCABULARY)
    with pytest.raises(InputError, match=told) as raised:
        write_matrix_of(run, tmp_path, log, [("a", EVE[1])], catalogue, row_group=500)
    assert "\n" not in str(raised.value)
    assert {path.name for path in tmp_path.iterdir()} == {"interactions.parquet", "leads.parquet"}
