"""Blocks with quotes that Arrow may parse give the rows, and the reasons, of the strict parser."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.errors import InputError
from pipeline.reading import delimited
from pipeline.reading.raw_files import LineReader

_PLAIN = st.text('ab", \u00e9;\r', max_size=4)
_FIELDS = st.one_of(
    st.sampled_from(["", "a", '""', '"a"', '"a,b"', '"a""b"', '""""', '"\u00e9"', '"\u00a0 x"']),
    st.text("ab,\u00e9 ", max_size=3).map(lambda text: '"' + text + '"'),
    st.text('ab"', max_size=3).map(lambda text: '"' + text.replace('"', '""') + '"'),
)
_LINES = st.one_of(
    st.tuples(_FIELDS, _FIELDS, _FIELDS).map(",".join),
    st.tuples(_FIELDS, _FIELDS, _FIELDS).map(",".join),
    st.lists(st.one_of(_FIELDS, _PLAIN), max_size=5).map(",".join),
    st.just(""),
)


def _read(content: bytes) -> list[dict[str, object]] | str:
    lines = LineReader("log.csv", io.BytesIO(content))
    try:
        header = delimited.read_header(lines, ["x", "z"], ",")
        batches = list(delimited.read_rows(lines, header, ["z", "x"]))
    except InputError as error:
        return str(error)
    rows: list[dict[str, object]] = pa.Table.from_batches(batches, delimited.batch_schema(2)).to_pylist()
    return rows


@settings(max_examples=400)
@given(
    lines=st.lists(_LINES, max_size=8),
    ending=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    junk=st.sampled_from([b"", b"", b"", b'"\xff",a,b\n', b'"\0",a,b\n']),
)
def test_a_block_parsed_fast_gives_what_the_strict_parser_gives(
    lines: list[str], ending: str, last: bool, junk: bytes
) -> None:
    body = ending.join(lines) + (ending if last else "")
    content = b"x,y,z\n" + junk + body.encode()
    fast = _read(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "_parse_plain", lambda *_: None)
        assert fast == _read(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'a,"b","c"\n', True),
        (b'"a""b",c\r\n"",""\n', True),
        (b'a 5" pipe,b\n', False),  # a letter of a field, which some parsers take for a quote
        (b'"a"b,c\n', False),
        (b'"a\nb",c\n', False),
        (b'"a,b\n', False),
    ],
)
def test_only_quotes_around_whole_fields_of_a_line_are_left_to_arrow(content: bytes, expected: bool) -> None:
    assert delimited.encloses_fields(content, ",") is expected
