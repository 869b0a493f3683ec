"""What is odd in the raw files is said, with what to do; what is not is left alone."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from raw_logs import LEADS, LINKS, parameters_of, run_ingest, source_of, write_raw

from pipeline.core.project import Project
from pipeline.ingest import stage as ingest

HOURLY = "".join(f"A,2026-01-01T{n:02}:10:00,visit\n" for n in range(10))
HEAD = "lead,at,what\n"


def warnings_of(root: Path, log: str, source: dict[str, Any] | None = None, **settings: Any) -> list[str]:  # noqa: ANN401
    write_raw(root, log_csv=HEAD + log)
    return run_ingest(root, {"log": source or source_of()}, **settings).warnings


def test_a_sound_log_has_no_warnings(tmp_path: Path) -> None:
    write_raw(tmp_path, leads_csv="lead,created\nA,2026-01-01\n")
    assert warnings_of(tmp_path, HOURLY, leads=LEADS) == []


def test_warnings_are_written_and_told(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=HEAD + "A,2026-01-01,visit\n")
    told: list[str] = []
    summary = ingest.run(Project(tmp_path, parameters_of({"log": source_of()})), told.append)
    (warning,) = summary.warnings
    assert f"warning: {warning}" in told
    assert summary.as_json()["warnings"] == [warning]


def test_a_source_without_rows(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=HEAD + HOURLY, other_csv=HEAD)
    warnings = run_ingest(tmp_path, {"log": source_of(), "other": source_of("other.csv")}).warnings
    assert [warning[:30] for warning in warnings] == ["other: its files hold no rows;"]


@pytest.mark.parametrize(("more", "expected"), [(2, False), (3, True)])
def test_duplicates_above_a_fifth(more: int, expected: bool, tmp_path: Path) -> None:
    warnings = warnings_of(tmp_path, HOURLY + "A,2026-01-01T00:10:00,visit\n" * more)
    assert any(f"{more} of {10 + more} rows" in warning and "duplicates" in warning for warning in warnings) is expected


@pytest.mark.parametrize(("more", "expected"), [(2, False), (3, True)])
def test_unknown_leads_above_a_fifth(more: int, expected: bool, tmp_path: Path) -> None:
    write_raw(tmp_path, leads_csv="lead,created\nA,2026-01-01\n")
    strangers = "".join(f"ghost{n},2026-01-01T00:10:00,visit\n" for n in range(more))
    warnings = warnings_of(tmp_path, HOURLY + strangers, leads=LEADS)
    assert any("that the table of leads does not hold" in warning for warning in warnings) is expected
    assert "ghost" not in " ".join(warnings)


def test_a_lead_by_both_kinds_of_ids_that_salesforce_has_is_told(tmp_path: Path) -> None:
    """001D000000IRFmaIAH is the known pair of 001D000000IRFma; the last row has a wrong end, and is another thing."""
    ids = ("001D000000IRFma", "001D000000IRFmaIAH", "001D000000IRFmbIAH")
    warnings = warnings_of(tmp_path, HOURLY + "".join(f"{one},2026-01-01T03:00:00,visit\n" for one in ids))
    assert [warning[:38] for warning in warnings] == ["leads are there twice, 1 of them: by a"]


def test_ids_that_no_identity_names_are_not_missed_in_a_table_that_is_not_there(tmp_path: Path) -> None:
    write_raw(tmp_path, links_csv="alias,lead,at\ncookie,A,2026-01-01\n")
    strangers = "".join(f"ghost{n},2026-01-01T00:10:00,visit\n" for n in range(3))
    (warning,) = warnings_of(tmp_path, HOURLY + strangers, identities=LINKS)
    assert warning.startswith("log: 3 of 13 rows (23%) are of ids that ingest.identities does not name")


@pytest.mark.parametrize(
    ("known_at", "expected"),
    [("as_it_occurred", True), ({"delay": "6h"}, True), ({"delay": "1d"}, False), ({"column": "at"}, False)],
)
def test_days_without_an_hour_that_count_as_known_at_once(known_at: object, expected: bool, tmp_path: Path) -> None:
    days = "".join(f"A,2026-01-{n:02},visit\n" for n in range(1, 10))
    source = source_of(known_at=known_at, time_zone="America/New_York")
    assert any("its times have no hour" in warning for warning in warnings_of(tmp_path, days, source)) is expected
    assert not any("no hour" in warning for warning in warnings_of(tmp_path, days + HOURLY, source))


def test_actors_of_types_that_never_occur(tmp_path: Path) -> None:
    source = source_of(actor={"default": "system", "lead": ["vist", "vis*"], "us": ["W_*"]})
    assert warnings_of(tmp_path, HOURLY, source) == [
        "log: actor.lead lists 'vist', which never occurs; did you mean 'visit'?",
        "log: actor.us lists 'W_*', which never occurs; known are: visit",
    ]


def test_an_attribute_that_is_no_number_in_most_rows(tmp_path: Path) -> None:
    write_raw(tmp_path, leads_csv="lead,created,size,age\nA,2026-01-01,big,1\nB,2026-01-01,small,x\nC,2026-01-01,3,4\n")
    (warning,) = warnings_of(tmp_path, HOURLY, leads=LEADS | {"attributes": {"size": "number", "age": "number"}})
    assert warning.startswith("leads: 2 of 3 values of 'size' are no numbers")


def test_leads_created_in_another_age_or_all_at_once(tmp_path: Path) -> None:
    rows = "".join(f"L{n},2025-06-01T12:00:00.{n},x\n" for n in range(12))
    rows += "".join(f"M{n},198{n}-01-01,x\n" for n in range(8))
    write_raw(tmp_path, leads_csv="lead,created,x\nA,2026-01-01,x\n" + rows)
    old, import_, *rest = warnings_of(tmp_path, HOURLY, leads=LEADS)
    assert old.startswith("leads: 8 were created before 1990")
    assert import_.startswith("leads: 12 of 21 rows (57%) were created in the same second")
    assert not rest


def test_events_before_the_creation_of_their_lead(tmp_path: Path) -> None:
    write_raw(tmp_path, leads_csv="lead,created\nA,2026-01-01T05:00:00\n")
    (warning,) = warnings_of(tmp_path, HOURLY, leads=LEADS)
    assert warning.startswith("events before the creation of their lead: 5 of log;")


@pytest.mark.parametrize(("unit", "expected"), [("epoch_seconds", False), ("epoch_milliseconds", True)])
def test_seconds_that_are_read_as_milliseconds(unit: str, expected: bool, tmp_path: Path) -> None:
    log = "".join(f"A,{1_767_225_600 + 3_600 * hour},visit\n" for hour in range(10))
    warnings = warnings_of(tmp_path, log, source_of(time_format=unit))
    told = [warning for warning in warnings if "before 1990, up to 1970-01-21: seconds that are read as" in warning]
    assert len(told) == expected


def test_a_few_rows_beyond_the_end_of_all_other_sources(tmp_path: Path) -> None:
    """One close date of twenty-one was typed: the end of the log lies there."""
    web = "".join(f"A,2026-01-{day:02}T08:10:00,visit\n" for day in range(1, 29))
    deals = "".join(f"A,2026-01-{day:02}T09:10:00,won\n" for day in range(1, 21))
    write_raw(tmp_path, log_csv=HEAD + web, deals_csv=HEAD + deals + "A,2026-04-20T00:00:00,won\n")
    (warning,) = run_ingest(tmp_path, {"log": source_of(), "deals": source_of("deals.csv")}).warnings
    assert warning.startswith("deals: 1 rows lie up to 2026-04-20, every other source ends on 2026-01-28; ")
    stated = source_of("deals.csv") | {"observed_until": "2026-01-29"}
    assert run_ingest(tmp_path, {"log": source_of(), "deals": stated}).warnings == []


def test_a_source_that_tells_late_ends_with_what_it_told_last(tmp_path: Path) -> None:
    """Wins become known three weeks late: the visits after the last of them were not typed."""
    web = "".join(f"A,2026-01-{day:02}T08:10:00,visit\n" for day in range(1, 21))
    web += "A,2026-02-09T08:10:00,visit\n"
    deals = "A,2026-01-20T09:10:00,won,2026-02-10T09:10:00\n"
    write_raw(tmp_path, log_csv=HEAD + web, deals_csv="lead,at,what,told\n" + deals)
    sources = {"log": source_of(), "deals": source_of("deals.csv") | {"known_at": {"column": "told"}}}
    assert run_ingest(tmp_path, sources).warnings == []
    (warning,) = run_ingest(tmp_path, sources | {"deals": source_of("deals.csv")}).warnings
    assert warning.startswith("log: 1 rows lie up to 2026-02-09, every other source ends on 2026-01-20")


AGREED = {
    "path": "agreed.csv",
    "columns": {"lead_id": "lead", "purpose": "topic", "status": "state", "changed_at": "at"},
}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", ["consents: its files hold no rows, so whoever withdrew or refused counts as open"]),
        ("A,mail,given,2026-01-01\n", []),
        ("A,mail,given,2026-01-01\nghost,mail,withdrawn,2026-01-01\n", ["consents: 1 of 2 rows (50%) are of leads"]),
        (
            "A,mail,given,2026-01-01\nA,mail,unsubscribed,2026-01-02\n",
            ["consents: 1 of 2 rows (50%) can't be read (1 status is none that is known): of these, whoever withdrew"],
        ),
    ],
)
def test_consents_that_close_nothing_are_told(rows: str, said: list[str], tmp_path: Path) -> None:
    write_raw(tmp_path, leads_csv="lead,created\nA,2026-01-01\n", agreed_csv=f"lead,topic,state,at\n{rows}")
    warnings = warnings_of(tmp_path, HOURLY, leads=LEADS, consents=AGREED, maximum_broken=1.0)
    assert [warning[: len(start)] for warning, start in zip(warnings, said, strict=True)] == said
    assert "ghost" not in " ".join(warnings)


@pytest.mark.parametrize(
    ("row", "revised"),
    [
        ("A,2026-01-02,won,d1\n", False),
        ("A,2026-01-03,won,d1\n", False),
        ("A,2026-01-03,lost,d1\n", True),
        ("B,2026-01-03,won,d1\n", True),
        ("A,2026-01-03,lost,d2\n", False),
    ],
)
def test_a_row_that_says_something_else_of_the_same_event_is_told(row: str, revised: bool, tmp_path: Path) -> None:
    deals = source_of("deals.csv")
    deals["columns"] |= {"event_id": "id"}
    write_raw(tmp_path, log_csv=HEAD + HOURLY, deals_csv=f"lead,at,what,id\nA,2026-01-02,won,d1\n{row}")
    warnings = run_ingest(tmp_path, {"log": source_of(), "deals": deals}).warnings
    told = [warning for warning in warnings if warning.startswith("deals: 1 of 1 rows that repeat an event_id")]
    assert len(told) == revised


def test_a_part_whose_days_are_written_the_other_way_round_is_told(tmp_path: Path) -> None:
    days = [date(2025, 1, 1) + timedelta(days=day) for day in range(151)]
    # Of May, which a new tool has written, the days from 13 on can't be read, and the others lie in all months.
    log = {f"{month:02}": "".join(
        f"A{n},{day:%m/%d/%Y},visit\n" if month == 5 else f"A{n},{day:%d/%m/%Y},visit\n"
        for n, day in enumerate(days) if day.month == month
    ) for month in range(1, 6)}  # fmt: skip
    write_raw(tmp_path, **{f"log{month}_csv": HEAD + rows for month, rows in log.items()})
    source = source_of("log*.csv", time_format="%d/%m/%Y", known_at={"delay": "1d"})
    (told,) = [one for one in run_ingest(tmp_path, {"log": source}).warnings if "unreadable" in one]
    assert told.startswith(
        "log: from line 14 of log05.csv on more than half of a stretch of about 1,024 rows have "
        "unreadable occurred_at, elsewhere 0.0%: what can be read there may be wrong, too, as days for months"
    )
    write_raw(tmp_path, log05_csv=HEAD + "A,31/05/2025,visit\n" * 30 + "A,05/31/2025,visit\n" * 20)
    assert not any("unreadable" in one for one in run_ingest(tmp_path, {"log": source}).warnings)
