"""Sheets of workbooks: each cell is the text that a CSV would hold, each row has its number."""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from read_files import Rows, read_rows
from workbook_files import Cell, Formula, Shown, protected, workbook
from workbook_files import Rows as Cells
from xlsxwriter.worksheet import Worksheet

from features.core.errors import InputError
from pipeline.reading import raw_files
from pipeline.reading.raw_files import RawFile
from pipeline.reading.workbooks import read_sheet


def _texts(rows: Cells, folder: Path, *, since_1904: bool = False) -> list[list[str]]:
    (folder / "x.xlsx").write_bytes(workbook(rows, since_1904=since_1904))
    return [list(row) for row in read_sheet(RawFile("x.xlsx", folder / "x.xlsx", "workbook")).rows]


def _read(content: bytes, folder: Path, wanted: str = "a b", **settings: object) -> Rows:
    (folder / "x.xlsx").write_bytes(content)
    return read_rows(folder, wanted.split(), "x.xlsx", **settings)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('Café, "au lait"\nnoir', 'Café, "au lait"\nnoir'),
        (" 007", " 007"),
        ("=1+1", "=1+1"),
        ("#N/A", "#N/A"),
        (12.0, "12"),
        (-3, "-3"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "1e-07"),
        (123456789012345.0, "123456789012345"),
        (1234567890123456.0, "1.23456789012346E+15"),  # an id of so many digits has lost some
        (Shown(0.125, "0.0%"), "0.125"),
        (Shown(1234.5, "#,##0.00 €"), "1234.5"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 9, 30), "2026-01-02 09:30:00"),
        (datetime(2026, 1, 2, 9, 30, 0, 250_000), "2026-01-02 09:30:00.250000"),
        (time(9, 30), "09:30:00"),
        (timedelta(hours=30, seconds=5), "30:00:05"),
        (Formula("=6*7", 42), "42"),
        (Formula('="a"&"b"', "ab"), "ab"),
        (Formula("=1/0", "#DIV/0!"), "#DIV/0!"),
        (Formula("=6*7"), "formula without its value"),
    ],
)  # fmt: skip
def test_a_cell_is_the_text_that_a_csv_would_hold(cell: Cell, text: str, tmp_path: Path) -> None:
    assert _texts([["a", cell]], tmp_path) == [["a", text]]
    assert _texts([[None, None], [None, cell, "b"]], tmp_path) == [["", "", ""], ["", text, "b"]]


@given(at=st.datetimes(datetime(1900, 3, 1), datetime(2199, 12, 31)), since_1904=st.booleans())
def test_a_time_is_read_to_the_second(tmp_path_factory: pytest.TempPathFactory, at: datetime, since_1904: bool) -> None:
    at = max(at.replace(microsecond=0), datetime(1904, 1, 2)) if since_1904 else at.replace(microsecond=0)
    folder = tmp_path_factory.mktemp("x")
    [[text]] = _texts([[at]], folder, since_1904=since_1904)
    assert datetime.fromisoformat(text) == at


def test_numbers_have_the_decimals_that_the_texts_beside_them_have(tmp_path: Path) -> None:
    content = workbook([["a", "b"], ["1 234,56", 1234.5], [0.5, 7]])
    assert _read(content, tmp_path, decimal=",") == [(2, None, "1 234,56", "1234,5"), (3, None, "0,5", "7")]


def test_blank_rows_and_columns_are_none_and_each_row_has_its_number(tmp_path: Path) -> None:
    content = workbook([["a", "b", None], [1, 2], [], [None, "  "], [3, None, ""], [], [" "]])
    assert _read(content, tmp_path) == [(2, None, "1", "2"), (5, None, "3", "")]


def test_titles_above_and_remarks_below_are_set_aside(tmp_path: Path) -> None:
    content = workbook([["Costs"], [], ["a", "b"], [1, 2], [3, 4], [], ["exported by Ann"]])
    with pytest.raises(InputError, match="'b' .*line 3 of x.xlsx looks like the header: set header_line: 3"):
        _read(content, tmp_path)
    assert sorted(_read(content, tmp_path, header_line=3, footer_lines=1), key=str) == [
        (1, "line above the header", None, None),
        (4, None, "1", "2"),
        (5, None, "3", "4"),
        (7, "line below the table", None, None),
    ]
    with pytest.raises(InputError, match="row 1 is empty.*line 2 looks like the header: set header_line: 2"):
        _read(workbook([[], ["a", "b"], [1, 2]]), tmp_path)
    with pytest.raises(InputError, match="row 9 is empty"):
        _read(content, tmp_path, header_line=9)


def test_the_first_sheet_that_is_shown_is_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    def hide(sheet: Worksheet) -> None:
        if sheet.get_name() == "Lists":
            sheet.hide()
        elif sheet.get_name() == "Juin":
            sheet.activate()
            sheet.set_first_sheet()

    sheets: dict[str, Cells] = {"Lists": [["a"], ["h"]], "Juin": [["a"], [6]], "Juillet": [["a"], [7]]}
    content = workbook(sheets, hide)
    assert _read(content, tmp_path, "a") == [(2, None, "6")]
    assert _read(content, tmp_path, "a", sheet="Juillet") == [(2, None, "7")]
    assert _read(content, tmp_path, "a", sheet="Lists") == [(2, None, "h")]
    with pytest.raises(
        InputError, match=r"x.xlsx has no sheet 'juillet' \(did you mean 'Juillet'\?\); it has Juin, Ju"
    ):
        _read(content, tmp_path, "a", sheet="juillet")


