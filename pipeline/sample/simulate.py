"""Draws of the sample world, a block of leads at a time: people, hidden levels, what befalls them and what they do.

The weeks are walked one after the other, all leads of the block at once: how a level moves depends on the contacts and
sales of the week, and these on the level.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.sample import company, mail
from pipeline.sample.chain import (
    LOSS_REASONS,
    NEXT_STATE,
    Chain,
    Exit,
    Flags,
    Floats,
    Integers,
    Source,
    State,
    Turn,
)
from pipeline.sample.contents import HOME, KEYWORD, PAGE, draw_contents, kinds_of
from pipeline.sample.scenario import PLAIN, Scenario
from pipeline.sample.sellers import regimes, territory_of
from pipeline.sample.tables import Block, Events, People, Segments
from pipeline.sample.timeline import END, ORIGIN, START, WEEK, WEEKS, week_of

# Records beside the draws of the chain: what a change of state brings with it, then the sendings of mails.
MARKERS = ("case_opened", "accepted", "opportunity_opened", "refused")
_FIRST_MARKER = len(company.EVENT_TYPES)
SENT = _FIRST_MARKER + len(MARKERS)
EVENT_NAMES = (*company.TYPE_NAMES, *MARKERS, *mail.SENT_TYPES)
_PAGE_VIEW, _FORM = EVENT_NAMES.index("page_view"), EVENT_NAMES.index("form")
_CART, _UNSUBSCRIBE = EVENT_NAMES.index("cart"), EVENT_NAMES.index("unsubscribe")
# What records an exit in the logs; conversions and losses stand in the table of outcomes.
_TYPE_OF_EXIT = np.full(Exit.LOSE, EVENT_NAMES.index("refused"), dtype=np.int8)
_TYPE_OF_EXIT[[Exit.HAND_OVER, Exit.ACCEPT, Exit.OPEN_OPPORTUNITY, Exit.REOPEN]] = [
    *map(EVENT_NAMES.index, MARKERS[:3]),
    _FORM,
]
LETTERS = np.array([name.startswith("newsletter") or name == "unsubscribe" for name in EVENT_NAMES])
_SEA = company.CHANNELS.index("sea")
_CONTENT_KINDS = kinds_of(company.TYPE_NAMES)

CAMPAIGNS_PER_CHANNEL = 3
OBJECTING = 0.10
"""The share that objects to everything, of those lost as outside the target."""
_OWN_CHANNEL_SHARE = 0.6
_NEVER = END + WEEK  # a state that doesn't end by the clock


def simulate_block(chain: Chain, generator: np.random.Generator, leads: int, scenario: Scenario = PLAIN) -> Block:
    """Draw a block of leads from the company's people and the given chain of intent."""
    people = _draw_people(generator, leads, scenario)
    levels, turns, segments = _walk(chain, generator, people, regimes(scenario.shift))
    objected = _objections(generator, segments, leads)
    events = Events.concatenate([_markers(people, segments), _draw_events(chain, generator, people, segments)])
    events, mail_until = _with_mails(generator, people, events, objected)
    in_time = np.argsort(events.occurred, kind="stable")
    # The log is written at its end: what is known later isn't in it.
    kept = events.known < END
    for source in Source:
        kept &= (sources_of(events.type) != source) | ~scenario.loses(source, events.occurred)
    return Block(people, levels, turns, segments, events.take(in_time[kept[in_time]]), mail_until, objected)


def choose(generator: np.random.Generator, probabilities: Floats, count: int) -> Integers:
    """Draw codes from 0 on with the given probabilities."""
    cumulative = np.cumsum(probabilities)
    return np.searchsorted(cumulative / cumulative[-1], generator.random(count), side="right").astype(np.int8)


def sources_of(types: Integers) -> Integers:
    """Return the source in which events of each type are recorded."""
    return _SOURCES[types]


def content_kinds(types: Integers, visit_channel: Integers) -> Integers:
    """Return the kind of the contents of events, -1 for none; a visit through an advertisement tells its keyword."""
    kind = _CONTENT_KINDS[types]
    kind[(kind == PAGE) & (visit_channel == _SEA)] = KEYWORD
    return kind


_SOURCES = np.array(
    [*(t.source for t in company.EVENT_TYPES), *[Source.CRM] * len(MARKERS), Source.EMAIL, Source.EMAIL], dtype=np.int8
)


