"""The company's day: who owns which territory, how much time there is, and what of it is spoken for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import SettingsError, nearest
from features.language.filters import WEEKDAYS
from models.decision.capacity import Amount, Costs, Room, Spoken, places_of, untouched
from models.decision.lists import Before, Lists, Lot, make_lists
from models.decision.lottery import draw
from pipeline.core.project import Places, require
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.standing import Standing
from pipeline.settings.decision import DecisionPolicy


@dataclass(frozen=True)
class Owned:
    """What the table of owners says of a day, by territory."""

    owners: Mapping[str, str]
    amounts: Mapping[str, Amount] | None
    """None where the table does not say how much time there is."""


def owned_on(places: Places, day: date, named: Iterable[str] = ()) -> Owned | None:
    """Read what holds on a day, whatever begins later; None where there is no table of owners.

    Raises SettingsError where decision.capacity has ``named`` whom the table does not know on any day.
    """
    require(places.owners)
    table = pq.read_table(places.owners).to_pandas(date_as_object=False)
    if table.empty:
        return None
    counts_by_territory = bool(table["unit"].notna().any())
    known = {*table["territory"], *(() if counts_by_territory else table["owner"])}
    for name in named:
        if name not in known:
            what = "territory" if counts_by_territory else "territory, nor an owner,"
            raise SettingsError(
                f"decision.capacity: {name!r} is no {what} of ingest.owners; {nearest(name, sorted(known))}"
            )
    now = np.datetime64(day)
    holds = ~(table["begins"] > now) & ~(table["ends"] <= now)
    rows = table[holds]
    amounts = None
    if counts_by_territory:
        listed = zip(rows["territory"], rows["places"], rows["unit"], strict=True)
        amounts = {territory: Amount(float(number), unit) for territory, number, unit in listed}
    return Owned(dict(zip(rows["territory"], rows["owner"], strict=True)), amounts)


@dataclass(frozen=True)
class Time:
    """How much time a day has, before the table of owners says more of it."""

    stated: Room | None
    """None where nobody said so in the settings."""
    works: bool
    """Whether sales works on the day."""


@dataclass(frozen=True)
class Today:
    """What is known of the company's day beside its leads."""

    policy: DecisionPolicy
    as_of: datetime
    """UTC."""
    owned: Owned | None = None
    costs: Costs = field(default_factory=Costs)
    earlier: Earlier = field(default_factory=Earlier)
    other_time: Time | None = None
    """What goes in the place of the day's own time, to tell what its list would be then."""

    @property
    def day(self) -> date:
        """The company's."""
        return self.policy.day_of(self.as_of)

    @property
    def time(self) -> Time:
        """How much time the settings say there is."""
        return self.other_time or Time(self.policy.room_on(self.day), self.policy.works_on(self.day))

    @property
    def room(self) -> Room | None:
        """How much time there is; None where nobody said so."""
        stated = self.time.stated
        if self.owned is not None and self.owned.amounts is not None:
            stated = Room({**self.owned.amounts, **(stated.of if stated else {})})
        elif self.owned is not None and stated is not None:
            # Of an owner without a number of his own, what is stated for each; also where he has no lead today.
            stated = Room({**dict.fromkeys(self.owned.owners.values(), stated.each), **stated.of}, stated.each)
        if stated is None or self.time.works:
            return stated
        return Room({who: Amount(0, amount.unit) for who, amount in stated.of.items()}, Amount(0, stated.each.unit))

    def owners_of(self, territories: NDArray[np.object_]) -> NDArray[np.object_]:
        """Give who owns each territory, None where nobody does or there is no table; shape (n,)."""
        return _looked_up(territories, self.owned.owners if self.owned else {})

    def whose_time(self, territories: NDArray[np.object_]) -> NDArray[np.object_]:
        """Say whose time a lead of each territory takes: the territory's where it is counted by it, or the owner's."""
        own, room = territories, self.room
        if self.owned is not None and self.owned.amounts is None and room is not None:
            own = np.where(pd.Series(own, dtype=object).isin(list(room.of)), own, self.owners_of(own))
        return np.where(pd.isna(own), "", own).astype(object)


def _looked_up(names: NDArray[np.object_], table: Mapping[str, str]) -> NDArray[np.object_]:
    found: NDArray[np.object_] = pd.Series(names, dtype=object).map(table).to_numpy(object)
    found[pd.isna(found)] = None
    return found


@dataclass(frozen=True)
class Spent:
    """What becomes of the day's time, added up over all who have some; nothing of it names anybody."""

    places: int | None
    """Places of new leads that there are; None where nobody said how much time there is."""
    left: int | None
    used: int
    """Places of them that earlier runs of the day gave away, to leads that were dealt with since."""
    in_work: int
    """Leads in work that still count."""
    untouched: int
    """Leads that were handed over and contacted by nobody within the agreed time."""
    untouched_called: int
    """Those of them that are on the list."""
    away: int
    """Territories, or owners, that have no time today."""
    amounts: Mapping[str, Mapping[str, float]]
    """By unit: what is stated, and what of it leads in work cost."""


