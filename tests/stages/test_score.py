"""How recommendations are written: texts in quotes, nothing that a spreadsheet would run, the same in any pieces."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import call
from hypothesis import given
from hypothesis import strategies as st
from pages import words
from world import Project

from features.core.recommendation import RECOMMENDATION
from models.core.model import Model
from pipeline.registry.champion import Champion
from pipeline.report.live import write_live
from pipeline.scoring import champion
from pipeline.scoring import files as scored_files

SCHEMA = pa.schema([(field.name, field.arrow) for field in RECOMMENDATION])


def table(leads: list[str], reasons: list[list[str]]) -> pa.Table:
    rows = [
        {
            "lead_id": lead,
            "as_of": datetime(2026, 6, 30, 12, 0, 0, 50),
            "probability": 0.1,
            "score": 10.000000000000002,
            "maturity": "hot",
            "tier": "SQL",
            "facts": ["2026-06-29 =asked"] if lead == "=1+1" else [],
            "list": "sales",
            "rank": 1,
            "reasons_for": [],
            "reasons_against": [],
            "reasons": told,
            "action": "call_today",
            "next_step": "call today",
            "is_guess": lead == "=1+1",
            "guess": "age" if lead == "=1+1" else None,
            "model_version": "abc",
        }
        for lead, told in zip(leads, reasons, strict=True)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def test_the_csv_quotes_all_texts_and_no_number(tmp_path: Path) -> None:
    reasons = [["raises: 'x'", '- "b"'], [], ["=cmd: x"]]
    scored_files.write_csv(tmp_path / "leads.csv", table(["a\rb", "=1+1", 'x"y'], reasons))
    before = '"2026-06-30T12:00:00.000050Z",0.1,10,"hot","SQL",,'
    decided = ["own_tier", "word", "stage", "facts", "target", "expected_value", "list", "rank", "list_reason"]
    decided += ["lottery_group", "owner"]
    explained = ["grade", "reasons_for", "reasons_against", "reasons", "tier_before", "tier_changed", "trend"]
    explained += ["what_changed", "compared_with", "recontact_on", "recontact_why", "action", "channel", "next_step"]
    step = ',,,,,,,"call_today",,"call today"'
    names = ["lead_id", "as_of", "probability", "score", "maturity", "tier", *decided]
    assert (tmp_path / "leads.csv").read_bytes().decode("utf-8-sig").splitlines(keepends=False) == [
        ",".join(f'"{name}"' for name in [*names, *explained, "is_guess", "guess"]),
        '"a',
        f'b",{before},,"",,,"sales",1,,,,,"","","raises: \'x\'; - ""b""",{step},false,',
        f'"\'=1+1",{before},,"2026-06-29 =asked",,,"sales",1,,,,,"","","",{step},true,"age"',
        f'"x""y",{before},,"",,,"sales",1,,,,,"","","\'=cmd: x",{step},false,',
    ]


