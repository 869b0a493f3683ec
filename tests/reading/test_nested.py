"""Values inside of values: GA4's export as JSON lines and as Parquet, and any other nested column."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.errors import InputError
from pipeline.core.sql import file_literal, literal
from pipeline.reading import nested
from pipeline.reading.databases import fetch
from pipeline.reading.readers import choose_columns, copy_rows, open_table
from pipeline.settings.table import Table

Rows = list[tuple[object, ...]]

GA4 = [
    {
        "event_date": "20210131", "event_timestamp": "1612069510766593", "event_name": "page_view",
        "event_params": [
            {"key": "gclid", "value": {}},
            {"key": "ga_session_id", "value": {"int_value": "661084800"}},
            {"key": "page_title", "value": {"string_value": 'Prices, "all" | é'}},
            {"key": "engaged_session_event", "value": {"int_value": "1"}},
            {"key": "value.eur", "value": {"double_value": 19.99}},
        ],
        "user_pseudo_id": "1026454.4271112504",
        "user_properties": [
            {"key": "plan", "value": {"string_value": "pro", "set_timestamp_micros": "1612069510000000"}}
        ],
        "device": {"category": "mobile", "web_info": {"browser": "Chrome"}},
        "traffic_source": {"medium": "organic", "name": "(organic)", "source": "google"},
        "items": [],
    },
    {
        "event_date": "20210131", "event_timestamp": "1612069510766594", "event_name": "generate_lead",
        "event_params": [
            {"key": "score", "value": {"float_value": 0.5}},
            {"key": "ga_session_id", "value": {"int_value": "0"}},
            {"key": "page_title", "value": {"string_value": ""}},
        ],
        "user_pseudo_id": "7.1", "device": {"category": "desktop"}, "user_properties": [],
    },
    {"event_date": "20210201", "event_timestamp": "1612137600000000", "event_name": "first_visit", "event_params": []},
]  # fmt: skip
GA4_COLUMNS = [
    "user_pseudo_id", "event_params[page_title]", "event_params[ga_session_id]", "event_params[score]",
    "event_params[value.eur]", "user_properties[plan]", "device.web_info.browser", "device[category]",
]  # fmt: skip
GA4_ROWS = [
    ("1026454.4271112504", 'Prices, "all" | é', "661084800", None, "19.99", "pro", "Chrome", "mobile"),
    ("7.1", "", "0", "0.5", None, None, None, "desktop"),
    (None, None, None, None, None, None, None, None),
]
GA4_TYPES = """{
    event_date: 'VARCHAR', event_timestamp: 'BIGINT', event_name: 'VARCHAR', user_pseudo_id: 'VARCHAR',
    event_params: 'STRUCT("key" VARCHAR, "value" STRUCT(string_value VARCHAR, int_value BIGINT, float_value DOUBLE,
        double_value DOUBLE))[]',
    user_properties: 'STRUCT("key" VARCHAR, "value" STRUCT(string_value VARCHAR, int_value BIGINT, float_value DOUBLE,
        double_value DOUBLE, set_timestamp_micros BIGINT))[]',
    device: 'STRUCT(category VARCHAR, web_info STRUCT(browser VARCHAR))'
}"""


def _read(folder: Path, wanted: list[str], path: str) -> Rows:
    rows: Rows = []
    with duckdb.connect() as connection:
        for opened in open_table("ingest.sources.x", Table(path=path), wanted, folder):
            copy_rows(connection, opened, lambda relation: relation, folder / "copied")
            copied = f"read_parquet({file_literal(folder / 'copied')})"
            rows += connection.execute(f"FROM {copied} ORDER BY line").fetchall()
    assert not [row for row in rows if row[1] is not None]
    return [row[2:] for row in rows]


def _write_lines(path: Path, objects: Sequence[object]) -> None:
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects), encoding="utf-8")


def _write_ga4(folder: Path, name: str) -> None:
    """Write GA4's export as BigQuery does: whole numbers are texts in JSON lines, and typed in Parquet."""
    _write_lines(folder / "ga4.jsonl", GA4)
    if name.endswith("parquet"):
        duckdb.sql(f"COPY (FROM read_json('{folder}/ga4.jsonl', columns = {GA4_TYPES})) TO '{folder / name}'")


@pytest.mark.parametrize("name", ["ga4.jsonl", "ga4.parquet"])
def test_the_parameters_of_ga4_events_are_columns(name: str, tmp_path: Path) -> None:
    _write_ga4(tmp_path, name)
    assert _read(tmp_path, GA4_COLUMNS, name) == GA4_ROWS


def test_the_parameters_of_ga4_events_are_columns_of_parquet_with_maps_and_json(tmp_path: Path) -> None:
    duckdb.sql(
        "COPY (SELECT MAP{'page': 'A', 'n': '2'} AS params, "
        """'{"user": {"id": 7}, "a b": [{"key": "k", "value": {"x": 1}}]}'::JSON AS payload, """
        """'{"user": {"id": "text"}}' AS written, 'no JSON' AS broken) """
        f"TO '{tmp_path}/x.parquet'"
    )
    columns = ["params[page]", "params.n", "payload.user.id", "payload.a b[k]", "payload.a b[k].x", "written.user.id"]
    assert _read(tmp_path, columns, "x.parquet") == [("A", "2", "7", '{"x":1}', "1", "text")]


