"""The rhythm of a source: the silences that it has had and the rows of its days; by them it is told whether it stopped.

    web, 160 rows a day      silent for 5 hours at most in 400 days   no row for 29 hours: it has stopped
    outcomes, 4 a day        silent for 70 hours at most              a weekend without one is nothing
    a monthly import         silent for 31 days at most               so is a month

What has been silent for a day longer than ever (files are exported at different hours of a day) is silent, and where
few silences are known, what their longest make likely once in 1,000 nights is allowed for. An outage of before is no
measure, of silences or of days: it excuses none but that of last year's same weeks. A day is thin if so few rows
come by chance less than once in 10,000 spans of four weeks, given the same weekday of eight weeks before, the level of
the last two weeks, and how far the days of this source have strayed from that.

Rows count from when they became known, in minutes; days are those of the source's own time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc

from features.core.time import DAY

FEW = 20
"""Silences below which there is no verdict."""
WATCHED = 28 * DAY
"""How long a thin day matters: so long most windows of features hold it, and the decayed counts a quarter of it."""
REMEMBERED = 400 * DAY
"""How long ago silences count: a year, and the same weeks of the last one; what was before was another company."""
_CHANCE_OF_SILENCE, _CHANCE = 1e-3, 1e-4
"""How often a source that runs may be said to be silent in a night, and to have a hole in four weeks."""
FAR_FEWER = 2 / 3
"""The share of the usual rows from which on a day is none with far fewer, however unlikely."""
_FAR_LONGER, _LEAST_HOLE, _LEAST_MISSED = 1.5, timedelta(hours=6), 1 / 14
"""How many times the longest silence one that is over must have lasted to count as a hole, how long at least, and what
share of a week's rows must have been missed: those of half a day."""
_LEAST_OUTAGE, _MOST_OUTAGES = 5 * DAY, 2
"""How long a silence at least lasts that may be an outage, for holidays around a weekend are none; and how many there
may be: what has happened three times is the way of a source."""
_TOP = 10
"""The longest silences, from whose differences the tail is told."""
_WEEKS, _FEWEST_WEEKS = 8, 3
_LEVEL_DAYS, _FEWEST_LEVEL_DAYS = 14, 7
_FEWEST_DAYS = 14
_LEAST_SPREAD = 0.01
"""Of days, as the square of a share: no source is as even as a die."""
_WHOLE = 0.9
"""The share of a day's rows from which on a day that is not over is judged."""
_YEAR, _WEEKS_AROUND = 364, 10
_MINUTES, _HOURS = 1440, 168
"""Of a day, and of a week."""
_EPOCH = datetime(1970, 1, 1)
_Integers = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arrivals:
    """In which minutes since 1970 (UTC, ascending, each once) rows of a source became known, and how many."""

    minutes: _Integers
    rows: _Integers

    @property
    def last(self) -> datetime:
        """When the last one came, to the minute."""
        return _EPOCH + timedelta(minutes=int(self.minutes[-1]))


@dataclass(frozen=True)
class Calendar:
    """The time zone of a source, and the days on which nothing is expected of it: first and last of each span."""

    zone: str = "UTC"
    closed: tuple[tuple[date, date], ...] = ()

    def local(self, minutes: _Integers) -> _Integers:
        """Turn minutes of UTC into minutes of the zone."""
        if self.zone == "UTC":
            return minutes
        moments = pd.DatetimeIndex(minutes.astype("datetime64[m]").astype("datetime64[s]"), tz="UTC")
        local: _Integers = moments.tz_convert(self.zone).tz_localize(None).to_numpy("datetime64[m]").astype(np.int64)
        return local

    def utc(self, day: date) -> datetime:
        """Tell when a day begins in the zone, in UTC."""
        begin = pd.Timestamp(day).tz_localize(self.zone, ambiguous=True, nonexistent="shift_forward")
        moment: datetime = begin.tz_convert("UTC").tz_localize(None).to_pydatetime()
        return moment

    def has(self, day: date) -> bool:
        """Whether nothing is expected on a day."""
        return any(first <= day <= last for first, last in self.closed)


@dataclass(frozen=True)
class Silences:
    """The silences that a source has had, and how long one may last."""

    count: int
    """Those at least half as long as the average pause: what comes in bursts is no sooner known."""
    longest: timedelta
    usual: timedelta
    """As long as the longest, or as what is likely once in 1,000 nights where that is longer."""
    limit: timedelta
    """Beyond it a source has stopped: what is usual, and at least a day more than the longest."""
    outages: tuple[timedelta, ...] = ()
    """The longest first; they are left out of all the rest."""