def test_a_french_spreadsheet_parts_its_cells_at_semicolons_and_its_decimals_at_commas(tmp_path: Path) -> None:
    recommendations = table(["a"], [["raises: é, x"]])
    for name, value in (("probability", 0.12344999), ("expected_value", 1234.56789), ("score", 0.00004)):
        place = recommendations.column_names.index(name)
        recommendations = recommendations.set_column(place, name, pa.array([value], pa.float64()))
    scored_files.write_csv(tmp_path / "leads.csv", recommendations, "fr")
    written = (tmp_path / "leads.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf"), "or Excel takes é for two letters"
    _, row = written.decode("utf-8-sig").splitlines()
    told = '"a";"2026-06-30T12:00:00.000050Z";"0,1234";"0";"hot";"SQL";;;;"";;"1234,5679";"sales";1;;;;;"";"";'
    assert row == f'{told}"raises: é, x";;;;;;;;"call_today";;"call today";false;'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_each_start_of_a_formula_is_defused_and_only_at_the_start(tmp_path: Path, start: str) -> None:
    scored_files.write_csv(tmp_path / "leads.csv", table([f"{start}1", f"1{start}"], [[], []]))
    with (tmp_path / "leads.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [row["lead_id"] for row in csv.DictReader(stream)] == [f"'{start}1", f"1{start}"]


@pytest.mark.parametrize("rows", [0, 1, 6, 7, 8])
def test_pieces_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    recommendations = table(
        [f"lead {number}" for number in range(rows)], [["raises: x"] * (n % 3) for n in range(rows)]
    )
    scored_files.write_csv(tmp_path / "whole.csv", recommendations)
    monkeypatch.setattr(scored_files, "ROWS", 7)
    scored_files.write_csv(tmp_path / "pieces.csv", recommendations)
    scored_files.write_recommendations(tmp_path / "pieces.parquet", recommendations)
    assert (tmp_path / "pieces.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert pq.read_table(tmp_path / "pieces.parquet").equals(recommendations)


@given(st.lists(st.tuples(st.text(), st.lists(st.text(min_size=1), max_size=3)), min_size=1, max_size=5))
def test_what_a_reader_of_csv_finds_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]]
) -> None:
    leads, reasons = (list(column) for column in zip(*rows, strict=True))
    path = tmp_path_factory.mktemp("drawn") / "leads.csv"
    scored_files.write_csv(path, table(leads, reasons))
    with path.open(encoding="utf-8-sig", newline="") as stream:
        read = list(csv.DictReader(stream))
    for row, lead, told in zip(read, leads, reasons, strict=True):
        for cell, text in ((row["lead_id"], lead), (row["reasons"], "; ".join(told))):
            assert cell == (f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text)


