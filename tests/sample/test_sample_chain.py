"""The chain against numbers worked out by hand, against all paths of levels, and against leads followed one by one."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sample.chain import EXITS, STATES, Chain, Exit, Forecasts, Source, State, Turn, forward
from pipeline.sample.company import AWAY, COMPANY, HORIZON_DAYS, PAUSES, SHIFTED
from pipeline.sample.timeline import DAY, END, HOUR, SECOND, WEEK
from pipeline.sample.truth import known_exposure

HAND_OVER = (0.20, 0.60)
OPEN_CONVERT, OPEN_LOSE = (0.05, 0.10), (0.15, 0.30)
HANDED_OVER_CONVERT, HANDED_OVER_LOSE = (0.10, 0.50), (0.30, 0.50)
PLAIN = np.array([[0.75, 0.25], [0.40, 0.60]])
CONTACTED = np.array([[0.30, 0.70], [0.10, 0.90]])
SOLD = np.array([[0.80, 0.20], [0.80, 0.20]])
# Places of the three answers: as it happens, and with and without a contact in the first week.
AS_IT_HAPPENS, WITH_CONTACT, WITHOUT_CONTACT = 0, 1, 2
OPEN, HANDED_OVER = 0, 1  # places of two states of an episode


def two_levels(contact: tuple[float, float] = (0.0, 0.0)) -> Chain:
    """Make a chain with two states, a regime in which nothing happens, and contacts at a rate by level."""
    hazards = np.zeros((EXITS, 2, STATES, 1, 2))
    hazards[Exit.HAND_OVER, 0, State.OPEN, 0] = HAND_OVER
    hazards[Exit.CONVERT, 0, State.OPEN, 0] = OPEN_CONVERT
    hazards[Exit.LOSE, 0, State.OPEN, 0] = OPEN_LOSE
    hazards[Exit.CONVERT, 0, State.HANDED_OVER, 0] = HANDED_OVER_CONVERT
    # Two reasons make one loss.
    hazards[Exit.LOSE, 0, State.HANDED_OVER, 0] = np.array(HANDED_OVER_LOSE) / 4
    hazards[Exit.LOSE + 3, 0, State.HANDED_OVER, 0] = 3 * np.array(HANDED_OVER_LOSE) / 4
    rates = np.ones((2, STATES, 1, 2, 2))
    rates[..., 1] = contact
    return Chain(
        initial=np.array([[[0.5, 0.5]]]),
        transitions=np.stack([PLAIN, CONTACTED, SOLD]),
        rates=rates,
        hazards=hazards,
        contents=np.ones((2, 1)),
        sources=(Source.WEB, Source.CRM),
        shared=(True, False),
        contacts=(False, True),
    )


def chances(chain: Chain, *, weeks: int, remainder: float, regimes: list[int] | None = None) -> npt.NDArray[np.float64]:
    """Probabilities to convert by level, state and answer, for the only channel."""
    forecasts = Forecasts(chain, weeks=weeks, remainder=remainder)
    return np.asarray(forecasts.probability(regimes or [0] * (weeks + 1))[0])


def test_within_one_week_a_lead_converts_as_competing_risks_say() -> None:
    # Level 0: 0.1 / 0.4 (1 - exp(-0.4)); level 1: 0.5 / 1.0 (1 - exp(-1)). No level moves before the week is over.
    probability = chances(two_levels(contact=(0.5, 2.0)), weeks=0, remainder=1.0)
    assert probability.shape == (2, 4, 3)
    for answer in (AS_IT_HAPPENS, WITH_CONTACT, WITHOUT_CONTACT):
        assert probability[:, HANDED_OVER, answer] == pytest.approx([0.0824199885, 0.3160602794], abs=1e-10)


def test_an_open_lead_converts_by_itself_or_through_sales() -> None:
    # Level 1 leaves "open" at 1.0 a week, as "handed over" does, so over a week: 0.1 (1 - exp(-1)) by itself, and
    # through sales the integral of 0.6 exp(-t) 0.5 (1 - exp(-(1 - t))) = 0.3 (1 - 2 exp(-1)).
    probability = chances(two_levels(), weeks=0, remainder=1.0)
    assert probability[1, OPEN, AS_IT_HAPPENS] == pytest.approx(0.0632120559 + 0.0792723353, abs=1e-10)


def test_who_is_refused_by_sales_may_still_convert_by_itself() -> None:
    # Refused at 2.0 a week for either of two reasons, and open leads convert at 1.0: the integral of
    # 2 exp(-2t) (1 - exp(-(1 - t))) is (1 - exp(-1)) squared.
    chain = two_levels()
    hazards = np.zeros_like(chain.hazards)
    hazards[[Exit.REFUSE, Exit.REFUSE + 5], 0, State.HANDED_OVER] = 1.0
    hazards[Exit.CONVERT, 0, State.OPEN] = 1.0
    probability = chances(replace(chain, hazards=hazards), weeks=0, remainder=1.0)
    assert probability[:, HANDED_OVER, AS_IT_HAPPENS] == pytest.approx([0.3995764009] * 2, abs=1e-10)


def test_an_opportunity_is_two_steps_from_being_handed_over() -> None:
    # All three steps at 1.0 a week: within a week at least three steps, 1 - exp(-1) (1 + 1 + 1 / 2).
    chain = two_levels()
    hazards = np.zeros_like(chain.hazards)
    hazards[Exit.ACCEPT, 0, State.HANDED_OVER] = 1.0
    hazards[Exit.OPEN_OPPORTUNITY, 0, State.ACCEPTED] = 1.0
    hazards[Exit.CONVERT, 0, State.OPPORTUNITY] = 1.0
    probability = chances(replace(chain, hazards=hazards), weeks=0, remainder=1.0)[0, :, AS_IT_HAPPENS]
    # Open: nobody hands it over; handed over: three steps; accepted: two; opportunity: one.
    assert probability == pytest.approx([0, 0.0803013971, 0.2642411177, 0.6321205588], abs=1e-10)


def test_two_weeks_are_one_week_a_move_of_the_level_and_another_week() -> None:
    # 0.0824199885 + exp(-0.4) (0.75 x 0.0824199885 + 0.25 x 0.3160602794)
    probability = chances(two_levels(), weeks=1, remainder=1.0)
    assert probability[0, HANDED_OVER, AS_IT_HAPPENS] == pytest.approx(0.1768212014, abs=1e-9)


def test_a_contact_lets_the_level_move_by_a_matrix_of_its_own() -> None:
    # In the second week 0.1408300612 after a plain turn, as above, and 0.3 x 0.0824199885 + 0.7 x 0.3160602794 =
    # 0.2459681921 after a contact. At a rate of 0.5 a contact comes with 1 - exp(-0.5) = 0.3934693403, and says
    # nothing of who stays: the mean with these weights is 0.1821986922.
    probability = chances(two_levels(contact=(0.5, 2.0)), weeks=1, remainder=1.0)[0, HANDED_OVER]
    survives = 0.6703200460  # exp(-0.4)
    assert probability[WITHOUT_CONTACT] == pytest.approx(0.0824199885 + survives * 0.1408300612, abs=1e-9)
    assert probability[WITH_CONTACT] == pytest.approx(0.0824199885 + survives * 0.2459681921, abs=1e-9)
    assert probability[AS_IT_HAPPENS] == pytest.approx(0.0824199885 + survives * 0.1821986922, abs=1e-9)


def test_the_regime_of_each_week_to_come_counts() -> None:
    # Nothing happens in regime 1: what is left is the other week, after a turn before it, or before any turn.
    chain = two_levels()
    first, last, neither = (
        chances(chain, weeks=1, remainder=1.0, regimes=regimes)[0, HANDED_OVER, AS_IT_HAPPENS]
        for regimes in ([0, 1], [1, 0], [1, 1])
    )
    assert first == pytest.approx(0.0824199885, abs=1e-9)
    assert last == pytest.approx(0.1408300612, abs=1e-9)
    assert neither == 0


def follow(chance: random.Random, level: int, *, handed_over: bool, answer: int, contact: tuple[float, float]) -> bool:
    """Whether a lead converts within two weeks and a half, its first week made to hold a contact, or none."""
    time, contacted = 0.0, False
    while time < 2.5:
        hand_over = 0.0 if handed_over else HAND_OVER[level]
        convert = (HANDED_OVER_CONVERT if handed_over else OPEN_CONVERT)[level]
        lose = (HANDED_OVER_LOSE if handed_over else OPEN_LOSE)[level]
        total = hand_over + convert + lose + contact[level]
        turn, step = math.floor(time) + 1, time + chance.expovariate(total)
        if step >= turn:
            if turn == 1 and answer != AS_IT_HAPPENS:
                contacted = answer == WITH_CONTACT
            time, level = float(turn), int(chance.random() >= (CONTACTED if contacted else PLAIN)[level, 0])
            contacted = False
            continue
        if step >= 2.5:
            return False
        kind = chance.random() * total
        time = step
        if kind < contact[level]:
            contacted = True
        elif kind < contact[level] + hand_over:
            handed_over = True
        else:
            return kind < contact[level] + hand_over + convert
    return False


def test_products_of_matrices_agree_with_leads_followed_one_by_one() -> None:
    chance = random.Random(11)  # noqa: S311 - a simulation
    runs, contact = 20_000, (0.4, 1.5)
    probability = chances(two_levels(contact), weeks=2, remainder=0.5)
    for level, state, answer in product((0, 1), (OPEN, HANDED_OVER), (AS_IT_HAPPENS, WITH_CONTACT, WITHOUT_CONTACT)):
        share = (
            sum(
                follow(chance, level, handed_over=state == HANDED_OVER, answer=answer, contact=contact)
                for _ in range(runs)
            )
            / runs
        )
        expected = probability[level, state, answer]
        assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / runs))
    # The effect is larger than what chance may hide.
    effect = probability[0, HANDED_OVER, WITH_CONTACT] - probability[0, HANDED_OVER, WITHOUT_CONTACT]
    assert effect > 10 * math.sqrt(0.25 / runs)


@settings(max_examples=30)
@given(weeks=st.integers(0, 6), shorter=st.floats(0, 1), longer=st.floats(0, 1))
def test_a_longer_horizon_never_lowers_the_probability(weeks: int, shorter: float, longer: float) -> None:
    shorter, longer = sorted((shorter, longer))
    chain = two_levels(contact=(0.5, 2.0))
    low, high = (chances(chain, weeks=weeks, remainder=remainder) for remainder in (shorter, longer))
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= high + 1e-12).all()


TRANSITIONS = np.stack([PLAIN, CONTACTED, SOLD])


def test_the_filter_weighs_what_was_seen_and_then_moves_the_level_as_the_turn_says() -> None:
    # (0.5 x 0.2, 0.5 x 0.6) is (0.25, 0.75); one move later 0.25 x 0.75 + 0.75 x 0.4 = 0.4875, after a contact
    # 0.25 x 0.3 + 0.75 x 0.1 = 0.15, and after a sale 0.8, whatever was seen.
    seen = np.log([[0.2] * 3, [0.6] * 3])
    belief = forward(np.full((2, 3), 0.5), seen, TRANSITIONS, np.array([Turn.PLAIN, Turn.CONTACTED, Turn.SOLD]))
    assert belief[0] == pytest.approx([0.4875, 0.15, 0.8], abs=1e-12)
    assert belief.sum(axis=0) == pytest.approx([1, 1, 1], abs=1e-12)


def test_a_contact_that_nobody_could_see_moves_each_level_by_its_chance() -> None:
    # Level 0 had one with 0.5, level 1 with 0.2: 0.25 (0.5 x 0.3 + 0.5 x 0.75) + 0.75 (0.2 x 0.1 + 0.8 x 0.4); a
    # contact that was seen, and a sale, leave nothing open.
    seen, unseen = np.log([[0.2] * 3, [0.6] * 3]), np.array([[0.5] * 3, [0.2] * 3])
    turns = np.array([Turn.PLAIN, Turn.CONTACTED, Turn.SOLD])
    belief = forward(np.full((2, 3), 0.5), seen, TRANSITIONS, turns, unseen)
    assert belief[0] == pytest.approx([0.38625, 0.15, 0.8], abs=1e-12)


def test_the_filter_survives_likelihoods_too_small_for_a_float() -> None:
    seen = np.log([[0.2], [0.6]]) - 5_000
    belief = forward(np.array([[0.5], [0.5]]), seen, TRANSITIONS, np.array([Turn.PLAIN]))
    assert belief[:, 0] == pytest.approx([0.4875, 0.5125], abs=1e-9)


def test_the_filter_equals_the_sum_over_all_paths_of_levels() -> None:
    # Five weeks, and each order in which plain turns, contacts and sales may follow one another.
    weeks = 5
    orders = list(product(Turn, repeat=weeks))
    chance = random.Random(3)  # noqa: S311 - numbers for a comparison
    likelihood = [[[chance.random() for _ in orders] for _ in (0, 1)] for _ in range(weeks)]
    start = (0.3, 0.7)
    belief = np.repeat(np.array(start)[:, None], len(orders), axis=1)
    for week in range(weeks):
        turn = np.array([order[week] for order in orders])
        belief = forward(belief, np.log(likelihood[week]), TRANSITIONS, turn)
    for number, order in enumerate(orders):
        total = [0.0, 0.0]
        for path in product((0, 1), repeat=weeks + 1):
            weight = start[path[0]]
            for week, turn_of_week in enumerate(order):
                weight *= likelihood[week][path[week]][number]
                weight *= float(TRANSITIONS[turn_of_week, path[week], path[week + 1]])
            total[path[-1]] += weight
        assert belief[:, number] == pytest.approx([part / sum(total) for part in total], abs=1e-12)


def test_parameters_that_make_no_sense_are_all_named_at_once() -> None:
    chain = two_levels()
    with pytest.raises(ValueError, match=r"transitions doesn't sum to one") as error:
        replace(chain, transitions=2 * chain.transitions, rates=-chain.rates, hazards=chain.hazards[:3])
    assert "rates has negative values" in str(error.value)
    assert "hazards has shape (3, 2, 16, 1, 2), not (16, 2, 16, 1, 2)" in str(error.value)


@pytest.mark.parametrize(("source", "shared"), [(Source.CRM, True), (Source.WEB, False), (Source.EMAIL, False)])
def test_a_contact_that_could_be_known_late_or_filed_apart_is_refused(source: Source, *, shared: bool) -> None:
    with pytest.raises(ValueError, match="a contact is recorded outside the CRM, or under a duplicate"):
        replace(two_levels(), sources=(Source.WEB, source), shared=(True, shared))


@pytest.mark.parametrize(
    ("source", "days_later", "weeks"),
    [
        (Source.CRM, 0, 1.0),
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


def test_each_step_with_sales_raises_the_hazard_of_every_human_level() -> None:
    convert = COMPANY.hazards[Exit.CONVERT]
    assert (convert[:, State.ACCEPTED, :, :4] > convert[:, State.OPEN, :, :4]).all()
    assert (convert[:, State.OPPORTUNITY, :, :4] > convert[:, State.ACCEPTED, :, :4]).all()
    assert (convert[..., 4] == 0).all()


def test_a_seller_who_is_away_decides_and_calls_less_and_a_shift_changes_what_it_says() -> None:
    contacts = COMPANY.rates_of(COMPANY.contacts)
    decisions = COMPANY.hazards[[Exit.ACCEPT, Exit.OPEN_OPPORTUNITY, *range(Exit.REFUSE, Exit.LOSE)]].sum(axis=0)
    assert contacts[AWAY] == pytest.approx(0.08 * contacts[0])
    assert decisions[AWAY] == pytest.approx(0.08 * decisions[0])
    others = [Exit.HAND_OVER, Exit.CONVERT, Exit.REOPEN, *range(Exit.LOSE, EXITS)]
    assert (COMPANY.hazards[others, AWAY] == COMPANY.hazards[others, 0]).all()
    assert COMPANY.hazards[Exit.CONVERT, SHIFTED] == pytest.approx(0.6 * COMPANY.hazards[Exit.CONVERT, 0])
    unlike = (COMPANY.rates[SHIFTED] != COMPANY.rates[0]).any(axis=(0, 1, 2))
    assert unlike.sum() == 1  # views of the price list


def test_no_lost_lead_returns_within_the_horizon() -> None:
    # A loss then rules a conversion out, as the forecasts take it to do.
    assert PAUSES.min() > HORIZON_DAYS * DAY