@dataclass(frozen=True)
class Hole:
    """A day, or a time, with far fewer rows than such a time has; UTC."""

    begin: datetime
    end: datetime
    day: date | None
    """The day, where it is one."""
    rows: int
    usual: float | None
    """The rows of such days."""
    explained: str | None = None
    """By what, where it is."""

    def __str__(self) -> str:
        if self.day is None:
            hours = (self.end - self.begin) / timedelta(hours=1)
            return f"no row for {hours:.0f} hours from {self.begin:%Y-%m-%d %H:%M} UTC on"
        until = f" up to {self.end:%H:%M} UTC" if self.end - self.begin < timedelta(hours=23) else ""
        return f"{self.day} has {self.rows:,} row{'' if self.rows == 1 else 's'}{until}, such days {self.usual:,.0f}"


def measure_silences(arrivals: Arrivals, until: datetime, calendar: Calendar) -> Silences:
    """Tell how many silences a source has had up to ``until``, and how long the next may last."""
    begins, lengths = _pauses(arrivals, calendar)
    first, past = (_minute(until - (_YEAR + around) * DAY) for around in (_WEEKS_AROUND, -_WEEKS_AROUND))
    last_year = (begins < past) & (begins + lengths > first)
    out = _outages(begins, lengths, until) & ~last_year
    outages = sorted((timedelta(minutes=float(length)) for length in lengths[out]), reverse=True)
    begins, lengths = begins[~out], lengths[~out]
    remembered = _remembered(begins, lengths, until)
    begins, lengths = begins[remembered], lengths[remembered]
    count = _count(lengths)
    longest = usual = float(lengths.max()) if count else 0.0
    if count >= FEW:
        threshold, excess, rate = _tail(lengths, _minute(until) - int(begins[0]))
        usual = max(longest, threshold + excess * _logarithm(rate * excess / _CHANCE_OF_SILENCE))
    limit = max(usual, longest + _MINUTES)
    lasted, likely, allowed = (timedelta(minutes=round(length)) for length in (longest, usual, limit))
    return Silences(count, lasted, likely, allowed, tuple(outages))


def _remembered(begins: _Integers, lengths: _Floats, until: datetime) -> NDArray[np.bool_]:
    """Tell which silences count: all of them where few are young enough."""
    young = begins >= _minute(until - REMEMBERED)
    return young if _count(lengths[young]) >= FEW else np.ones(len(begins), dtype=bool)


def _outages(begins: _Integers, lengths: _Floats, until: datetime) -> NDArray[np.bool_]:
    """Tell which silences were holes themselves: far longer than all others, and than chance lets one of these be."""
    found = np.zeros(len(begins), dtype=bool)
    long = np.flatnonzero(lengths > _LEAST_OUTAGE / timedelta(minutes=1))
    known = _remembered(begins, lengths, until) if len(long) else found
    long = long[known[long]]
    long = long[np.argsort(-lengths[long], kind="stable")]
    for number in range(min(_MOST_OUTAGES, len(long)), 0, -1):
        found[long[:number]] = True
        others = lengths[known & ~found]
        if _count(others) >= FEW:
            threshold, excess, rate = _tail(others, 1.0)
            limit = max(threshold + excess * _logarithm(rate / _CHANCE), _FAR_LONGER * float(others.max()))
            if lengths[long[number - 1]] > limit:
                break
        found[:] = False
    return found


def silent_for(arrivals: Arrivals, until: datetime, calendar: Calendar) -> timedelta:
    """Tell how long a source has been silent at ``until``, closed days left out."""
    last = np.array([arrivals.minutes[-1]])
    return timedelta(minutes=max(0.0, float(_without_closed(last, np.array([_minute(until)]), calendar)[0])))


def find_long_silences(arrivals: Arrivals, until: datetime, calendar: Calendar) -> list[Hole]:
    """Find the silences of the last four weeks that are over and were far longer than all before.

    How long they are is measured in rows that were missed: an afternoon says more than a night, or a Sunday.
    """
    begins, hours = _pauses(arrivals, calendar)
    recent = begins >= _minute(until - WATCHED)
    before = ~recent & (begins >= _minute(until - REMEMBERED)) & ~_outages(begins, hours, until)
    if _count(hours[before]) < FEW:
        return []
    week = _week(arrivals, begins[before], calendar)
    lengths = np.diff(_in_weeks(calendar.local(arrivals.minutes), week)) * hours / np.diff(arrivals.minutes)
    threshold, excess, rate = _tail(lengths[before], int(begins[before][-1] - begins[before][0]))
    watched = WATCHED / timedelta(minutes=1)
    limit = threshold + excess * _logarithm(watched * rate / _CHANCE)
    limit = max(limit, _FAR_LONGER * float(lengths[before].max()), _LEAST_MISSED)
    found = recent & (lengths > limit) & (hours >= _LEAST_HOLE / timedelta(minutes=1))
    return [
        Hole(_EPOCH + timedelta(minutes=int(begins[i])), _EPOCH + timedelta(minutes=int(ends)), None, 0, None)
        for i in np.flatnonzero(found)
        for ends in [arrivals.minutes[i + 1]]
    ]


