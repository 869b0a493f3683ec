"""What leads agreed to: how a table of it is read, whose it is, since when it is known, and what is set aside."""

from __future__ import annotations

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

COLUMNS = {"lead_id": "lead", "purpose": "topic", "status": "state", "changed_at": "at"}
PEOPLE = "lead,created\nA,2026-01-01\nB,2026-01-01\n"
WORDS = {"purposes": {"News": "mail"}, "statuses": {"opt-out": "withdrawn", "1": "given"}}


def consents_of(**changes: object) -> dict[str, Any]:
    return {"path": "agreed.csv", "columns": COLUMNS} | WORDS | changes


def read(root: Path, columns: str = "lead_id, own_id, purpose, status, changed_at, known_at, linked_at") -> list[Any]:
    return query_of(root, f"SELECT {columns} FROM '{root}/data/consents.parquet'")


def test_each_change_is_read_by_its_words_and_stands_under_its_lead_from_the_link_on(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv=SOUND,
        leads_csv=PEOPLE,
        links_csv="alias,lead,at\ncookie,A,2026-03-10\n",
        agreed_csv="lead,topic,state,at\nB,Telephone,refused,2026-03-05 01:00\ncookie,news,OPT-OUT,2026-03-05\n"
        "cookie,advertising,1,2026-03-12\nB,everything,objected,2026-03-06\n",
    )
    summary = run_ingest(tmp_path, leads=LEADS, identities=LINKS, consents=consents_of(time_zone="Europe/Amsterdam"))
    fifth, fourth, twelfth = (moment_of(f"2026-03-{day} 23:00") for day in ("05", "04", "11"))
    linked = moment_of("2026-03-10")
    assert read(tmp_path) == [
        ("A", "cookie", "advertising", "given", twelfth, twelfth, linked),
        ("A", "cookie", "mail", "withdrawn", fourth, linked, linked),
        ("B", "B", "everything", "objected", fifth, fifth, None),
        ("B", "B", "telephone", "refused", moment_of("2026-03-05"), moment_of("2026-03-05"), None),
    ]
    assert summary.consents is not None
    assert (summary.consents.rows, summary.consents.used, summary.consents.set_aside) == (4, 4, {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,fax,given,2026-03-05", "purpose is none that is known"),
        ("A,,given,2026-03-05", "missing purpose"),
        ("A,mail,perhaps,2026-03-05", "status is none that is known"),
        ("A,mail,,2026-03-05", "missing status"),
        ("A,mail,given,", "missing changed_at"),
        ("A,mail,given,soon", "unreadable changed_at"),
        ("A,mail,given,2999-01-01", "changed_at in the future"),
        (",mail,given,2026-03-05", "missing lead_id"),
        ("nobody,mail,given,2026-03-05", "unknown lead"),
        ("B,mail,given,2026-03-05", "duplicate"),
    ],
)
def test_a_change_that_says_nothing_clear_is_set_aside_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    sound = "lead,topic,state,at\nB,mail,given,2026-03-05\n"
    write_raw(tmp_path, log_csv=SOUND, leads_csv=PEOPLE, agreed_csv=f"{sound}{row}\n")
    summary = run_ingest(tmp_path, leads=LEADS, consents=consents_of()).consents
    assert read(tmp_path, "lead_id, purpose") == [("B", "mail")]
    assert read_quarantine(tmp_path, "consents") == [("agreed.csv", 3, reason)]
    assert summary is not None
    assert (summary.rows, summary.used, summary.set_aside) == (2, 1, {reason: 1})


def test_when_a_change_was_known_may_stand_in_a_column(tmp_path: Path) -> None:
    text = "lead,topic,state,at,seen\nA,mail,refused,2026-03-05,2026-03-07\nA,mail,given,2026-03-08,\n"
    write_raw(tmp_path, log_csv=SOUND, leads_csv=PEOPLE, agreed_csv=text)
    run_ingest(tmp_path, leads=LEADS, consents=consents_of(columns=COLUMNS | {"known_at": "seen"}))
    assert read(tmp_path, "changed_at, known_at") == [(moment_of("2026-03-05"), moment_of("2026-03-07"))]
    assert read_quarantine(tmp_path, "consents") == [("agreed.csv", 3, "missing known_at")]


def test_without_a_table_the_file_is_empty(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=SOUND)
    run_ingest(tmp_path)
    assert read(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"purposes": {"news": "letters"}}, "mail"),
        ({"statuses": {"NO": "refused", "no": "withdrawn"}}, "differ only in case"),
        ({"columns": {"lead_id": "lead", "purpose": "topic", "changed_at": "at"}}, "status"),
    ],
)
def test_settings_of_consents_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        parameters_of({"log": source_of()}, consents=consents_of(**changes))
