"""What people decided of leads: how its table is read, whose a word is, since when known, and what is set aside."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from raw_logs import (
    LEADS,
    LINKS,
    SOUND,
    moment_of,
    parameters_of,
    query_of,
    read_quarantine,
    run_ingest,
    source_of,
    write_raw,
)

COLUMNS = {
    "lead_id": "lead",
    "decided_at": "at",
    "tier": "what",
    "call_on": "call",
    "until": "until",
    "by": "who",
    "reason": "why",
}
HEADER = "lead,at,what,call,until,who,why\n"
PEOPLE = "lead,created\nA,2026-01-01\nB,2026-01-01\n"


def decisions_of(**changes: object) -> dict[str, Any]:
    return {"path": "words.csv", "columns": COLUMNS, "tiers": {"Hot": "SQL", "never": "disqualified"}} | changes


def read(root: Path, columns: str) -> list[tuple[Any, ...]]:
    return query_of(root, f"SELECT {columns} FROM '{root}/data/decisions.parquet'")


def test_words_and_days_of_people_are_read_in_the_zone_of_their_table(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv=SOUND,
        leads_csv=PEOPLE,
        words_csv=HEADER
        + "B,2026-03-05 00:30,sql,,2026-04-01,K2,budget approved\n"
        + "A,2026-03-05 09:00,HOT ,,,K1,\n"
        + "A,2026-03-04 09:00,,2026-05-01,,,\n",
    )
    summary = run_ingest(tmp_path, leads=LEADS, decisions=decisions_of(time_zone="Europe/Amsterdam"))
    assert read(tmp_path, 'lead_id, decided_at, known_at, tier, call_on, until, "by", reason') == [
        ("A", *[moment_of("2026-03-04 08:00")] * 2, None, date(2026, 5, 1), None, None, None),
        ("A", *[moment_of("2026-03-05 08:00")] * 2, "SQL", None, None, "K1", None),
        ("B", *[moment_of("2026-03-04 23:30")] * 2, "SQL", None, date(2026, 4, 1), "K2", "budget approved"),
    ]
    assert summary.decisions is not None
    assert (summary.decisions.rows, summary.decisions.used, summary.decisions.set_aside) == (3, 3, {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,2026-03-05,lukewarm,,,,", "tier is none that people give"),
        ("A,2026-03-05,customer,,,,", "tier is none that people give"),
        ("A,2026-03-05,,,2026-04-01,K1,so it is", "neither a tier nor a day for a call"),
        ("A,2026-03-05,SQL,soon,,,", "unreadable call_on"),
        ("A,2026-03-05,SQL,,when he calls,,", "unreadable until"),
        ("A,2026-03-05,SQL,,2026-03-04,,", "until lies before decided_at"),
        ("A,2026-03-05,SQL,2026-05-02,2026-05-01,,", "call_on lies after until"),
        ("A,,SQL,,,,", "missing decided_at"),
        ("A,yesterday,SQL,,,,", "unreadable decided_at"),
        ("A,2999-03-05,SQL,,,,", "decided_at in the future"),
        (",2026-03-05,SQL,,,,", "missing lead_id"),
        ("nobody,2026-03-05,SQL,,,,", "unknown lead"),
        ("B,2026-03-05,SQL,,,,", "duplicate"),
    ],
)
def test_a_word_that_says_nothing_clear_is_set_aside_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    sound = "B,2026-03-05,SQL,,,,\n"
    write_raw(tmp_path, log_csv=SOUND, leads_csv=PEOPLE, words_csv=HEADER + sound + row + "\n")
    summary = run_ingest(tmp_path, leads=LEADS, decisions=decisions_of()).decisions
    assert read(tmp_path, "lead_id, tier") == [("B", "SQL")]
    assert read_quarantine(tmp_path, "decisions") == [("words.csv", 3, reason)]
    assert summary is not None
    assert (summary.rows, summary.used, summary.set_aside) == (2, 1, {reason: 1})


def test_a_word_on_an_alias_is_its_leads_and_known_as_such_from_the_link_on(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv=SOUND,
        leads_csv=PEOPLE,
        links_csv="alias,lead,at\ncookie,A,2026-03-10\n",
        words_csv="lead,at,what,told\ncookie,2026-03-05,SQL,2026-03-06\ncookie,2026-03-12,MQL,2026-03-13\n",
    )
    columns = {"lead_id": "lead", "decided_at": "at", "tier": "what", "known_at": "told"}
    run_ingest(tmp_path, leads=LEADS, identities=LINKS, decisions=decisions_of(columns=columns))
    assert read(tmp_path, "lead_id, decided_at, known_at, tier") == [
        ("A", moment_of("2026-03-05"), moment_of("2026-03-10"), "SQL"),
        ("A", moment_of("2026-03-12"), moment_of("2026-03-13"), "MQL"),
    ]


def test_when_a_word_was_known_is_asked_of_every_row_where_a_column_says_it(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND, leads_csv=PEOPLE, words_csv="lead,at,what,told\nA,2026-03-05,SQL,\n")
    columns = {"lead_id": "lead", "decided_at": "at", "tier": "what", "known_at": "told"}
    run_ingest(tmp_path, leads=LEADS, decisions=decisions_of(columns=columns))
    assert read_quarantine(tmp_path, "decisions") == [("words.csv", 2, "missing known_at")]


def test_without_a_table_of_leads_those_of_the_log_are_known(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND, words_csv="lead,at,what\nA,2026-03-05,SQL\nB,2026-03-05,SQL\n")
    run_ingest(tmp_path, decisions=decisions_of(columns={"lead_id": "lead", "decided_at": "at", "tier": "what"}))
    assert read(tmp_path, "lead_id") == [("A",)]
    assert read_quarantine(tmp_path, "decisions") == [("words.csv", 3, "unknown lead")]


def test_a_query_may_give_what_people_decided_and_without_it_the_file_is_empty(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND, words_csv="lead,at,what\nA,2026-03-05,warm\n")
    query = "SELECT lead AS l, moment(\"at\", 'iso') AS a, CASE what WHEN 'warm' THEN 'MQL' END AS t FROM words"
    table = {"query": query, "columns": {"lead_id": "l", "decided_at": "a", "tier": "t"}}
    run_ingest(tmp_path, tables={"words": {"path": "words.csv"}}, decisions=table)
    assert read(tmp_path, "lead_id, tier") == [("A", "MQL")]
    run_ingest(tmp_path)
    assert read(tmp_path, "lead_id, tier") == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"lead_id": "lead", "decided_at": "at"}}, "name the column of tier, or of call_on"),
        ({"tiers": {"won": "customer"}}, "disqualified"),
        ({"tiers": {"hot": "SQL", "HOT": "MQL"}}, "differ only in case"),
    ],
)
def test_settings_of_decisions_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        parameters_of({"log": source_of()}, decisions=decisions_of(**changes))