def _week(arrivals: Arrivals, minutes: _Integers, calendar: Calendar) -> _Floats:
    """Give the share of a week's rows that comes before each of its hours, and before its end."""
    rows = arrivals.rows[np.searchsorted(arrivals.minutes, minutes)]
    hour = calendar.local(minutes) // 60 % _HOURS
    counts = np.bincount(hour, weights=rows, minlength=_HOURS) + 1.0  # few rows say little of hours
    return np.concatenate([[0.0], counts.cumsum() / counts.sum()])


def _in_weeks(minutes: _Integers, week: _Floats) -> _Floats:
    """Turn time into rows: a week's take as long as a week."""
    whole, rest = np.divmod(minutes, _HOURS * 60)
    return np.asarray(whole + np.interp(rest / 60, np.arange(_HOURS + 1), week), dtype=np.float64)


def _pauses(arrivals: Arrivals, calendar: Calendar) -> tuple[_Integers, _Floats]:
    """Give when each pause between rows began, and its length without closed days, in minutes."""
    begins, ends = arrivals.minutes[:-1], arrivals.minutes[1:]
    return begins, _without_closed(begins, ends, calendar)


def _without_closed(begins: _Integers, ends: _Integers, calendar: Calendar) -> _Floats:
    lengths = (ends - begins).astype(np.float64)
    for first, last in calendar.closed:
        opens, closes = _minute(calendar.utc(first)), _minute(calendar.utc(last + DAY))
        lengths -= np.clip(np.minimum(ends, closes) - np.maximum(begins, opens), 0, None)
    return lengths


def _count(lengths: _Floats) -> int:
    return int((lengths >= lengths.mean() / 2).sum()) if len(lengths) else 0


