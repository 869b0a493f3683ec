"""The settings of ``decision`` and ``recommend``: what a probability is turned into, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, model_validator

from features.core.errors import nearest
from features.core.schema import CONVERTED, LOST, WORKED, Channel, Tier
from features.core.time import DAY, Duration
from features.language.filters import WEEKDAYS
from models.decision.actions import DEFAULT, Rule
from models.decision.capacity import Amount, Room, Unit, Work
from models.decision.facts import Fact, types_of
from models.decision.lottery import Lottery
from models.decision.maturity import MaturityPolicy
from models.decision.recontact import RecontactPolicy
from models.decision.tiers import Money, Multiples, Recycling, Stated
from models.decision.word import WordPolicy
from pipeline.settings.types import Name, Strict, Zone, read_moment

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Capacity(Strict):
    """How much time sales has for leads on a working day, in new leads, calls or hours.

    In all; or, where decision.territory is named, in each of its values; or, where ingest.owners is, of each owner.
    What it says of a territory goes before what that table does.
    """

    leads: NonNegativeInt | None = None
    """How many new leads are taken up; what is in work counts for nothing."""
    calls: NonNegativeInt | None = None
    """How many calls are made, to leads in work, too."""
    hours: NonNegativeFloat | None = None
    """How many hours there are for calls; decision.work.call_hours says how long one takes."""
    of: tuple[Name, ...] | None = None
    """The values of decision.territory, or the owners, that it is about; without it, all that have no number of their
    own."""
    from_: Annotated[date | None, Field(alias="from")] = None
    """The first day on which it holds, in the company's time zone; quoted."""
    until: date | None = None
    """The last day on which it holds; quoted."""

    @property
    def amount(self) -> Amount:
        """How much time it is."""
        units: tuple[Unit, ...] = ("leads", "calls", "hours")
        return next(Amount(number, unit) for unit in units if (number := getattr(self, unit)) is not None)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if sum(number is not None for number in (self.leads, self.calls, self.hours)) != 1:
            raise ValueError("say how much time there is in one of leads, calls, hours")
        if self.from_ and self.until and self.until < self.from_:
            raise ValueError(f"until ({self.until}) lies before from ({self.from_})")
        return self

    def holds_on(self, day: date) -> bool:
        """Tell whether it holds on a day."""
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day <= self.until)


