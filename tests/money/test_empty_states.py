"""What is told where there is little to tell: no spending, no channel, no sale, one month, nobody open."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from small_project import SmallProject

from pipeline.core.project import Project
from pipeline.kpi.cohorts import UNKNOWN, UNMATCHED
from pipeline.kpi.compute import Kpis, compute
from pipeline.kpi.tables import not_recorded, shown_months, table_by, total_of
from pipeline.report.money import MoneyView
from pipeline.report.months import TwoMonths
from pipeline.settings.file import load_parameters

NOBODY = {
    "lead_id": pa.array([], pa.string()),
    "probability": pa.array([], pa.float64()),
    "tier": pa.array([], pa.string()),
}
AS_OF = datetime(2026, 1, 20)


def told_of(small: SmallProject, scored: dict[str, pa.Array] | None = None, **settings: object) -> Kpis:
    content = yaml.safe_load((small.root / "params.yaml").read_text()) | settings
    (small.root / "params.yaml").write_text(yaml.safe_dump(content))
    if not (small.root / "data").exists():
        assert small.ingest().code == 0
    pq.write_table(pa.table(scored or NOBODY), small.root / "data/recommendations.parquet")
    project = Project(small.root, load_parameters(small.root / "params.yaml"))
    return compute(project, project.recommendations, AS_OF)


def view_of(small: SmallProject, told: Kpis) -> MoneyView:
    words = load_parameters(small.root / "params.yaml").words
    return MoneyView(told, words.labels, "en", None, shown_months(told, 13), "position", {})


@pytest.fixture
def small(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path / "small")


def test_a_log_without_spending_channels_revenue_or_steps_says_so(small: SmallProject) -> None:
    told = told_of(small)
    view = view_of(small, told)
    rows = table_by(told, "channel")
    assert rows[["value", "leads", "won"]].to_numpy().tolist() == [[UNKNOWN, 2, 1]]
    assert rows[["cost", "cpl", "cac", "roi"]].isna().all(axis=None)
    assert not_recorded(told) == [
        "visitors",
        "spending",
        "revenue",
        "steps",
        "answers",
        "reasons",
        "ripening",
        "proposed",
        "final",
    ]
    (name, cells), *others = view.main().rows
    assert (name, others) == ("unknown origin", [])
    assert [cell.text for cell in cells] == ["no cost entered", "2", "", "1", "0.0", "", ""]
    assert view.sentence() is None
    assert view.too_recent() is None
    assert view.answers() is None
    assert view.reasons() == []
    assert [step["name"] for step in view.funnel()] == ["customer"]
    assert [row[0] for row in view.touches().rows] == ["unknown origin"]


def test_a_first_month_is_compared_with_nothing(small: SmallProject) -> None:
    told = told_of(small)
    months = TwoMonths.of(told, told.today)
    assert months is not None
    assert (months.newest.leads, months.newest.won, months.before, months.is_over) == (2, 1, None, False)
    assert months.strongest is None


def test_nobody_has_bought_yet(small: SmallProject) -> None:
    small.write(log_csv="lead,at,what\nA,2026-01-02 10:01,visit\nB,2026-01-03 12:03,visit\nB,2026-01-19 12:03,visit\n")
    scored = {"lead_id": ["A", "B"], "probability": [0.25, 0.5], "tier": ["MQL", "SQL"]}
    told = told_of(small, scored)
    assert told.attribution.empty
    whole = total_of(told)
    assert (whole["won"], whole["expected"], whole["projected"]) == (0, 0.75, 0.75)
    view = view_of(small, told)
    assert view.touches().rows == []
    assert view.funnel()[0]["took_it"] == "0"
    assert view.disagreement() == "No sale yet."


def test_spending_before_there_is_any_lead_of_its_channel_is_a_line_of_its_own(small: SmallProject) -> None:
    small.write(spend_csv="day,channel,cost\n2026-01-05,sea,60\n2026-01-06,,5\n")
    spend = {"path": "spend.csv", "delimiter": ",", "columns": {"day": "day", "channel": "channel", "cost": "cost"}}
    small.set(spend=spend)
    told = told_of(small)
    rows = view_of(small, told).main().rows
    assert [(name, cells[0].text, cells[1].text) for name, cells in rows] == [
        ("unknown origin", "no cost entered", "2"),
        ("spend that matches no channel", "65.00", "0"),
    ]
    # Nobody named a campaign: that says nothing of whether leads came of it.
    assert view_of(small, told).name(UNMATCHED, "campaign") == "spend that matches no lead's campaign"
    assert [row["value"] for _, row in table_by(told, "campaign").iterrows()] == [UNKNOWN, "spend that matches no lead"]


def test_the_command_says_what_to_do_first_and_what_is_wrong(small: SmallProject) -> None:
    first = small.run("kpi")
    assert first.code == 4
    assert "run the stages before this one: dvc repro" in first.text
    told_of(small)
    (small.root / "data/scoring.json").write_text(json.dumps({"as_of": AS_OF.isoformat()}))
    assert small.run("kpi", "--json").code == 0
    content = yaml.safe_load((small.root / "params.yaml").read_text())
    content["kpi"] = {"revenue": {"visit": 1}, "targets": {"cpa": 3}}
    (small.root / "params.yaml").write_text(yaml.safe_dump(content))
    wrong = small.run("kpi")
    assert wrong.code == 3
    assert "targets: 'cpa' is no KPI that has an objective; those are leads, won" in wrong.text