def _draw_people(generator: np.random.Generator, count: int, scenario: Scenario) -> People:
    created = np.sort(generator.integers(START, END, count))
    # Nobody browses before the log begins.
    phase = (generator.random(count) * np.minimum(company.LONGEST_COOKIE_PHASE, created - START)).astype(np.int64)
    browsed = generator.random(count) < company.COOKIE_SHARE
    shifted_mix = company.CHANNEL_MIX * company.SHIFTED_MIX_FACTORS
    before, after = (choose(generator, mix, count) for mix in (company.CHANNEL_MIX, shifted_mix))
    employees = np.exp(generator.normal(2.9, 1.4, count)).astype(np.int64) + 1
    country = choose(generator, company.COUNTRY_MIX, count)
    large = (employees >= company.LARGE_COMPANY).astype(np.int64)
    return People(
        created=created,
        born=np.where(browsed, created - phase, created),
        channel=np.where(created < scenario.mix_from, before, after),
        employees=employees,
        country=country,
        territory=territory_of(country, employees),
        duplicated=generator.random(count) < company.DUPLICATE_SHARE,
        merged=created + generator.integers(company.EARLIEST_MERGE, company.LATEST_MERGE, count),
        written=generator.random(count) < company.MAIL_CONSENT,
        scanned=generator.random(count) < mail.share_scanned(large),
        proxied=generator.random(count) < mail.PROXIED,
    )


def _walk(
    chain: Chain, generator: np.random.Generator, people: People, regime_of: Integers
) -> tuple[Integers, Integers, Segments]:
    """Levels and turns of all leads and weeks, and the segments of their time, week by week.

    Before a lead's first hit its level is the one at which it appears.
    """
    count = len(people.born)
    level = _below(np.cumsum(chain.initial, axis=-1)[people.channel, people.size], generator.random(count))
    moves = np.cumsum(chain.transitions, axis=-1)
    hazards = _Hazards(chain)
    contact = chain.rates_of(chain.contacts).ravel()
    born = week_of(people.born)
    state = np.where(people.born < people.created, State.ANONYMOUS, State.OPEN).astype(np.int8)
    due = np.where(people.born < people.created, people.created, _NEVER)  # when the state ends by the clock
    levels = np.empty((WEEKS, count), dtype=np.int8)
    turns = np.zeros((WEEKS, count), dtype=np.int8)
    done: list[Segments] = []
    for week in range(WEEKS):
        levels[week] = level
        here = np.nonzero(born <= week)[0]
        if not len(here):
            continue
        regime = regime_of[people.territory[here], week]
        pieces = hazards.follow(generator, here, week, regime, level[here], people, state, due)
        place = hazards.place(pieces.regime, pieces.state, people.channel[pieces.lead], pieces.level)
        pieces.contacts[:] = generator.poisson(contact[place] * ((pieces.end - pieces.start) / WEEK))
        turns[week, pieces.lead[pieces.contacts > 0]] = Turn.CONTACTED
        turns[week, pieces.lead[pieces.exit == Exit.CONVERT]] = Turn.SOLD
        level[here] = _below(moves[turns[week, here], level[here]], generator.random(len(here)))
        done.append(pieces)
    return levels.T, turns.T, Segments.concatenate(done)


def _below(cumulative: Floats, draw: Floats) -> Integers:
    """Codes from cumulative probabilities, shape (rows, codes); rounding never leads past the last one."""
    return np.asarray((draw[:, None] >= cumulative[:, :-1]).sum(axis=1), dtype=np.int8)