def test_several_workbooks_are_one_table_without_the_file_that_tells_who_has_one_open(tmp_path: Path) -> None:
    for month in (1, 2):
        (tmp_path / f"costs {month}.xlsx").write_bytes(workbook([["b", "a"], [month, "x"]]))
    (tmp_path / "~$costs 1.xlsx").write_bytes(b"\x03Ann")
    assert read_rows(tmp_path, ["a", "b"], "*.xlsx") == [(2, None, "x", "1"), (2, None, "x", "2")]


def test_a_row_is_set_aside_where_a_cell_that_is_read_holds_an_error(tmp_path: Path) -> None:
    content = workbook([
        ["a", "b", "c"],
        [1, Formula("=B9", "#REF!"), 2],
        [3, 4, Formula("=VLOOKUP(A1,B:B,1)", "#N/A")],
        [Formula("=1+1"), 5, 6],
        [Formula('=""', ""), 7, 8],
        [9, "#REF!", 10],
    ])  # fmt: skip
    uncalculated = "formula without its value in a cell"
    assert _read(content, tmp_path, "a b")[:2] == [(2, "#REF! in a cell", "1", "#REF!"), (3, None, "3", "4")]
    assert _read(content, tmp_path, "c") == [
        (2, None, "2"), (3, "#N/A in a cell", "#N/A"), (4, None, "6"), (5, None, "8"), (6, None, "10"),
    ]  # fmt: skip
    assert [row[1] for row in _read(content, tmp_path, "a")] == [None, None, uncalculated, uncalculated, None]
    # Who says that they stand for nothing has said it of texts as well.
    assert _read(content, tmp_path, "b c", nothing=["#REF!", "#N/A"]) == [
        (2, None, None, "2"), (3, None, "4", None), (4, None, "5", "6"), (5, None, "7", "8"), (6, None, None, "10"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "merged", "message"),
    [
        ([["a", None, "b"], [1, 2, 3]], "A1:B1", r"the header in row 1 has merged cells \(A1:B1\)"),
        ([["a", "Costs"], [None, "b"], [1, 2]], "A1:A2", r"row 1 has merged cells \(A1:A2\)"),
        (
            [["Costs of the year", None], ["a", "b"], [1, 2]],
            "A1:B1",
            "line 2 looks like the header: set header_line: 2",
        ),
    ],
)
def test_a_header_of_merged_cells_is_told(rows: Cells, merged: str, message: str, tmp_path: Path) -> None:
    content = workbook(rows, lambda sheet: sheet.merge_range(merged, rows[0][0]))
    with pytest.raises(InputError, match=message):
        _read(content, tmp_path)


def test_a_merged_title_and_merged_rows_are_no_matter(tmp_path: Path) -> None:
    def merge(sheet: Worksheet) -> None:
        sheet.merge_range("A1:B1", "Costs")
        sheet.merge_range("A3:A4", "x")

    content = workbook([["Costs"], ["a", "b"], ["x", 1], [None, 2]], merge)
    assert _read(content, tmp_path, header_line=2)[1:] == [(3, None, "x", "1"), (4, None, "", "2")]


def test_a_line_break_in_the_name_of_a_column_is_a_space(tmp_path: Path) -> None:
    content = workbook([["Coût\n(EUR)", "Prénom"], [1, 2]])
    (tmp_path / "x.xlsx").write_bytes(content)
    assert read_rows(tmp_path, ["Prénom", "Coût (EUR)"], "x.xlsx") == [(2, None, "2", "1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.xlsx is empty; export it again"),
        (workbook([]), "x.xlsx is empty; export it again"),
        (protected(), "x.xlsx is protected by a password; save it without one"),
        (b"a,b\n1,2\n", "x.xlsx is no workbook, or a damaged one .*save it again as .xlsx"),
        (workbook([["a", "b"], [1, 2]])[:-100], "x.xlsx is no workbook, or a damaged one"),
        (workbook([["a", "b", "a"], [1, 2, 3]]), "x.xlsx: the header names 'a' twice"),
        (workbook([["a", "bb"], [1, 2]]), r"x.xlsx has no column 'b' \(did you mean 'bb'"),
    ],
)
def test_a_workbook_that_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _read(content, tmp_path)


def test_what_unpacks_beyond_measure_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_files, "_UNPACKED_BYTES", 100_000)
    monkeypatch.setattr(raw_files, "_UNPACKED_TIMES", 5)
    with pytest.raises(InputError, match="x.xlsx unpacks to more than 5 times its"):
        _read(workbook([["a", "b"]] + [["x" * 1000, 1]] * 20_000), tmp_path)


@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_workbook_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(workbook([["a", "b"]] + [[number, f"text {number}"] for number in range(20)]))
    for place, value in changes:
        content[place % len(content)] = value
    try:
        _read(bytes(content), tmp_path_factory.mktemp("x"))
    except InputError as error:
        assert "x.xlsx" in str(error)


def test_the_parts_of_a_workbook_may_be_named_with_other_slashes(tmp_path: Path) -> None:
    packed = io.BytesIO()
    content = workbook([["a", "b"], [1, Formula("=1/0", "#DIV/0!")]])
    with ZipFile(io.BytesIO(content)) as original, ZipFile(packed, "w") as changed:
        for name in original.namelist():
            changed.writestr(name.replace("/", "\\"), original.read(name))
    assert _read(packed.getvalue(), tmp_path) == [(2, "#DIV/0! in a cell", "1", "#DIV/0!")]


def test_the_rows_of_a_large_sheet_come_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.reading.workbooks._ROWS", 7)
    rows = _read(workbook([["a", "b"]] + [[number, "x"] for number in range(50)]), tmp_path)
    assert rows == [(number + 2, None, str(number), "x") for number in range(50)]
