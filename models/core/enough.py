"""Whether there are outcomes enough to learn from and, where not, when there will be at the pace so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_LONG = timedelta(days=100 * 365.25)
"""Nobody waits so long: what would take longer gets no day."""


@dataclass(frozen=True)
class Pace:
    """The time over which outcomes were counted, as the pace at which more will come."""

    days: float
    """From the first look whose outcome is known to the last one."""
    until: datetime
    """Up to when outcomes are known (UTC): more come after it."""

    def told(self, missing: int, seen: int) -> str:
        """Say when ``missing`` more will be known, if they come as the ``seen`` ones came."""
        if not seen:
            return "there is none so far, so nobody can say when"
        if self.days < 1.0:
            return "all were looked at within a day, which says nothing of when"
        pace, wait = f"at the pace so far ({seen:,} in {self.days:,.0f} days)", self.days * missing / seen
        if wait > _LONG / timedelta(days=1):
            return f"{pace} not within a hundred years"
        return f"{pace} about {self.until + timedelta(days=wait):%Y-%m-%d}"


def told_of_lack(converting: int, others: int, minimum: int, pace: Pace | None = None) -> str | None:
    """Say how many leads are missing that convert, or that have a snapshot which does not; None where none is.

    By a ``pace`` it says when they will be there.
    """
    lacking = []
    for count, what in ((converting, "that convert"), (others, "that don't")):
        if count < minimum:
            when = f", {pace.told(minimum - count, count)}" if pace else ""
            lacking.append(f"{minimum - count:,} more {what}{when}")
    return "; ".join(lacking) or None