class _Hazards:
    """Hazards of the chain laid out flat, by regime, state, channel and level."""

    def __init__(self, chain: Chain) -> None:
        self.shape = chain.rates.shape[:4]
        self.causes = np.cumsum(np.moveaxis(chain.hazards, 0, -1).reshape(-1, len(chain.hazards)), axis=1)
        self.total = self.causes[:, -1]

    def place(self, regime: Integers, state: Integers, channel: Integers, level: Integers) -> Integers:
        _, states, channels, levels = self.shape
        return np.asarray(((regime.astype(np.int64) * states + state) * channels + channel) * levels + level)

    def follow(
        self,
        generator: np.random.Generator,
        lead: Integers,
        week: int,
        regime: Integers,
        level: Integers,
        people: People,
        state: Integers,
        due: Integers,
    ) -> Segments:
        """Follow leads through a week, from state to state; state and due are those of all leads, and move on.

        The wait for an exit is exponential, for hazards are constant; a state may end by the clock before.
        """
        begin, end = ORIGIN + week * WEEK, min(ORIGIN + (week + 1) * WEEK, END)
        now = np.maximum(people.born[lead], begin)
        channel = people.channel[lead]
        pieces: list[Segments] = []
        while len(lead):
            place = self.place(regime, state[lead], channel, level)
            limit = np.minimum(due[lead], end)
            draw = generator.exponential(size=len(lead))
            with np.errstate(divide="ignore"):
                moment = now + np.minimum(draw / self.total[place] * WEEK, 2 * WEEK).astype(np.int64)
            moment = np.maximum(moment, now + 1)
            leaves = moment < limit
            until = np.where(leaves, moment, limit)
            exit_ = np.full(len(lead), Exit.NONE, dtype=np.int8)
            which = np.nonzero(leaves)[0]
            causes = self.causes[place[which]]
            chance = generator.random(len(which)) * causes[:, -1]
            exit_[which] = (chance[:, None] >= causes[:, :-1]).sum(axis=1)
            pieces.append(
                Segments(
                    lead=lead,
                    week=np.full(len(lead), week),
                    state=state[lead],
                    regime=regime,
                    level=level,
                    start=now,
                    end=until,
                    exit=exit_,
                    contacts=np.zeros(len(lead), dtype=np.int64),
                )
            )
            _move_on(state, due, lead, until, exit_)
            goes_on = until < end
            lead, regime, level, channel = (part[goes_on] for part in (lead, regime, level, channel))
            now = until[goes_on]
        return Segments.concatenate(pieces)


def _move_on(state: Integers, due: Integers, lead: Integers, until: Integers, exit_: Integers) -> None:
    """Put leads into their next state, by an exit or by the clock, and say when that ends by the clock."""
    left = exit_ != Exit.NONE
    late = ~left & (due[lead] == until)
    by_clock, left_lead = lead[late], lead[left]
    state[by_clock] = np.where(state[by_clock] == State.ANONYMOUS, State.OPEN, state[by_clock] + len(LOSS_REASONS))
    due[by_clock] = _NEVER
    state[left_lead] = NEXT_STATE[exit_[left]]
    reason = state[left_lead] - State.PAUSED
    paused = (reason >= 0) & (reason < len(LOSS_REASONS))
    due[left_lead[paused]] = until[left][paused] + company.PAUSES[reason[paused]]


def _objections(generator: np.random.Generator, segments: Segments, leads: int) -> Integers:
    """Draw when leads object to everything: some of those outside the target, as they are lost; they never return."""
    outside = np.nonzero(segments.exit == Exit.LOSE + LOSS_REASONS.index("outside the target"))[0]
    objecting = outside[generator.random(len(outside)) < OBJECTING]
    return mail.first_of(segments.lead[objecting], segments.end[objecting], leads)


def _markers(people: People, segments: Segments) -> Events:
    """Everybody's first hit, the steps of sales, and the form that opens a lost lead's or a customer's case anew."""
    everyone = np.arange(len(people.born))
    browsed = people.born < people.created
    first = replace(
        Events.plain(lead=everyone, type_=np.full(len(everyone), _PAGE_VIEW, dtype=np.int8), occurred=people.born),
        state=np.where(browsed, State.ANONYMOUS, State.OPEN).astype(np.int8),
        content=np.full(len(everyone), HOME, dtype=np.int8),
    )
    step = segments.take((segments.exit != Exit.NONE) & (segments.exit != Exit.CONVERT) & (segments.exit < Exit.LOSE))
    refused = step.exit >= Exit.REFUSE
    later = replace(
        Events.plain(lead=step.lead, type_=_TYPE_OF_EXIT[step.exit], occurred=step.end),
        state=NEXT_STATE[step.exit],
        campaign=np.where(refused, step.exit - Exit.REFUSE, 0).astype(np.int8),
    )
    markers = Events.concatenate([first, later])
    markers.marker[:] = True
    markers.visit_channel[:] = people.channel[markers.lead]
    return markers


