"""Snapshots by stretches: whatever the stretches, and whoever looks at them, they are those of all leads at once."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sparks import LOCAL, require_spark
from stretched import DAY, START, Event, Together, joined, look_by_stretches, write_log
from world import Project

from features.timeline.labels import LabelCounts, assign_labels
from features.timeline.policies import AgePolicy, CalendarPolicy, EventPolicy
from features.timeline.snapshots import ages_of_open, find_episodes, take_snapshots
from pipeline.core.project import Places
from pipeline.log.ends import read_events
from pipeline.log.history import read_history
from pipeline.log.outcomes import lives_of
from pipeline.settings.run import Run
from pipeline.settings.timeline import AfterConversion, Episodes, Snapshots
from pipeline.snapshots import stretches, writing
from pipeline.snapshots.counts import LeadCounts

IDS = ["", "A", "AA", "a", "lead 1", "lead 10", "Ä", "ß", "\U0001f600"]
"""In the order of their bytes."""
EPISODES = Episodes(
    conversion=("won",),
    lost=("lost",),
    reopen_on=("form",),
    reopen_after=2 * DAY,
    after_conversion=AfterConversion(reopen_on=("form",), reopen_after=3 * DAY),
    milestones={"met": ("met", "called"), "asked": ("form",)},
)
LOOKS = Snapshots(policies=(AgePolicy((DAY, 4 * DAY)), CalendarPolicy("daily"), EventPolicy("visit")), horizon=5 * DAY)
SPARK = Run(executor="spark", master=LOCAL)
UNTIL = START + 30 * DAY
FINE, WHOLE = 1, 1 << 40

leads = st.sampled_from(IDS)
days = st.integers(0, 25)
drawn_events = st.lists(
    st.builds(
        Event,
        leads,
        days,
        st.sampled_from(["won", "lost", "form", "visit", "met", "called"]),
        st.integers(-1, 9),
        st.sampled_from(["lead", "lead", "us", "machine"]),
        st.sampled_from(["crm", "web"]),
    ),
    max_size=40,
)
drawn_creations = st.dictionaries(leads, days, min_size=1)
drawn_former = st.lists(st.tuples(leads, days, days), max_size=5, unique_by=lambda one: one[::2])


def is_what_all_give_at_once(places: Places, found: Together, until: datetime = UNTIL) -> None:
    history = read_history(places, EPISODES)
    triggers = read_events(places.interactions, "lead_id, known_at, event_type", LOOKS.triggers)
    taken = take_snapshots(history, triggers, LOOKS.policies, until, LOOKS.start)
    episodes = find_episodes(history)
    assert len(found.taken) == len(taken)
    assert taken.empty or taken.equals(found.taken)
    assert found.ages.tolist() == ages_of_open(history, until).tolist()
    assert found.counts == LeadCounts.of(places.interactions, episodes, EPISODES)
    expected = lives_of(places.interactions, EPISODES.conversion, episodes)
    assert list(found.lives) == list(expected)
    for name, lives in found.lives.items():
        pairs = zip(lives, joined(expected[name]), strict=True)
        assert all(ours.tolist() == theirs.tolist() for ours, theirs in pairs)


@given(drawn_events, drawn_creations, drawn_former, st.integers(1, 50), st.sampled_from([FINE, 3000, WHOLE]))
@settings(max_examples=25)
def test_drawn_logs_give_the_same_in_stretches_as_at_once(
    log: list[Event], created: dict[str, int], former: list[tuple[str, int, int]], group: int, most: int
) -> None:
    with TemporaryDirectory() as folder:
        places = write_log(Path(folder), log, created, former, group=group)
        found = look_by_stretches(places, EPISODES, LOOKS, Run(), UNTIL, most=most)
        assert most != WHOLE or found.stretches == 1
        is_what_all_give_at_once(places, found)


@given(drawn_events, drawn_creations, drawn_former)
@settings(max_examples=2, suppress_health_check=[HealthCheck.too_slow])
def test_spark_gives_the_same(log: list[Event], created: dict[str, int], former: list[tuple[str, int, int]]) -> None:
    require_spark()
    with TemporaryDirectory() as folder:
        places = write_log(Path(folder), log, created, former, group=8)
        is_what_all_give_at_once(places, look_by_stretches(places, EPISODES, LOOKS, SPARK, UNTIL, most=FINE))


def test_leads_without_an_event_and_events_without_a_lead_are_in_one_stretch(executor: Run, tmp_path: Path) -> None:
    """B, D and E did nothing, and lie within, between and behind the stretches of the log; X is no lead."""
    log = [Event(lead, day, "visit") for lead in "ACX" for day in range(9)]
    places = write_log(tmp_path, log, dict.fromkeys("ABCDE", 3), [("D", 5, 6)], group=3)
    found = look_by_stretches(places, EPISODES, LOOKS, executor, UNTIL, most=FINE)
    assert found.stretches > 3
    assert found.counts.leads["all"] == 5
    assert found.counts.funnel[:2] == [5, 3]
    assert sorted(set(found.taken["lead_id"])) == ["A", "B", "C", "D", "E"]
    assert found.taken["lead_id"].is_monotonic_increasing
    is_what_all_give_at_once(places, found)


def test_a_stretch_without_a_lead_leaves_nothing(executor: Run, tmp_path: Path) -> None:
    log = [Event(lead, day, "won") for lead in "ABC" for day in range(4)]
    places = write_log(tmp_path, log, {"Z": 2}, [], group=2)
    found = look_by_stretches(places, EPISODES, LOOKS, executor, UNTIL, most=FINE)
    assert found.stretches > 1
    assert set(found.taken["lead_id"]) == {"Z"}
    is_what_all_give_at_once(places, found)


def table_of(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


@given(st.lists(st.integers(1, 40), max_size=8), st.integers(1, 30))
def test_a_file_of_snapshots_has_the_bytes_of_one_that_is_written_at_once(sizes: list[int], group: int) -> None:
    numbers = range(sum(sizes))
    whole = pd.DataFrame(
        {
            "lead_id": pd.array([f"L{number % 7}" for number in numbers], dtype="str"),
            "as_of": [START + number * DAY for number in numbers],
            "label": pd.array([[True, None][number % 2] for number in numbers], dtype="boolean"),
        }
    )
    ends = [sum(sizes[:place]) for place in range(len(sizes) + 1)]
    parts = (table_of(whole[begin:end]) for begin, end in pairwise(ends))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "ROW_GROUP", group)
        at_once, in_parts = Path(folder, "at-once"), Path(folder, "in-parts")
        assert list(writing.write_snapshots(parts, in_parts)) == ends[1:]
        if sizes:
            pq.write_table(table_of(whole), at_once, row_group_size=group)
            assert in_parts.read_bytes() == at_once.read_bytes()


def test_counts_of_labels_add_up(executor: Run, tmp_path: Path) -> None:
    log = [Event(lead, day, what) for lead in "ABC" for day, what in ((3, "visit"), (9, "won"), (20, "form"))]
    places = write_log(tmp_path, log, dict.fromkeys("ABC", 1), [], group=2)
    taken = look_by_stretches(places, EPISODES, LOOKS, executor, UNTIL, most=FINE).taken
    known = (5 * DAY, DAY, UNTIL, START + 4 * DAY)
    summed = LabelCounts()
    for _, own in taken.groupby("lead_id"):
        summed += LabelCounts.of(assign_labels(own, *known))
    together = LabelCounts.of(assign_labels(taken, *known))
    assert summed == together
    assert together.known + together.immature + together.unobserved == together.snapshots == len(taken)
    assert (together.first, together.leads) == (START + 4 * DAY, 3)


@pytest.fixture
def in_small_groups(least: Project, tmp_path: Path, executor: Run, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Copy the least world without its snapshots, with a log of small row groups, each a stretch."""
    monkeypatch.setattr(stretches, "MOST_BYTES", 1)
    project = least.copy_to(tmp_path / "project", leave_out=("snapshots.parquet", "snapshots.json", "reports"))
    rows = pq.read_table(least.interactions)
    pq.write_table(rows, project.interactions, row_group_size=len(rows) // 6)
    return project.with_settings({"run": executor.model_dump(exclude_none=True)})


def test_the_stage_writes_the_same_bytes(in_small_groups: Project, least: Project) -> None:
    project = in_small_groups
    project.run("snapshots")
    for name in ("snapshots.parquet", "snapshots.json"):
        assert (project.root / "data" / name).read_bytes() == (least.root / "data" / name).read_bytes(), name
    assert not (project.root / "data/.tmp/snapshots").exists()
    counted = [line for line in project.told if line.startswith("taking snapshots: ")]
    assert project.parameters.run.executor == "spark" or len(counted) > 3


def test_a_stretch_that_fails_leaves_nothing(in_small_groups: Project) -> None:
    project = in_small_groups
    path = project.interactions
    metadata = pq.read_metadata(path)
    broken = metadata.row_group(3).column(metadata.schema.names.index("lead_id"))
    content = bytearray(path.read_bytes())
    begin = min(place for place in (broken.data_page_offset, broken.dictionary_page_offset) if place)
    content[begin : begin + broken.total_compressed_size] = bytes(broken.total_compressed_size)
    path.write_bytes(content)
    with pytest.raises(Exception, match="nothing was written|deserialize|Couldn't|TProtocol"):
        project.run("snapshots")
    assert not project.snapshots.exists()
    assert not project.snapshot_counts.exists()
    assert not list((project.root / "data/.tmp").glob("*"))
    assert not list((project.root / "data").glob(".snapshots*"))
