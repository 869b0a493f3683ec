"""Logs that hold too little to learn from, and scores of what was never seen: through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from command_line import call, failure
from hostile import NAMES, rename_leads
from raw_logs import source_of
from small_project import SmallProject
from world import Project


@pytest.fixture
def project(world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Copy the small world, for the test to take something away."""
    copied = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    monkeypatch.chdir(copied.root)
    return copied


def change(path: Path, select: str) -> None:
    """Rewrite a Parquet file by a query over ``old``, its former self."""
    new = path.with_suffix(".new")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (WITH old AS (FROM read_parquet('{path}')) {select}) TO '{new}' (FORMAT parquet)")
    new.replace(path)


LOG = "data/interactions.parquet"


def test_a_conversion_that_never_occurs_names_the_types_that_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project.root / LOG, "FROM old WHERE event_type <> 'won'")
    code, text = failure(project.root, monkeypatch, "snapshots")
    assert code == 6
    assert "episodes.conversion: no event of type 'won' in the log; known are:" in text
    assert "the most frequent are" in text


@pytest.mark.parametrize(
    ("declared", "code", "advice"),
    [
        (
            {"event_type": "pricing_veiw"},
            6,
            "features.declared: no event of type 'pricing_veiw' in the log; did you mean",
        ),
        ({"event_type": "won"}, 3, "features.declared: no feature may see 'won', which says the outcome"),
        ({"channel": "emial"}, 6, "no event of lead has the channel 'emial'; did you mean 'email'?"),
        ({"campaign": "nurture1"}, 6, "no event of lead has the campaign 'nurture1'; did you mean"),
        ({"scope": "account"}, 4, "map ingest.leads.columns.account_id, or take the feature out of features.declared"),
    ],
)
def test_a_feature_that_could_only_be_constant_is_a_message(
    project: Project, monkeypatch: pytest.MonkeyPatch, declared: dict[str, str], code: int, advice: str
) -> None:
    project.with_settings({"features.declared": [{"measure": "count", **declared}]})
    found, text = failure(project.root, monkeypatch, "features")
    assert found == code
    assert advice in text
    assert not any(path.is_file() for path in (project.root / "data/.tmp").rglob("*")), "half-written"


def test_a_horizon_longer_than_the_log_says_what_to_shorten(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.with_settings({"snapshots.horizon": "900d"})
    code, text = failure(project.root, monkeypatch, "snapshots")
    assert code == 6
    assert "the horizon of 900d is not over by 2026-06-30, until when outcomes were observed; the first label" in text
    # The first lead was looked at in the first week of 2025.
    assert re.search(r"will be known once outcomes are observed until 2027-06-2\d \d\d:\d\d UTC; shorten", text), text


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (
            {"observed_until": "2025-01-20"},
            "none of 2 snapshots has a label: of 2 the horizon of 30d is not over by 2025-01-20, until when outcomes",
        ),
        ({"observed_until": "2024-01-01"}, "times of the log, which ends on 2024-01-01 (log on 2024-01-01"),
        (
            {"observed_from": "2025-09-01"},
            "none of 2 snapshots has a label: 2 come before conversions were recorded (observed_from); shorten",
        ),
    ],
)
def test_what_is_stated_too_early_or_too_late_is_told_and_not_taken_for_an_end_of_the_log(
    stated: dict[str, str], told: str, tmp_path: Path
) -> None:
    days = "".join(f"A,2025-{month:02}-05 10:00,visit\n" for month in range(1, 13))
    project = SmallProject(tmp_path).write(log_csv=f"lead,at,what\nB,2025-01-15,won\n{days}")
    project.write(leads_csv="lead,created\nA,2025-01-02\nB,2025-01-02\n")
    project.set({"log": source_of() | stated})
    assert project.ingest().code == 0
    outcome = project.run("snapshots")
    assert outcome.code == 6
    assert told in outcome.text
    assert next(iter(stated)) in outcome.text


def test_outcomes_before_the_creation_of_every_lead_leave_nothing_to_look_at(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project.root / "data/leads.parquet", "SELECT * REPLACE (TIMESTAMP '2026-06-30 23:00' AS created_at, "
           "TIMESTAMP '2026-06-30 23:00' AS known_at) FROM old")  # fmt: skip
    code, text = failure(project.root, monkeypatch, "snapshots")
    assert code == 6
    assert "check snapshots.policies and snapshots.start against the times of the log, which ends on 2026-06-30" in text


