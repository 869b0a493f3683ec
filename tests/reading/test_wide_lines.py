"""Wherever a line of a wide table is named, there is such a line in its file."""

from __future__ import annotations

from pathlib import Path

from small_project import SmallProject

DEALS = (
    "deal,created,quoted,won,seen\n"
    "A,2026-01-01,2026-01-02,2026-01-03,2026-01-04\n"
    "B,2026-01-01,2026-01-02,2029-01-03,2026-01-04\n"
    "C,2026-01-01,soon,,2026-01-04\n"
    "D,2026-01-01,2026-01-02,2031-01-03,2026-01-04\n"
)  # fmt: skip


def test_a_line_that_is_named_of_a_wide_table_is_one_of_its_file(tmp_path: Path) -> None:
    columns = {"lead_id": "deal", "events": {"created": "created", "quoted": "quoted", "won": "won"}}
    deals = {"path": "deals.csv", "columns": columns, "known_at": {"column": "seen"}, "actor": "system"}
    project = SmallProject(tmp_path).write(deals_csv=DEALS).set({"deals": deals}, leads=None)
    assert project.ingest().code == 0
    assert project.set_aside("deals") == [(4, "unreadable quoted")]
    outcome = project.run("validate")
    assert outcome.code == 0
    assert "known_early: an event is rarely known more than a year before it occurs, but found 2" in outcome.text
    assert "rows deals:3, deals:5" in outcome.text


def test_lines_of_narrow_and_wide_tables_stand_beside_each_other(tmp_path: Path) -> None:
    columns = {"lead_id": "deal", "events": {"created": "created", "won": "won"}}
    deals = {"path": "deals.csv", "columns": columns, "known_at": {"column": "seen"}, "actor": "system"}
    calls = {
        "path": "calls.csv",
        "columns": {"lead_id": "lead", "occurred_at": "at", "event_type": {"constant": "call"}},
        "known_at": {"column": "seen"},
        "actor": "us",
    }
    project = SmallProject(tmp_path).write(
        deals_csv=DEALS, calls_csv="lead,at,seen\nA,2026-01-01,2026-01-01\nA,2029-01-01,2026-01-01\n"
    )
    assert project.set({"deals": deals, "calls": calls}, leads=None).ingest().code == 0
    assert "rows calls:3, deals:3, deals:5" in project.run("validate").text
