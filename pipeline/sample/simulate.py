"""Draws of the sample world, a block of leads at a time: people, their hidden levels, spells and events.

All moments are whole microseconds since 1970 in UTC, all arrays of one table are parallel.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from pipeline.sample import company
from pipeline.sample.chain import Chain, Exit, Flags, Floats, Integers, Source, State
from pipeline.sample.timeline import END, MIX_SHIFT, START, WEEK, WEEKS, turn_of, week_of

# Records that follow the draws of the chain and say nothing beyond the change of state they mark.
CASE_OPENED = len(company.EVENT_TYPES)
_PAGE_VIEW, _FORM = company.TYPE_NAMES.index("page_view"), company.TYPE_NAMES.index("form")
_CART = company.TYPE_NAMES.index("cart")

_NEXT_STATE = {Exit.CONTACT: State.WORKED, Exit.LOSE: State.PAUSED, Exit.REOPEN: State.OPEN}


@dataclass(frozen=True, eq=False)
class Table:
    """Parallel arrays, one row a thing."""

    def take(self, rows: Integers | Flags) -> Self:
        """Return the chosen rows of every column."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def concatenate(cls, tables: list[Self]) -> Self:
        """One table below the other."""
        return cls(**{f.name: np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(cls)})


@dataclass(frozen=True, eq=False)
class People(Table):
    """Who the leads are, in order of creation; born is the first hit, under a cookie or as a lead."""

    created: Integers
    born: Integers
    channel: Integers
    employees: Integers
    country: Integers
    duplicated: Flags
    merged: Integers

    @property
    def size(self) -> Integers:
        """0 for small companies, 1 for large ones."""
        return (self.employees >= company.LARGE_COMPANY).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Spells(Table):
    """Stretches [start, end) of a lead in one state; exit says how it ended by chance, if it did."""

    lead: Integers
    state: Integers
    start: Integers
    end: Integers
    exit: Integers


@dataclass(frozen=True, eq=False)
class Segments(Spells):
    """Spells cut at the turns of weeks; only the last segment of a spell carries its exit."""

    week: Integers


@dataclass(frozen=True, eq=False)
class Events(Table):
    """What is recorded; a marker is an event that a change of state brings with it, outside the draws.

    visit_channel and campaign (a number within its channel) are marks of web and email events, value is the
    value of a cart in euro, missing elsewhere.
    """

    lead: Integers
    state: Integers
    type: Integers
    occurred: Integers
    known: Integers
    on_duplicate: Flags
    marker: Flags
    visit_channel: Integers
    campaign: Integers
    value: Floats


@dataclass(frozen=True, eq=False)
class Block:
    """A block of leads with all that happened to them; levels has shape (leads, weeks)."""

    people: People
    levels: Integers
    spells: Spells
    segments: Segments
    events: Events


CAMPAIGNS_PER_CHANNEL = 3


def simulate_block(chain: Chain, generator: np.random.Generator, leads: int) -> Block:
    """Draw a block of leads from the company's people and the given chain of intent."""
    people = _draw_people(generator, leads)
    levels = _draw_levels(chain, generator, people)
    spells = _draw_spells(chain, generator, people, levels)
    segments = _cut_at_weeks(spells)
    events = _draw_events(chain, generator, people, levels, segments, _markers(people, spells))
    return Block(people, levels, spells, segments, events)


def choose(generator: np.random.Generator, probabilities: Floats, count: int) -> Integers:
    """Draw codes from 0 on with the given probabilities."""
    cumulative = np.cumsum(probabilities)
    return np.searchsorted(cumulative / cumulative[-1], generator.random(count), side="right").astype(np.int8)


def _draw_people(generator: np.random.Generator, count: int) -> People:
    created = np.sort(generator.integers(START, END, count))
    # Nobody browses before the log begins.
    phase = (generator.random(count) * np.minimum(company.LONGEST_COOKIE_PHASE, created - START)).astype(np.int64)
    browsed = generator.random(count) < company.COOKIE_SHARE
    born = np.where(browsed, created - phase, created)
    before, after = (choose(generator, mix, count) for mix in (company.CHANNEL_MIX, company.SHIFTED_MIX))
    return People(
        created=created,
        born=born,
        channel=np.where(created < MIX_SHIFT, before, after),
        employees=np.exp(generator.normal(2.9, 1.4, count)).astype(np.int64) + 1,
        country=choose(generator, company.COUNTRY_MIX, count),
        duplicated=generator.random(count) < company.DUPLICATE_SHARE,
        merged=created + generator.integers(company.EARLIEST_MERGE, company.LATEST_MERGE, count),
    )