@pytest.mark.parametrize(
    ("label", "counts"),
    [
        ("false", r"0 convert and 1,\d{3} have a snapshot that doesn't"),
        ("true", r"1,\d{3} convert and 0 have a snapshot that doesn't"),
    ],
    ids=["nobody converts", "all convert"],
)
def test_one_class_alone_is_refused_with_the_counts_of_both(
    project: Project, monkeypatch: pytest.MonkeyPatch, label: str, counts: str
) -> None:
    before = project.training.read_bytes()
    change(project.matrix, f"SELECT * REPLACE ({label} AS label) FROM old")
    code, text = failure(project.root, monkeypatch, "train")
    assert code == 6
    assert re.search(rf"of the leads whose outcome is known {counts}, and at least 5 of each are needed", text), text
    # Where there is none, no pace says when there will be five.
    assert "more that convert, there is none so far" in text or "more that don't, there is none so far" in text
    assert "there is none so far, so nobody can say when. What helps: a longer log, a shorter horizon" in text
    assert project.training.read_bytes() == before, "the model that was there is whole"


def verdicts_of(project: Project) -> dict[str, str]:
    listed = json.loads(project.verdicts.read_text())["verdicts"]
    return {verdict["code"]: verdict["severity"] for verdict in listed}


@pytest.mark.parametrize("label", ["false", "true"], ids=["nobody converts", "all convert"])
def test_what_was_foretold_of_one_class_is_not_judged_and_the_rest_is_told(project: Project, label: str) -> None:
    first = json.loads(project.training.read_text())["origins"][0]["origin"]
    change(project.matrix, f"SELECT * REPLACE (CASE WHEN as_of >= TIMESTAMP '{first}' THEN {label} ELSE label END AS "
           "label) FROM old")  # fmt: skip
    for stage in ("evaluate", "report"):
        code, text = call(stage)
        assert code == 0, text
    verdicts = verdicts_of(project)
    assert verdicts["not_judged"] == "told"
    assert verdicts["promises_not_kept"] == "wrong"
    assert "not judged" in (project.root / "reports/summary.txt").read_text()


def test_a_log_whose_first_conversions_are_its_last_weeks_is_learned_from_and_not_judged(project: Project) -> None:
    """At no origin has anybody converted whose outcome was settled by then."""
    project.with_settings({"train.rung": "logistic", "train.other_horizons": ["60d"], "evaluate.replicates": 10})
    change(project.matrix, "SELECT * REPLACE (label AND as_of >= TIMESTAMP '2026-05-01' AS label) FROM old")
    for stage in ("train", "evaluate", "recommend", "report"):
        code, text = call(stage)
        assert code == 0, text
    training = json.loads(project.training.read_text())
    assert training["origins"] == []
    assert 0 < training["conversions"] < training["rows"] == len(pq.read_table(project.matrix, columns=[]))
    # Each lead is foretold by the others, and of later time nothing is known.
    counted = json.loads(project.figures.read_text())["foretold"]
    assert (counted["rows"], counted["conversions"]) == (training["rows"], training["conversions"])
    assert pq.read_table(project.foretold)["origin"].null_count == training["rows"]
    assert verdicts_of(project)["not_judged"] == "told"
    for shown in ("summary.txt", "model.html"):
        assert "not judged on later time" in (project.root / "reports" / shown).read_text()


def test_where_all_leads_have_ended_there_is_nobody_to_score(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    change(project.root / LOG, "FROM old WHERE event_type = 'won'")
    change(project.root / "data/leads.parquet", f"FROM old WHERE lead_id IN (SELECT lead_id FROM '{LOG}')")
    code, text = failure(project.root, monkeypatch, "recommend")
    assert code == 6
    assert "no lead is open at" in text
    assert "score another moment (recommend.as_of, --as-of)" in text


def test_a_category_that_was_never_seen_is_scored_as_any_other_rare_one(project: Project) -> None:
    before = json.loads((project.root / "data/scoring.json").read_text())["leads"]
    scored = []
    for name in ("Atlantis", "Avalon"):
        change(project.root / "data/leads.parquet", f"SELECT * REPLACE ('{name}' AS country) FROM old ORDER BY lead_id")
        assert call("recommend")[0] == 0
        with duckdb.connect() as connection:
            scored.append(
                connection.execute(
                    "SELECT lead_id, probability FROM 'data/recommendations.parquet' WHERE probability IS NOT NULL "
                    "ORDER BY ALL"
                ).fetchall()
            )
    assert len(scored[0]) == before
    assert scored[0] == scored[1], "whatever it is called"
    assert all(0 < probability < 1 for _, probability in scored[0])


def test_names_that_would_run_in_a_spreadsheet_are_text_in_the_recommendations(project: Project) -> None:
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT lead_id FROM 'data/recommendations.parquet'").fetchall()
    rename_leads(project, [lead for (lead,) in rows[: len(NAMES)]])
    assert call("recommend")[0] == 0
    text = (project.root / "data/recommendations.csv").read_text(encoding="utf-8-sig")
    assert "'=cmd|" in text
    assert not [cell for cell in ('"=', '"+', '"-', '"@', '"\t', '"\r') if f",{cell}" in text or f"\n{cell}" in text]
