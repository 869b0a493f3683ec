"""The chain against numbers worked out by hand, and against a simulation that knows no matrices."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sample.chain import Chain, Exit, Source, State, conversion_probability, forward
from pipeline.sample.company import CHANNELS, COMPANY, EVENT_TYPES, LEVELS
from pipeline.sample.simulate import simulate_block
from pipeline.sample.timeline import DAY, END, HOUR, SECOND, WEEK, week_of
from pipeline.sample.truth import known_exposure

CONTACT = (0.20, 0.60)
OPEN_CONVERT, OPEN_LOSE = (0.05, 0.10), (0.15, 0.30)
WORKED_CONVERT, WORKED_LOSE = (0.10, 0.50), (0.30, 0.50)
TRANSITION = np.array([[0.75, 0.25], [0.40, 0.60]])


def two_levels() -> Chain:
    hazards = np.zeros((4, len(State), 1, 2))
    hazards[Exit.CONTACT, State.OPEN, 0] = CONTACT
    hazards[Exit.CONVERT, State.OPEN, 0] = OPEN_CONVERT
    hazards[Exit.LOSE, State.OPEN, 0] = OPEN_LOSE
    hazards[Exit.CONVERT, State.WORKED, 0] = WORKED_CONVERT
    hazards[Exit.LOSE, State.WORKED, 0] = WORKED_LOSE
    return Chain(
        initial=np.array([[[0.5, 0.5]]]),
        transition=TRANSITION,
        rates=np.ones((len(State), 1, 2, 1)),
        hazards=hazards,
        sources=(Source.WEB,),
    )


def test_within_one_week_a_worked_lead_converts_as_competing_risks_say() -> None:
    # Level 0: 0.1 / 0.4 (1 - exp(-0.4)); level 1: 0.5 / 1.0 (1 - exp(-1)).
    probability = conversion_probability(two_levels(), weeks=0, remainder=1.0)
    assert probability.shape == (1, 2, 2)
    assert probability[0, :, 1] == pytest.approx([0.0824199885, 0.3160602794], abs=1e-10)


def test_an_open_lead_converts_by_itself_or_through_sales() -> None:
    # Level 1 leaves "open" at 1.0 a week, as "worked" does, so over a week: 0.1 (1 - exp(-1)) by itself, and through
    # sales the integral of 0.6 exp(-t) 0.5 (1 - exp(-(1 - t))) = 0.3 (1 - 2 exp(-1)).
    probability = conversion_probability(two_levels(), weeks=0, remainder=1.0)
    assert probability[0, 1, 0] == pytest.approx(0.0632120559 + 0.0792723353, abs=1e-10)


def test_two_weeks_are_one_week_a_move_of_the_level_and_another_week() -> None:
    # 0.0824199885 + exp(-0.4) (0.75 x 0.0824199885 + 0.25 x 0.3160602794)
    probability = conversion_probability(two_levels(), weeks=1, remainder=1.0)
    assert probability[0, 0, 1] == pytest.approx(0.1768212014, abs=1e-9)


def test_products_of_matrices_agree_with_leads_followed_one_by_one() -> None:
    chance = random.Random(11)  # noqa: S311 - a simulation
    runs, horizon = 20_000, 2.5

    def converts(level: int, worked: bool) -> bool:
        time = 0.0
        while time < horizon:
            turn = math.floor(time) + 1
            contact = 0.0 if worked else CONTACT[level]
            convert = (WORKED_CONVERT if worked else OPEN_CONVERT)[level]
            lose = (WORKED_LOSE if worked else OPEN_LOSE)[level]
            step = time + chance.expovariate(contact + convert + lose)
            if step >= turn:
                time, level = turn, 0 if chance.random() < TRANSITION[level, 0] else 1
                continue
            if step >= horizon:
                return False
            kind = chance.random() * (contact + convert + lose)
            if kind >= contact:
                return kind < contact + convert
            time, worked = step, True
        return False

    probability = conversion_probability(two_levels(), weeks=2, remainder=0.5)
    for level in (0, 1):
        for stage, worked in enumerate((False, True)):
            share = sum(converts(level, worked) for _ in range(runs)) / runs
            expected = probability[0, level, stage]
            assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / runs))


@settings(deadline=None, max_examples=30)
@given(weeks=st.integers(0, 6), shorter=st.floats(0, 1), longer=st.floats(0, 1))
def test_a_longer_horizon_never_lowers_the_probability(weeks: int, shorter: float, longer: float) -> None:
    shorter, longer = sorted((shorter, longer))
    low = conversion_probability(two_levels(), weeks=weeks, remainder=shorter)
    high = conversion_probability(two_levels(), weeks=weeks, remainder=longer)
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= high + 1e-12).all()


def test_the_filter_weighs_what_was_seen_and_then_moves_the_level() -> None:
    # (0.5 x 0.2, 0.5 x 0.6) is (0.25, 0.75); one move later 0.25 x 0.75 + 0.75 x 0.4 = 0.4875.
    belief = forward(np.array([[0.5], [0.5]]), np.log([[0.2], [0.6]]), TRANSITION)
    assert belief[:, 0] == pytest.approx([0.4875, 0.5125], abs=1e-12)


def test_the_filter_survives_likelihoods_too_small_for_a_float() -> None:
    belief = forward(np.array([[0.5], [0.5]]), np.log([[0.2], [0.6]]) - 5_000, TRANSITION)
    assert belief[:, 0] == pytest.approx([0.4875, 0.5125], abs=1e-9)


def test_parameters_that_make_no_sense_are_all_named_at_once() -> None:
    chain = two_levels()
    with pytest.raises(ValueError, match=r"transition doesn't sum to one") as error:
        Chain(chain.initial, 2 * chain.transition, -chain.rates, chain.hazards[:3], chain.sources)
    assert "rates has negative values" in str(error.value)
    assert "hazards has shape (3, 5, 1, 2), not (4, 5, 1, 2)" in str(error.value)


@pytest.mark.parametrize(
    ("source", "days_later", "weeks"),
    [
        (Source.CRM_LEAD, 0, 1.0),
        (Source.EMAIL, 0, 162 / 168),
        (Source.EMAIL, 1, 1.0),
        # Nine tenths come within a second. Of the rest, after 7 days: the integral of (age - 1) / 9 from 1 to 7 is
        # 2 days; after 14 days, ages run from 7 to 14: 2.5 days to age 10, 4 days beyond.
        (Source.WEB, 0, 0.9 * (1 - 1 / 604_800) + 0.1 * 2 / 7),
        (Source.WEB, 7, 0.9 + 0.1 * 6.5 / 7),
        (Source.WEB, 10, 1.0),
    ],
)
def test_the_known_part_of_a_week_follows_from_the_delays(source: Source, days_later: int, weeks: float) -> None:
    start = np.array([END - 30 * DAY])
    end = start + WEEK
    assert known_exposure(start, end, end + days_later * DAY, source) == pytest.approx(weeks, abs=1e-12)


def test_a_segment_within_the_delay_is_not_known_at_all() -> None:
    start = np.array([END])
    assert known_exposure(start, start + HOUR, start + HOUR, Source.EMAIL) == [0]
    assert known_exposure(start, start + SECOND, start + SECOND, Source.WEB) == [0]


def test_events_come_at_the_rates_of_state_level_and_channel() -> None:
    block = simulate_block(COMPANY, np.random.default_rng(3), 3_000)
    segments, events = block.segments, block.events
    limit = END - 11 * DAY  # what happens later may be known only after the log's end, and isn't in it
    span = np.clip(np.minimum(segments.end, limit) - segments.start, 0, None) / WEEK
    level = block.levels[segments.lead, segments.week]
    rates = COMPANY.rates[segments.state, block.people.channel[segments.lead], level]
    expected = np.zeros((len(State), len(LEVELS), len(EVENT_TYPES)))
    np.add.at(expected, (segments.state, level), rates * span[:, None])
    drawn = events.take(~events.marker & (events.occurred < limit))
    observed = np.zeros_like(expected)
    np.add.at(observed, (drawn.state, block.levels[drawn.lead, week_of(drawn.occurred)], drawn.type), 1)

    assert (observed[expected == 0] == 0).all()
    often = expected > 5
    score = (observed[often] - expected[often]) / np.sqrt(expected[often])
    assert often.sum() > 150
    assert np.abs(score).max() < 4.5
    assert (score**2).mean() == pytest.approx(1, abs=4 * math.sqrt(2 / often.sum()))


def test_leads_leave_their_states_at_the_hazards_of_level_and_channel() -> None:
    block = simulate_block(COMPANY, np.random.default_rng(5), 6_000)
    segments = block.segments
    level = block.levels[segments.lead, segments.week]
    hazards = COMPANY.hazards[:, segments.state, block.people.channel[segments.lead], level]
    expected = np.zeros((4, len(State), len(LEVELS)))
    observed = np.zeros_like(expected)
    ended = segments.exit != Exit.NONE
    for exit_ in range(4):
        np.add.at(expected[exit_], (segments.state, level), hazards[exit_] * (segments.end - segments.start) / WEEK)
    np.add.at(observed, (segments.exit[ended], segments.state[ended], level[ended]), 1)

    assert (observed[expected == 0] == 0).all()
    often = expected > 5
    score = (observed[often] - expected[often]) / np.sqrt(expected[often])
    assert often.sum() > 20
    assert np.abs(score).max() < 4


def test_people_appear_at_the_levels_of_their_channel_and_size() -> None:
    block = simulate_block(COMPANY, np.random.default_rng(9), 20_000)
    people = block.people
    first = block.levels[np.arange(len(people.born)), week_of(people.born)]
    observed = np.zeros(COMPANY.initial.shape)
    np.add.at(observed, (people.channel, people.size, first), 1)
    expected = COMPANY.initial * observed.sum(axis=-1, keepdims=True)
    often = expected > 20
    score = (observed - expected)[often] / np.sqrt((expected * (1 - COMPANY.initial))[often])
    assert often.sum() > 50
    assert np.abs(score).max() < 4


def test_levels_move_as_the_transition_says_and_bots_stay_bots() -> None:
    block = simulate_block(COMPANY, np.random.default_rng(8), 4_000)
    born = week_of(block.people.born)
    moves = np.zeros((len(LEVELS), len(LEVELS)))
    for week in range(block.levels.shape[1] - 1):
        alive = born <= week
        np.add.at(moves, (block.levels[alive, week], block.levels[alive, week + 1]), 1)
    total = moves.sum(axis=1, keepdims=True)
    error = np.sqrt(COMPANY.transition * (1 - COMPANY.transition) / total)
    assert (np.abs(moves / total - COMPANY.transition) <= 4.5 * error).all()
    assert moves[4, :4].sum() == moves[:4, 4].sum() == 0


def test_being_worked_by_sales_raises_the_hazard_of_every_human_level() -> None:
    convert = COMPANY.hazards[Exit.CONVERT]
    assert (convert[State.WORKED, :, :4] > convert[State.OPEN, :, :4]).all()
    assert (convert[:, :, 4] == 0).all()
    assert convert.shape[1] == len(CHANNELS)