def _tail(lengths: _Floats, span: float) -> tuple[float, float, float]:
    """Give a length that few silences exceed, by how much they do on average, and how many do so in a minute."""
    top = min(_TOP, _count(lengths) // 2)
    longest = np.sort(lengths)[::-1][: top + 1]
    threshold = float(longest[top])
    return threshold, float((longest[:top] - threshold).mean()), top / max(span, 1.0)


def _logarithm(times: float) -> float:
    return float(np.log(times)) if times > 1 else 0.0


@dataclass(frozen=True)
class Days:
    """The rows of each day of a source, what such days have, and which are thin."""

    first: date
    rows: _Integers
    usual: _Floats
    """Not a number where too little came before."""
    thin: NDArray[np.bool_]
    ends: datetime
    """When the last of them ends, or is cut off."""

    def such_days(self, day: date, calendar: Calendar) -> list[date]:
        """Give the days that a day was compared with."""
        before = [day - timedelta(weeks=weeks) for weeks in range(1, _WEEKS + 1)]
        return [other for other in before if other >= self.first and not calendar.has(other)]


def measure_days(arrivals: Arrivals, until: datetime, calendar: Calendar) -> Days:
    """Compare each whole day up to ``until`` with such days, and the last, if it is nearly over, with their same hours.

    Last year's same weeks excuse what they had, too.
    """
    known = arrivals.minutes < _minute(until)
    minutes, rows = calendar.local(arrivals.minutes[known]), arrivals.rows[known]
    end = int(calendar.local(np.array([_minute(until)]))[0])
    first = int(minutes[0]) // _MINUTES + 1  # the log may begin in the middle of a day
    last, cut = divmod(end, _MINUTES)
    length = max(last - first + (1 if cut else 0), 0)
    counts = _by_day(minutes, rows, first, length)
    closed = np.array([calendar.has(_day(first + number)) for number in range(length)], dtype=bool)
    day = minutes // _MINUTES - first
    left_out = closed | (np.arange(length) > day[-1])  # what comes after the last row is judged, and no measure
    for pause in np.flatnonzero(_outages(*_pauses(Arrivals(arrivals.minutes[known], rows), calendar), until)):
        left_out[max(day[pause], 0) : day[pause + 1] + 1] = True
    usual, spread = _usual(counts, left_out)
    thin = _thin(counts, usual, spread) & ~closed
    ends = calendar.utc(_day(first + length))
    if cut and length:
        early = minutes % _MINUTES < cut
        part = _by_day(minutes[early], rows[early], first, length)
        expected, _ = _usual(part, left_out)
        whole = usual[-1] > 0 and expected[-1] >= _WHOLE * usual[-1]
        usual[-1] = expected[-1] if whole else np.nan
        thin[-1] = bool(whole and _thin(counts[-1:], usual[-1:], spread)[0] and not closed[-1])
        ends = until
    thin &= ~_as_last_year(counts, usual, thin)
    return Days(_day(first), counts, usual, thin, ends)


def find_thin_days(days: Days, calendar: Calendar) -> list[Hole]:
    """List the thin days, the oldest first."""
    holes = []
    for number in np.flatnonzero(days.thin):
        day = days.first + timedelta(days=int(number))
        end = days.ends if number == len(days.rows) - 1 else calendar.utc(day + DAY)
        holes.append(Hole(calendar.utc(day), end, day, int(days.rows[number]), float(days.usual[number])))
    return holes


def _by_day(minutes: _Integers, rows: _Integers, first: int, length: int) -> _Integers:
    day = minutes // _MINUTES - first
    inside = (day >= 0) & (day < length)
    return np.bincount(day[inside], weights=rows[inside], minlength=length).astype(np.int64)


def _usual(counts: _Integers, left_out: NDArray[np.bool_]) -> tuple[_Floats, float]:
    """Give what such days have, for each day, and how far the days of the source stray from it.

    The same weekday of the weeks before says how days differ, and the last two weeks how the level has changed since:
    a company grows. Both are medians, so that a day that was missing before hides no other.
    """
    open_rows = np.where(left_out, np.nan, counts.astype(np.float64))
    base = _median([_shifted(open_rows, 7 * week) for week in range(1, _WEEKS + 1)], _FEWEST_WEEKS)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(base > 0, open_rows / base, np.nan)
    level = _median([_shifted(ratio, days) for days in range(1, _LEVEL_DAYS + 1)], _FEWEST_LEVEL_DAYS)
    usual = base * np.where(np.isnan(level), 1.0, level)
    return usual, _spread(open_rows, usual)


def _shifted(values: _Floats, days: int) -> _Floats:
    """Give for each day the value of some days before."""
    return np.concatenate([np.full(min(days, len(values)), np.nan), values[: max(len(values) - days, 0)]])


def _median(columns: Sequence[_Floats], fewest: int) -> _Floats:
    table = np.stack(columns)
    enough = (~np.isnan(table)).sum(axis=0) >= fewest
    result = np.full(table.shape[1], np.nan)
    if enough.any():
        result[enough] = np.nanmedian(table[:, enough], axis=0)
    return result


def _spread(rows: _Floats, usual: _Floats) -> float:
    """Tell by what share days stray beyond pure chance, squared: so that one day in ten lies 1.28 deviations too low.

    Only of low ones, since a newsletter makes high ones; and by that quantile, since days that are missing are no
    measure.
    """
    judged = (usual > 0) & ~np.isnan(rows)
    if judged.sum() < _FEWEST_DAYS:
        return np.nan
    distance, expected = (usual - rows)[judged], usual[judged]
    least, most = _LEAST_SPREAD, 100.0
    for _ in range(40):
        middle = (least * most) ** 0.5
        beyond = np.quantile(distance / np.sqrt(expected + middle * expected**2), 0.9)
        least, most = (middle, most) if beyond > 1.2816 else (least, middle)  # noqa: PLR2004 - of the normal curve
    return float(least)


def _thin(rows: _Integers, usual: _Floats, spread: float) -> NDArray[np.bool_]:
    """Tell which days have far fewer rows than such days, by more than chance: a negative binomial's tail."""
    thin = np.zeros(len(rows), dtype=bool)
    if np.isnan(spread):
        return thin
    judged = np.nan_to_num(usual) > 0
    size = 1 / spread
    tail = betainc(size, rows[judged] + 1.0, size / (size + usual[judged]))
    thin[judged] = (tail < _CHANCE / WATCHED.days) & (rows[judged] < FAR_FEWER * usual[judged])
    return thin


def _as_last_year(rows: _Integers, usual: _Floats, thin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which thin days fell no further than a day of the same weeks, one more or less, of the year before."""
    excused = np.zeros(len(rows), dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(usual > 0, rows / usual, np.nan)
    for number in np.flatnonzero(thin):
        same = ratio[max(number - _YEAR - _WEEKS_AROUND, 0) : max(number - _YEAR + _WEEKS_AROUND + 1, 0)]
        lows = same[~np.isnan(same)]
        excused[number] = len(lows) > 0 and bool(lows.min() < FAR_FEWER and lows.min() <= 1.5 * ratio[number] + 0.05)
    return excused


def _minute(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(minutes=1)


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)
