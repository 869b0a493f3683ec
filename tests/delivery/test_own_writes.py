"""What leadcast push wrote into the CRM comes back in the CRM's history of changes, and is no interaction."""

from __future__ import annotations

from pathlib import Path

from raw_logs import read_log, read_quarantine, run_ingest, source_of, write_raw

OWN = {"column": "who", "users": ["leadcast", "42"]}


def test_what_the_integrations_user_changed_is_dropped_and_counted(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,who\n"
        "A,2026-01-01,visit,ann\n"
        "A,2026-01-02,score changed,leadcast\n"
        "A,2026-01-03,score changed, 42 \n"
        "A,2026-01-04,score changed,142\n"
        ",2026-01-05,score changed,leadcast\n"
        "A,2026-01-06,visit,\n",
    )
    # Half the rows are our own: they are what a sound log holds, and break no limit.
    summary = run_ingest(tmp_path, {"log": source_of(own_writes=OWN)}, maximum_broken=0.0)
    assert read_log(tmp_path, "event_type, occurred_at::DATE::VARCHAR") == [
        ("visit", "2026-01-01"),
        ("score changed", "2026-01-04"),
        ("visit", "2026-01-06"),
    ]
    assert read_quarantine(tmp_path) == [("log.csv", line, "written by leadcast") for line in (3, 4, 6)]
    (part,) = summary.sources["log"].set_aside.items()
    assert part == ("written by leadcast", 3)
    assert summary.sources["log"].rows == 6 == summary.sources["log"].used + 3


def test_a_wide_row_of_our_own_gives_no_event(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,who,demo,won\nA,ann,2026-01-01,2026-01-02\nA,42,2026-01-03,2026-01-04\n")
    columns = {"lead_id": "lead", "events": {"demo": "demo", "won": "won"}}
    source = {"path": "log.csv", "columns": columns, "known_at": "as_it_occurred", "actor": "lead", "own_writes": OWN}
    run_ingest(tmp_path, {"log": source})
    assert read_log(tmp_path, "event_type") == [("demo",), ("won",)]
    assert {reason for *_, reason in read_quarantine(tmp_path)} == {"written by leadcast"}


def test_without_the_setting_nothing_is_dropped(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what,who\nA,2026-01-02,score changed,leadcast\n")
    run_ingest(tmp_path, {"log": source_of()})
    assert read_log(tmp_path, "event_type") == [("score changed",)]
