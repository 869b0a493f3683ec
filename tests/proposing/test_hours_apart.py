"""The hour of a day that stands in a column of its own is read with it, and no length is taken for an hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from exports import BEGINNING, write_table
from proposals import ingest, interactions, propose, told

from pipeline.profiling.hours import find_hours
from pipeline.reading.moments import fitting_formats, read_text
from pipeline.reading.texts import with_hour

LEADS = 90


def at(lead: int, step: int) -> datetime:
    return BEGINNING + timedelta(days=lead, hours=9 - 2 * step, minutes=lead % 60)


def test_acts_of_a_day_keep_their_hours_and_their_order(tmp_path: Path) -> None:
    """A later step has the earlier hour: without it all lie at midnight, and nothing tells which came first."""
    kinds = ("Anruf", "Formular", "Gewonnen")
    rows = [
        (f"K{lead}", kind, f"{at(lead, step):%d.%m.%Y}", f"{at(lead, step):%H:%M}", f"00:0{lead % 7}:12")
        for lead in range(LEADS)
        for step, kind in enumerate(kinds if lead % 3 == 0 else kinds[:2])
    ]
    header = ["Kontakt-Nr", "Aktivität", "Datum", "Uhrzeit", "Dauer"]
    write_table(tmp_path / "raw" / "journal.csv", header, rows, delimiter=";", encoding="cp1252")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["sources"]["journal"]["time_of_day"] == {"Datum": "Uhrzeit"}
    assert settings["ingest"]["sources"]["journal"]["known_at"] == "as_it_occurred"
    ingest(tmp_path)
    assert interactions(tmp_path, "lead_id = 'K3'") == sorted(
        ("K3", at(3, step), kind) for step, kind in enumerate(kinds)
    )


def test_queries_read_days_with_their_hours_and_each_day_its_own(tmp_path: Path) -> None:
    rows = []
    for lead in range(LEADS):
        begun, ended = at(lead, 0), at(lead, 1) + timedelta(days=9)
        is_over = lead % 3 < 2
        rows.append(
            (
                f"L{lead}",
                f"{begun:%m/%d/%Y}",
                f"{begun:%I:%M %p}",
                ("web", "fair")[lead % 2],
                ("Won", "Lost", "Open")[lead % 3],
                f"{ended:%m/%d/%Y}" if is_over else "",
                f"{ended:%I:%M %p}" if is_over else "",
            )
        )
    header = ["lead_id", "Created Date", "Created Time", "source", "status", "Close Date", "Close Time"]
    write_table(tmp_path / "raw" / "leads.csv", header, rows)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    ends = [
        (f"L{lead}", at(lead, 1) + timedelta(days=9), ("lead_won", "lead_lost")[lead % 3])
        for lead in range(LEADS)
        if lead % 3 < 2
    ]
    assert interactions(tmp_path) == sorted(ends)
    assert "Time" not in told(tmp_path)


@pytest.mark.parametrize(
    ("columns", "pairs"),
    [
        ({"Datum": "05.01.2026", "Von": "09:15", "Bis": "10:00"}, {"Datum": "Von"}),
        ({"date": "3 mars 2026", "durée": "01:10", "heure": "14h05"}, {"date": "heure"}),
        ({"Date": "Jan 5, 2026", "Talk time": "01:02:03"}, {}),
        ({"Date": "1/5/2026", "Price": "14.30"}, {}),
        ({"Fecha": "05/01/2026", "Hora": "02:30 p. m."}, {"Fecha": "Hora"}),
        ({"Datum": "05.01.26", "Uhrzeit": "9.15 Uhr"}, {"Datum": "Uhrzeit"}),
        ({"Anrufdatum": "5.1.2026", "Anlagedatum": "4.1.2026", "Anlagezeit": "8:15", "Anrufzeit": "9:15"},
         {"Anrufdatum": "Anrufzeit", "Anlagedatum": "Anlagezeit"}),
        ({"created_at": "2026-01-05 08:00:00", "slot": "09:15"}, {}),
        ({"day": "20260105", "clock": "00:15"}, {}),
        ({"date": "20260105", "time": "143005"}, {"date": "time"}),
        ({"Datum": "5.1.2026", "Dauer": "630", "Uhrzeit": "930"}, {"Datum": "Uhrzeit"}),
        ({"call_date": "2026-01-05", "call_hour": "14"}, {"call_date": "call_hour"}),
        ({"date": "2026-01-05", "hours": "14"}, {}),
        ({"date": "2026-01-05", "response_time": "930"}, {}),
        ({"Date": "2026-01-05", "Time": "0.604166"}, {"Date": "Time"}),
    ],
)  # fmt: skip
def test_an_hour_belongs_to_the_day_that_is_called_alike(columns: Mapping[str, str], pairs: Mapping[str, str]) -> None:
    held = {name: f"c{number}" for number, name in enumerate(columns)}
    values: Sequence[str] = [f"'{text}' AS {held[name]}" for name, text in columns.items()]
    with duckdb.connect() as connection:
        assert find_hours(connection, f"(SELECT {', '.join(values)})", held) == (pairs, "")


@pytest.mark.parametrize(
    ("hours", "read"),
    [
        (("14", "9", "0", "14.0"), ("14:00:00", "09:00:00", "00:00:00", "14:00:00")),
        (("1430", "930", "0005", "0"), ("14:30:00", "09:30:00", "00:05:00", "00:00:00")),
        (("143005", "93005", "000000"), ("14:30:05", "09:30:05", "00:00:00")),
        (
            ("0.604166666", "0,25", ".5", "0.75", "0.999999"),
            ("14:30:00", "06:00:00", "12:00:00", "18:00:00", "23:59:59"),
        ),
        (("0.30", "9.30", "2:30 PM"), ("00:30:00", "09:30:00", "14:30:00")),
    ],
)
def test_a_bare_number_beside_a_day_is_its_hour(hours: Sequence[str], read: Sequence[str]) -> None:
    with duckdb.connect() as connection:
        listed = ", ".join(f"'{hour}'" for hour in hours)
        joined = f"SELECT {with_hour('day', 'hour')} FROM (SELECT '05.01.2026' AS day, unnest([{listed}]) AS hour)"
        texts = [text for (text,) in connection.execute(joined).fetchall()]
        (fit,) = [fit for fit in fitting_formats([*texts, "31.01.2026"]) if fit.share == 1]
        moments = connection.execute(
            f"SELECT CAST({read_text('text', fit.formats, 'UTC')} AS VARCHAR) FROM (SELECT unnest(?) AS text)", [texts]
        )
        assert [found for (found,) in moments.fetchall()] == [f"2026-01-05 {hour}" for hour in read]


@pytest.mark.parametrize(
    "hours",
    [
        ("14", "9", "61"),
        ("1", "9", "12"),  # a column beside it may say am or pm
        ("9.5", "14.25", "10"),
        ("930", "1430", "5"),  # five minutes after midnight, or five o'clock
        ("0.604", "0.25", "0.390"),  # 6:00, or a quarter past midnight and some
        ("120", "45", "300"),
    ],
)
def test_a_number_that_may_be_something_else_is_told(hours: Sequence[str]) -> None:
    values = " UNION ALL ".join(f"SELECT '2026-01-05' AS a, '{hour}' AS b" for hour in hours)
    with duckdb.connect() as connection:
        pairs, said = find_hours(connection, f"({values})", {"day": "a", "hour": "b"})
    assert pairs == {}
    assert said.startswith("hour may say at which hour of a day, and holds bare numbers of which none knows how")


def test_an_hour_of_which_nobody_knows_the_day_is_told() -> None:
    values = "'2026-01-05' AS a, '10:00' AS b, '2026-01-06' AS c, 'x' AS d, '11:00' AS e"
    held = {"signed": "a", "signed_time": "b", "visited": "c", "word": "d", "um": "e"}
    with duckdb.connect() as connection:
        pairs, said = find_hours(connection, f"(SELECT {values})", held)
    assert pairs == {"signed": "signed_time"}
    assert said == "um may say at which hour of a day, and of which is not known: time_of_day says it"
