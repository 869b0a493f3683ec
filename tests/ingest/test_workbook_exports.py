"""Exports that are workbooks: what a CSV of the same sheet tells, they tell."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from cases import empty_project, propose
from raw_logs import LEADS, LINKS, source_of
from small_project import SmallProject
from vendor_files import SPEND, settings_of, spent, visits
from workbook_files import Formula, Rows, Shown, workbook

EVENTS: Rows = [
    ["lead", "at", "what", "worth"],
    ["A", datetime(2026, 1, 2, 10, 1), "visit", 12.5],
    ["A", datetime(2026, 1, 9), "won", 1200],
    [1001, datetime(2026, 1, 3, 12, 3, 30), "visit", None],
    ["A", datetime(2026, 1, 2, 10, 1), "visit", 12.5],
    ["B", None, "visit", None],
    ["B", "soon", "visit", 7],
]
SPENT: Rows = [
    ["Dépenses publicitaires"],
    ["du 1er au 2 janvier 2026"],
    [],
    ["Jour", "Campagne", "Coût (EUR)", "Clics", "Taux de clics"],
    [date(2026, 1, 1), "Été", Shown(10.11, "#,##0.00 €"), 1, Shown(0.125, "0.0%")],
    [date(2026, 1, 1), "Noël", Shown(20.22, "#,##0.00 €"), 2, Shown(0.5, "0.0%")],
    [date(2026, 1, 2), "Été", Formula("=C5*3", 30.33), 3, Formula("=D7/0", "#DIV/0!")],
    [date(2026, 1, 2), "Noël", 40.44, 4, 0.25],
    ["Total", None, Formula("=SUM(C5:C8)", 101.1), 10, None],
    [],
    ["exporté par le marketing"],
]
COLUMNS = {
    "day": "Jour",
    "channel": {"constant": "SEA"},
    "campaign": "Campagne",
    "cost": "Coût (EUR)",
    "clicks": "Clics",
}
VISITS: Rows = [["visitor", "time", "event"], *((lead, at.replace(tzinfo=None), what) for lead, at, what in visits())]


def _as_csv(rows: Rows) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([str(cell) if cell is not None else "" for cell in row] for row in rows)
    return stream.getvalue()


def test_the_same_export_as_csv_and_as_workbook_gives_the_same_log(tmp_path: Path) -> None:
    told = []
    for name, content in (("log.csv", _as_csv(EVENTS).encode()), ("log.xlsx", workbook(EVENTS))):
        project = SmallProject(tmp_path / name)
        (project.raw / name).write_bytes(content)
        source = source_of(name, {"value": "worth"})
        project.set({"log": source}, leads=None)
        assert project.ingest().code == 0
        log = project.log("lead_id, occurred_at, event_type, value, sequence")
        told.append((log, project.set_aside(), project.accounts()["totals"]))
    assert told[0] == told[1]
    log, aside, totals = told[1]
    assert [row[:4] for row in log] == [
        ("1001", datetime(2026, 1, 3, 12, 3, 30), "visit", None),
        ("A", datetime(2026, 1, 2, 10, 1), "visit", 12.5),
        ("A", datetime(2026, 1, 9), "won", 1200.0),
    ]
    assert aside == [(5, "duplicate"), (6, "missing occurred_at"), (7, "unreadable occurred_at")]
    assert (totals["rows"], totals["used"], totals["set_aside"]) == (6, 3, 3)


def test_titles_totals_and_french_headings_of_a_sheet_are_found_by_init(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    book = workbook({"Visites": VISITS, "Dépenses": SPENT, "Vide": []})
    project.write(export_xlsx=book)
    (project.raw / "~$export.xlsx").write_bytes(b"\x03Ann")
    told = propose(project, "raw", "--conversion", "signed").text
    settings = settings_of(project)
    assert settings["sources"]["export_visites"]["sheet"] == "Visites"
    spend = settings["spend"]
    assert {key: spend[key] for key in ("path", "sheet", "header_line", "footer_lines")} == {
        "path": "export.xlsx", "sheet": "Dépenses", "header_line": 4, "footer_lines": 1,
    }  # fmt: skip
    assert (spend["columns"]["day"], spend["columns"]["cost"]) == ("Jour", "Coût (EUR)")
    assert "export.xlsx, sheet 'Vide'" in told
    assert "1 row with errors in cells, set aside where such a cell is read" in told
    assert spend["nothing"] == ["#DIV/0!"]
    assert spent(project) == 101.1
    assert project.set_aside("spend") == [
        (1, "line above the header"),
        (2, "line above the header"),
        (9, "total of the others"),
        (11, "line below the table"),
    ]
    accounts = project.accounts()["spend"]
    assert (accounts["rows"], accounts["used"]) == (8, 4)
    assert "2 tables can be opened" in project.run("doctor").text


def test_a_workbook_of_one_sheet_is_named_after_its_file(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    half = len(VISITS) // 2
    project.write(visits1_xlsx=workbook(VISITS[:half]), visits2_xlsx=workbook([VISITS[0], *VISITS[half:]]))
    propose(project, "raw", "--conversion", "signed")
    assert settings_of(project)["sources"]["visits"]["path"] == "visits*.xlsx"
    assert "sheet" not in settings_of(project)["sources"]["visits"]
    assert len(project.log()) == len(VISITS) - 1


def test_every_table_may_be_a_sheet(tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    project.write(
        crm_xlsx=workbook({
            "Journal": EVENTS,
            "Leads": [["lead", "created"], ["A", date(2026, 1, 1)], [1001, date(2026, 1, 1)]],
            "Alias": [["alias", "lead", "at"], ["B", "A", date(2026, 1, 1)]],
            "Cours": [["jour", "devise", "cours"], [date(2026, 1, 1), "USD", 0.5]],
        })
    )  # fmt: skip
    project.set(
        {"log": source_of("crm.xlsx", {"value": "worth", "currency": {"constant": "USD"}}, sheet="Journal")},
        leads=LEADS | {"path": "crm.xlsx", "sheet": "Leads"},
        identities=LINKS | {"path": "crm.xlsx", "sheet": "Alias"},
        currency="EUR",
        rates={"path": "crm.xlsx", "sheet": "Cours", "columns": {"day": "jour", "currency": "devise", "rate": "cours"}},
    )  # fmt: skip
    assert project.ingest().code == 0
    assert project.log("lead_id, value") == [("1001", None), ("A", 6.25), ("A", 600.0)]
    assert project.leads("lead_id") == [("1001",), ("A",)]


def test_cells_with_errors_that_are_many_stop_the_run_and_are_told_with_their_remedy(tmp_path: Path) -> None:
    rows: Rows = [*SPENT[3:6], [date(2026, 1, 2), "Été", Formula("=Z1", "#REF!"), 3, 1]]
    project = SmallProject(tmp_path).write(spend_xlsx=workbook(rows))
    spend = SPEND | {"path": "spend.xlsx", "columns": COLUMNS}
    project.set(spend=spend, maximum_broken=0.05)
    outcome = project.ingest()
    assert outcome.code != 0
    assert "#REF! in a cell" in outcome.text
    assert "if #REF! stands for nothing, set nothing: ['#REF!']" in outcome.text
    project.set(spend=spend)
    assert project.ingest().code == 0
    assert (spent(project), project.set_aside("spend")) == (30.33, [(4, "#REF! in a cell")])


@pytest.mark.parametrize(
    ("name", "setting", "told"),
    [
        ("log.xlsx", {"delimiter": ";"}, "delimiter has no effect, for log.xlsx has none"),
        ("log.xlsx", {"encoding": "cp1252"}, "encoding has no effect, for log.xlsx has none of its own"),
        ("log.csv", {"sheet": "Sheet1"}, "sheet has no effect, for log.csv has none"),
    ],
)
def test_a_setting_that_a_workbook_does_not_know_is_refused(
    name: str, setting: dict[str, Any], told: str, tmp_path: Path
) -> None:
    project = SmallProject(tmp_path).write(log_xlsx=workbook(EVENTS))
    project.set({"log": source_of(name) | setting})
    assert told in project.ingest().text


def test_a_sheet_that_is_no_table_may_be_left_out_alone(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    merged = workbook({"Log": VISITS, "Pivot": [["x", None], [1, 2]]}, lambda sheet: (
        sheet.merge_range("A1:B1", "x") if sheet.get_name() == "Pivot" else None))  # fmt: skip
    project.write(export_xlsx=merged)
    outcome = project.run("init", "raw", "--yes", "--conversion", "signed")
    assert "sheet 'Pivot' of export.xlsx: the header in row 1 has merged cells (A1:B1)" in outcome.text
    assert "or leave this sheet out: --without export_pivot" in outcome.text
    propose(project, "raw", "--conversion", "signed", "--without", "export_pivot")
    assert list(settings_of(project)["sources"]) == ["export_log"]
