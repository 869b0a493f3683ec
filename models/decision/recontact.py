"""When to come back to a lead that was lost, or fell silent; or whether to close it.

Time since the loss is cut into months of 30 days. Of those lost for a reason and not back when a month begins, a share
comes back within it: its hazard (Cox 1972, of discrete times). What is left when all months that can be seen are over
is the share that never comes back, as far as anybody can tell (Maller & Zhou 1992). A contact pays what comes of those
that are back within the month after it:

    month since the loss            2        3        4        5
    not back when it begins       400      290      180       90     fewer, for many were lost too lately
    back within it                  0       29       14        5
    hazard                          0      .10      .08      .06
    of the returned, converted      -      .20      .15      .10     drawn together as far as they differ by chance
    a contact pays                  0     .020     .012     .006     so: from month 3 on, 90 days after the loss

Of months that pay as well as the best, within two standard errors of the difference, it is the first. A month that was
not over by the moment is not counted, of those that came back in it either: who was lost lately has not yet had the
time, and is no one who never comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Lt

from features.core.section import SettingsSection
from features.core.time import DAY, Duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Basis = Literal["rates", "pause", "close"]
MONTH = 30 * DAY
DUE_FOR = MONTH
"""How long after its date a lead is due: the month that pays. It is not said a second time."""
MONTHS_OF_A_YEAR = 12
FEWEST_AT_RISK = 30
"""A month of which fewer were seen says nothing."""
_ERRORS = 2.0
"""The best is the month that surely pays most; an earlier one is as good that pays less by no more than these."""
_LEAST = 0.5
"""A month that pays less than this share of the best is not as good, however little is known."""
_TWO_SIDED = 1.96


@dataclass(frozen=True)
class RecontactPolicy(SettingsSection):
    """When to come back to a lead that was lost, or is quiet."""

    pause: Duration = 90 * DAY
    """How long after the loss, or the last act, where too few have come back to tell when it pays."""
    fewest_returns: Annotated[int, Ge(2)] = 30
    """With fewer that came back of those lost for a reason, pause says when."""
    close_below: Annotated[float, Gt(0), Lt(1)] = 0.02
    """Where surely a smaller share than this comes back within a year, a lead is to be closed."""

    def __post_init__(self) -> None:
        if self.pause <= timedelta(0):
            raise ValueError("pause must be longer than nothing, as in pause: 90d")


@dataclass(frozen=True)
class Followed:
    """Leads that were lost, or fell silent, and what became of them, each of shape (n,); times in UTC."""

    groups: NDArray[np.object_]
    """The reason of the loss."""
    since: NDArray[np.datetime64]
    until: NDArray[np.datetime64]
    """Up to when each was followed, whether or not it came back."""
    returned: NDArray[np.datetime64]
    """Missing where it has not come back, as the next."""
    converted: NDArray[np.datetime64]


@dataclass(frozen=True)
class Rates:
    """How those of a group came back, by months since: counts of shape (months,)."""

    followed: int
    """How many there are, however lately they were lost."""
    at_risk: NDArray[np.int64]
    """Who was not back when the month began, and is followed to its end."""
    returned: NDArray[np.int64]
    """Who came back within it."""
    pays: NDArray[np.float64]
    """The share of those at risk that comes back within the month, and then converts."""
    errors: NDArray[np.float64]
    """The standard errors of that."""
    first: int
    """The first month in which anybody can come back."""

    @property
    def months(self) -> int:
        """How many months say something: enough leads were followed to their ends."""
        return int((self.at_risk >= FEWEST_AT_RISK).sum())

    @property
    def returns(self) -> int:
        """How many came back in them."""
        return int(self.returned[: self.months].sum())

    def came_back(self) -> tuple[float, int]:
        """Give the share that came back within the months that say something, and by when half of these had begun to.

        The second is a number of months: half of those that came back did so after it, or more.
        """
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        seen = slice(0, self.months)
        by = 1.0 - np.cumprod(1.0 - self.returned[seen] / self.at_risk[seen])
        if not self.returns:
            return 0.0, 0
        return float(by[-1]), int(np.searchsorted(by, by[-1] / 2.0))

    def waited(self, now: int) -> tuple[int, int]:
        """Count the months of waiting from the month ``now`` on, over all leads, and who came back in them."""
        rest = slice(max(now, self.first), self.months)
        return int(self.at_risk[rest].sum()), int(self.returned[rest].sum())

    def closing(self, policy: RecontactPolicy, now: int) -> tuple[int, int] | None:
        """Give the months of waiting, and the returns in them, that close a lead in its month ``now``; None if none do.

        All of its group do, or those who were still away by then.
        """
        for waited, returns in (self.waited(self.first), self.waited(now)):
            if waited and _of_a_year(_at_most(returns, waited)) < policy.close_below:
                return waited, returns
        return None

    def choose(self, policy: RecontactPolicy, now: int) -> tuple[Basis, int]:
        """Say from which month on to come back to a lead that is in its month ``now``, and what says so.

        Of ``pause`` and ``close`` the month says nothing.
        """
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        if self.closing(policy, now):
            return "close", 0
        if self.waited(now)[1] < policy.fewest_returns:
            return "pause", 0
        start = max(now, self.first)
        pays, errors = self.pays[start : self.months], self.errors[start : self.months]
        best = int(np.where(pays > 0.0, pays - _ERRORS * errors, -np.inf).argmax())
        as_good = (pays >= pays[best] - _ERRORS * np.hypot(errors[best], errors)) & (pays >= _LEAST * pays[best])
        return "rates", start + int(as_good.argmax())


def rates_of(
    followed: Followed, horizon: timedelta, outcomes_until: np.datetime64, pause: timedelta
) -> Mapping[str, Rates]:
    """Count how those of each group came back.

    Who came back converts where it does so within ``horizon`` of that; who came back less than this before
    ``outcomes_until`` says nothing of it. Nobody can be back before ``pause``.
    """
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    if not len(followed.since):
        return {}
    names, group = np.unique(followed.groups.astype(str), return_inverse=True)
    month, within = np.timedelta64(MONTH), np.timedelta64(horizon)
    whole = np.maximum((followed.until - followed.since) // month, 0)
    is_back = ~np.isnat(followed.returned)
    back_in = (np.where(is_back, followed.returned, followed.until) - followed.since) // month
    counts = is_back & (back_in < whole)
    settled = counts & (followed.returned + within <= outcomes_until)
    converted = settled & (followed.converted < followed.returned + within)
    shape = (len(names), int(whole.max(initial=0)) + 1)

    def count(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        table = np.zeros(shape, dtype=np.int64)
        np.add.at(table, (group[rows], back_in[rows]), 1)
        return table

    seen = np.zeros(shape, dtype=np.int64)
    np.add.at(seen, (group, np.where(counts, back_in + 1, whole)), 1)
    # At risk in a month is whoever was followed through it, or came back in it.
    at_risk = seen[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    returned, back, won = (count(rows)[:, :-1] for rows in (counts, settled, converted))
    # Where nobody has converted, months are told apart by who came back alone.
    of_all = float(won.sum() / back.sum()) if won.any() else 1.0
    usual = _drawn(won.sum(axis=1), back.sum(axis=1), of_all)[0]
    first = int(pause // MONTH)
    found = {}
    for place, name in enumerate(names.tolist()):
        share, error = _drawn(won[place], back[place], float(usual[place]))
        hazard = returned[place] / np.maximum(at_risk[place], 1)
        pays = hazard * share
        of_hazard = hazard * np.sqrt((1.0 - hazard) / np.maximum(returned[place], 1))
        errors = np.hypot(hazard * error, share * of_hazard)
        followed_of = int((group == place).sum())
        found[name] = Rates(followed_of, at_risk[place], returned[place], pays, errors, first)
    return found


def _drawn(
    won: NDArray[np.int64], back: NDArray[np.int64], usual: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the shares that converted of those that came back, and their standard errors.

    They are drawn towards the usual share as far as chance would make them differ (DerSimonian & Laird 1986): where
    they differ by no more than it does, two standard errors of that included, they are all the usual one.
    """
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    variance = usual * (1.0 - usual)
    weights = back / variance if variance > 0.0 else np.zeros(len(back))
    some = weights > 0.0
    own = np.divide(won, back, out=np.full(len(back), usual), where=back > 0)
    free = max(int(some.sum()) - 1, 0)
    excess = float((weights * (own - usual) ** 2).sum()) - free
    spread = float(weights.sum() - (weights**2).sum() / weights.sum()) if some.any() else 0.0
    between = excess / spread if excess > _ERRORS * (2.0 * free) ** 0.5 and spread > 0.0 else 0.0
    trust = (
        between / (between + np.divide(1.0, weights, out=np.full(len(back), np.inf), where=some)) if between else 0.0
    )
    shares = usual + trust * (own - usual)
    return shares, trust * np.sqrt(variance / np.maximum(back, 1))


