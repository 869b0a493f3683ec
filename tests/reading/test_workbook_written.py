"""Workbooks that we write: read again by another library, and looked at from inside."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.core.errors import LeadcastError
from features.core.schema import Language
from pipeline.core import workbook
from pipeline.core.workbook import Sheet, make_workbook
from pipeline.reading.raw_files import RawFile
from pipeline.reading.workbooks import read_sheet, sheet_names

LIST = pa.table({
    "lead_id": ["=1+1", "00123", None],
    "probability": [0.125, 0.5, None],
    "expected": [1200.0, 0.1, float("nan")],
    "calls": [3, 2**60, None],
    "recontact_on": [date(2026, 1, 2), date(1850, 1, 1), None],
    "as_of": pa.array([datetime(2026, 1, 2, 9, 30), datetime(2026, 1, 2), None], pa.timestamp("us")),
    "reasons": [["asked for a quote", "@SUM(A1)"], [], None],
    "is_new": [True, False, None],
    "hidden": [1, 2, 3],
})  # fmt: skip
HEADINGS = {
    "probability": "Probabilité", "lead_id": "Lead", "expected": "Attendu (EUR)", "calls": "Appels",
    "recontact_on": "Rappeler le", "as_of": "Au", "reasons": "Raisons", "is_new": "Nouveau",
}  # fmt: skip


def _read(content: bytes, folder: Path, sheet: str | None = None) -> list[list[str]]:
    (folder / "x.xlsx").write_bytes(content)
    return [list(row) for row in read_sheet(RawFile("x.xlsx", folder / "x.xlsx", "workbook", sheet=sheet)).rows]


def _inside(content: bytes, part: str = "xl/worksheets/sheet1.xml") -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(part).decode()


def test_each_cell_is_of_its_kind_and_a_text_stays_a_text(tmp_path: Path) -> None:
    content = make_workbook({"Liste": Sheet(LIST, HEADINGS, shares={"probability"})}, "fr")
    assert _read(content, tmp_path) == [
        list(HEADINGS.values()),
        ["0.125", "=1+1", "1200", "3", "2026-01-02", "2026-01-02 09:30:00", "asked for a quote; @SUM(A1)", "TRUE"],
        ["0.5", "00123", "0.1", "1152921504606846976", "1850-01-01", "2026-01-02", "", "FALSE"],
    ]
    assert "<f>" not in _inside(content)
    assert '<pane ySplit="1"' in _inside(content)
    assert '<autoFilter ref="A1:H4"/>' in _inside(content)
    assert sheet_names(RawFile("x.xlsx", tmp_path / "x.xlsx", "workbook")) == ["Liste"]


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", ["0.0%", "yyyy\\-mm\\-dd", "yyyy\\-mm\\-dd\\ hh:mm"]),
        ("fr", ["0.0\u00a0%", "dd/mm/yyyy", "dd/mm/yyyy hh:mm"]),
    ],
)
def test_days_and_shares_are_shown_as_the_language_writes_them(language: Language, forms: list[str]) -> None:
    content = make_workbook({"x": Sheet(LIST, HEADINGS, shares={"probability"})}, language)
    styles = _inside(content, "xl/styles.xml").replace("\\", "")
    for form in forms:
        assert f'formatCode="{form}"'.replace("\\", "") in styles
    assert styles.count("<b/>") == 1  # of the header alone


def test_the_same_content_is_the_same_bytes() -> None:
    sheets = {"x": Sheet(LIST, HEADINGS)}
    assert make_workbook(sheets, "en") == make_workbook(sheets, "en")
    assert "1980-01-01T00:00:00Z" in _inside(make_workbook(sheets, "en"), "docProps/core.xml")
    assert make_workbook(sheets, "en") != make_workbook({"x": Sheet(LIST.slice(1), HEADINGS)}, "en")


def test_columns_are_as_wide_as_what_they_hold_within_reason() -> None:
    table = pa.table({"a": ["x"], "b": ["x" * 30], "c": ["x" * 500]})
    content = _inside(make_workbook({"x": Sheet(table, {"a": "A", "b": "B", "c": "C"})}, "en"))
    widths = [round(float(width)) for width in re.findall(r'<col [^>]*width="([0-9.]+)"', content)]
    assert widths == [9, 32, 61]  # a spreadsheet adds five pixels


def test_several_sheets_have_names_that_a_spreadsheet_takes(tmp_path: Path) -> None:
    table = pa.table({"a": [1]})
    names = ["Paris/Lyon", "paris-lyon", "", "x" * 40, "x" * 50, "'Ann'"]
    content = make_workbook({name: Sheet(table, {"a": "A"}) for name in names}, "en")
    _read(content, tmp_path)
    assert sheet_names(RawFile("x.xlsx", tmp_path / "x.xlsx", "workbook")) == [
        "Paris-Lyon", "paris-lyon (2)", "Sheet", "x" * 31, "x" * 27 + " (2)", "Ann",
    ]  # fmt: skip


def test_what_is_more_than_a_spreadsheet_holds_is_cut_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make_workbook({"x": Sheet(pa.table({"a": ["x" * 40_000]}), {"a": "A"})}, "en")
    [_, [text]] = _read(content, tmp_path)
    assert text == "x" * 32_766 + "\u2026"
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    with pytest.raises(LeadcastError, match="a sheet holds 2 rows, and there are 3"):
        make_workbook({"x": Sheet(LIST, HEADINGS)}, "en")


def test_times_with_a_zone_are_in_utc_and_an_empty_list_has_its_header(tmp_path: Path) -> None:
    zoned = pa.array([datetime(2026, 1, 2, 9, 30, tzinfo=UTC)], pa.timestamp("us", "Europe/Paris"))
    content = make_workbook({"x": Sheet(pa.table({"at": zoned}), {"at": "At"})}, "en")
    assert _read(content, tmp_path) == [["At"], ["2026-01-02 09:30:00"]]
    assert _read(make_workbook({"x": Sheet(LIST.slice(0, 0), HEADINGS)}, "en"), tmp_path) == [list(HEADINGS.values())]


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20), min_size=1))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    table = pa.table({"a": texts, "end": ["."] * len(texts)})
    content = make_workbook({"x": Sheet(table, {"a": "A", "end": "End"})}, "en")
    assert "<f>" not in _inside(content)
    assert "hyperlink" not in _inside(content)
    assert [row[0] for row in _read(content, tmp_path_factory.mktemp("x"))[1:]] == texts
