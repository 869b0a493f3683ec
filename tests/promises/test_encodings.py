"""Files in any encoding: the same rows, and no letter that was not written."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from read_files import compress, read_rows

from features.core.errors import InputError
from pipeline.reading import raw_files
from pipeline.reading.raw_files import LineReader

TEXTS = 'lead,what,cost\n1,"Café; 5 €",2\n\n2,déjà,3\n'


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.bz2", ".csv.zst"])
@pytest.mark.parametrize(
    ("written", "stated"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-8-sig", "utf-8"),
        ("utf-16", None),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-32", "utf-32"),
        ("cp1252", "windows-1252"),
        ("iso8859-15", "latin9"),
    ],
)
@pytest.mark.parametrize("block", [3, 4 << 20])
def test_every_encoding_gives_the_same_rows(
    ending: str, written: str, stated: str | None, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", block)
    (tmp_path / f"x{ending}").write_bytes(compress(TEXTS.encode(written), ending))
    settings = {} if stated is None else {"encoding": stated}
    rows = read_rows(tmp_path, ["lead", "what", "cost"], f"x{ending}", **settings)
    assert rows == [(2, None, "1", "Café; 5 €", "2"), (4, None, "2", "déjà", "3")]


def test_utf_16_of_either_order_tells_its_order_by_its_mark(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xfe\xff" + "a\né\n".encode("utf-16-be"))
    assert read_rows(tmp_path, ["a"], "x.csv") == [(2, None, "é")]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_letters_cut_anywhere_are_read_whole(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_files, "_BLOCK_BYTES", size)
    lines = LineReader("x.csv", io.BytesIO("a\n😀é\n".encode("utf-16")))
    assert [lines.read_line(), lines.read_line(), lines.read_line()] == [b"a", "😀é".encode(), b""]


def test_a_byte_that_is_no_letter_costs_its_row_alone(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"a,b\n1,\x81\n2,\x80\n3,\xe9\n")
    assert read_rows(tmp_path, ["a", "b"], "x.csv", encoding="cp1252") == [
        (2, "not cp1252", None, None),
        (3, None, "2", "€"),
        (4, None, "3", "é"),
    ]


def test_two_bytes_that_are_no_letters_never_make_one_together(tmp_path: Path) -> None:
    # Undefined in ISO 8859-8, and as UTF-8 they would be an inverted exclamation mark.
    (tmp_path / "x.csv").write_bytes(b"a,b\n1,\xc2\xa1\n2,3\n")
    assert read_rows(tmp_path, ["a", "b"], "x.csv", encoding="iso8859-8") == [
        (2, "not iso8859-8", None, None),
        (3, None, "2", "3"),
    ]


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_broken_utf_16_stops_the_run(name: str, tmp_path: Path) -> None:
    text = '{"a": 1}\n' if "json" in name else "a\n1\n"
    (tmp_path / name).write_bytes((text * 3).encode("utf-16") + b"\x00\xd8" + text.encode("utf-16-le"))
    with pytest.raises(InputError, match=rf"{name} is not utf-16"):
        read_rows(tmp_path, ["a"], name)


def test_objects_are_read_in_any_encoding(tmp_path: Path) -> None:
    content = '{"ort": "Köln"}\n{"ort": "5 €"}\n'
    (tmp_path / "1.jsonl").write_bytes(content.encode("cp1252") + b'{"ort": "\x81"}\n')
    (tmp_path / "2.jsonl.gz").write_bytes(gzip.compress(content.encode("utf-16")))
    (tmp_path / "3.jsonl").write_bytes(content.encode("utf-8-sig"))
    sound = [(1, None, "Köln"), (2, None, "5 €")]
    assert read_rows(tmp_path, ["ort"], "1.jsonl", encoding="cp1252") == [*sound, (3, "not cp1252", None)]
    assert read_rows(tmp_path, ["ort"], "2.jsonl.gz") == sound
    assert read_rows(tmp_path, ["ort"], "3.jsonl") == sound
    (tmp_path / "4.jsonl").write_bytes('{"ort": "Köln"}\n'.encode("cp1252"))
    with pytest.raises(InputError, match=r"4\.jsonl is not UTF-8; set encoding"):
        read_rows(tmp_path, ["ort"], "4.jsonl")


@given(st.text(max_size=30), st.sampled_from(["utf-16", "utf-16-be", "utf-32", "gb18030", "utf-7"]), st.integers(1, 9))
def test_what_was_encoded_comes_out_as_utf_8(text: str, encoding: str, size: int) -> None:
    transcoder = raw_files.Transcoder("x", encoding)
    content = f"a{text}".encode(encoding)
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    assert b"".join(map(transcoder.feed, [*chunks, b""])).decode() == f"a{text}"
