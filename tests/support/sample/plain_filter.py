"""The truth of the sample world from its definition, in plain Python.

It knows the parameters of the chain and what the files say, nothing of the simulation; no matrix is ever raised to a
power, and every Monday is worked out from a lead's first hit on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise

from sample_reading import WEEK, History, Seen, Spell, World, is_marker, monday_of

from pipeline.sample.chain import EPISODE, EXITS, NEXT_STATE, Exit, Source, Turn
from pipeline.sample.company import AWAY, COMPANY, DUPLICATE_FILING, LEVELS, SHIFTED, TYPE_NAMES
from pipeline.sample.contents import CONTENTS

Levels = list[float]
_LEVELS = range(len(LEVELS))
_CONTACTS = {name for name, contact in zip(TYPE_NAMES, COMPANY.contacts, strict=True) if contact}
_TRANSITIONS: list[list[Levels]] = COMPANY.transitions.tolist()  # by turn, level before and level after
_WHOLE_WEEKS, _REST = 4, 2 / 7  # thirty days
_STAGES = len(EPISODE) + 1  # the last one: converted


@dataclass(frozen=True)
class PlainFilter:
    """What can be said of the leads of a world; shifted from a Monday on, with a day that a source has lost."""

    world: World
    shifted_from: datetime | None = None
    lost: tuple[Source, datetime] | None = None
    _regimes: dict[tuple[str, datetime], int] = field(default_factory=dict)

    def regime(self, territory: str, monday: datetime) -> int:
        """Tell whether anybody sells in a territory in a week, and whether the week is shifted."""
        key = (territory, monday)
        if key not in self._regimes:
            shifted = self.shifted_from is not None and monday >= self.shifted_from
            self._regimes[key] = AWAY * self.world.away(territory, monday) + SHIFTED * shifted
        return self._regimes[key]

    def forecasts(self, history: History, as_of: datetime, state: int) -> list[tuple[float, float, float]]:
        """Probability to convert within thirty days by level: as it happens, with a contact, without one."""
        regimes = tuple(self.regime(history.territory, as_of + week * WEEK) for week in range(_WHOLE_WEEKS + 1))
        return [by_state[state - EPISODE[0]] for by_state in conversion(history.channel, regimes)]

    def belief(self, history: History, as_of: datetime) -> Levels:
        """Levels at as_of given all that is known before, week by week and spell by spell."""
        united = history.merged is None or history.merged < as_of
        known = [
            event
            for event in history.events
            if event.known < as_of and (united or event.contact != history.duplicate) and not is_marker(history, event)
        ]
        belief: Levels = COMPANY.initial[history.channel, history.large].tolist()
        week = monday_of(history.born)
        while week < as_of:
            events = [event for event in known if week <= event.occurred < week + WEEK]
            spells = [spell for spell in history.spells if spell.start < week + WEEK and week < spell.end]
            log_likelihood, unseen = [0.0 for _ in _LEVELS], [0.0 for _ in _LEVELS]
            for spell in spells:
                self._weigh(log_likelihood, unseen, history, spell, week, as_of, events, united=united)
            best = max(log_likelihood)
            weight = [b * math.exp(value - best) for b, value in zip(belief, log_likelihood, strict=True)]
            sold = any(spell.exit == Exit.CONVERT and spell.end < week + WEEK for spell in spells)
            contacted = any(event.kind in _CONTACTS for event in events)
            belief = moved([value / sum(weight) for value in weight], unseen, sold=sold, contacted=contacted)
            week += WEEK
        return belief

    def _weigh(
        self,
        log_likelihood: Levels,
        unseen: Levels,
        history: History,
        spell: Spell,
        week: datetime,
        as_of: datetime,
        events: list[Seen],
        *,
        united: bool,
    ) -> None:
        """Add the log likelihood of a spell's part of a week, and the contacts expected in what the CRM has lost."""
        first, last = max(spell.start, week), min(spell.end, week + WEEK)
        regime = self.regime(history.territory, week)
        halved = not united and first >= history.created
        weeks, gone = {}, 0.0
        for source in Source:
            end = min(last, max(first, history.mail_until)) if source == Source.EMAIL else last
            weeks[source] = expected_known(source, first, end, as_of)
            if self.lost is not None and self.lost[0] == source:
                day = self.lost[1]
                begin, close = (min(max(moment, first), end) for moment in (day, day + timedelta(days=1)))
                weeks[source] -= expected_known(source, begin, close, as_of)
                gone = (close - begin) / WEEK if source == Source.CRM else 0.0
        here = [event for event in events if first <= event.occurred < last]
        for level in _LEVELS:
            place = (regime, spell.state, history.channel, level)
            by_source, contacts = expected_events(place, halved=halved)
            total = -sum(hazards(place)) * ((last - first) / WEEK)
            total -= sum(by_source[source] * weeks[source] for source in Source)
            if spell.exit != Exit.NONE and spell.end == last:
                total += logarithm(hazards(place)[spell.exit])
            for event in here:
                total += log_rate(place, event.kind)
                if event.about is not None:
                    total += log_share(level, event.about)
            log_likelihood[level] += total
            unseen[level] += contacts * gone


