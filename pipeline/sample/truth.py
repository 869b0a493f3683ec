"""What can truly be said of a lead at the turn of a week: with its intent known, and from what could be seen.

The forward filter runs over weeks. Within a week the level is constant, so all segments and events of a week
add up to one log likelihood a level. What happened in the last two weeks may not all be known yet (web hits
come up to ten days late), so each week has three likelihoods: as known one turn later, two turns later, and
in the end. The belief at a turn is the belief two weeks before, from all there is to know, carried over the
two last weeks as they were known.

Of a duplicated lead there are two histories: half of its own events until both ids are merged, all of them
afterwards. The filter is told which leads are duplicated; nothing else is known to it that isn't in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.sample import company
from pipeline.sample.chain import (
    Chain,
    Exit,
    Floats,
    Integers,
    Source,
    State,
    conversion_probability,
    forward,
)
from pipeline.sample.simulate import Block, Events, Segments, Table
from pipeline.sample.timeline import WEEK, WEEKS, turn_of, week_of

_IN_THE_END = 2  # place of what is known in the end, after what is known one and two turns after a week
_IMPOSSIBLE = -1e6  # log likelihood of what a level never does; finite, for 0 x infinity is no number


@dataclass(frozen=True, eq=False)
class Truth(Table):
    """One row a lead and Monday 00:00 UTC while its episode is open or worked."""

    lead: Integers
    as_of: Integers
    state: Integers
    level: Integers
    p_hidden: Floats
    p_observable: Floats


@dataclass(frozen=True, eq=False)
class _Histories:
    """What is filed under the ids united so far: every lead's whole history, then those before a merge.

    unmerged: the history before the merge of each duplicated lead, -1 for the others.
    share: the part of a lead's own known events that is filed under the ids of the history.
    events: without those that only mark a change of state; here as in segments, lead is the number of a history.
    """

    lead: Integers
    share: Floats
    unmerged: Integers
    segments: Segments
    events: Events


def horizon_probability(chain: Chain) -> Floats:
    """Probability to convert within HORIZON_DAYS of a turn, shape (channels, levels, 2): for open, for worked leads."""
    weeks, days = divmod(company.HORIZON_DAYS, 7)
    return conversion_probability(chain, weeks=weeks, remainder=days / 7)


def truth(chain: Chain, block: Block, conversion: Floats) -> Truth:
    """Both probabilities to convert in [as_of, as_of + HORIZON_DAYS) for all open and worked leads of a block.

    conversion is the horizon_probability of the chain, computed once for all blocks.
    """
    histories = _histories(block)
    belief = _beliefs(chain, block, histories)

    lead, state, week = _turns_in_episodes(block)
    as_of = turn_of(week)
    people = block.people
    apart = people.duplicated[lead] & (people.merged[lead] >= as_of)
    history = np.where(apart, histories.unmerged[lead], lead)
    level = block.levels[lead, week]
    by_level = conversion[people.channel[lead], :, state - State.OPEN]
    return Truth(
        lead=lead,
        as_of=as_of,
        state=state,
        level=level,
        p_hidden=by_level[np.arange(len(lead)), level],
        p_observable=(by_level * belief[week, :, history]).sum(axis=1),
    )


def _turns_in_episodes(block: Block) -> tuple[Integers, Integers, Integers]:
    """Lead, state and week of all turns of the week in (start, end] of open and worked spells, by lead and week."""
    chosen = (block.spells.state == State.OPEN) | (block.spells.state == State.WORKED)
    spells = block.spells.take(chosen)
    first = week_of(spells.start) + 1
    last = np.minimum(week_of(spells.end), WEEKS - 1)
    count = last - first + 1
    spell = np.repeat(np.arange(len(count)), count)
    week = np.arange(len(spell)) - np.repeat(np.cumsum(count) - count, count) + first[spell]
    lead = spells.lead[spell]
    order = np.lexsort((week, lead))
    return lead[order], spells.state[spell][order], week[order]


def _histories(block: Block) -> _Histories:
    count = len(block.people.created)
    duplicated = np.nonzero(block.people.duplicated)[0]
    unmerged = np.full(count, -1)
    unmerged[duplicated] = count + np.arange(len(duplicated))
    drawn = block.events.take(~block.events.marker)
    main = drawn.take(~drawn.on_duplicate & block.people.duplicated[drawn.lead])
    segments = block.segments.take(unmerged[block.segments.lead] >= 0)
    return _Histories(
        lead=np.concatenate([np.arange(count), duplicated]),
        share=np.repeat([1.0, 1.0 - company.DUPLICATE_FILING], [count, len(duplicated)]),
        unmerged=unmerged,
        segments=Segments.concatenate([block.segments, replace(segments, lead=unmerged[segments.lead])]),
        events=Events.concatenate([drawn, replace(main, lead=unmerged[main.lead])]),
    )


def _beliefs(chain: Chain, block: Block, histories: _Histories) -> Floats:
    """Probability of each level at each turn, from what was known before; shape (weeks, levels, histories)."""
    evidence = _evidence(chain, block, histories)
    people = block.people.take(histories.lead)
    initial = chain.initial[people.channel, people.size].T
    born = week_of(people.born)
    settled = np.empty((WEEKS, *initial.shape))  # as everything becomes known in the end
    belief = np.empty_like(settled)  # as it was known at the turn
    settled[0] = belief[0] = initial
    for week in range(1, WEEKS):
        before = initial
        if week > 1:
            carried = forward(settled[week - 2], evidence[1, week - 2], chain.transition)
            before = np.where(born < week - 1, carried, initial)
        older = born < week
        belief[week] = np.where(older, forward(before, evidence[0, week - 1], chain.transition), initial)
        settled[week] = np.where(
            older, forward(settled[week - 1], evidence[_IN_THE_END, week - 1], chain.transition), initial
        )
    return belief


def _evidence(chain: Chain, block: Block, histories: _Histories) -> Floats:
    """Log likelihood by level of what happened in a week: as known one turn later, two turns later, in the end.

    Shape (3, weeks, levels, histories). The first two are the third less what is still missing.
    """
    channel = block.people.channel[histories.lead]
    evidence = np.empty((_IN_THE_END + 1, WEEKS, chain.levels, len(histories.lead)))
    evidence[_IN_THE_END] = _evidence_of_segments(chain, histories, channel)
    evidence[_IN_THE_END] += _evidence_of_events(chain, histories.events, channel)
    for turn in range(_IN_THE_END):
        as_of = turn_of(week_of(histories.events.occurred) + turn + 1)
        missing = histories.events.take(histories.events.known >= as_of)
        evidence[turn] = evidence[_IN_THE_END] + _exposure_still_missing(chain, histories, channel, turn)
        evidence[turn] -= _evidence_of_events(chain, missing, channel)
    return evidence


def _evidence_of_events(chain: Chain, events: Events, channel: Integers) -> Floats:
    """Sum of the log rates of events."""
    log_rates = _log(chain.rates)[events.state, channel[events.lead], :, events.type]
    return _by_week(log_rates, week_of(events.occurred), events.lead, len(channel))


def _evidence_of_segments(chain: Chain, histories: _Histories, channel: Integers) -> Floats:
    """Log likelihood of no more events than there were, of no exit before the end, and of the exit."""
    segments = histories.segments
    place = (segments.state, channel[segments.lead])
    span = ((segments.end - segments.start) / WEEK)[:, None]
    rates = rates_by_source(chain)
    halved = rates[Source.WEB] + rates[Source.EMAIL] + rates[Source.CRM_LEAD]
    certain = rates[Source.CRM_SALES] + chain.hazards.sum(axis=0)
    quiet = -span * (halved[place] * _filed_share(histories)[:, None] + certain[place])
    ended = np.nonzero(segments.exit != Exit.NONE)[0]
    quiet[ended] += _log(chain.hazards)[segments.exit[ended], place[0][ended], place[1][ended]]
    return _by_week(quiet, segments.week, segments.lead, len(channel))


def _exposure_still_missing(chain: Chain, histories: _Histories, channel: Integers, turn: int) -> Floats:
    """Count the expected events of the web and of emails that are not yet known at a turn after their week."""
    segments = histories.segments
    place = (segments.state, channel[segments.lead])
    as_of = turn_of(segments.week + turn + 1)
    span = (segments.end - segments.start) / WEEK
    share = _filed_share(histories)
    rates = rates_by_source(chain)
    expected = np.zeros((len(span), chain.levels))
    # After two turns all emails are known.
    for source in (Source.WEB, Source.EMAIL)[: _IN_THE_END - turn]:
        missing = (span - known_exposure(segments.start, segments.end, as_of, source)) * share
        expected += rates[source][place] * missing[:, None]
    return _by_week(expected, segments.week, segments.lead, len(channel))


def _filed_share(histories: _Histories) -> Floats:
    """Return the part of its own events that a history holds; cookies are never filed under a duplicate."""
    segments = histories.segments
    return np.where(segments.state == State.ANONYMOUS, 1.0, histories.share[segments.lead])


def _by_week(values: Floats, week: Integers, history: Integers, histories: int) -> Floats:
    """Sum values of shape (rows, levels) by week and history, to shape (weeks, levels, histories)."""
    cell = week * histories + history
    sums = [np.bincount(cell, column, minlength=WEEKS * histories) for column in values.T]
    return np.asarray(np.stack(sums).reshape(len(sums), WEEKS, histories).swapaxes(0, 1), dtype=np.float64)


def rates_by_source(chain: Chain) -> Floats:
    """Rates of all events of a source together, shape (sources, states, channels, levels)."""
    sources = np.array(chain.sources)
    return np.stack([chain.rates[..., sources == source].sum(axis=-1) for source in Source])


def known_exposure(start: Integers, end: Integers, as_of: Integers, source: Source) -> Floats:
    """Return the expected weeks of [start, end) whose events are known before as_of.

    The integral over t of the probability that the delay is below as_of - t.
    """
    if source == Source.WEB:
        prompt = _before(start, end, as_of - company.PROMPT_DELAY)
        late = _late_weeks(as_of - start) - _late_weeks(as_of - end)
        return (1 - company.LATE_SHARE) * prompt + company.LATE_SHARE * late
    return _before(start, end, as_of - (company.EMAIL_DELAY if source == Source.EMAIL else 0))


def _before(start: Integers, end: Integers, limit: Integers) -> Floats:
    return np.asarray(np.clip(np.minimum(end, limit) - start, 0, None) / WEEK)


def _late_weeks(age: Integers) -> Floats:
    """Integral from 0 to an age of the distribution function of lateness, uniform between two bounds."""
    span = company.LONGEST_LATENESS - company.SHORTEST_LATENESS
    within = np.clip(age - company.SHORTEST_LATENESS, 0, span) / WEEK
    beyond = np.clip(age - company.LONGEST_LATENESS, 0, None) / WEEK
    return np.asarray(within**2 / (2 * span / WEEK) + beyond)


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(values, out=np.full_like(values, _IMPOSSIBLE), where=values > 0))