def _draw_events(chain: Chain, generator: np.random.Generator, people: People, segments: Segments) -> Events:
    """Draw the Poisson events of all segments, with delays, filing and marks; those of contacts are counted already."""
    shape = chain.rates.shape
    place = np.ravel_multi_index(
        (segments.regime, segments.state, people.channel[segments.lead], segments.level), shape[:4]
    )
    length = segments.end - segments.start
    contacts = np.array(chain.contacts)
    spent = chain.rates_of(~contacts).ravel()[place] * (length / WEEK)
    counts = (generator.poisson(spent), segments.contacts)
    types = [
        _draw_types(generator, chain.rates * chosen, np.repeat(place, number))
        for chosen, number in zip((~contacts, contacts), counts, strict=True)
    ]
    segment = np.concatenate([np.repeat(np.arange(len(place)), number) for number in counts])
    event_type = np.concatenate(types)
    drawn = len(segment)
    lead, state = segments.lead[segment], segments.state[segment]
    occurred = segments.start[segment] + (generator.random(drawn) * length[segment]).astype(np.int64)
    visit = np.where(
        generator.random(drawn) < _OWN_CHANNEL_SHARE,
        people.channel[lead],
        choose(generator, company.CHANNEL_MIX, drawn),
    )
    value = np.full(drawn, np.nan)
    carts = np.nonzero(event_type == _CART)[0]
    value[carts] = np.round(np.exp(generator.normal(5.0, 0.7, len(carts))), 2)
    return replace(
        Events.plain(lead=lead, type_=event_type, occurred=occurred),
        state=state,
        regime=segments.regime[segment],
        known=occurred + _delays(generator, _SOURCES[event_type]),
        on_duplicate=_filed_on_duplicate(generator, chain, people, lead, state, event_type, occurred),
        visit_channel=visit,
        campaign=_campaigns(generator, event_type, occurred, occurred - people.created[lead]),
        content=draw_contents(generator, content_kinds(event_type, visit), segments.level[segment]),
        value=value,
    )


def _campaigns(generator: np.random.Generator, event_type: Integers, occurred: Integers, age: Integers) -> Integers:
    """Draw the campaign of a visit, or the mail that a lead opens: the newest letter, or one of the series it got."""
    draw = generator.integers(0, CAMPAIGNS_PER_CHANNEL, len(event_type), dtype=np.int8)
    mails = _SOURCES[event_type] == Source.EMAIL
    letters = LETTERS[event_type]
    draw[letters] = mail.letter_before(occurred[letters])
    series = mails & ~letters
    draw[series] = mail.of_series(draw[series], age[series])
    return draw


def _draw_types(generator: np.random.Generator, rates: Floats, place: Integers) -> Integers:
    """Draw a type for each event, given the place of its rates; all places lie on one line, a unit each."""
    rates = rates.reshape(-1, rates.shape[-1])
    totals = rates.sum(axis=1, keepdims=True)
    shares = np.cumsum(rates, axis=1) / np.where(totals > 0, totals, 1)
    # From the last type that happens at all on, it is one: rounding must not lead to a type that never happens.
    shares[np.cumsum(rates[:, ::-1], axis=1)[:, ::-1] - rates <= 0] = 1
    line = (shares + np.arange(len(shares))[:, None]).ravel()
    position = np.searchsorted(line, place + generator.random(len(place)), side="right")
    return (position - place * rates.shape[1]).astype(np.int8)


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
    shared = np.array(chain.shared)[event_type]
    open_to_both = people.duplicated[lead] & shared & (state != State.ANONYMOUS) & (occurred < people.merged[lead])
    filed = np.zeros(len(lead), dtype=np.bool_)
    filed[open_to_both] = generator.random(open_to_both.sum()) < company.DUPLICATE_FILING
    return filed


def _with_mails(
    generator: np.random.Generator, people: People, events: Events, objected: Integers
) -> tuple[Events, Integers]:
    """Add the mails that are sent and what machines do with them, and end all mail where a lead has closed it.

    It ends when a lead, or a robot, unsubscribes first, and with an objection; who never agreed gets none.
    """
    leads = len(people.created)
    sent = mail.sendings(people, sent_type=SENT)
    machines = mail.reactions(generator, people, sent, sent_type=SENT)
    everything = Events.concatenate([events, sent, machines])
    left = everything.take((everything.type == _UNSUBSCRIBE) & people.written[everything.lead])
    until = np.minimum(mail.first_of(left.lead, left.occurred, leads), objected)
    until = np.where(people.written, until, people.created)
    stays = (_SOURCES[everything.type] != Source.EMAIL) | (
        people.written[everything.lead] & (everything.occurred <= until[everything.lead])
    )
    return everything.take(stays), until
