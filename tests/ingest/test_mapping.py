"""Rows that are several events, and who acted, whoever reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from raw_logs import LEADS, moment_of, read_leads, read_log, read_quarantine, run_ingest, source_of, write_raw

from features.core.errors import InputError
from pipeline.settings.run import Run

WIDE: dict[str, Any] = {
    "path": "deals.csv",
    "columns": {
        "lead_id": "lead",
        "events": {"first_contact_date": "contacted", "won_date": "won", "lost_date": "lost"},
        "value": "amount",
        "event_id": "deal",
    },
    "known_at": "as_it_occurred",
    "actor": "system",
}
DEALS = (
    "deal,lead,first_contact_date,won_date,lost_date,amount\n"
    "1,A,2026-01-01,2026-02-01,,100\n"
    "2,B,2026-01-01,soon,2026-01-01,50\n"
    "3,C,,,,\n"
    "1,A,2026-01-03,,,100\n"  # the first contact of deal 1 again
    "4,,2026-01-01,,,\n"
)


def test_each_column_that_holds_a_time_is_an_event(tmp_path: Path, executor: Run) -> None:
    write_raw(tmp_path, deals_csv=DEALS)
    summary = run_ingest(tmp_path, {"deals": WIDE}, run=executor)
    assert read_log(tmp_path, "lead_id, occurred_at, event_type, value, sequence") == [
        ("A", moment_of("2026-01-01"), "contacted", 100.0, 6),
        ("A", moment_of("2026-02-01"), "won", 100.0, 7),
        # At the same time: in the order of the settings.
        ("B", moment_of("2026-01-01"), "contacted", 50.0, 9),
        ("B", moment_of("2026-01-01"), "lost", 50.0, 11),
    ]
    assert read_quarantine(tmp_path, "deals") == [
        ("deals.csv", 3, "unreadable won_date"),
        ("deals.csv", 4, "no event in the row"),
        ("deals.csv", 5, "duplicate"),
        ("deals.csv", 6, "missing lead_id"),
    ]
    deals = summary.sources["deals"]
    assert (deals.lines, deals.rows, deals.used, sum(deals.set_aside.values())) == (5, 8, 4, 4)


def test_rows_of_many_files_are_told_by_file_and_line(tmp_path: Path, executor: Run) -> None:
    header, *rows = DEALS.splitlines(keepends=True)
    other = "lead,deal,amount,lost_date,won_date,first_contact_date\n"
    write_raw(
        tmp_path,
        deals1_csv=header + rows[0] + rows[1],
        deals2_csv=header + rows[2] + rows[3] + "5,A\n" + rows[4],
        deals3_csv=other + "C,6,7,,,2026-01-05\nC,7,,2026-01-06,,someday\n",
    )
    summary = run_ingest(tmp_path, {"deals": WIDE | {"path": "deals*.csv"}}, run=executor)
    file = 1 << 40
    assert read_log(tmp_path, "lead_id, occurred_at, event_type, value, sequence") == [
        ("A", moment_of("2026-01-01"), "contacted", 100.0, 6),
        ("A", moment_of("2026-02-01"), "won", 100.0, 7),
        ("B", moment_of("2026-01-01"), "contacted", 50.0, 9),
        ("B", moment_of("2026-01-01"), "lost", 50.0, 11),
        ("C", moment_of("2026-01-05"), "contacted", 7.0, 2 * file + 6),
        ("C", moment_of("2026-01-06"), "lost", None, 2 * file + 11),
    ]
    assert read_quarantine(tmp_path, "deals") == [
        ("deals1.csv", 3, "unreadable won_date"),
        ("deals2.csv", 2, "no event in the row"),
        ("deals2.csv", 3, "duplicate"),
        ("deals2.csv", 4, "2 columns instead of 6"),
        ("deals2.csv", 5, "missing lead_id"),
        ("deals3.csv", 3, "unreadable first_contact_date"),
    ]
    assert (summary.sources["deals"].lines, summary.sources["deals"].rows) == (8, 12)


def test_rows_without_an_event_are_not_broken(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        deals_csv="deal,lead,first_contact_date,won_date,lost_date,amount\n1,A,2026-01-01,,,1\n" + "2,B,,,,\n" * 9,
    )
    assert run_ingest(tmp_path, {"deals": WIDE}, maximum_broken=0.0, run=executor).interactions == 1


def test_an_unreadable_time_among_several_columns_is_named_with_its_format(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path, deals_csv="deal,lead,first_contact_date,won_date,lost_date,amount\n1,A,2026-01-01,25/01/2026,,1\n"
    )
    with pytest.raises(InputError, match=r"(?s)unreadable won_date: 1 rows.*25/01/2026 in 'won_date' fit '%d/%m/%Y'"):
        run_ingest(tmp_path, {"deals": WIDE}, maximum_broken=0.0, run=executor)


def test_counts_of_a_day_are_events_with_a_quantity(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,day,opens,clicks\nA,2026-01-01,3,1\nA,2026-01-02,2,0\nA,2026-01-03,0,\nA,2026-01-04,1,many\n"
        "A,2026-01-05,-1,1.5\nA,soon,1 000,\n",
    )
    source = source_of(known_at={"delay": "1d"}) | {
        "columns": {"lead_id": "lead", "occurred_at": "day", "counts": {"opens": "email_open", "clicks": "email_click"}}
    }
    summary = run_ingest(tmp_path, {"log": source}, run=executor)
    assert read_log(tmp_path, "occurred_at::DATE::VARCHAR, event_type, quantity") == [
        ("2026-01-01", "email_open", 3), ("2026-01-01", "email_click", 1), ("2026-01-02", "email_open", 2),
        ("2026-01-04", "email_open", 1),
    ]  # fmt: skip
    assert read_quarantine(tmp_path) == [
        ("log.csv", 4, "no event in the row"),
        ("log.csv", 5, "unreadable clicks"),
        ("log.csv", 6, "opens below 0"),
        ("log.csv", 6, "quantity is not a whole number"),
        ("log.csv", 7, "unreadable occurred_at"),
    ]
    assert (summary.sources["log"].lines, summary.sources["log"].rows) == (6, 9)


def test_a_row_that_can_t_be_read_is_one_entry(tmp_path: Path, executor: Run) -> None:
    write_raw(tmp_path, deals_csv=DEALS + "5,E\n")
    run_ingest(tmp_path, {"deals": WIDE}, run=executor)
    assert read_quarantine(tmp_path, "deals")[-1] == ("deals.csv", 7, "2 columns instead of 6")


def test_actors_are_told_by_types_or_by_their_form(tmp_path: Path, executor: Run) -> None:
    write_raw(tmp_path, log_csv="lead,at,what\n" + "".join(f"A,2026-01-0{n},{what}\n" for n, what in enumerate(
        ["W_call", "W_it's", "visit", "[note]", "w_call", "Wcall"], start=1)))  # fmt: skip
    run_ingest(
        tmp_path,
        {"log": source_of(actor={"default": "system", "us": ["W_*", "[note]"], "lead": ["vis?t"]})},
        run=executor,
    )
    assert read_log(tmp_path, "event_type, actor") == [
        ("W_call", "us"), ("W_it's", "us"), ("visit", "lead"), ("[note]", "us"), ("w_call", "system"),
        ("Wcall", "system"),
    ]  # fmt: skip


def test_numbers_of_a_french_export_are_read(tmp_path: Path, executor: Run) -> None:
    write_raw(
        tmp_path,
        log_csv="lead;at;what;v;n\nA;25/12/2025 10:00;achat;1\u202f234,50;2\nA;26/12/2025;achat;1.5;1\n",
        leads_csv="lead;created;taille\nA;24/12/2025;1 200,5\n",
    )
    how: dict[str, Any] = {
        "decimal": ",", "time_zone": "Europe/Paris", "time_format": ["%d/%m/%Y %H:%M", "%d/%m/%Y"], "delimiter": ";",
    }  # fmt: skip
    run_ingest(
        tmp_path,
        {"log": source_of(columns={"value": "v", "quantity": "n"}, **how)},
        leads=LEADS | how | {"attributes": {"taille": "number"}},
        run=executor,
    )
    assert read_log(tmp_path, "occurred_at, value, quantity") == [(moment_of("2025-12-25 09:00"), 1234.5, 2)]
    assert read_quarantine(tmp_path) == [("log.csv", 3, "unreadable value")]
    assert read_leads(tmp_path, "taille") == [(1200.5,)]
