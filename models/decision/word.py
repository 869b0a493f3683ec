"""What people said of a lead: it goes before facts and the model, for as long as it holds.

    5 March  SQL until 1 April      SQL whatever its probability, and on 2 April what we say again
    5 March  call on 1 May          until then on no list of sales; from that day on SQL, and at the head of the list
    6 March  (it objects)           disqualified: an objection is outdone by no word

Only what was said last counts: what it replaced does not come back. It is over, too, as soon as the lead converts or is
lost: what comes after that is another episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from features.core.section import SettingsSection
from features.core.time import DAY, Duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class WordPolicy(SettingsSection):
    """How long what people decided holds, where they did not say until when."""

    lasts: Duration = 90 * DAY
    """How long a tier holds, from the decision on."""
    call_for: Duration = 14 * DAY
    """How long a lead stands at the head of the list, from the day on that was agreed on for a call."""

    def __post_init__(self) -> None:
        if min(self.lasts, self.call_for) <= timedelta(0):
            raise ValueError("lasts and call_for must be longer than nothing, as in lasts: 90d")


@dataclass(frozen=True)
class Said:
    """What people said last of each lead, each of shape (leads,); missing where they said nothing."""

    decided_at: NDArray[np.datetime64]
    """In UTC."""
    tier: NDArray[np.str_]
    """Empty where they gave none."""
    call_on: NDArray[np.datetime64]
    """A day, as until is."""
    until: NDArray[np.datetime64]
    """The last day on which it holds."""


@dataclass(frozen=True)
class Word:
    """What people's word comes to on a day, each of shape (leads,)."""

    holds: NDArray[np.bool_]
    tier: NDArray[np.str_]
    """The tier that it gives, empty where it gives none."""
    is_due: NDArray[np.bool_]
    """Whether a call was agreed on for today, or for a day of late."""
    is_later: NDArray[np.bool_]
    """Whether one was agreed on for a day to come."""

    @classmethod
    def of(
        cls,
        policy: WordPolicy,
        said: Said,
        ended: NDArray[np.datetime64],
        as_of: np.datetime64,
        today: np.datetime64,
    ) -> Word:
        """Judge what was ``said`` at ``as_of`` (UTC), on the company's day ``today``.

        ``ended``: when each lead last converted or was lost (UTC), missing where it never did, shape (leads,).
        """
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        counts = ~np.isnat(said.decided_at) & ~(ended > said.decided_at)
        open_ended = np.isnat(said.until)
        has_call, has_tier = ~np.isnat(said.call_on), said.tier != ""
        is_later = counts & has_call & (today < said.call_on)
        called_until = said.call_on.astype("datetime64[us]") + np.timedelta64(policy.call_for)
        is_due = counts & has_call & (today >= said.call_on)
        is_due &= np.where(open_ended, today.astype("datetime64[us]") < called_until, today <= said.until)
        in_time = np.where(open_ended, as_of < said.decided_at + np.timedelta64(policy.lasts), today <= said.until)
        has_tier &= counts & (in_time | is_later)
        tier = np.where(is_due, "SQL", np.where(has_tier, said.tier, "")).astype("U12")
        return cls(is_due | is_later | has_tier, tier, is_due, is_later)

    def over(self, own: NDArray[np.str_], closed: NDArray[np.bool_], rows: slice) -> NDArray[np.str_]:
        """Put it over the tiers that some leads would have without it, ``own``, but for leads that are ``closed``."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        return np.where(self.decides(closed, rows), self.tier[rows], own).astype("U12")

    def decides(self, closed: NDArray[np.bool_], rows: slice) -> NDArray[np.bool_]:
        """Tell whether it says the tiers of some leads, which no objection has ``closed``."""
        says: NDArray[np.bool_] = self.tier[rows] != ""
        return says & ~closed
