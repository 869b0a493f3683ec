"""A text that is cut where lines end gives the rows that it gives as a whole, each with its line."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from read_files import Rows

from features.core.errors import InputError
from pipeline.core.sql import file_literal, open_reader
from pipeline.reading.mapped_table import MappedTable
from pipeline.reading.raw_files import Lines
from pipeline.reading.readers import copy_rows, open_table
from pipeline.settings.table import Table
from pipeline.sorting import long_texts
from pipeline.sorting.files import FileToMap
from pipeline.sorting.long_texts import Counted, cut_text, lines_to_count
from pipeline.spark.jobs import SeenFile


def pieces_of(folder: Path, name: str, size: int, wanted: list[str], **settings: object) -> list[FileToMap]:
    """Cut a file into pieces of so many bytes, as jobs count its lines."""
    [opened] = open_table("ingest.sources.x", Table.model_validate({"path": name, **settings}), wanted, folder)
    file = FileToMap(opened, MappedTable({}, (), {}), 0, "UTC", folder / "0.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_texts, "TASK_BYTES", size)
        patch.setattr(long_texts, "_AT_ONCE", 16)
        counts = [Counted(**job()) for job in lines_to_count(file, [SeenFile.look_at(folder / name)])]
    return list(cut_text(file, counts))


def rows_of(folder: Path, pieces: list[FileToMap]) -> Rows | str:
    """Read pieces one after the other; gives what is refused, if anything is."""
    rows: Rows = []
    with open_reader() as connection:
        for piece in pieces:
            target = folder / "rows.copied"
            try:
                copy_rows(connection, piece.opened, lambda relation: relation, target)
            except InputError as error:
                return str(error)
            rows += connection.execute(f"FROM read_parquet({file_literal(target)}) ORDER BY line").fetchall()
    return rows


def same_rows(name: str, content: str, size: int, wanted: list[str], **settings: object) -> int:
    """Compare the rows of a file and of its pieces; gives how many these are."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / name).write_text(content, encoding="utf-8", newline="")
        whole = rows_of(folder, pieces_of(folder, name, 1 << 30, wanted, **settings))
        pieces = pieces_of(folder, name, size, wanted, **settings)
        assert rows_of(folder, pieces) == whole
        return len(pieces)


_FIELDS = st.sampled_from(["1", "", '"2"', '"a ""b"" c"', "é", 'x"y', '"open', '"two\nlines"', "3,4", "\r"])


@given(st.lists(st.tuples(_FIELDS, _FIELDS), max_size=12), st.sampled_from(["\n", "\r\n", "\n\n"]), st.integers(5, 40))
@example([("1", '"2"')] * 9, "\n", 9)
@example([("1", '"two\nlines"')] * 9, "\n", 9)
def test_delimited_text_cut_anywhere_gives_the_same_rows(rows: list[tuple[str, str]], end: str, size: int) -> None:
    same_rows("x.csv", "a,b\n" + "".join(f"{one},{other}{end}" for one, other in rows), size, ["b", "a"])


@given(st.lists(st.sampled_from(['{"a": 1}', '{"a": "é\\n"}', "", "[1]", "{", "  "]), max_size=12), st.integers(3, 40))
def test_objects_cut_anywhere_give_the_same_rows(lines: list[str], size: int) -> None:
    same_rows("x.jsonl", '{"a": 0}\n' + "".join(f"{line}\n" for line in lines), size, ["a"])


@pytest.mark.parametrize(
    ("content", "settings", "pieces"),
    [
        ("a,b\n" + "1,2\n" * 24, {}, 10),
        ("a,b\n" + '1,"2"\n' * 24, {}, 15),
        ("a,b\n" + '1,"2\n"\n' * 24, {}, 1),  # a record goes on over the end of a line
        ("a,b\n" + '1,2"\n' * 24, {}, 1),  # nobody knows what the quote means
        ("a,b\n" + "1,2\n" * 24, {"footer_lines": 1}, 1),  # the last lines are known at the end
        ("a,b\n" + "1,2\n" * 24, {"encoding": "cp1252"}, 1),
        ("title\n\na,b\n" + "1,2\n" * 24, {"header_line": 3}, 1),  # the first piece would end above the header
        ("\na,b\n" + "1,2\n" * 24, {"header_line": 2}, 11),
        ("sep=,\na,b\n" + "1,2\n" * 24, {}, 11),
        ("a,b\n" + "1,2\n" * 24 + "3", {}, 11),  # which is refused, as it is of the whole file
    ],
)
def test_a_text_is_cut_where_no_record_can_go_on(content: str, settings: dict[str, object], pieces: int) -> None:
    assert same_rows("x.csv", content, 10, ["a", "b"], **settings) == pieces


def test_pieces_hold_all_lines_once_and_know_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n2\n" + "3" * 30 + "\n4\n")
    pieces = pieces_of(tmp_path, "x.csv", 5, ["a"])
    assert [piece.opened.file.lines for piece in pieces] == [Lines(0, 6, 1), Lines(6, 37, 4), Lines(37, 39, 5)]
    assert len({piece.target for piece in pieces}) == 3
