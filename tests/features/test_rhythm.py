"""The rhythm of a source: hand-made ones whose answer is plain, and drawn ones whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rhythms import KINDS, Kind, measure_kind
from features.core.time import DAY, HOUR
from features.timeline.rhythm import (
    Arrivals,
    Calendar,
    find_long_silences,
    find_thin_days,
    measure_days,
    measure_silences,
    silent_for,
)
from features.timeline.source_state import Declared, SourceState, judge_source, leads_ended
from pipeline.ingest.rhythms import lacks_one_campaign

MONDAY = datetime(2025, 1, 6)
UTC = Calendar()


def at(moments: Sequence[datetime]) -> Arrivals:
    """Give arrivals of rows at moments."""
    minutes = np.array([(moment - datetime(1970, 1, 1)) // timedelta(minutes=1) for moment in moments])
    unique, rows = np.unique(minutes, return_counts=True)
    return Arrivals(unique.astype(np.int64), rows.astype(np.int64))


def regular(every: timedelta, count: int) -> Arrivals:
    return at([MONDAY + number * every for number in range(count)])


def office(days: int, rows: int, weekend: int = 0, missing: Sequence[int] = ()) -> list[datetime]:
    """List rows of working hours, 9 to 17, as many on every weekday, but for the days that are missing."""
    moments = []
    for day in range(days):
        count = (weekend if day % 7 > 4 else rows) if day not in missing else 0
        moments += [MONDAY + day * DAY + 9 * HOUR + number * 8 * HOUR / max(count, 1) for number in range(count)]
    return moments


def judged(arrivals: Arrivals, until: datetime, declared: Declared | None = None) -> SourceState:
    return judge_source(arrivals, arrivals.last, until, declared or Declared(), lambda *_: None)


def test_a_source_with_a_row_every_six_hours_may_be_silent_for_a_day_more() -> None:
    silences = measure_silences(regular(6 * HOUR, 101), MONDAY + 600 * HOUR, UTC)
    assert (silences.count, silences.longest, silences.limit) == (100, 6 * HOUR, 30 * HOUR)
    end = MONDAY + 600 * HOUR
    assert judged(regular(6 * HOUR, 101), end + 30 * HOUR).state == "running"
    stopped = judged(regular(6 * HOUR, 101), end + 31 * HOUR)
    assert (stopped.state, stopped.since, stopped.reaches) == ("silent", end, end)
    assert stopped.evidence == (
        "no row became known since 2025-01-31 00:00 UTC, for 31 hours; its longest silence of 100 lasted 6 hours"
    )


def test_a_monthly_import_may_be_silent_for_a_month() -> None:
    firsts = [datetime(2024 + month // 12, month % 12 + 1, 1, 3) for month in range(24)]
    assert judged(at(firsts), datetime(2025, 12, 31)).state == "running"
    assert judged(at(firsts), datetime(2026, 1, 5)).state == "silent"


def test_no_outcome_over_a_weekend_is_no_news_and_none_for_a_week_is() -> None:
    moments = office(140, 3)  # the last one on a Friday at 14:20
    friday = max(moments)
    assert friday.weekday() == 4
    assert judged(at(moments), friday + 64 * HOUR).state == "running"
    assert judged(at(moments), friday + 7 * DAY).state == "silent"


def test_under_twenty_silences_there_is_no_verdict() -> None:
    few = judged(regular(DAY, 20), MONDAY + 400 * DAY)
    assert (few.state, few.reaches) == ("unjudged", None)
    assert few.evidence == "too few silences to tell its rhythm: 19, and 20 are needed"
    assert judged(regular(DAY, 21), MONDAY + 400 * DAY).state == "silent"


def test_rows_that_come_in_bursts_are_no_silences_between_them() -> None:
    """Ten visits of eleven pages each: a hundred pauses of a minute, and nine that tell something."""
    minute = timedelta(minutes=1)
    bursts = at([MONDAY + 3 * day * DAY + page * minute for day in range(10) for page in range(11)])
    assert measure_silences(bursts, MONDAY + 40 * DAY, UTC).count == 9


def test_what_a_company_did_long_ago_does_not_excuse_a_silence() -> None:
    pilot = [MONDAY + 20 * number * DAY for number in range(10)]
    since = [MONDAY + 200 * DAY + number * HOUR for number in range(420 * 24)]
    silences = measure_silences(at([*pilot, *since]), max(since), UTC)
    assert silences.longest == HOUR


def test_a_source_that_ends_a_few_hours_before_the_others_reaches_no_further() -> None:
    arrivals = regular(HOUR, 60 * 24)
    behind = judged(arrivals, arrivals.last + 16 * HOUR)
    assert (behind.state, behind.reaches) == ("running", arrivals.last)
    assert judged(arrivals, arrivals.last + HOUR).reaches is None


def test_a_stated_end_is_no_silence_and_what_comes_after_it_is_counted() -> None:
    arrivals = regular(HOUR, 60 * 24)
    stated = judged(arrivals, arrivals.last + 30 * DAY, Declared(observed_until=arrivals.last))
    assert (stated.state, stated.reaches, stated.rows_after) == ("running", arrivals.last, 0)
    early = judged(arrivals, arrivals.last, Declared(observed_until=arrivals.last - 5 * HOUR))
    assert (early.reaches, early.rows_after) == (arrivals.last - 5 * HOUR, 5)


def test_what_leads_do_fades_when_no_more_come_and_an_old_file_just_ends() -> None:
    """A lead every six hours until day 100, with ten acts in its first ten days; the outcomes reach to day 150."""
    acts = [MONDAY + lead * 6 * HOUR + act * DAY for lead in range(401) for act in range(10)]
    leads = regular(6 * HOUR, 401)
    until = MONDAY + 150 * DAY
    assert leads_ended(leads, until) == leads.last == MONDAY + 100 * DAY
    assert leads_ended(leads, leads.last + DAY) is None

    def state(moments: list[datetime], last_lead: datetime | None) -> SourceState:
        arrivals = at(moments)
        return judge_source(arrivals, arrivals.last, until, Declared(), lambda *_: None, last_lead)

    faded = state(acts, leads.last)
    assert (faded.state, faded.reaches, faded.holes) == ("quiet", None, ())
    assert "no lead was created since 2025-04-16 00:00 UTC, and its rows faded then" in faded.evidence
    assert state(acts, None).state == "silent"
    read_so_far = [moment for moment in acts if moment <= leads.last]
    assert state(read_so_far, leads.last).state == "silent", "both files are old"


def test_what_is_declared_is_not_judged() -> None:
    arrivals = regular(HOUR, 60 * 24)
    until = arrivals.last + 90 * DAY
    closed = judged(arrivals, until, Declared(closed=datetime(2025, 3, 7)))
    assert (closed.state, closed.reaches, closed.rows_after) == ("closed", None, 0)
    assert judged(arrivals, until, Declared(closed=datetime(2025, 2, 1))).rows_after == 33 * 24
    assert judged(arrivals, until, Declared(quiet=True)).state == "quiet"
    later = judged(arrivals, arrivals.last, Declared(closed=datetime(2030, 1, 1)))
    assert (later.state, later.closes) == ("running", datetime(2030, 1, 1))
    assert closed.closes is None


def test_closed_days_are_no_silence() -> None:
    arrivals = at(office(140, 12))
    monday = MONDAY + 140 * DAY
    easter = Calendar("UTC", ((date(2025, 5, 26), date(2025, 6, 1)),))  # the week after the last row
    assert silent_for(arrivals, monday + 7 * DAY, UTC) - silent_for(arrivals, monday + 7 * DAY, easter) == 7 * DAY
    assert judged(arrivals, monday + 7 * DAY).state == "silent"
    assert judged(arrivals, monday + 7 * DAY, Declared(easter)).state == "running"


def thin(moments: Sequence[datetime], until: datetime, calendar: Calendar = UTC) -> list[str]:
    return [str(hole) for hole in find_thin_days(measure_days(at(moments), until, calendar), calendar)]


def test_a_day_that_is_missing_is_found_and_named_on_the_night_and_on_the_next() -> None:
    """100 rows on weekdays, 20 on weekend days: Wednesday of the 17th week is missing."""
    wednesday = 16 * 7 + 2
    moments = office(120, 100, 20, missing=[wednesday])
    told = "2025-04-30 has 0 rows, such days 100"
    assert thin(moments, MONDAY + (wednesday + 1) * DAY) == [told]
    assert thin(moments, MONDAY + (wednesday + 2) * DAY) == [told]
    assert thin(moments, MONDAY + wednesday * DAY) == []
    night = judged(at(moments), MONDAY + (wednesday + 1) * DAY)
    assert (night.state, night.evidence) == ("thin", told)
    later = office(150, 100, 20, missing=[wednesday])
    until = [MONDAY + (wednesday + days) * DAY for days in (28, 30)]
    assert judged(at([moment for moment in later if moment < until[0]]), until[0]).state == "thin"
    long_ago = judged(at([moment for moment in later if moment < until[1]]), until[1])
    assert long_ago.state == "running"
    assert [str(hole) for hole in long_ago.holes] == [told]


def test_a_day_that_is_not_over_is_compared_with_the_same_hours_or_not_at_all() -> None:
    moments = office(120, 100, 20)
    friday = MONDAY + 116 * DAY
    half = [moment for moment in moments if moment < friday + 11 * HOUR]
    assert thin(half, friday + 11 * HOUR) == []  # the morning says nothing yet
    assert thin([moment for moment in half if moment < friday], friday + 11 * HOUR) == []
    assert thin(half, friday + 17 * HOUR) == ["2025-05-02 has 25 rows up to 17:00 UTC, such days 100"]
    assert thin([moment for moment in moments if moment < friday + 17 * HOUR], friday + 17 * HOUR) == []


def test_the_days_are_those_of_the_zone() -> None:
    amsterdam = Calendar("Europe/Amsterdam")
    moments = [
        moment - 2 * HOUR for moment in office(120, 100, 20, missing=[114])
    ]  # in summer, UTC is two hours behind
    (hole,) = find_thin_days(measure_days(at(moments), MONDAY + 116 * DAY, amsterdam), amsterdam)
    assert (hole.day, hole.begin, hole.end) == (
        date(2025, 4, 30),
        datetime(2025, 4, 29, 22),
        datetime(2025, 4, 30, 22),
    )


def test_a_stated_holiday_is_right_and_spoils_no_later_comparison() -> None:
    weeks = [7 * week + 2 for week in range(12, 17)]  # Wednesdays are closed from the 13th week on
    spans = tuple((MONDAY.date() + timedelta(days=day), MONDAY.date() + timedelta(days=day)) for day in weeks[:-1])
    moments = office(120, 100, 20, missing=weeks)
    assert thin(moments, MONDAY + 116 * DAY, Calendar("UTC", spans)) == ["2025-04-30 has 0 rows, such days 100"]
    assert len(thin(moments, MONDAY + 116 * DAY)) > 1


def test_last_year_s_same_weeks_explain_a_holiday_and_nothing_else() -> None:
    """Christmas 2025 and 2026, on a Thursday and on a Friday, and a day in November."""
    days = (date(2027, 1, 10) - MONDAY.date()).days
    christmas = [(date(year, 12, day) - MONDAY.date()).days for year in (2025, 2026) for day in (24, 25)]
    november = (date(2026, 11, 17) - MONDAY.date()).days
    told = thin(office(days, 100, 20, missing=[*christmas, november]), MONDAY + days * DAY)
    assert told == [f"{day} has 0 rows, such days 100" for day in ("2025-12-24", "2025-12-25", "2026-11-17")]


def test_growth_is_no_reason_and_a_level_that_has_lasted_is_the_new_one() -> None:
    def level(day: int) -> int:
        return 300 if day < 100 else 120

    moments = [MONDAY + day * DAY + number * DAY / level(day) for day in range(130) for number in range(level(day))]
    days = [hole.day for hole in find_thin_days(measure_days(at(moments), MONDAY + 130 * DAY, UTC), UTC)]
    assert days == [date(2025, 4, 16) + timedelta(days=number) for number in range(7)]
    rising = [moment for day in range(130) for moment in [MONDAY + day * DAY] * (50 + 2 * day)]
    falling = [moment for day in range(130) for moment in [MONDAY + day * DAY] * (320 - 2 * day)]
    assert thin(rising, MONDAY + 130 * DAY) == thin(falling, MONDAY + 130 * DAY) == []


def busy(days: int, rows: int, missing: Sequence[tuple[int, int]] = ()) -> list[datetime]:
    """List rows that come round the clock, but for the spans of days that are missing."""
    return [
        MONDAY + number * DAY / rows
        for number in range(days * rows)
        if not any(first * rows <= number < past * rows for first, past in missing)
    ]


@pytest.mark.parametrize("days", [90, 120])
@pytest.mark.parametrize("outage", [3, 5, 8, 12])
@pytest.mark.parametrize("dead", [2, 5, 10])
def test_an_outage_of_before_excuses_no_end(days: int, outage: int, dead: int) -> None:
    """A row every nine minutes; an outage in the middle, and nothing at the end."""
    until = MONDAY + days * DAY
    moments = busy(days, 160, [(days // 2, days // 2 + outage), (days - dead, days)])
    state = judged(at(moments), until)
    assert state.state in ("silent", "thin")
    assert state.reaches == max(moments).replace(second=0)
    before = [moment for moment in busy(days, 160, [(days // 2, days // 2 + outage)]) if moment < until]
    lately = judged(at(before), until + 60 * DAY)
    assert (lately.state, lately.reaches) == ("silent", at(before).last)


def test_an_outage_is_told_and_is_not_the_longest_silence() -> None:
    """400 days with a row every nine minutes, of which 45 are missing; then none for 42 days."""
    moments = busy(400, 160, [(100, 145)])
    silences = measure_silences(at(moments), MONDAY + 400 * DAY, UTC)
    assert (silences.longest, silences.outages) == (timedelta(minutes=9), (45 * DAY + timedelta(minutes=9),))
    state = judged(at(moments), MONDAY + 442 * DAY)
    assert (state.state, state.reaches) == ("silent", at(moments).last)
    assert state.evidence.endswith("lasted 9 minutes, but for an outage of 45 days")
    assert judged(at(moments), MONDAY + 400 * DAY).state == "running", "it runs again since long ago"


def test_two_outages_excuse_no_end_either() -> None:
    moments = busy(120, 160, [(40, 48), (70, 82), (115, 120)])
    state = judged(at(moments), MONDAY + 120 * DAY)
    assert (state.state, state.reaches) == ("silent", at(moments).last)
    assert state.evidence.endswith("lasted 9 minutes, but for outages of 12 days and 8 days")


def test_days_after_an_outage_are_compared_with_those_before_it() -> None:
    """What is missing 3 days after an outage of 20 is found, and every day of the outage is."""
    moments = busy(120, 160, [(80, 100), (103, 104)])
    days = [hole.day for hole in find_thin_days(measure_days(at(moments), MONDAY + 120 * DAY, UTC), UTC)]
    assert days == [(MONDAY + day * DAY).date() for day in (*range(80, 100), 103)]


def test_a_source_that_pauses_regularly_runs() -> None:
    """Three weeks of every ten without a row: the last of them is as all were."""
    pauses = [(first, first + 21) for first in range(49, 400, 70)]
    moments = busy(399, 40, pauses)
    silences = measure_silences(at(moments), MONDAY + 399 * DAY, UTC)
    assert silences.outages == ()
    for days in (1, 5, 14, 21):
        until = MONDAY + (pauses[-1][0] + days) * DAY
        state = judged(at([moment for moment in moments if moment < until]), until)
        assert state.state == "running", days
    assert judged(at([moment for moment in moments if moment < until]), until + 70 * DAY).state == "silent"


def test_a_pause_of_last_year_s_same_weeks_is_no_outage() -> None:
    """Closed for three weeks every summer, with three rows a day."""
    summer = 200
    moments = busy(summer + 364, 3, [(summer, summer + 21)])
    pause = at(moments)
    assert judged(pause, MONDAY + (summer + 364 + 20) * DAY).state == "running"
    assert judged(pause, MONDAY + (summer + 364 + 23) * DAY).state == "silent"
    spring = at([moment for moment in moments if moment < MONDAY + (summer + 264) * DAY])
    assert judged(spring, MONDAY + (summer + 264 + 5) * DAY).state == "silent"


def test_a_stray_row_does_not_end_an_outage() -> None:
    """Of the last 40 days only the last one has a row."""
    state = judged(at([*busy(160, 160), MONDAY + 199.5 * DAY]), MONDAY + 200 * DAY)
    since = MONDAY + 160 * DAY
    assert (state.state, state.since, state.reaches) == ("thin", since, since)


def test_half_a_day_without_a_row_is_found_where_there_is_one_every_few_minutes() -> None:
    begin = MONDAY + 100 * DAY + 9 * HOUR
    moments = [MONDAY + number * timedelta(minutes=4) for number in range(110 * 360)]
    kept = [moment for moment in moments if not begin < moment < begin + 12 * HOUR]
    (hole,) = find_long_silences(at(kept), MONDAY + 110 * DAY, UTC)
    assert str(hole) == "no row for 12 hours from 2025-04-16 09:00 UTC on"
    assert judged(at(kept), MONDAY + 110 * DAY).state == "thin"
    assert find_long_silences(at(moments), MONDAY + 110 * DAY, UTC) == []


def test_a_day_that_lacks_one_campaign_is_told_from_one_that_lacks_everything() -> None:
    such = [{None: 60, "spring": 100, "brand": 40}] * 4
    assert lacks_one_campaign({None: 58, "brand": 41}, such) == "spring"
    assert lacks_one_campaign({None: 58, "brand": 41, "spring": 3}, such) == "spring"
    assert lacks_one_campaign({}, such) is None
    assert lacks_one_campaign({None: 30, "brand": 20, "spring": 50}, such) is None
    assert lacks_one_campaign({"spring": 99, "brand": 40}, such) is None, "the rows without a campaign are gone"
    weekly = [{None: 60, f"news {week}": 500} for week in range(4)]
    assert lacks_one_campaign({None: 55}, weekly) == "news 3"


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=60), st.integers(0, 100_000))
def test_any_log_is_judged(minutes: list[int], later: int) -> None:
    arrivals = at([MONDAY + timedelta(minutes=minute) for minute in minutes])
    state = judged(arrivals, arrivals.last + timedelta(minutes=later))
    assert state.state in ("running", "thin", "silent", "unjudged")
    assert (state.state == "unjudged") == (measure_silences(arrivals, state.judged_at or MONDAY, UTC).count < 20)
    assert state.to_json()["since"] is None or state.state in ("thin", "silent")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_healthy_sources_run_and_those_that_stop_are_found(kind: Kind) -> None:
    """A small version of the benchmark."""
    found = measure_kind(kind, worlds=4, nights=3)
    assert found.alarms <= 1
    assert found.days_found == found.days_missing
    assert found.halves_found == found.halves_missing
    assert found.stops_found_late < 3
