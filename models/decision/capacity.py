"""How much time a day has for leads, whose it is, and how much of it is spoken for before anybody new is called.

Time is stated in new leads, calls or hours. A lead in work costs the calls that such leads were measured to cost, a new
one those of the day on which it is taken up; where leads are counted, a lead in work costs nothing:

    9 hours of 0.5 hours a call                      18 calls
    20 leads in work, 0.3 calls each a working day   12 are left
    a new lead costs 1.5 calls                       8 new leads
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import floor
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, MinLen

from features.core.section import SettingsSection
from features.core.time import DAY, Duration
from models.decision.lists import Places

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Unit = Literal["leads", "calls", "hours"]
LEAST = 20
"""New leads, and days of leads in work, from which on what they cost is measured."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Work(SettingsSection):
    """What working on a lead is, what it takes, and how long it may rest."""

    contacts: tuple[Annotated[str, MinLen(1)], ...] = ()
    """The event types that are contacts of ours, as calls and meetings: what leads in work cost is measured by them."""
    call_hours: Annotated[float, Gt(0)] | None = None
    """How many hours a contact takes; needed where capacity is stated in hours."""
    silence: Duration = 14 * DAY
    """A lead in work costs nothing any more that for so long neither was contacted nor did anything."""
    handed_over: tuple[Annotated[str, MinLen(1)], ...] = ()
    """The event types by which sales is handed a lead; named by a fact that is taken, too."""
    touched_within: Annotated[int, Ge(1)] = 2
    """Within how many working days after that of the hand-over a lead is to be contacted; else it is called first."""

    def __post_init__(self) -> None:
        if self.silence <= timedelta(0):
            raise ValueError("silence must be longer than nothing, as in silence: 14d")
        if self.handed_over and not self.contacts:
            raise ValueError("handed_over asks who was contacted since; name the contacts, as in contacts: [call_made]")


@dataclass(frozen=True)
class Costs:
    """How many calls of ours leads were measured to cost."""

    new: float = 1.0
    """Of a lead on the company's day on which it is taken up; at least 1."""
    in_work: float = 1.0
    """Of a lead in work, a working day."""
    new_leads: int = 0
    """On how many leads the first rests; with fewer than LEAST it is not measured, and 1."""
    lead_days: int = 0
    """On how many working days of leads in work the second rests; with fewer than LEAST it is not measured, and 1."""

    @classmethod
    def of(cls, new_leads: int, calls_of_new: int, lead_days: int, calls_in_work: int) -> Costs:
        """Divide calls by what they were made to.

        >>> Costs.of(40, 60, 200, 60)
        Costs(new=1.5, in_work=0.3, new_leads=40, lead_days=200)
        >>> Costs.of(3, 60, 200, 0)
        Costs(new=1.0, in_work=0.0, new_leads=3, lead_days=200)
        """
        new = max(1.0, calls_of_new / new_leads) if new_leads >= LEAST else 1.0
        return cls(new, calls_in_work / lead_days if lead_days >= LEAST else 1.0, new_leads, lead_days)


@dataclass(frozen=True)
class Amount:
    """What somebody's working day has room for."""

    number: float
    unit: Unit = "leads"

    def of_work(self, leads: int, costs: Costs, call_hours: float) -> float:
        """Say how much of it leads in work cost, in its unit."""
        return 0.0 if self.unit == "leads" else leads * costs.in_work * self._a_call(call_hours)

    def of_new(self, costs: Costs, call_hours: float) -> float:
        """Say how much of it a new lead costs, in its unit."""
        return 1.0 if self.unit == "leads" else costs.new * self._a_call(call_hours)

    def places(self, in_work: int, costs: Costs, call_hours: float) -> int:
        """Say how many new leads it has room for, beside some that are in work.

        >>> Amount(9, "hours").places(20, Costs(new=1.5, in_work=0.3), 0.5)
        8
        """
        rest = self.number - self.of_work(in_work, costs, call_hours)
        return max(0, floor(rest / self.of_new(costs, call_hours) + _ROUNDING))

    def _a_call(self, call_hours: float) -> float:
        return call_hours if self.unit == "hours" else 1.0


@dataclass(frozen=True)
class Room:
    """What a day has room for: by who has the time, or the same for each who is not named."""

    of: Mapping[str, Amount] = field(default_factory=dict)
    each: Amount = Amount(0)

    def at(self, who: str) -> Amount:
        """Give the amount of somebody, or of a territory."""
        return self.of.get(who, self.each)


@dataclass(frozen=True)
class Spoken:
    """What is spoken for before a new lead is called, by who has the time."""

    in_work: Mapping[str, int] = field(default_factory=dict)
    """Leads in work that still count."""
    used: Mapping[str, int] = field(default_factory=dict)
    """Leads that were on an earlier list of the day, and were taken up or contacted since."""


def places_of(room: Room, spoken: Spoken, everybody: set[str], costs: Costs, call_hours: float) -> Places:
    """Turn what a day has room for into places of new leads, for ``everybody`` who has leads, or is named."""
    found = {
        who: max(
            0,
            room.at(who).places(spoken.in_work.get(who, 0), costs, call_hours) - spoken.used.get(who, 0),
        )
        for who in sorted({*everybody, *room.of})
    }
    return Places(room.each.places(0, costs, call_hours), found)


def untouched(
    handed: NDArray[np.datetime64],
    taken: NDArray[np.datetime64],
    contacted: NDArray[np.datetime64],
    today: np.datetime64,
    days: NDArray[np.datetime64],
    working: list[bool],
    within: int,
) -> NDArray[np.bool_]:
    """Tell which leads were handed over, and nobody has contacted them beyond the agreed time, each of shape (n,).

    ``handed``, ``taken`` and ``contacted`` say (UTC, missing where never) when a lead was last handed over, taken, and
    contacted; ``days`` are the company's days of the hand-overs, ``today`` that of the decision; ``working`` are the
    weekdays from Monday on. Handed over on a Friday, to be contacted within 2 days, a lead is beyond on Wednesday.
    """
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    waits = ~np.isnat(handed) & (handed == taken) & ~(contacted >= handed)
    found = np.zeros(len(handed), dtype=bool)
    first = days[waits].astype("datetime64[D]") + np.timedelta64(1, "D")
    # A day that begins the count after today is none: it was handed over today.
    first = np.minimum(first, today)
    found[waits] = np.busday_count(first, today, weekmask=working) >= within if any(working) else False
    return found