def _draw_levels(chain: Chain, generator: np.random.Generator, people: People) -> Integers:
    """Levels by week, shape (leads, weeks); before the first hit it stays at the first level."""
    start = np.cumsum(chain.initial, axis=-1)[people.channel, people.size]
    moves = np.cumsum(chain.transition, axis=-1)
    # The last column is left out: rounding must not lead past the last level.
    level = (generator.random(len(start))[:, None] >= start[:, :-1]).sum(axis=1)
    born = week_of(people.born)
    levels = np.empty((WEEKS, len(level)), dtype=np.int8)
    for week in range(WEEKS):
        moved = (generator.random(len(level))[:, None] >= moves[level, :-1]).sum(axis=1)
        level = np.where(born < week, moved, level)
        levels[week] = level
    return levels.T


def _draw_spells(chain: Chain, generator: np.random.Generator, people: People, levels: Integers) -> Spells:
    """Follow all leads from state to state until each has converted or the log ends."""
    everyone = np.arange(len(people.created))
    browsed = people.born < people.created
    anonymous = Spells(
        lead=everyone[browsed],
        state=np.full(browsed.sum(), State.ANONYMOUS, dtype=np.int8),
        start=people.born[browsed],
        end=people.created[browsed],
        exit=np.full(browsed.sum(), Exit.NONE, dtype=np.int8),
    )
    done = [anonymous]
    lead, state, start = everyone, np.full(len(everyone), State.OPEN, dtype=np.int8), people.created
    while len(lead):
        end, exit_ = _first_exit(chain, generator, people.channel[lead], levels[lead], state, start)
        done.append(Spells(lead, state, start, end, exit_))
        following = np.full(len(lead), -1, dtype=np.int8)
        following[(state == State.PAUSED) & (end < END)] = State.LOST
        for cause, target in _NEXT_STATE.items():
            following[exit_ == cause] = target
        goes_on = following >= 0
        lead, state, start = lead[goes_on], following[goes_on], end[goes_on]
    return Spells.concatenate(done)


def _first_exit(
    chain: Chain, generator: np.random.Generator, channel: Integers, levels: Integers, state: Integers, start: Integers
) -> tuple[Integers, Integers]:
    """When and how each lead leaves its state: the cumulative hazard reaches a standard exponential draw.

    Hazards are constant within a week, so the moment follows in closed form. Leads that never leave end with
    the log, without an exit.
    """
    by_level = chain.hazards.sum(axis=0)[state, channel]
    hazard = np.take_along_axis(by_level, levels.astype(np.intp), axis=1)
    turns = turn_of(np.arange(WEEKS + 1))
    turns[-1] = END
    exposed = np.clip(turns[1:] - np.maximum(turns[:-1], start[:, None]), 0, None) / WEEK
    cumulative = np.cumsum(hazard * exposed, axis=1)
    threshold = generator.exponential(size=len(start))
    kind = generator.random(len(start))

    week = (cumulative < threshold[:, None]).sum(axis=1)
    leaves = week < WEEKS
    rows, week = np.nonzero(leaves)[0], week[leaves]
    spent = np.where(week > 0, cumulative[rows, week - 1], 0.0)
    wait = (threshold[rows] - spent) / hazard[rows, week] * WEEK
    earliest = np.maximum(turns[week], start[rows])
    end = np.full(len(start), END)
    end[rows] = np.clip(earliest + wait.astype(np.int64), start[rows] + 1, turns[week + 1] - 1)
    end = np.where(state == State.PAUSED, np.minimum(start + company.PAUSE, END), end)

    causes = np.cumsum(chain.hazards[:, state[rows], channel[rows], levels[rows, week]], axis=0)
    exit_ = np.full(len(start), Exit.NONE, dtype=np.int8)
    exit_[rows] = (kind[rows] * causes[-1] >= causes[:-1]).sum(axis=0)
    return end, exit_