def make_lists_of(
    today: Today,
    standing: Standing,
    tiers: NDArray[np.str_],
    gain: NDArray[np.float64],
    lead_ids: NDArray[np.object_],
) -> tuple[Lists, Spent]:
    """Part open leads among the lists of the day, all of shape (n,), and say what becomes of its time."""
    group = lottery_groups(policy := today.policy, standing, lead_ids)
    lot = Lot(group == "worked", group == "left alone")
    used = today.earlier.used
    held, late = standing.held, untouched_on(policy, standing, today.day)
    word = standing.spoken.word
    # Whom people settled on, or for later, comes back by their word alone.
    is_settled = word.is_later | (word.decides(held.closed, slice(None)) & (tiers != "SQL"))
    late &= ~standing.closed & ~held.refused & ~is_settled
    no_call = held.shut("telephone")
    ids = pd.Series(lead_ids, dtype=object)
    was_used = ids.isin(used["lead_id"]).to_numpy()
    is_worth = ((tiers == "SQL") & ~lot.left_alone) | lot.worked
    may_be_called = (is_worth & ~held.taken & ~word.is_later | late) & ~no_call
    # Who was dealt with and is worth a call still has its place; the places of all others are gone.
    gone = used[~used["lead_id"].isin(ids[was_used & may_be_called])]
    whose = today.whose_time(standing.territory)
    works = held.taken & ~late & ~was_used & ~standing.closed & _stirs(policy, standing, today.as_of)
    spoken = Spoken(_counts(whose[works]), _counts(today.whose_time(gone["territory"].to_numpy(object))))
    room, call_hours = today.room, policy.work.call_hours or 1.0
    unowned = np.full(len(ids), today.owned is not None) & pd.isna(today.owners_of(standing.territory))
    everybody = set(pd.unique(whose[~unowned]))
    lists = make_lists(
        tiers,
        gain,
        lead_ids,
        taken=held.taken,
        no_call=no_call,
        no_mail=held.shut("mail"),
        accounts=standing.account,
        owners=whose,
        places=None if room is None else places_of(room, spoken, everybody, today.costs, call_hours),
        before=Before(
            untouched=late,
            kept=ids.isin(today.earlier.kept).to_numpy() | (was_used & may_be_called),
            unowned=unowned,
            called_accounts=set(gone["account"].dropna()),
        ),
        word=word,
        lot=lot,
    )
    amounts: dict[str, dict[str, float]] = {}
    away = 0
    given = {who: room.at(who) for who in sorted({*everybody, *room.of})} if room else {}
    for who, amount in given.items():
        told = amounts.setdefault(amount.unit, {"stated": 0.0, "in_work": 0.0})
        told["stated"] += amount.number
        told["in_work"] += amount.of_work(spoken.in_work.get(who, 0), today.costs, call_hours)
        away += not amount.number
    spent = Spent(
        places=lists.places,
        left=lists.left,
        used=sum(spoken.used.values()),
        in_work=int(works.sum()),
        untouched=int(late.sum()),
        untouched_called=int((late & (lists.list == "sales")).sum()),
        away=away,
        amounts=amounts,
    )
    return lists, spent


def lottery_groups(policy: DecisionPolicy, standing: Standing, lead_ids: NDArray[np.object_]) -> NDArray[np.object_]:
    """Say of each lead what chance decides of it, None where it is not drawn, or is left out; shape (n,)."""
    groups = draw(policy.lottery, lead_ids, standing.arm)
    held, word = standing.held, standing.spoken.word
    left_out = standing.closed | held.refused | held.raised | held.taken | held.shut("telephone")
    groups[left_out | word.is_later | word.is_due | word.decides(held.closed, slice(None))] = None
    return groups


def may_be_called(
    policy: DecisionPolicy, standing: Standing, lead_ids: NDArray[np.object_], day: date
) -> NDArray[np.bool_]:
    """Tell which leads may be on the list of sales whatever their tier: untouched, or drawn to be worked."""
    held = standing.held
    is_forgotten = untouched_on(policy, standing, day) & ~standing.closed & ~held.refused & ~held.shut("telephone")
    is_drawn: NDArray[np.bool_] = lottery_groups(policy, standing, lead_ids) == "worked"
    return is_forgotten | is_drawn


def untouched_on(policy: DecisionPolicy, standing: Standing, day: date) -> NDArray[np.bool_]:
    """Tell which leads nobody has contacted within the agreed time after they were handed over, shape (n,)."""
    local = pd.DatetimeIndex(standing.handed).tz_localize("UTC").tz_convert(ZoneInfo(policy.time_zone))
    return untouched(
        standing.handed,
        standing.held.last("taken"),
        standing.contacted,
        np.datetime64(day),
        local.tz_localize(None).to_numpy("datetime64[D]"),
        [name in policy.working_days for name in WEEKDAYS],
        policy.work.touched_within,
    )


def _stirs(policy: DecisionPolicy, standing: Standing, as_of: datetime) -> NDArray[np.bool_]:
    """Tell which leads were taken, contacted, or did something, before they were silent for too long."""
    last = np.fmax(np.fmax(standing.contacted, standing.acted), standing.held.last("taken"))
    stirs: NDArray[np.bool_] = last > np.datetime64(as_of, "us") - np.timedelta64(policy.work.silence)
    return stirs


def _counts(names: NDArray[np.object_]) -> dict[str, int]:
    return {str(name): int(count) for name, count in pd.Series(names, dtype=object).value_counts().items()}