def moved(belief: Levels, unseen: Levels, *, sold: bool, contacted: bool) -> Levels:
    """Let levels move at the end of a week; unseen are the contacts expected where the log can't tell."""
    after = [0.0] * len(belief)
    for level, share in enumerate(belief):
        ways = [_TRANSITIONS[turn][level] for turn in (Turn.PLAIN, Turn.CONTACTED)]
        spoken = 1.0 if contacted else 1 - math.exp(-unseen[level])
        for target, (plain, spoken_to) in enumerate(zip(*ways, strict=True)):
            bought = _TRANSITIONS[Turn.SOLD][level][target]
            after[target] += share * (bought if sold else spoken * spoken_to + (1 - spoken) * plain)
    return after


@cache
def hazards(place: tuple[int, int, int, int]) -> list[float]:
    """All hazards of a regime, state, channel and level."""
    return [float(COMPANY.hazards[(exit_, *place)]) for exit_ in range(EXITS)]


@cache
def expected_events(place: tuple[int, int, int, int], *, halved: bool) -> tuple[dict[Source, float], float]:
    """Events a week of each source, halved where a duplicate takes its part, and contacts a week."""
    by_source, contacts = dict.fromkeys(Source, 0.0), 0.0
    for rate, source, shared, contact in zip(
        COMPANY.rates[place].tolist(), COMPANY.sources, COMPANY.shared, COMPANY.contacts, strict=True
    ):
        by_source[source] += rate * (1 - DUPLICATE_FILING if halved and shared else 1)
        contacts += rate * contact
    return by_source, contacts


@cache
def log_rate(place: tuple[int, int, int, int], kind: str) -> float:
    return logarithm(float(COMPANY.rates[place][TYPE_NAMES.index(kind)]))


@cache
def log_share(level: int, content: str) -> float:
    return logarithm(float(COMPANY.contents[level, CONTENTS.index(content)]))


def logarithm(value: float) -> float:
    return math.log(value) if value else -math.inf


def expected_known(source: Source, first: datetime, last: datetime, as_of: datetime) -> float:
    """Weeks of [first, last) known by as_of: the share known is linear between the bounds of the delays."""
    if source == Source.CRM or (as_of - last).days > 11:
        return (last - first) / WEEK
    bounds = {Source.WEB: (1, 86_400, 864_000), Source.EMAIL: (21_600,)}[source]
    cuts = sorted({min(max(as_of - timedelta(seconds=bound), first), last) for bound in bounds} | {first, last})
    total = 0.0
    for start, end in pairwise(cuts):
        age = (as_of - start - (end - start) / 2).total_seconds()  # the middle of a piece stands for all of it
        share = float(age > 21_600)
        if source == Source.WEB:
            share = 0.9 * (age > 1) + 0.1 * min(max((age - 86_400) / (9 * 86_400), 0.0), 1.0)
        total += share * ((end - start) / WEEK)
    return total


