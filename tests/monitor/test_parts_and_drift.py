"""Parts of the leads as promises and suspensions mean them, and drift against what is counted another way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from raw_logs import parameters_of, run_ingest, source_of, write_raw
from watched import LAST, PROMISED, write_scores
from world import Project

from models.core.model import Model
from models.evaluation.promises import WHOLE
from models.learning.reference import counts_of
from pipeline.core.suspensions import Suspension, write_suspensions
from pipeline.delivery.guard import newest_scores, suspended
from pipeline.log.reach import Reach
from pipeline.monitor.drifting import Column, Drift, Rows, _rows, find_drift
from pipeline.monitor.scores import read_scores
from pipeline.report.live import _Judged
from pipeline.wording.verdict_titles import standing_titles


def test_a_suspension_of_a_part_means_the_leads_that_the_promise_was_made_to(watched: Project) -> None:
    write_scores(watched, LAST, PROMISED)
    scores = read_scores(watched, Model.load(watched.model), None)
    newest = newest_scores(watched, None)
    assert set(scores.kinds) == {"score", "age", "tier", "channel"}
    parts = {(kind, name) for kind, values in scores.kinds.items() for name in values.unique()}
    assert len(parts) > 10
    for kind, name in parts:
        where = scores.where(kind, name)
        assert where
        write_suspensions(watched, [Suspension(where, "2026-06-22")])
        meant = set(scores.frame.loc[scores.kinds[kind] == name, "lead_id"])
        assert set(suspended(watched, newest, lambda _: None)) == meant, (kind, name)
    assert scores.where(WHOLE, WHOLE) == {}
    assert scores.where("channel", "other") is None


def test_what_was_learned_from_lies_in_the_parts_of_its_reference(learned: Project) -> None:
    model = Model.load(learned.model)
    frame = pq.read_table(learned.matrix, columns=list(model.columns)).to_pandas()
    described = model.reference["columns"]
    counts = counts_of(frame, list(described), model.categories, described)
    assert {name: count.tolist() for name, count in counts.items()} == {
        name: one["rows"] for name, one in described.items()
    }


def test_drift_counts_what_the_log_holds_beside_its_usual_range(learned: Project) -> None:
    model = Model.load(learned.model)
    scores = read_scores(learned, model, None)
    drift = find_drift(learned, model, scores, None)
    end, span = Reach(learned).latest, learned.parameters.monitor.usual
    assert (drift.since, drift.until) == (end - span, end)
    log = pd.read_parquet(learned.interactions, columns=["source", "known_at"])
    for one in drift.sources:
        known = log.loc[log["source"] == one.source, "known_at"]
        rows = [int(((known <= end - back * span) & (known > end - (back + 1) * span)).sum()) for back in range(7)]
        assert abs(one.rows - rows[0]) <= 1
        assert one.least == pytest.approx(min(rows[1:]), abs=1)
        assert one.most == pytest.approx(max(rows[1:]), abs=1)
    assert {one.source for one in drift.sources} == set(log["source"])
    assert [one.column for one in drift.columns] != []
    assert {one.column for one in drift.columns} == set(model.columns)
    assert drift.snapshots > 100
    age = next(one for one in drift.columns if one.column == "lead_age_days")
    assert (age.filled, age.unlearned) == (1.0, 0.0)
    assert all(one.usual is not None for one in drift.columns)
    assert drift.score is None  # nothing is scored
    earlier = find_drift(learned, model, scores, datetime(2026, 5, 1))
    assert earlier.until == datetime(2026, 5, 1)


def column(**changes: object) -> Column:
    plain = Column("visits", 0.1, 0.1, filled=1.0, filled_then=1.0, unlearned=0.0, unlearned_then=0.0)
    return replace(plain, **changes)  # type: ignore[arg-type]  # each field has a type of its own


ALL = ["level_new", "rows_moved", "scores_moved"]


@pytest.mark.parametrize(
    ("columns", "source", "score", "codes"),
    [
        ([column()], Rows("web", 100, 90, 110), (0.1, 0.1), []),
        ([column(index=0.3, usual=0.1)], Rows("web", 100, 90, 110), (None, None), ["column_moved"]),
        ([column(index=0.3, usual=0.25)], Rows("web", 61, 90, 110), (0.1, None), []),
        ([column(index=0.3, usual=None)], Rows("web", 59, 90, 110), (0.1, None), ["column_moved", "rows_moved"]),
        ([column(unlearned=0.2, unlearned_then=0.01)], Rows("web", 166, 90, 110), (0.3, 0.2), ALL),
        ([column(unlearned=0.2, unlearned_then=0.15)], Rows("web", 100, 90, 110), (0.3, 0.4), []),
    ],
)  # fmt: skip
def test_drift_is_told_where_it_is_more_than_usual_and_raises_no_alarm(
    columns: list[Column], source: Rows, score: tuple[float | None, float | None], codes: list[str]
) -> None:
    now = datetime(2026, 6, 30)
    verdicts = Drift(now - timedelta(days=30), now, 1_000, columns, [source], *score).verdicts()
    assert [one.code for one in verdicts] == codes
    assert {one.severity for one in verdicts} <= {"told"}


def test_rows_of_a_young_source_are_compared_with_the_spans_that_it_has_had(tmp_path: Path) -> None:
    # A hundred days of ten rows each, of which the last thirty have one: 30 rows, and 300 in each of the spans before
    # that. A source of twenty days has had none.
    days = pd.date_range("2026-01-01", periods=100)
    rows = [f"A,{day:%Y-%m-%d}T{hour:02}:00,visit" for day in days for hour in range(10 if day < days[70] else 1)]
    write_raw(
        tmp_path,
        log_csv="lead,at,what\n" + "\n".join(rows),
        young_csv="lead,at,what\n" + "\n".join(f"A,{day:%Y-%m-%d},won" for day in days[80:]),
        leads_csv="lead,created\nA,2026-01-01\n",
    )
    sources = {"log": source_of(), "young": source_of("young.csv")}
    run_ingest(tmp_path, sources)
    project = Project(tmp_path, parameters_of(sources))
    end = days[-1].to_pydatetime() + timedelta(hours=23)
    log, young = _rows(project, end, timedelta(days=30))
    assert (log.rows, log.least, log.most, log.is_beyond) == (30, 300, 300, True)
    assert (young.rows, young.is_beyond) == (20, False)


def test_the_newest_scores_are_compared_with_the_first(watched: Project) -> None:
    for back, promised in ((14, 0.1), (7, 0.1), (0, 0.4)):
        write_scores(watched, LAST - timedelta(days=back), promised)
    scores = read_scores(watched, Model.load(watched.model), None)
    drift = find_drift(watched, Model.load(watched.model), scores, None)
    assert drift.score is not None
    assert drift.score > 1.0 > (drift.score_usual or 0.0)
    assert np.isfinite(drift.score)
    assert "scores_moved" in {one.code for one in drift.verdicts()}


def test_pages_of_the_champion_say_to_whom_a_promise_is_broken(tmp_path: Path) -> None:
    project = Project(tmp_path, parameters_of({"log": source_of()}))
    broken = Suspension({"channel": "seo"}, "2026-06-20", segment="channel: seo", reason="found out", model="a")
    write_suspensions(project, [broken, replace(broken, segment="channel: sea", lifted="2026-06-21")])
    found = _Judged.of(project, "a")
    assert standing_titles(found.verdicts, "en") == ["a promise is broken (channel: seo)"]
    assert standing_titles(found.verdicts, "fr") == ["une promesse non tenue (channel: seo)"]
    assert not _Judged.of(project, "b").verdicts, "of another champion nothing was promised yet"