def test_members_of_parquet_structs_keep_their_types(tmp_path: Path) -> None:
    duckdb.sql(
        """COPY (SELECT {'at': TIMESTAMP '2026-01-02 03:04:05', 'who': {'the.id': 7}} AS e, 1 AS "e.literal") """
        f"TO '{tmp_path}/x.parquet'"
    )
    [opened] = open_table("x", Table(path="x.parquet"), ["e.at", "e.who.the.id", "e.literal"], tmp_path)
    assert [column.type for column in opened.columns.values()] == ["TIMESTAMP", "INTEGER", "INTEGER"]
    assert [str(value) for value in _read(tmp_path, list(opened.chosen), "x.parquet")[0]] == [
        "2026-01-02 03:04:05",
        "7",
        "1",
    ]


def test_a_column_whose_name_looks_like_a_path_comes_first(tmp_path: Path) -> None:
    objects = [{"a[b]": "plain", "a": {"b": "nested"}, "c.d": "plain", "c": {"d": "nested"}}]
    _write_lines(tmp_path / "x.jsonl", objects)
    duckdb.sql(f"COPY (FROM '{tmp_path}/x.jsonl') TO '{tmp_path}/x.parquet'")
    for name in ("x.jsonl", "x.parquet"):
        assert _read(tmp_path, ["a[b]", "c.d"], name) == [("plain", "plain")]


def test_values_of_any_type_are_texts_and_the_first_of_equal_keys_counts(tmp_path: Path) -> None:
    values: list[object] = [True, 0, 1.5, "x", None, [1], {"a": None}, {"string_value": None, "int_value": None}]
    _write_lines(
        tmp_path / "x.jsonl", [{"p": [{"key": "k", "value": v}, {"key": "k", "value": "2nd"}]} for v in values]
    )
    expected = ["true", "0", "1.5", "x", None, "[1]", '{"a":null}', None]
    assert [row[0] for row in _read(tmp_path, ["p[k]"], "x.jsonl")] == expected


@pytest.mark.parametrize(
    ("wanted", "jsonl", "parquet"),
    [
        ("evnt_params[page_title]", "'event_params'", "'event_params'"),
        ("event_params[page_titel]", r"'event_params\[page_title\]'", r"'event_params\[page_title\]'"),
        ("device.categori", "'device.category'", "'device.category'"),
        ("device.web_info[brwser]", r"'device.web_info\[browser\]'", r"'device.web_info\[browser\]'"),
    ],
)
@pytest.mark.parametrize("name", ["ga4.jsonl", "ga4.parquet"])
def test_a_path_that_leads_nowhere_names_the_nearest(
    wanted: str, jsonl: str, parquet: str, name: str, tmp_path: Path
) -> None:
    _write_ga4(tmp_path, name)
    with pytest.raises(InputError, match=f"did you mean {jsonl if name.endswith('l') else parquet}") as caught:
        _read(tmp_path, ["user_pseudo_id", wanted], name)
    assert repr(wanted) in str(caught.value)


def test_a_key_that_only_the_second_file_has_is_found(tmp_path: Path) -> None:
    for number, key in enumerate("ab"):
        duckdb.sql(f"COPY (SELECT MAP{{'{key}': {number}}} AS p) TO '{tmp_path}/{number}.parquet'")
        _write_lines(tmp_path / f"{number}.jsonl", [{"p": {key: number}}])
    assert _read(tmp_path, ["p[b]"], "*.parquet") == [(None,), ("1",)]
    assert _read(tmp_path, ["p[b]"], "*.jsonl") == [(None,), ("1",)]


def test_json_in_a_database_has_columns_inside_of_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection:
        connection.execute('CREATE TABLE t AS SELECT \'{"utm": {"source": "x"}}\' AS payload')
        connection.commit()
    table = Table(database="sqlite:///x.sqlite", query="SELECT * FROM t")
    fetched = fetch("ingest.sources.x", table, tmp_path, tmp_path / "fetched", lambda _: None)
    [opened] = choose_columns("x", [fetched], ["payload.utm.source", "payload"])
    with duckdb.connect() as duck:
        copy_rows(duck, opened, lambda relation: relation, tmp_path / "copied")
        rows = duck.execute(f"SELECT r0, r1 FROM read_parquet({file_literal(tmp_path / 'copied')})").fetchall()
    assert rows == [("x", '{"utm": {"source": "x"}}')]
    with pytest.raises(InputError, match=r"no row holds 'payload\.utm\.sorce' \(did you mean 'payload\.utm\.source'"):
        choose_columns("x", [fetched], ["payload.utm.sorce"])


_KEYS = st.text("ab/~'\"é $*", min_size=1, max_size=3)
_JSON = st.recursive(
    st.none() | st.text("ab\"'\\", max_size=3) | st.integers(-9, 9),
    lambda inner: (
        st.dictionaries(_KEYS, inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"key": _KEYS, "value": inner}), max_size=3)
    ),
    max_leaves=6,
)


def _walk(value: object, steps: list[nested.Step]) -> object:
    """Say by plain Python what lies at the end of a path."""
    for step in steps:
        if step.entry and isinstance(value, list):
            value = next((entry["value"] for entry in value if entry["key"] == step.key), None)
        else:
            value = value.get(step.key) if isinstance(value, dict) else None
    return value


@settings(deadline=None)
@given(_JSON, st.lists(st.builds(nested.Step, _KEYS, st.booleans()), min_size=1, max_size=3))
def test_a_path_leads_where_plain_python_says(value: object, steps: list[nested.Step]) -> None:
    query = f"SELECT {nested.value_at('held', steps)} FROM (VALUES ({literal(json.dumps(value))})) AS row(held)"
    [(found,)] = duckdb.execute(query).fetchall()
    expected = _walk(value, steps)
    if isinstance(expected, dict | list):
        assert json.loads(found) == expected
    else:
        assert found == (None if expected is None else str(expected))