class Target(Strict):
    """A rule on an attribute that says which leads the company does not want at all."""

    below: float | None = None
    """Out where a number is below this one."""
    above: float | None = None
    """Out where a number is above this one."""
    among: tuple[Name, ...] | None = None
    """Out where a text is one of these."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.below is None and self.above is None) == (self.among is None):
            raise ValueError("say below, above or both of a number, or among of a text")
        return self


class DecisionPolicy(Strict):
    """What a probability is turned into: what a lead is worth working on, how far it is, and who gets an hour today."""

    time_zone: Zone = "UTC"
    """The company's: whose days count for capacity."""
    facts: dict[Name, Fact] = Field(default_factory=dict)
    """What is known of a lead whatever its probability, by names that people read: {unsubscribed: {kind:
    closes_channel, channel: mail, events: [unsubscribe]}}."""
    out_of_target: dict[Name, Target] = Field(default_factory=dict)
    """Attributes that put a lead outside the target, each with its rule: {employees: {below: 10}}."""
    maturity: MaturityPolicy = MaturityPolicy()
    """How far a lead is, by what it did and how lately."""
    money: Money | None = None
    """What a conversion is worth, and what effort costs: the cut-offs are where effort pays."""
    multiples: Multiples = Multiples()
    """Where no money says it, from how many times the base rate's odds on a lead is worth whose effort."""
    tiers: Stated | None = None
    """Cut-offs as people have settled them: they go before what money says."""
    recycled: Recycling = Recycling()
    """When a lead that was lost or quiet is back."""
    recontact: RecontactPolicy = RecontactPolicy()
    """When to come back to a lead that was lost or is quiet."""
    word: WordPolicy = WordPolicy()
    """How long what people decided (ingest.decisions) holds."""
    territory: Name | None = None
    """An attribute of the lead that says whose it is."""
    capacity: tuple[Capacity, ...] = ()
    """How much time sales has on a working day; without it, and without a table of owners that says so, the list is all
    that are worth an hour."""
    work: Work = Work()
    """What working on a lead is, and what it takes."""
    lottery: Lottery = Lottery()
    """Whom chance decides of, so that one can tell what a call does; nobody, until a person agrees."""
    stay: NonNegativeFloat = 0.25
    """By which share the gain of a lead counts more that was on the last list, so that names do not come and go."""
    by_person: bool = False
    """Whether leadcast answers tells owners apart; without it, only values of decision.territory."""
    working_days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    """The days on which sales works."""
    actions: Annotated[tuple[Rule, ...], Field(min_length=1)] = DEFAULT
    """What to do next: the first rule that fits a lead, and one of whose channels is open to it. By default who is on
    the list of sales is called, and nobody else: who is in work is left to its owner, who lacks a place waits for one.
    Of others the tier says it: recycled take_up_again, SQL that can't be called and MQL keep_nurturing, else wait; who
    was lost is waited for, taken up again, or closed."""
    answers: dict[Channel, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Acts of the lead itself by which it answers to a channel: {telephone: [call_answered], mail: [email_click]}. Of
    the open channels of a rule it is one that the lead has answered to, if to any. That a lead didn't answer is no
    reason against it: perhaps nobody has written, or called."""
    keep: Duration | None = None
    """How long a lead that has converted or was lost keeps a row, which says so and has no probability; as long as
    snapshots.horizon where it is not given. Who was lost and has a date to come back keeps it for as long after that
    date is over, 30 days after it has come."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for name in (CONVERTED, LOST):
            if name in self.facts:
                raise ValueError(f"facts: {name!r} is told of leads whose episode has ended; take another name")
        for one in self.capacity:
            if one.of and not self.territory:
                raise ValueError("capacity names values (of), but decision.territory says of which attribute: name it")
            if one.hours is not None and self.work.call_hours is None:
                raise ValueError("capacity is in hours, but nobody says how long a call takes: work: {call_hours: 0.5}")
        taking = {kind for fact in self.facts.values() if fact.kind == "taken" for kind in fact.events}
        for kind in self.work.handed_over:
            if kind not in taking:
                raise ValueError(f"work.handed_over: no fact is taken by {kind!r}; add it to the events of one")
        return self

    @model_validator(mode="after")
    def _knows_the_facts_of_actions(self) -> Self:
        for number, rule in enumerate(self.actions, 1):
            for fact in rule.fact or ():
                if fact not in self.facts:
                    raise ValueError(
                        f"actions: rule {number} ({rule.action}) asks for the fact {fact!r}, which facts lacks; "
                        f"{nearest(fact, self.facts)}"
                    )
        return self

    @property
    def settled(self) -> Stated | Money | Multiples:
        """What the cut-offs come from."""
        return self.tiers or self.money or self.multiples

    @property
    def usual_value(self) -> float | None:
        """What a conversion is usually worth; None where nobody said."""
        return self.money.value if self.money else None

    def kept(self, horizon: timedelta) -> timedelta:
        """Say how long a lead that has ended keeps its row."""
        return horizon if self.keep is None else self.keep

    @property
    def event_types(self) -> Iterator[tuple[str, list[str]]]:
        """Give the event types that are named, by the place that names them."""
        for name, fact in self.facts.items():
            yield f"decision.facts.{name}", types_of({name: fact})
        yield "decision.maturity", [*self.maturity.strong, *self.maturity.medium]
        for number, rule in enumerate(self.actions):
            yield f"decision.actions.{number}.last_act", list(rule.last_act or ())
        for channel, types in self.answers.items():
            yield f"decision.answers.{channel}", list(types)
        yield "decision.work", [*self.work.contacts, *self.work.handed_over]

    @property
    def attributes(self) -> Iterator[tuple[str, str]]:
        """Give the attributes that are named, by the place that names them."""
        yield from ((f"decision.out_of_target.{name}", name) for name in self.out_of_target)
        if self.money and self.money.attribute:
            yield "decision.money.attribute", self.money.attribute
        if self.territory:
            yield "decision.territory", self.territory
        if self.lottery.attribute:
            yield "decision.lottery.attribute", self.lottery.attribute

    def day_of(self, as_of: datetime) -> date:
        """Give the company's day of a moment in UTC; of midnight, the day that begins."""
        return as_of.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(self.time_zone)).date()

    def works_on(self, day: date) -> bool:
        """Tell whether sales works on a day."""
        return WEEKDAYS[day.weekday()] in self.working_days

    def room_on(self, day: date) -> Room | None:
        """Say how much time there is on a day, whether or not sales works on it; None where nobody has said so."""
        if not self.capacity:
            return None
        each, own = Amount(0), dict[str, Amount]()
        for one in self.capacity:
            if one.holds_on(day):
                if one.of is None:
                    each = one.amount
                own |= dict.fromkeys(one.of or (), one.amount)
        return Room(own, each)


def _latest_or_moment(text: object) -> object:
    return text if text == "latest" else read_moment(text)


class Recommend(Strict):
    """Which moment the leads are scored at, and whose probability is explained."""

    as_of: Annotated[Literal["latest"] | datetime, BeforeValidator(_latest_or_moment)] = "latest"
    """Of the stage recommend: latest (the end of the log) or a quoted date."""
    maximum_age: Duration = 2 * DAY
    """How old the log may be when leadcast score is asked for now, beside the longest time in which nothing happened:
    the moment up to which every source that feeds features reaches. Whether one has stopped is judged by its rhythm."""
    reasons_for: tuple[Tier, ...] = WORKED
    """The tiers whose leads get reasons; whoever is on today's list of sales does, too, but for [], which means nobody.
    Explaining a lead takes ten times as long as scoring it, so that it is done where somebody reads it."""
    compare_to: Duration | None = 7 * DAY
    """How long before as_of the moment lies that the stage recommend compares these leads with, by the same model: what
    has changed since, and which way each goes; null for none. leadcast score compares with its last scores."""

    @model_validator(mode="after")
    def _is_before(self) -> Self:
        if self.compare_to is not None and not self.compare_to:
            raise ValueError("compare_to must be longer than nothing, as in compare_to: 7d, or null")
        return self