@cache
def conversion(channel: int, regimes: tuple[int, ...]) -> list[list[tuple[float, float, float]]]:
    """Probability to convert by level and state, for the regimes of four weeks and of the rest of the horizon."""
    value = [[0.0] * (_STAGES - 1) + [1.0] for _ in _LEVELS]
    value = [followed(moves(regimes[-1], channel, level), value[level], _REST) for level in _LEVELS]
    for regime in reversed(regimes[1:-1]):
        value = week_before(regime, channel, value)
    as_it_happens = week_before(regimes[0], channel, value)
    contact, no_contact = (week_before(regimes[0], channel, value, turn) for turn in (Turn.CONTACTED, Turn.PLAIN))
    return [
        list(zip(as_it_happens[level][:-1], contact[level][:-1], no_contact[level][:-1], strict=True))
        for level in _LEVELS
    ]


def week_before(regime: int, channel: int, value: list[Levels], turn: Turn | None = None) -> list[Levels]:
    """Carry values at the begin of a week back by a week, by level and stage.

    Everybody moves by a contact but those who had none: these are what is left where contacts are deadly.
    """
    before = []
    for level in _LEVELS:
        plain, contacted = (averaged(_TRANSITIONS[kind][level], value) for kind in (Turn.PLAIN, Turn.CONTACTED))
        rates = moves(regime, channel, level)
        if turn is not None:
            before.append(followed(rates, plain if turn == Turn.PLAIN else contacted, 1.0))
            continue
        # Who has converted is neither: there plain and contacted are the same.
        spared = [p - c for p, c in zip(plain, contacted, strict=True)]
        deadly = [
            float(COMPANY.rates[regime, state, channel, level, list(COMPANY.contacts)].sum()) for state in EPISODE
        ]
        everybody, uncalled = followed(rates, contacted, 1.0), followed(rates, spared, 1.0, deadly)
        before.append([e + u for e, u in zip(everybody, uncalled, strict=True)])
    return before


def averaged(weights: Sequence[float], values: list[Levels]) -> Levels:
    return [sum(w * v[stage] for w, v in zip(weights, values, strict=True)) for stage in range(_STAGES)]


@cache
def moves(regime: int, channel: int, level: int) -> list[dict[int, float]]:
    """Hazards from each state of an episode to each stage; -1 stands for all that rules a conversion out."""
    rates: list[dict[int, float]] = []
    for state in EPISODE:
        targets: dict[int, float] = {}
        for exit_, hazard in enumerate(hazards((regime, state, channel, level))):
            after = NEXT_STATE[exit_]
            stage = _STAGES - 1 if exit_ == Exit.CONVERT else int(after - EPISODE[0]) if after in EPISODE else -1
            if hazard:
                targets[stage] = targets.get(stage, 0.0) + hazard
        rates.append(targets)
    return rates


def followed(rates: list[dict[int, float]], value: Levels, weeks: float, deadly: Sequence[float] = ()) -> Levels:
    """Expect the value after some weeks, by stage: as many looks as a Poisson process has, each of which may move.

    Looks come as often as the fastest stage is left, so that between them nothing moves (uniformisation).
    """
    extra = [*deadly, 0.0] if deadly else [0.0] * _STAGES
    leaving = [sum(targets.values()) + more for targets, more in zip([*rates, {}], extra, strict=True)]
    looks = max(leaving) * weeks
    chance, seen, total, number = math.exp(-looks), list(value), [0.0] * _STAGES, 0
    while number <= looks or chance > 1e-18:
        total = [t + chance * s for t, s in zip(total, seen, strict=True)]
        after = []
        for stage, targets in enumerate([*rates, {}]):
            gain = sum(rate * seen[target] for target, rate in targets.items() if target >= 0)
            after.append(seen[stage] + (gain - leaving[stage] * seen[stage]) * weeks / looks)
        seen, number = after, number + 1
        chance *= looks / number
    return total
