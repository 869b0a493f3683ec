"""What can truly be said of a lead at the turn of a week: with its intent known, and from what could be seen.

The forward filter runs over weeks. Within a week the level is constant, so all segments and events of a week
add up to one log likelihood a level. What happened in the last two weeks may not all be known yet (web hits
come up to ten days late), so each week has three likelihoods: as known one turn later, two turns later, and
in the end. The belief at a turn is the belief two weeks before, from all there is to know, carried over the
two last weeks as they were known. Contacts, steps of sales and outcomes are known at once.

Of a duplicated lead there are two histories: half of its own events until both ids are merged, all of them
afterwards. The filter is told which leads are duplicated, which events are machines', and of a day that a source
loses, in which states the leads were; nothing else is known to it that isn't in the log. Where the CRM loses a day,
each level may have had a contact on it, as likely as its rate says; where the mail provider's log does, a consent
withdrawn on it tells until when mail was sent, not who withdrew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.sample import company
from pipeline.sample.chain import (
    EPISODE,
    Chain,
    Exit,
    Flags,
    Floats,
    Forecasts,
    Integers,
    Source,
    State,
    Turn,
    forward,
)
from pipeline.sample.scenario import PLAIN, Scenario
from pipeline.sample.sellers import regimes
from pipeline.sample.tables import Block, Events, Segments, Table
from pipeline.sample.timeline import DAY, END, WEEK, WEEKS, microseconds, turn_of, week_of

SINCE = microseconds(2025, 12, 1)
"""The first Monday of the truth: from here on lie the newest six firsts of a month."""
_IN_THE_END = 2  # place of what is known in the end, after what is known one and two turns after a week
_IMPOSSIBLE = -1e6  # log likelihood of what a level never does; finite, for 0 x infinity is no number


@dataclass(frozen=True, eq=False)
class Truth(Table):
    """One row a lead and Monday 00:00 UTC while its episode is open.

    hidden and observable are probabilities to convert within HORIZON_DAYS, shape (rows, 3): as it happens, with a
    contact by sales in the next seven days, and without one.
    """

    lead: Integers
    as_of: Integers
    state: Integers
    level: Integers
    hidden: Floats
    observable: Floats


@dataclass(frozen=True, eq=False)
class _Histories:
    """What is filed under the ids united so far: every lead's whole history, then those before a merge.

    unmerged: the history before the merge of each duplicated lead, -1 for the others.
    share: the part of a lead's shared events that is filed under the ids of the history.
    mail_until: when mail ends. events: without markers; here as in segments, lead is the number of a history.
    """

    lead: Integers
    share: Floats
    unmerged: Integers
    mail_until: Integers
    segments: Segments
    events: Events


class Oracle:
    """What the chain of a world says; made once for all its blocks."""

    def __init__(self, chain: Chain, scenario: Scenario = PLAIN, *, since: int = SINCE) -> None:
        self.chain, self.gap, self.since = chain, scenario.lost, since
        weeks, days = divmod(company.HORIZON_DAYS, 7)
        forecasts = Forecasts(chain, weeks=weeks, remainder=days / 7)
        coming = np.lib.stride_tricks.sliding_window_view(regimes(scenario.shift), weeks + 1, axis=1)
        distinct, place = np.unique(coming.reshape(-1, weeks + 1), axis=0, return_inverse=True)
        self._place = place.reshape(coming.shape[:2])
        self._by_place = np.stack([forecasts.probability(weeks_to_come) for weeks_to_come in distinct])

    def conversion(self, territory: Integers, week: Integers, channel: Integers, state: Integers) -> Floats:
        """Probabilities to convert from the turn of a week on, by level, shape (rows, levels, 3)."""
        return np.asarray(self._by_place[self._place[territory, week], channel, :, state - State.OPEN])

    def truth(self, block: Block) -> Truth:
        """Both probabilities to convert in [as_of, as_of + HORIZON_DAYS) for all open leads of a block."""
        histories = _histories(block)
        belief = _beliefs(self.chain, block, histories, self.gap)

        rows = _turns_in_episodes(block.segments, self.since)
        lead, week, people = rows.lead, rows.week + 1, block.people
        as_of = turn_of(week)
        apart = people.duplicated[lead] & (people.merged[lead] >= as_of)
        history = np.where(apart, histories.unmerged[lead], lead)
        level = block.levels[lead, week]
        by_level = self.conversion(people.territory[lead], week, people.channel[lead], rows.state)
        return Truth(
            lead=lead,
            as_of=as_of,
            state=rows.state,
            level=level,
            hidden=by_level[np.arange(len(lead)), level],
            observable=(by_level * belief[week, :, history][..., None]).sum(axis=1),
        )


def _turns_in_episodes(segments: Segments, since: int) -> Segments:
    """Return the segments that last until the turn of a week, in an episode, by lead and week."""
    in_episode = (segments.state >= EPISODE[0]) & (segments.state <= EPISODE[-1])
    lasts = (segments.end == turn_of(segments.week + 1)) & (segments.exit == Exit.NONE)
    rows = segments.take(in_episode & lasts & (segments.end >= since) & (segments.end < END))
    return rows.take(np.lexsort((rows.week, rows.lead)))


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
        mail_until=np.concatenate([block.mail_until, block.mail_until[duplicated]]),
        segments=Segments.concatenate([block.segments, replace(segments, lead=unmerged[segments.lead])]),
        events=Events.concatenate([drawn, replace(main, lead=unmerged[main.lead])]),
    )


def _beliefs(chain: Chain, block: Block, histories: _Histories, gap: tuple[Source, int] | None) -> Floats:
    """Probability of each level at each turn, from what was known before; shape (weeks, levels, histories)."""
    log = _Evidence(chain, block, histories, gap)
    evidence, unseen = log.by_turn(), log.unseen()
    people = block.people.take(histories.lead)
    turns = _turns_seen(chain, block)[histories.lead]
    initial = chain.initial[people.channel, people.size].T
    born = week_of(people.born)
    settled = np.empty((WEEKS, *initial.shape))  # as everything becomes known in the end
    belief = np.empty_like(settled)  # as it was known at the turn
    settled[0] = belief[0] = initial

    def carry(before: Floats, turn: int, week: int) -> Floats:
        return forward(before, evidence[turn, week], chain.transitions, turns[:, week], unseen.get(week))

    for week in range(1, WEEKS):
        before = initial
        if week > 1:
            before = np.where(born < week - 1, carry(settled[week - 2], 1, week - 2), initial)
        older = born < week
        belief[week] = np.where(older, carry(before, 0, week - 1), initial)
        settled[week] = np.where(older, carry(settled[week - 1], _IN_THE_END, week - 1), initial)
    return belief


def _turns_seen(chain: Chain, block: Block) -> Integers:
    """Return the turns of the weeks without the contacts that the log has lost."""
    events = block.events
    contacts = events.take(~events.marker & np.isin(events.type, np.nonzero(np.array(chain.contacts))[0]))
    seen = np.zeros(block.turns.shape, dtype=np.bool_)
    seen[contacts.lead, week_of(contacts.occurred)] = True
    return np.where((block.turns == Turn.CONTACTED) & ~seen, Turn.PLAIN, block.turns)


class _Evidence:
    """Log likelihood by level of what happened in a week."""

    def __init__(self, chain: Chain, block: Block, histories: _Histories, gap: tuple[Source, int] | None) -> None:
        self.chain, self.histories, self.gap = chain, histories, gap
        self.channel = block.people.channel[histories.lead]
        segments = histories.segments
        self.place = (segments.regime, segments.state, self.channel[segments.lead])
        # Cookies are never filed under a duplicate.
        self.share = np.where(segments.state == State.ANONYMOUS, 1.0, histories.share[segments.lead])
        self.rates = rates_by_source(chain)
        self.whole = {source: self._exposure(source, None) for source in Source}

    def by_turn(self) -> Floats:
        """As known one turn later, two turns later, in the end; shape (3, weeks, levels, histories).

        The first two are the third less what is still missing.
        """
        events = self.histories.events
        shape = (_IN_THE_END + 1, WEEKS, self.chain.levels, len(self.histories.lead))
        evidence = np.empty(shape)
        evidence[_IN_THE_END] = self._of_segments() + self._of_events(events)
        for turn in range(_IN_THE_END):
            as_of = turn_of(week_of(events.occurred) + turn + 1)
            missing = events.take(events.known >= as_of)
            evidence[turn] = evidence[_IN_THE_END] + self._exposure_missing(turn) - self._of_events(missing)
        return evidence

    def unseen(self) -> dict[int, Floats]:
        """By week, how likely each level had a contact that the CRM has lost, shape (levels, histories)."""
        if self.gap is None or self.gap[0] != Source.CRM:
            return {}
        segments, begin = self.histories.segments, self.gap[1]
        lost = _before(np.maximum(segments.start, begin), segments.end, np.asarray(begin + DAY))
        expected = lost[:, None] * self.chain.rates_of(self.chain.contacts)[self.place]
        week = int(week_of(np.asarray(begin)))
        return {week: 1 - np.exp(-self._by_week(expected, segments.week, segments.lead)[week])}

    def _of_events(self, events: Events) -> Floats:
        """Sum of the log rates of events, and of the log shares of what they are about."""
        log = _log(self.chain.rates)[events.regime, events.state, self.channel[events.lead], :, events.type]
        about = np.nonzero(events.content >= 0)[0]
        log[about] += _log(self.chain.contents).T[events.content[about]]
        return self._by_week(log, week_of(events.occurred), events.lead)

    def _of_segments(self) -> Floats:
        """Log likelihood of no more events than there were, of no exit before the end, and of the exit."""
        segments, chain = self.histories.segments, self.chain
        hazards = chain.hazards.sum(axis=0)[self.place]
        quiet = -((segments.end - segments.start) / WEEK)[:, None] * hazards
        for source in Source:
            quiet -= self._expected(source, self.whole[source])
        ended = np.nonzero(segments.exit != Exit.NONE)[0]
        quiet[ended] += _log(chain.hazards)[(segments.exit[ended], *(part[ended] for part in self.place))]
        return self._by_week(quiet, segments.week, segments.lead)

    def _exposure_missing(self, turn: int) -> Floats:
        """Count the expected events of the web and of emails that are not yet known at a turn after their week."""
        segments = self.histories.segments
        as_of = turn_of(segments.week + turn + 1)
        # After two turns all emails are known.
        late = (Source.WEB, Source.EMAIL)[: _IN_THE_END - turn]
        expected = [self._expected(source, self.whole[source] - self._exposure(source, as_of)) for source in late]
        return self._by_week(np.sum(expected, axis=0), segments.week, segments.lead)

    def _expected(self, source: Source, weeks: Floats) -> Floats:
        """Events of a source that are expected in weeks of each segment, shape (segments, levels)."""
        own, shared = self.rates[source]
        return np.asarray(weeks[:, None] * (own[self.place] + shared[self.place] * self.share[:, None]))

    def _exposure(self, source: Source, as_of: Integers | None) -> Floats:
        """Weeks of each segment whose events of a source are known before as_of, or in the end."""
        segments = self.histories.segments
        start, end = segments.start, segments.end
        if source == Source.EMAIL:
            end = np.clip(self.histories.mail_until[segments.lead], start, end)
        weeks = known_exposure(start, end, as_of, source)
        if self.gap is not None and self.gap[0] == source:
            begin = self.gap[1]
            weeks -= known_exposure(np.clip(begin, start, end), np.clip(begin + DAY, start, end), as_of, source)
        return weeks

    def _by_week(self, values: Floats, week: Integers, history: Integers) -> Floats:
        """Sum values of shape (rows, levels) by week and history, to shape (weeks, levels, histories)."""
        histories = len(self.histories.lead)
        cell = week * histories + history
        sums = [np.bincount(cell, column, minlength=WEEKS * histories) for column in values.T]
        return np.asarray(np.stack(sums).reshape(len(sums), WEEKS, histories).swapaxes(0, 1), dtype=np.float64)


def rates_by_source(chain: Chain) -> dict[Source, tuple[Floats, Floats]]:
    """Rates of all events of a source together: those never filed under a duplicate, and those that may be.

    Each of shape (regimes, states, channels, levels). Contacts are among the first, for they are events, too.
    """

    def chosen(source: Source, *, shared: bool) -> Flags:
        return np.array([(s, f) == (source, shared) for s, f in zip(chain.sources, chain.shared, strict=True)])

    return {
        source: (chain.rates_of(chosen(source, shared=False)), chain.rates_of(chosen(source, shared=True)))
        for source in Source
    }


def known_exposure(start: Integers, end: Integers, as_of: Integers | None, source: Source) -> Floats:
    """Return the expected weeks of [start, end) whose events are known before as_of, or in the end (None).

    The integral over t of the probability that the delay is below as_of - t.
    """
    if as_of is None:
        return np.asarray((end - start) / WEEK)
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
