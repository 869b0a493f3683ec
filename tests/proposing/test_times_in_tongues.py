"""Times with the months, days of the week and clocks of other tongues are read as what they say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table

from pipeline.core.sql import open_reader
from pipeline.profiling.profile import profiles
from pipeline.profiling.tables import opened
from pipeline.reading.moments import fitting_formats, read_text

TONGUES = {
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre "
    "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember "
    "Jan. Feb. Mrz Apr. Mai Jun. Jul. Aug. Sept. Okt. Nov. Dez.",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre "
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre "
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december "
    "jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro "
    "jan fev mar abr mai jun jul ago set out nov dez",
}
WRITTEN = {
    "lun. 5 mai 2026 14:03": datetime(2026, 5, 5, 14, 3),
    "mar. 3 mars 2026 09:00": datetime(2026, 3, 3, 9),
    "mardi 3 mars 2026 à 14h30": datetime(2026, 3, 3, 14, 30),
    "1er août 2026": datetime(2026, 8, 1),
    "Montag, 3. März 2026": datetime(2026, 3, 3),
    "Di, 24.03.2026 14:30": datetime(2026, 3, 24, 14, 30),
    "25.03.2026 um 9:30 Uhr": datetime(2026, 3, 25, 9, 30),
    "25/03/2026 14h30": datetime(2026, 3, 25, 14, 30),
    "3 de marzo de 2026": datetime(2026, 3, 3),
    "12-ene-2026": datetime(2026, 1, 12),
    "25/03/2026 02:30:05 p. m.": datetime(2026, 3, 25, 14, 30, 5),
    "25/03/2026 12:05 a.m.": datetime(2026, 3, 25, 0, 5),
    "12 gen 2026, 14.30": datetime(2026, 1, 12, 14, 30),
}


def read(texts: Sequence[str]) -> list[datetime | None]:
    """Read texts by the formats that are proposed for them."""
    formats = fitting_formats(texts)[0].formats
    with open_reader() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        asked = f"SELECT {read_text('text', formats, 'UTC')} FROM (SELECT unnest(?) AS text)"
        return [moment for (moment,) in connection.execute(asked, [list(texts)]).fetchall()]


@pytest.mark.parametrize("months", TONGUES.values(), ids=TONGUES)
def test_months_are_read_in_the_tongues_of_those_who_write_them(months: str) -> None:
    names = months.split()
    texts = [f"{number + 1}. {name} 2026 08:15" for number, name in enumerate(names)]
    assert read(texts) == [datetime(2026, number % 12 + 1, number + 1, 8, 15) for number in range(24)]


@pytest.mark.parametrize(("text", "moment"), WRITTEN.items(), ids=WRITTEN)
def test_a_time_is_what_its_writer_meant(text: str, moment: datetime) -> None:
    assert read([text]) == [moment]


@pytest.mark.parametrize("text", ["12 Brumaire 2026", "2026-W05", "Mai 2026 Straße 12", "1.770.000.000.000"])
def test_what_is_no_time_fits_no_format(text: str) -> None:
    assert fitting_formats([text]) == []


@pytest.mark.parametrize("form", ["%d.%m.%y", "%y/%m/%d", "%d-%m-%y"])
def test_the_year_of_two_digits_is_the_one_that_keeps_times_together(form: str, tmp_path: Path) -> None:
    """By the other order the days of a spring lie in thirty years; nobody needs to be asked."""
    days = [BEGINNING + timedelta(days=number) for number in range(90)]
    write_table(tmp_path / "log.csv", ["id", "Datum"], [(number, f"{day:{form}}") for number, day in enumerate(days)])
    with opened(tmp_path, None, (), lambda _: None) as tables:
        assert profiles(tables)["log"].columns["Datum"].formats == (form,)


def test_day_and_month_that_fit_both_ways_are_asked_for_all_the_same(tmp_path: Path) -> None:
    days = [f"{day:02d}/{month:02d}/2025" for day in range(1, 13) for month in range(1, 13)]
    write_table(tmp_path / "log.csv", ["id", "Datum"], list(enumerate(days)))
    with opened(tmp_path, None, (), lambda _: None) as tables:
        assert profiles(tables)["log"].columns["Datum"].is_ambiguous
