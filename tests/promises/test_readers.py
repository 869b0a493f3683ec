"""Reading files: safe before fast."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from read_files import Rows, _read_csv, compress, read_rows

from features.core.errors import InputError
from pipeline.core.sql import open_reader
from pipeline.reading import delimited, json_lines, raw_files
from pipeline.reading.raw_files import find_files, open_lines
from pipeline.reading.readers import copy_rows, open_table
from pipeline.settings.table import Table


def test_rows_carry_their_physical_line() -> None:
    text = 'c,b,a\n1,2,3\n\n4,"5\n5",6\n7,8,9\n'
    assert _read_csv(text) == [(2, None, "3", "2"), (4, None, "6", "5\n5"), (6, None, "9", "8")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("1\n3,4\n", [(2, "1 columns instead of 2", None, None), (3, None, "3", "4")]),
        ("1,2,3\n4,5\n", [(2, "3 columns instead of 2", None, None), (3, None, "4", "5")]),
        ('1,"2\n3,4\n5,6\n', [(2, delimited.BROKEN_QUOTES, None, None), (3, None, "3", "4"), (4, None, "5", "6")]),
        ('1,"2\n3,"4"\n', [(2, delimited.BROKEN_QUOTES, None, None), (3, None, "3", "4")]),
        ('1,"2"x\n3,4\n', [(2, delimited.BROKEN_QUOTES, None, None), (3, None, "3", "4")]),
        ("1,2\r3\n4,5\n", [(2, delimited.BROKEN_QUOTES, None, None), (3, None, "4", "5")]),
        ('1,"a ""b"" 😀"\n=cmd(),O\'Neill\n', [(2, None, "1", 'a "b" 😀'), (3, None, "=cmd()", "O'Neill")]),
        ("1,2\r\n,\r\n", [(2, None, "1", "2"), (3, None, "", "")]),
        ("1,2\n3,4", [(2, None, "1", "2"), (3, None, "3", "4")]),
    ],
)
def test_a_broken_row_costs_itself_alone(body: str, expected: Rows) -> None:
    assert _read_csv("a,b\n" + body) == expected


def test_a_row_that_is_not_utf_8_is_set_aside() -> None:
    assert _read_csv(b"a,b\n1,\xff\n3,\xc3\xa9\n") == [(2, raw_files.NOT_UTF_8, None, None), (3, None, "3", "é")]


def test_a_quote_that_never_closes_swallows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", 100)
    rows = _read_csv('a,b\n0,"0\n' + "".join(f"{number},x\n" for number in range(1, 5000)))
    assert rows[0][:2] == (2, delimited.BROKEN_QUOTES)
    assert rows[1:] == [(number + 2, None, str(number), "x") for number in range(1, 5000)]


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_blocks_cut_anywhere_give_the_same_rows(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a,b\n1,2\n3,"x\ny\nz"\n5,"6""\n"\n7\n8,"9\n10,11\n12,13\n'
    whole = _read_csv(text)
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", size)
    assert _read_csv(text) == whole
    assert [row[0] for row in whole] == [2, 3, 6, 8, 9, 10, 11]


def test_a_line_longer_than_any_record_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(raw_files, "LONGEST_RECORD_BYTES", 1000)
    rows = _read_csv("a,b\n1,2\n3," + "x" * 5000 + "\n5,6\n")
    assert rows == [(2, None, "1", "2"), (3, delimited.TOO_LONG, None, None), (4, None, "5", "6")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_of_ten_megabytes_is_read(quote: str) -> None:
    rows = _read_csv(f"a,b\n1,{quote}{'x' * 10_000_000}{quote}\n3,4\n")
    assert [(line, reason, len(str(value))) for line, reason, _, value in rows] == [(2, None, 10_000_000), (3, None, 1)]


def test_two_hundred_columns_are_read() -> None:
    names = ",".join(f"c{n}" for n in range(200))
    values = ",".join(map(str, range(200)))
    assert _read_csv(f"{names}\n{values}\n", ("c199", "c3")) == [(2, None, "199", "3")]


@given(st.lists(st.lists(st.text('ab,"\r\n;é ', max_size=6), min_size=2, max_size=2), max_size=8), st.booleans())
def test_what_a_strict_writer_wrote_is_read_as_it_was(table: list[list[str]], quoted: bool) -> None:
    stream = io.StringIO(newline="")
    # Where lines end in a line feed alone, Python's writer leaves a carriage return unquoted: then it quotes all.
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n") if quoted else csv.writer(stream)
    writer.writerows([["a", "b"], *table])
    assert [row[1:] for row in _read_csv(stream.getvalue())] == [(None, *row) for row in table]


@given(st.text('12,"\r\n x', max_size=40))
def test_the_fast_parser_agrees_with_the_strict_one(body: str) -> None:
    try:
        fast = _read_csv("a,b\n" + body)
    except InputError as error:
        assert "ends in the middle" in str(error)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_parse_plain", lambda *_: None)
        assert _read_csv("a,b\n" + body) == fast


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.csv is empty; export it again"),
        (b"\n1,2\n", "first line is empty"),
        (b"a,b\n1,2\n3", "ends in the middle of line 3"),
        (b'a,b\n1,2\n3,"x', "ends in the middle of line 3"),
        (b"a,b,a\n1,2,3\n", "names 'a' twice"),
        ("a,b\n1,2\n".encode("utf-16-le"), "looks like UTF-16 without a mark; set encoding: utf-16-le"),
        ("a,é\n1,2\n".encode("cp1252"), "not UTF-8; set encoding, as in encoding: cp1252"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "ends in the middle of a letter"),
        (b'"a,b\n1,2\n', "can't be read as a header"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _read_csv(content)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_finds_the_columns(delimiter: str, tmp_path: Path) -> None:
    lines = [["lead, ref", "when;at", "what"], ["1", "2", "3"]]
    with (tmp_path / "x.txt").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(lines)
    assert read_rows(tmp_path, ["what", "lead, ref"], "x.txt") == [(2, None, "3", "1")]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.bz2", ".csv.zst"])
def test_compressed_files_are_read(ending: str, tmp_path: Path) -> None:
    content = b"a,b\n" + b"1,2\n" * 50_000
    (tmp_path / f"x{ending}").write_bytes(compress(content, ending))
    rows = read_rows(tmp_path, ["b"], f"x{ending}")
    assert len(rows) == 50_000
    assert rows[-1] == (50_001, None, "2")


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.bz2", ".csv.zst", ".jsonl.gz"])
def test_a_compressed_file_cut_short_stops_the_run(ending: str, tmp_path: Path) -> None:
    line = b'{"a": 1, "b": 2}\n' if "json" in ending else b"a,b\n"
    content = compress(line + b"".join(line.replace(b"b", b"%d" % n) for n in range(30_000)), ending)
    (tmp_path / f"x{ending}").write_bytes(content[: -len(content) // 3])
    with pytest.raises(InputError, match="ends in the middle"):
        read_rows(tmp_path, ["a"], f"x{ending}")


def test_globs_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("2026-10.csv", "2026-09.csv", "b[1].csv"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    assert [file.name for file in find_files("x", "2026-*.csv", tmp_path)] == ["2026-09.csv", "2026-10.csv"]
    assert read_rows(tmp_path, ["a"], "2026-*.csv") == [(2, None, "2026-09.csv"), (2, None, "2026-10.csv")]
    assert read_rows(tmp_path, ["a"], "b[1].csv") == [(2, None, "b[1].csv")]


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"no file matches 'event\.csv'.*did you mean 'events\.csv'"):
        read_rows(tmp_path, ["a"], "event.csv")
    with pytest.raises(InputError, match="data_root"):
        read_rows(tmp_path / "nowhere", ["a"], "event.csv")


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.xls").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"events\.xls ends in none of"):
        read_rows(tmp_path, ["a"], "events.xls")


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_all_missing_columns_are_named_with_the_nearest(name: str, tmp_path: Path) -> None:
    if name == "x.csv":
        (tmp_path / name).write_text("lead_id,channel\n1,2\n")
    elif name == "x.jsonl":
        (tmp_path / name).write_text('{"lead_id": 1}\n{"channel": 2}\n')
    else:
        duckdb.sql(f"COPY (SELECT 1 AS lead_id, 2 AS channel) TO '{tmp_path / name}'")
    with pytest.raises(
        InputError, match=r"'leadid' \(did you mean 'lead_id'\?\), 'chanel' \(did you mean 'channel'\?\)"
    ):
        read_rows(tmp_path, ["leadid", "chanel"], name)


def test_what_a_file_lacks_is_missing_in_its_rows(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("c,b,a\n3,2,1\n")
    assert read_rows(tmp_path, ["a", "c"], "*.csv") == [(2, None, "1", None), (2, None, "1", "3")]
    with pytest.raises(InputError, match="none of its 2 files has a column 'd'"):
        read_rows(tmp_path, ["a", "d"], "*.csv")


def test_a_file_of_another_kind_is_no_part_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "2.csv").write_text("a,x,y\n1,2,3\n")
    with pytest.raises(InputError, match=r"2\.csv and 1\.csv share less than half of their columns .*'x', 'y'"):
        read_rows(tmp_path, ["a"], "*.csv")


def test_json_values_are_taken_from_keys_and_nested_keys(tmp_path: Path) -> None:
    lines = [
        '{"id": 7, "user": {"a/b~c": "ü"}, "x.y": null}',
        '{"x.y": 1.5, "user": 5, "id": "say \\"hi\\""}',
        "",
        "{broken",
        "[1]",
        '{"x": {"y": true}}',
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert read_rows(tmp_path, ["id", "user.a/b~c", "x.y"], "x.jsonl") == [
        (1, None, "7", "ü", None),
        (2, None, 'say "hi"', None, "1.5"),
        (4, json_lines.NOT_AN_OBJECT, None, None, None),
        (5, json_lines.NOT_AN_OBJECT, None, None, None),
        (6, None, None, None, "true"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": 2', "ends in the middle"),
        (b'[{"a": 1}]', "JSON array"),
        (b"", "holds no JSON object"),
    ],
)
def test_json_that_is_no_lines_of_objects_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path, ["a"], "x.json")


def test_a_json_line_that_is_not_utf_8_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    assert read_rows(tmp_path, ["a"], "x.jsonl") == [(1, None, "1"), (2, raw_files.NOT_UTF_8, None)]


def test_parquet_keeps_its_types_and_counts_rows_from_one(tmp_path: Path) -> None:
    duckdb.sql(
        "COPY (SELECT * FROM (VALUES (1.5, DATE '2026-01-02'), (2.5, NULL)) t(v, \"the day\")) "
        f"TO '{tmp_path}/x.parquet'"
    )
    rows = read_rows(tmp_path, ["the day", "v"], "x.parquet")
    assert [(row[0], str(row[2]), float(str(row[3]))) for row in rows] == [(1, "2026-01-02", 1.5), (2, "None", 2.5)]


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(InputError, match=r"x\.parquet can't be read"):
        read_rows(tmp_path, ["a"], "x.parquet")


def test_what_fails_on_several_files_at_once_names_all_of_them(tmp_path: Path) -> None:
    for name, text in {"a.csv": "1", "b.csv": "2", "c.csv": "many"}.items():
        (tmp_path / name).write_text(f"n\n{text}\n")
    opened = open_table("ingest.sources.x", Table(path="*.csv"), ["n"], tmp_path)
    with (
        open_reader() as connection,
        pytest.raises(InputError, match=r"^one of the 3 files from a\.csv to c\.csv can't"),
    ):
        copy_rows(connection, dict(enumerate(opened)), "SELECT CAST(r0 AS INTEGER) FROM ({})".format, tmp_path / "rows")


def test_damage_in_the_middle_of_compressed_data_is_refused(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(b"a\n" + b"".join(b"%d\n" % (n * 7919 % 10007) for n in range(50_000))))
    content[len(content) // 2 : len(content) // 2 + 40] = b"\x00" * 40
    (tmp_path / "x.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.csv\.gz (is damaged|ends in the middle)"):
        read_rows(tmp_path, ["a"], "x.csv.gz")


def test_reading_stops_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    with open_lines(find_files("x", "x.csv", tmp_path)[0]) as lines:
        assert lines.read_line() == b"a"
        block = lines.read()
        assert block == raw_files.Block(2, b"1\n", last=True)
        assert lines.read() is None