def _cut_at_weeks(spells: Spells) -> Segments:
    first, last = week_of(spells.start), week_of(spells.end - 1)
    pieces = last - first + 1
    spell = np.repeat(np.arange(len(pieces)), pieces)
    week = np.arange(len(spell)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + first[spell]
    return Segments(
        lead=spells.lead[spell],
        state=spells.state[spell],
        start=np.maximum(spells.start[spell], turn_of(week)),
        end=np.minimum(spells.end[spell], turn_of(week + 1)),
        exit=np.where(week == last[spell], spells.exit[spell], Exit.NONE),
        week=week,
    )


def _markers(people: People, spells: Spells) -> Events:
    """Everybody's first hit, the opening of each case by sales, and the form that reopens a lost lead's case."""
    worked = spells.take(spells.exit == Exit.CONTACT)
    reopened = spells.take(spells.exit == Exit.REOPEN)
    everyone = np.arange(len(people.born))
    lead = np.concatenate([everyone, worked.lead, reopened.lead])
    kinds = (_PAGE_VIEW, CASE_OPENED, _FORM)
    counts = (len(everyone), len(worked.lead), len(reopened.lead))
    occurred = np.concatenate([people.born, worked.end, reopened.end])
    first_state = np.where(people.born < people.created, np.int8(State.ANONYMOUS), np.int8(State.OPEN))
    later_states = np.repeat(np.array([State.WORKED, State.OPEN], dtype=np.int8), counts[1:])
    return Events(
        lead=lead,
        state=np.concatenate([first_state, later_states]),
        type=np.repeat(np.array(kinds, dtype=np.int8), counts),
        occurred=occurred,
        known=occurred,
        on_duplicate=np.zeros(len(lead), dtype=np.bool_),
        marker=np.ones(len(lead), dtype=np.bool_),
        visit_channel=people.channel[lead],
        campaign=np.zeros(len(lead), dtype=np.int8),
        value=np.full(len(lead), np.nan),
    )


def _draw_events(
    chain: Chain,
    generator: np.random.Generator,
    people: People,
    levels: Integers,
    segments: Segments,
    markers: Events,
) -> Events:
    """Draw the Poisson events of all segments, with delays, filing and marks; in order of time, with the markers."""
    # Each (state, channel, level) has a distribution of types; all of them lie on one line, a unit each.
    rates = chain.rates.reshape(-1, len(chain.sources))
    totals = rates.sum(axis=1)
    shares = np.cumsum(rates, axis=1) / np.where(totals > 0, totals, 1)[:, None]
    shares[totals > 0, -1] = 1
    line = (shares + np.arange(len(shares))[:, None]).ravel()

    kind = np.ravel_multi_index(
        (segments.state, people.channel[segments.lead], levels[segments.lead, segments.week]), chain.rates.shape[:3]
    )
    length = segments.end - segments.start
    counts = generator.poisson(totals[kind] * length / WEEK)
    segment = np.repeat(np.arange(len(counts)), counts)
    drawn = len(segment)
    position = np.searchsorted(line, kind[segment] + generator.random(drawn), side="right")
    event_type = (position - kind[segment] * len(chain.sources)).astype(np.int8)
    lead, state = segments.lead[segment], segments.state[segment]
    occurred = segments.start[segment] + (generator.random(drawn) * length[segment]).astype(np.int64)
    own_visit = generator.random(drawn) < _OWN_CHANNEL_SHARE
    events = Events(
        lead=lead,
        state=state,
        type=event_type,
        occurred=occurred,
        known=occurred + _delays(generator, np.array(chain.sources, dtype=np.int8)[event_type]),
        on_duplicate=_filed_on_duplicate(generator, chain, people, lead, state, event_type, occurred),
        marker=np.zeros(drawn, dtype=np.bool_),
        visit_channel=np.where(own_visit, people.channel[lead], choose(generator, company.CHANNEL_MIX, drawn)),
        campaign=generator.integers(0, CAMPAIGNS_PER_CHANNEL, drawn, dtype=np.int8),
        value=np.full(drawn, np.nan),
    )
    carts = np.nonzero(event_type == _CART)[0]
    events.value[carts] = np.round(np.exp(generator.normal(5.0, 0.7, len(carts))), 2)
    everything = Events.concatenate([markers, events])
    in_time = np.argsort(everything.occurred, kind="stable")
    # The log is written at its end: what is known later isn't in it.
    return everything.take(in_time[everything.known[in_time] < END])


_OWN_CHANNEL_SHARE = 0.6


def _delays(generator: np.random.Generator, source: Integers) -> Integers:
    """From what happened to what is known; the same for every level of intent."""
    delay = np.where(source == Source.EMAIL, company.EMAIL_DELAY, 0)
    web = np.nonzero(source == Source.WEB)[0]
    late = generator.random(len(web)) < company.LATE_SHARE
    delay[web] = company.PROMPT_DELAY
    delay[web[late]] = generator.integers(company.SHORTEST_LATENESS, company.LONGEST_LATENESS, late.sum())
    return delay


def _filed_on_duplicate(
    generator: np.random.Generator,
    chain: Chain,
    people: People,
    lead: Integers,
    state: Integers,
    event_type: Integers,
    occurred: Integers,
) -> Flags:
    by_lead = np.array(chain.sources, dtype=np.int8)[event_type] != Source.CRM_SALES
    open_to_both = people.duplicated[lead] & by_lead & (state != State.ANONYMOUS) & (occurred < people.merged[lead])
    filed = np.zeros(len(lead), dtype=np.bool_)
    filed[open_to_both] = generator.random(open_to_both.sum()) < company.DUPLICATE_FILING
    return filed
