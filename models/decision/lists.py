"""Who gets an hour today: the leads that are worth one, by what it brings, as far as the hours go.

The tier says what a lead is worth, whoever has time; the list says who has. A lead that is worth an hour and gets none
keeps its tier and its rank, and the list says what it waits for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.decision.word import Word


@dataclass(frozen=True)
class Places:
    """How many leads sales takes up today: in all, or for each value of what says whose a lead is."""

    each: int
    of: Mapping[str, int] = field(default_factory=dict)
    """Values that have a number of their own."""

    def at(self, value: str) -> int:
        """Give the places of a value."""
        return self.of.get(value, self.each)


@dataclass(frozen=True)
class Lists:
    """Each lead's list, its rank among those that are worth an hour, and why it has none, shape (n,)."""

    list: NDArray[np.object_]
    rank: NDArray[np.float64]
    """1 is the first; NaN where the lead is not in question today."""
    reason: NDArray[np.object_]
    """None where the lead gets an hour, or is worth none."""
    left: int | None
    """Places that are left over; None where nobody said how many there are."""
    places: int | None
    """Places that there were; None where nobody said so."""


@dataclass(frozen=True)
class Lot:
    """What chance has decided of leads, each of shape (n,)."""

    worked: NDArray[np.bool_]
    """On the list whatever its tier, before all whose gain decides."""
    left_alone: NDArray[np.bool_]
    """On no list of sales."""


@dataclass(frozen=True)
class Before:
    """What goes before the order of gain, each of shape (n,)."""

    untouched: NDArray[np.bool_]
    """Handed over, and contacted by nobody beyond the agreed time: called before all others."""
    kept: NDArray[np.bool_]
    """On a list of the same day already: it keeps its place."""
    unowned: NDArray[np.bool_]
    """Nobody sells there today."""
    called_accounts: Collection[str] = ()
    """Accounts of which somebody was called today."""

    @classmethod
    def nothing(cls, size: int) -> Before:
        """Leave the order to the gain alone."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        no = np.zeros(size, dtype=bool)
        return cls(no, no, no)


def make_lists(
    tiers: NDArray[np.str_],
    gain: NDArray[np.float64],
    lead_ids: NDArray[np.object_],
    *,
    taken: NDArray[np.bool_],
    no_call: NDArray[np.bool_],
    no_mail: NDArray[np.bool_],
    accounts: NDArray[np.object_],
    owners: NDArray[np.object_],
    places: Places | None,
    before: Before | None = None,
    word: Word | None = None,
    lot: Lot | None = None,
) -> Lists:
    """Part the leads among today's lists, all of shape (n,).

    SQL goes to sales in the order of ``gain``, equal ones by their ids; what is raised by a fact has its gain like any
    other. Of an account (None for none) only the best is called. ``owners`` say whose places a lead takes; without
    ``places`` there are as many as it needs. ``no_call`` and ``no_mail``: whether that way to the lead is closed.
    ``before`` says who comes first whatever its gain, and who has nobody to call it.
    ``word``: what people agreed on; with whom a call is due comes first, and with whom a later one is, waits for it.
    ``lot``: whom chance decides of.
    """
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without
    import pandas as pd  # noqa: PLC0415

    first = before or Before.nothing(len(tiers))
    nobody = np.zeros(len(tiers), dtype=bool)
    later, due = (nobody, nobody) if word is None else (word.is_later, word.is_due)
    worked, left_alone = (nobody, nobody) if lot is None else (lot.worked, lot.left_alone)
    worth, late = (tiers == "SQL") | worked, first.untouched
    reason = np.full(len(tiers), None, dtype=object)
    reason[worth & left_alone] = "left alone"
    worth &= ~left_alone
    reason[worth & later] = "agreed later"
    reason[(worth | late) & no_call] = "channel closed"
    reason[worth & taken & ~late] = "in work"
    asked = np.flatnonzero((worth & ~taken & ~later | late) & ~no_call)
    ids = lead_ids[asked].astype(str)
    # Who has a place keeps it: of an account, too, and where places are fewer than before.
    order = np.lexsort((ids, -gain[asked], ~worked[asked], ~due[asked], ~first.kept[asked], ~late[asked]))
    asked, ids = asked[order], ids[order]
    named = pd.Series(accounts[asked], dtype=object)
    has_place = first.kept[asked]
    second = ((named.duplicated() & named.notna()) | (named.isin(list(first.called_accounts)) & ~has_place)).to_numpy()
    reason[asked[second]] = "account"
    called, ids = asked[~second], ids[~second]
    rank = np.full(len(tiers), np.nan)
    by_rank = np.lexsort((ids, -gain[called], ~worked[called], ~due[called], ~late[called]))
    rank[called[by_rank]] = np.arange(1, len(called) + 1)
    reason[called[late[called]]] = "untouched"
    reason[called[first.unowned[called]]] = "no owner"
    called = called[~first.unowned[called]]
    left = total = None
    if places is not None:
        of_owner = pd.Series(owners[called], dtype=object).fillna("").astype(str)
        number = of_owner.groupby(of_owner, sort=False).cumcount().to_numpy()
        has_place = number < of_owner.map(places.at).to_numpy(np.int64)
        waits = called[~has_place]
        reason[waits[~late[waits]]] = "capacity"
        # Of owners without a lead nothing is known here but those that are named.
        everybody = {*of_owner, *places.of} or {""}
        total = sum(places.at(owner) for owner in everybody)
        left = total - int(has_place.sum())
        called = called[has_place]
    found = np.full(len(tiers), "none", dtype=object)
    found[np.isin(tiers, ("recycled", "MQL")) & ~no_mail & ~late] = "marketing"
    found[called] = "sales"
    return Lists(found, rank, reason, left, total)