def _at_most(events: int, tries: int) -> float:
    """Give the upper end of Wilson's interval (1927) of a share, of 95 %."""
    z = _TWO_SIDED**2
    centre = events + z / 2.0
    spread = _TWO_SIDED * (events * (tries - events) / tries + z / 4.0) ** 0.5
    return float((centre + spread) / (tries + z))


def _of_a_year(of_a_month: float) -> float:
    return 1.0 - (1.0 - of_a_month) ** MONTHS_OF_A_YEAR


@dataclass(frozen=True)
class Advice:
    """What is said of some leads, each of shape (n,)."""

    basis: NDArray[np.object_]
    on: NDArray[np.datetime64]
    """From when on to come back (UTC), missing where the lead is to be closed. It may lie before the moment: then the
    best time has begun."""


def advise(
    policy: RecontactPolicy,
    rates: Mapping[str, Rates],
    groups: NDArray[np.object_],
    since: NDArray[np.datetime64],
    as_of: np.datetime64 | NDArray[np.datetime64],
) -> Advice:
    """Say when to come back to leads that were lost, or fell silent, at ``since``; where nothing is known, after pause.

    ``as_of`` is when that is asked, of all or of each.

    A month that is over is not said any more: what is left may still pay, or not.
    """
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without
    import pandas as pd  # noqa: PLC0415

    month = np.timedelta64(MONTH)
    now = np.maximum((as_of - since) // month, 0)
    # Of many leads there are few reasons and months: what is said of each pair is looked up once.
    pairs, distinct = pd.factorize(pd.MultiIndex.from_arrays([groups, now]))
    chosen = [rates[name].choose(policy, number) if name in rates else ("pause", 0) for name, number in distinct]
    basis = np.array([one for one, _ in chosen], dtype=object)[pairs]
    begin = np.array([begin for _, begin in chosen], dtype=np.int64)[pairs]
    on = np.where(basis == "rates", since + begin * month, since + np.timedelta64(policy.pause))
    on[basis == "close"] = np.datetime64("NaT")
    return Advice(basis, on)