def test_the_second_night_says_of_each_lead_that_moved_why(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    model = Model.load(project.model)
    monkeypatch.setattr("pipeline.scoring.champion.load_champion", lambda *_: Champion(model, "a run", "1", "Ada"))
    first = champion.run(project, project.told.append, "2026-06-29T04:00", backfill=True)
    listed = pq.read_table(first / "recommendations.parquet", partitioning=None).to_pandas()
    assert listed["list_changed"].isna().all()
    assert "There is no earlier list that it could be compared with" in project.told
    before = listed.loc[listed["list"] == "sales", ["lead_id", "owner"]].set_index("lead_id")["owner"]
    leads = pq.read_table(project.leads, columns=["lead_id", "territory"]).to_pandas().set_index("lead_id")
    away = str(leads.loc[before.index[0], "territory"])
    changed = project.with_settings({"decision.capacity": [{"leads": 0, "of": [away]}]})
    second = champion.run(changed, changed.told.append, "2026-06-29T05:00", backfill=True)
    rows = pq.read_table(second / "recommendations.parquet", partitioning=None).to_pandas().set_index("lead_id")
    moved = rows["list_changed"].dropna()
    assert set(moved.index) == set(before.index) ^ set(rows.index[rows["list"] == "sales"])
    of_away = before.index[leads.loc[before.index, "territory"] == away]
    assert set(moved[of_away]) <= {"capacity", "fact"}
    assert moved[before.index[0]] == "capacity", "in an hour of the night it did nothing"
    told = json.loads((second / "decided.json").read_text(encoding="utf-8"))
    assert told["since_last"]["causes"] == moved.value_counts().to_dict()
    assert told["since_last"]["changed"] == ["time"]
    assert f"{len(of_away)} by the time that sales has" in " ".join(changed.told)


def test_the_champion_s_list_of_the_morning_lies_in_a_place_of_its_own(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports", "scores"))
    model = Model.load(project.model)
    monkeypatch.setattr("pipeline.scoring.champion.load_champion", lambda *_: Champion(model, "a run", "1", "Ada"))
    told: list[str] = []
    page = project.root / "reports/live/leads.html"
    for when in ("2026-06-29T04:00", "2026-06-29T05:00"):
        folder = champion.run(project, project.told.append, when, backfill=True)
        write_live(project, folder / "recommendations.parquet", folder / "decided.json", project.told.append)
        told.append(words(page.read_text(encoding="utf-8")))
    assert not project.leads_page.exists(), "the page of the model just trained is another one"
    rows = pq.read_table(folder / "recommendations.parquet", partitioning=None).to_pandas()
    called = rows[rows["list"] == "sales"].sort_values("rank")
    places = [told[1].index(f" {lead} ") for lead in called["lead_id"]]
    assert places == sorted(places)
    assert "as of 29 June 2026, 07:00 (Europe/Amsterdam)" in told[1]
    assert "new on the list" not in told[0], "there was none before"
    came = (rows["list_changed"].notna() & (rows["list"] == "sales")).sum()
    assert told[1].count("new on the list") == came
    html = page.read_text(encoding="utf-8")
    assert str(folder.relative_to(project.root)) in html, "where every open lead is"
    assert "index.html" not in html, "there is no report"
    assert not project.live_page.exists()
    assert "is left out, for the stages have not run here" in project.told[-1]
    owners = {path.stem for path in (project.root / "reports/live/lists").glob("*.xlsx")}
    assert owners >= set(called["owner"].dropna())


@pytest.fixture
def night(world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Copy the world, whose champion is the model that was trained there, and work in it."""
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "scores"))
    model = Model.load(project.model)
    monkeypatch.setattr("pipeline.scoring.champion.load_champion", lambda *_: Champion(model, "a run", "1", "Ada"))
    monkeypatch.chdir(project.root)
    return project


def test_the_night_s_score_writes_what_people_open_and_a_backfill_does_not(night: Project) -> None:
    code, text = call("score", "--as-of", "2026-06-29", "--backfill")
    assert code == 0, text
    assert not (night.root / "reports/live").exists()
    code, text = call("score", "--as-of", "latest")
    assert code == 0, text
    written = {str(path.relative_to(night.root / "reports/live")) for path in night.live_page.parent.rglob("*")}
    assert written >= {"index.html", "digest.json", "kpi.xlsx", "leads.html", "lists"}
    assert any(name.endswith(".xlsx") for name in written if name.startswith("lists/"))
    assert "wrote reports/live/leads.html" in text
    assert "wrote reports/live/index.html" in text
    # What is expected is the sum of the champion's own chances.
    *_, kept = sorted(night.scores.glob("as_of=*/*/recommendations.parquet"))
    rows = pq.read_table(kept, partitioning=None).to_pandas()
    page = words(night.live_page.read_text(encoding="utf-8"))
    assert f" about {rows['probability'].sum():.0f} should become customers within 30 days" in page
    digest = json.loads(night.live_digest.read_text(encoding="utf-8"))
    assert digest["called"] == (rows["list"] == "sales").sum()
    assert digest["expected"] in page
    assert digest["trust"] in page
    assert len(digest["tiles"]) == 5
    assert len(digest["moved"]) == 3
    for link in re.findall(r'<a href="([^":#]+)', night.live_page.read_text(encoding="utf-8")):
        assert (night.live_page.parent / link).exists(), link
    for lead in rows["lead_id"]:
        assert lead not in page


def test_of_another_model_than_the_one_trained_last_the_page_says_no_figure_that_is_not_its_own(night: Project) -> None:
    assert call("score", "--as-of", "latest")[0] == 0
    same = night.live_page.read_text(encoding="utf-8")
    assert 'href="../model.html"' in same
    trained = json.loads(night.training.read_text(encoding="utf-8"))
    night.training.write_text(json.dumps(trained | {"model_version": "another"}))
    code, text = call("score", "--as-of", "latest")
    assert code == 0, text
    page = night.live_page.read_text(encoding="utf-8")
    assert "the model trained last is another one" in words(page)
    assert "model.html" not in page
    assert "cut-offs.html" not in page
