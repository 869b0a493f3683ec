"""Words that exports write where there is nothing are missing values, once settings name them; init proposes which."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from cases import CASES, case, empty_project, propose
from hypothesis import given
from hypothesis import strategies as st
from raw_logs import LEADS, source_of
from small_project import SmallProject

from pipeline.core.sql import fetch_row, literal, open_reader
from pipeline.reading.nothing import NEVER, SPACES, is_word, is_word_for_nothing

_EVENTS = ("page_view", "form", "signed")
_FLAWS: dict[str, str] = {"zero": "0000-00-00 00:00:00", "backslash": r"\N", "null": "NULL", "none": "None"}


def _settings(project: SmallProject, name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((project.root / name).read_text())
    return content


@pytest.mark.parametrize(("name", "word"), _FLAWS.items())
def test_the_case_of_words_for_nothing_ends_in_the_right_value(name: str, word: str, tmp_path: Path) -> None:
    project = case("words-for-nothing", tmp_path)
    exports = project.root / "data/exports"
    exports.mkdir(parents=True)
    shutil.copyfile(CASES / "words-for-nothing" / f"{name}.csv", exports / "crm.csv")
    refused = project.run("ingest")
    assert refused.code == 4
    assert f"'{word}' in 'lost_at' may stand for nothing; if so, set nothing: ['{word}']" in refused.text
    proposed = project.run("init", "data/exports", "--yes", "--output", "p2.yaml")
    assert proposed.code == 0
    cells = [line.split(",") for line in (exports / "crm.csv").read_text().splitlines()[1:]]
    count = sum(row.count(word) for row in cells)
    assert f"crm: 400 rows, 5 columns; words for nothing: '{word}' {count:,} times" in proposed.text
    content = _settings(project, "p2.yaml")
    assert all(table["nothing"] == [word] for table in content["ingest"]["sources"].values())
    shutil.copyfile(project.root / "p2.yaml", project.root / "params.yaml")
    assert project.ingest().code == 0
    happened = dict(project.log("event_type, count(*) OVER (PARTITION BY event_type)"))
    assert sum(1 for row in cells if row[2] != word) in happened.values()


_NO_DAYS = [
    "1970-01-01 00:00:00", "1970-01-01", "1900-01-01", "1899-12-30 00:00:00.000", "9999-12-31T23:59:59Z", "01.01.1900",
    "12/31/9999",
]  # fmt: skip


def _crm(word: str, source: str = "web") -> str:
    """Write leads of which every third converted and every third was lost, with a word where neither is so."""
    rows = "id,created_at,converted_at,lost_at,source,stage\n"
    for n in range(300):
        at = f"2026-0{1 + n % 5}-{1 + n % 27:02} 10:00:00"
        later = at.replace(" 10", " 18")
        ends = (later if n % 3 == 0 else word, later if n % 3 == 1 else word)
        rows += f"L{n:04},{at},{ends[0]},{ends[1]},{source if n % 2 else 'fair'},{['New', 'Open'][n % 2]}\n"
    return rows


@pytest.mark.parametrize("word", [*_NO_DAYS, "(none)", "keine Angabe", "not yet", "TBD"])
def test_init_knows_what_a_column_of_times_says_where_nothing_happened(word: str, tmp_path: Path) -> None:
    project = empty_project(tmp_path).write(crm_csv=_crm(word))
    told = propose(project, "raw").text
    assert f"words for nothing: '{word}' 400 times, in converted_at, lost_at" in told
    assert len(project.log("lead_id")) == 200
    assert project.accounts()["leads"]["used"] == 300


def test_a_word_that_other_columns_hold_too_is_none_for_nothing_as_nobody_knows_it(tmp_path: Path) -> None:
    project = empty_project(tmp_path).write(crm_csv=_crm("Open"))
    told = project.run("init", "raw", "--yes").text
    assert "words for nothing" not in told
    assert "crm.converted_at is called a time, but 67% of its values are 'Open'" in told


@pytest.mark.parametrize("word", _NO_DAYS[:5])
def test_without_the_setting_nobody_converts_on_the_first_or_the_last_day_of_a_clock(word: str, tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(log_csv=_crm(word))
    columns = {"lead_id": "id", "events": {"converted_at": "won", "lost_at": "lost"}}
    project.set({"log": source_of() | {"columns": columns}}, leads=None, maximum_broken=0.05)
    outcome = project.run("ingest")
    assert outcome.code == 4
    assert f"'{word}' in 'lost_at' may stand for nothing; if so, set nothing: ['{word}']" in outcome.text


def _one_row(path: Path, kind: str, words: list[str]) -> None:
    columns = ["lead", "at", "what", "worth", "group"]
    rows = [["A", "2026-01-01", "visit", "10", "x"], ["A", "2026-01-02", "visit", *words]]
    if kind == "csv":
        path.write_text("\n".join(",".join(row) for row in [columns, *rows]) + "\n")
    elif kind == "quoted.csv":
        path.write_text("\n".join(",".join(f'"{text}"' for text in row) for row in [columns, *rows]) + "\n")
    elif kind == "jsonl":
        frames = [dict(zip(columns, row, strict=True)) for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in frames))
    else:
        pq.write_table(pa.table({name: [row[n] for row in rows] for n, name in enumerate(columns)}), path)


@pytest.mark.parametrize("kind", ["csv", "quoted.csv", "jsonl", "parquet"])
def test_a_word_is_missing_in_every_kind_of_file_and_field(kind: str, tmp_path: Path) -> None:
    name = f"log.{kind}"
    source = source_of(name, columns={"value": "worth", "campaign": "group"}, nothing=[r"\N", "NULL"])
    project = SmallProject(tmp_path).set({"log": source}, leads=None)
    _one_row(project.raw / name, kind, [r"\N", " NULL "])
    assert project.ingest().code == 0
    assert project.log("value, campaign") == [(10.0, "x"), (None, None)]


def test_leads_and_queries_know_the_words_too(tmp_path: Path) -> None:
    source = source_of() | {"query": 'SELECT lead, "at", what FROM hits WHERE gone IS NULL'}
    del source["path"]
    columns = LEADS["columns"] | {"account_id": "firm"}
    project = SmallProject(tmp_path).write(
        hits_csv="lead,at,what,gone\nA,2026-01-02,visit,None\nA,2026-01-03,visit,2026-02-01\n",
        leads_csv="lead,created,firm\nA,2026-01-01,-\n",
    )
    project.set(
        {"log": source},
        leads=LEADS | {"columns": columns, "nothing": ["-"]},
        tables={"hits": {"path": "hits.csv", "nothing": "None"}},
    )
    assert project.ingest().code == 0
    assert len(project.log("lead_id")) == 1
    assert project.leads("account_id") == [(None,)]


def test_a_word_that_yaml_takes_for_something_else_is_told(tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    text = (project.root / "params.yaml").read_text()
    for word in ("NULL", "false", "0", "~"):
        (project.root / "params.yaml").write_text(
            text.replace("path: log.csv", f"path: log.csv\n      nothing: [{word}]")
        )
        outcome = project.run("ingest")
        assert outcome.code == 3
        assert "ingest.sources.log.nothing: words must be in quotes" in outcome.text


def _proposed_words(root: Path, rows: list[str]) -> list[str]:
    project = empty_project(root)
    (project.raw / "log.csv").write_text("visitor,time,event,flag,amount\n" + "\n".join(rows) + "\n")
    assert project.run("init", "raw", "--yes", "--conversion", "signed").code == 0
    words: list[str] = _settings(project, "params.yaml")["ingest"]["sources"]["log"].get("nothing", [])
    return words


def _rows(flag: str, amount: str) -> list[str]:
    return [
        f"v{n % 60:03},2026-0{1 + n % 6}-{1 + n % 27:02} 10:{n % 60:02}:00,{_EVENTS[n % 7 % 3]},"
        f"{flag if n % 2 else 'true'},{amount if n % 5 == 0 else n}"
        for n in range(300)
    ]


@pytest.mark.parametrize(
    ("flag", "amount", "expected"),
    [
        ("false", "12", []),  # an answer
        ("false", "false", []),  # in one column an answer, in the other none: who knows
        ("yes", "false", ["false"]),
        ("yes", "-", ["-"]),
        ("yes", "0", []),
        ("NULL", "null", ["NULL", "null"]),
        ("none", "7", []),
    ],
)
def test_init_proposes_no_word_that_may_mean_something(
    flag: str, amount: str, expected: list[str], tmp_path: Path
) -> None:
    assert sorted(_proposed_words(tmp_path, _rows(flag, amount))) == sorted(expected)


def test_words_for_nothing_are_known_by_their_text_alone() -> None:
    assert all(map(is_word_for_nothing, ("NULL", "nan", "N/A", "0000-00-00T00:00:00Z", "(not set)")))
    assert not any(map(is_word_for_nothing, ("none", "0", "false", "2026-01-01", "Null Island", "")))


_NOBODY = re.compile(r"\{?(0{8}-?0{4}-?0{4}-?0{4}-?0{12}|f{8}-?f{4}-?f{4}-?f{4}-?f{12}|0{9,})\}?")
_IDS = st.one_of(
    st.text(max_size=8),
    st.text("0f-{}aNu \t\u00a0\u202f\u0130\u212a", max_size=12),
    st.sampled_from([*sorted(NEVER), "0" * 9, f"{{{uuid.UUID(int=0)}}}", "F" * 32, "user-1", "n0", "0000000x"]),
)


@given(
    before=st.text(SPACES, max_size=2), text=_IDS, after=st.text(SPACES, max_size=2), change=st.sampled_from([0, 1, 2])
)
def test_words_that_are_never_ids_are_found_whatever_their_size_and_the_spaces_around_them(
    before: str, text: str, after: str, change: int
) -> None:
    id_ = before + (text, text.upper(), text.title())[change] + after
    tidy = id_.strip(SPACES).lower()
    with open_reader() as connection:
        [found] = fetch_row(connection, f"SELECT {is_word('id')} FROM (SELECT {literal(id_)} AS id)")
    assert found == (tidy in NEVER or _NOBODY.fullmatch(tidy) is not None)
