"""Who sells where in the sample world: territories, their owners with dates, and the weeks in which nobody is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from pipeline.sample.chain import Integers
from pipeline.sample.company import AWAY, COUNTRIES, COUNTRY_MIX, LARGE_COMPANY, SHIFTED
from pipeline.sample.timeline import DAY, END, ORIGIN, START, WEEKS, microseconds, turn_of

KEY_ACCOUNTS = "key-accounts"
"""The territory of large companies in the largest market; every country is one, too."""
TERRITORIES = (KEY_ACCOUNTS, *(country.lower() for country in COUNTRIES))
_HANDED_OVER_A_LEAD, _SPARE = 0.41, 1.25  # cases opened for each lead of the log, and room for more of them


@dataclass(frozen=True)
class Post:
    """A seller in a territory, from a Monday until another (None: the end of the log); away are (Monday, weeks)."""

    territory: str
    owner: str
    begin: date | None = None
    end: date | None = None
    away: tuple[tuple[date, int], ...] = ()


_CHRISTMAS = (date(2025, 12, 22), 2)
POSTS = (
    Post(KEY_ACCOUNTS, "S01", away=((date(2025, 7, 21), 3), _CHRISTMAS, (date(2026, 4, 27), 1))),
    # S02 leaves, and for three weeks nobody takes over.
    Post("nl", "S02", end=date(2025, 9, 29), away=((date(2025, 8, 4), 3),)),
    Post("nl", "S03", begin=date(2025, 10, 20), away=(_CHRISTMAS, (date(2026, 5, 11), 1))),
    Post("de", "S04", away=((date(2025, 8, 11), 3), _CHRISTMAS, (date(2026, 4, 6), 1))),
    Post("be", "S05", away=((date(2025, 7, 14), 3), _CHRISTMAS)),
    Post("gb", "S06", away=((date(2025, 8, 18), 2), _CHRISTMAS)),
    Post("fr", "S07", away=((date(2025, 8, 4), 4), _CHRISTMAS, (date(2026, 5, 4), 1))),
    Post("pt", "S05", away=((date(2025, 7, 14), 3), _CHRISTMAS)),
    Post("us", "S08", away=((date(2025, 11, 24), 1), _CHRISTMAS)),
)


def territory_of(country: Integers, employees: Integers) -> Integers:
    """Return the place of each lead's territory in TERRITORIES."""
    return np.where((country == 0) & (employees >= LARGE_COMPANY), 0, country + 1).astype(np.int8)


def regimes(shift: int | None) -> Integers:
    """Return the regime of each territory and week, with a row of weeks beyond the log's end for horizons.

    Shape (territories, weeks). Who is away after the log's end is not known; nobody is taken to be.
    """
    away = np.ones((len(TERRITORIES), WEEKS + _BEYOND), dtype=np.int8)
    for post in POSTS:
        weeks = away[TERRITORIES.index(post.territory)]
        weeks[_week(post.begin) or 0 : _week(post.end)] = 0
        for monday, length in post.away:
            first = _week(monday) or 0
            weeks[first : first + length] = 1
    shifted = turn_of(np.arange(WEEKS + _BEYOND)) >= (END + 52 * 7 * DAY if shift is None else shift)
    return away * AWAY + shifted * SHIFTED


_BEYOND = 5  # weeks that a horizon reaches beyond the last turn


def _week(monday: date | None) -> int | None:
    return None if monday is None else (microseconds(monday.year, monday.month, monday.day) - ORIGIN) // (7 * DAY)


def owner_rows(leads: int) -> list[tuple[str, str, str, str, str]]:
    """Who owns a territory from which day until before which, and how many new leads a working day they can take.

    Weeks away are rows of their own, with room for none; the last row has no end.
    """
    large = 0.23  # of the companies, so that a territory's capacity fits its leads
    share = dict(zip(TERRITORIES[1:], COUNTRY_MIX.tolist(), strict=True))
    share[KEY_ACCOUNTS], share["nl"] = share["nl"] * large, share["nl"] * (1 - large)
    working_days = (END - START) / DAY * 5 / 7
    rows = []
    for post in POSTS:
        room = max(1, round(leads * share[post.territory] * _HANDED_OVER_A_LEAD * _SPARE / working_days))
        begin = post.begin or date(2025, 1, 1)
        for monday, length in post.away:
            back = monday + timedelta(weeks=length)
            rows.append((post.territory, post.owner, begin.isoformat(), monday.isoformat(), str(room)))
            rows.append((post.territory, post.owner, monday.isoformat(), back.isoformat(), "0"))
            begin = back
        rows.append(
            (post.territory, post.owner, begin.isoformat(), post.end.isoformat() if post.end else "", str(room))
        )
    return rows
