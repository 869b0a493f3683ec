"""What is drawn follows the chain: appearances, moves, exits, events and contents, in all four regimes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.sample import Scenario
from pipeline.sample.chain import EPISODE, EXITS, NEXT_STATE, STATES, Exit, Floats, Integers, Source, State, Turn
from pipeline.sample.company import COMPANY, EVENT_TYPES, LEVELS, TYPE_NAMES
from pipeline.sample.contents import CONTENT_SHARES, CONTENTS
from pipeline.sample.simulate import simulate_block
from pipeline.sample.tables import Block
from pipeline.sample.timeline import DAY, END, ORIGIN, WEEK, week_of

REGIMES = 4
BOT = LEVELS.index("bot")
LAST = END - 11 * DAY  # what happens later may be known only after the log's end, and isn't in it


@pytest.fixture(scope="module")
def block() -> Block:
    """Leads of a world whose second half is shifted, so that each regime holds for many weeks."""
    return simulate_block(COMPANY, np.random.default_rng(3), 6_000, Scenario.read("2025-10-01", None))


def counted(shape: tuple[int, ...], *places: Integers) -> Floats:
    counts = np.zeros(shape)
    np.add.at(counts, places, 1)
    return counts


def assert_poisson(observed: Floats, expected: Floats, *, cells: int) -> None:
    """Compare counts with what is expected of them, where that is enough to tell."""
    assert (observed[expected == 0] == 0).all()
    often = expected > 5
    score = (observed[often] - expected[often]) / np.sqrt(expected[often])
    assert often.sum() > cells
    assert np.abs(score).max() < 4.5
    assert (score**2).mean() == pytest.approx(1, abs=4 * math.sqrt(2 / often.sum()))


def assert_shares(observed: Floats, shares: Floats, total: Floats, *, cells: int) -> None:
    """Compare counts with the shares of a total, where these are enough to tell; what has no share never happens."""
    total = np.broadcast_to(total, observed.shape)
    shares = np.broadcast_to(shares, observed.shape)
    assert (observed[shares == 0] == 0).all()
    often = (total * shares > 10) & (shares < 1)
    score = (observed - total * shares)[often] / np.sqrt((total * shares * (1 - shares))[often])
    assert often.sum() > cells
    assert np.abs(score).max() < 4.5


def test_events_come_at_the_rates_of_regime_state_level_and_channel(block: Block) -> None:
    segments, people = block.segments, block.people
    shape = (REGIMES, STATES, len(LEVELS), len(EVENT_TYPES))
    mails = np.array([source == Source.EMAIL for source in COMPANY.sources])
    end = np.minimum(segments.end, LAST)
    until = np.clip(block.mail_until[segments.lead], segments.start, end)
    span = np.where(mails, until[:, None], end[:, None]) - segments.start[:, None]
    rates = COMPANY.rates[segments.regime, segments.state, people.channel[segments.lead], segments.level]
    expected = np.zeros(shape)
    np.add.at(expected, (segments.regime, segments.state, segments.level), rates * np.clip(span, 0, None) / WEEK)
    drawn = block.events.take(~block.events.marker & (block.events.occurred < LAST))
    level = block.levels[drawn.lead, week_of(drawn.occurred)]
    assert_poisson(counted(shape, drawn.regime, drawn.state, level, drawn.type), expected, cells=500)


def test_leads_leave_their_states_at_the_hazards_of_regime_level_and_channel(block: Block) -> None:
    segments = block.segments
    shape = (EXITS, REGIMES, STATES, len(LEVELS))
    place = (segments.regime, segments.state, block.people.channel[segments.lead], segments.level)
    expected = np.zeros(shape)
    for exit_ in range(EXITS):
        weeks = (segments.end - segments.start) / WEEK
        np.add.at(
            expected[exit_], (segments.regime, segments.state, segments.level), COMPANY.hazards[exit_][place] * weeks
        )
    ended = segments.take(segments.exit != Exit.NONE)
    assert_poisson(counted(shape, ended.exit, ended.regime, ended.state, ended.level), expected, cells=150)


def test_each_state_follows_from_the_exit_or_the_clock_and_time_has_no_holes(block: Block) -> None:
    in_time = block.segments.take(np.lexsort((block.segments.start, block.segments.lead)))
    same = in_time.lead[1:] == in_time.lead[:-1]
    before, after = in_time.take(np.nonzero(same)[0]), in_time.take(np.nonzero(same)[0] + 1)
    assert (after.start == before.end).all()
    left = before.exit != Exit.NONE
    assert (after.state[left] == NEXT_STATE[before.exit[left]]).all()
    stays = ~left & (after.state == before.state)
    assert ((before.end[stays] - ORIGIN) % WEEK == 0).all()  # cut by the turn of a week
    by_clock = ~left & ~stays
    returns = {(int(State.ANONYMOUS), int(State.OPEN))} | {
        (state, state + 5) for state in range(State.PAUSED, State.LOST)
    }
    assert set(zip(before.state[by_clock].tolist(), after.state[by_clock].tolist(), strict=True)) == returns


def test_people_appear_at_the_levels_of_their_channel_and_size() -> None:
    people_and_levels = simulate_block(COMPANY, np.random.default_rng(9), 20_000)
    people = people_and_levels.people
    first = people_and_levels.levels[np.arange(len(people.born)), week_of(people.born)]
    observed = counted(COMPANY.initial.shape, people.channel, people.size, first)
    assert_shares(observed, COMPANY.initial, observed.sum(axis=-1, keepdims=True), cells=50)


def moves(block: Block) -> Floats:
    """How often levels moved at the turn of a week, by what was seen in it, from level and to level."""
    alive = week_of(block.people.born)[:, None] <= np.arange(block.levels.shape[1] - 1)
    shape = (len(Turn), len(LEVELS), len(LEVELS))
    parts = (block.turns[:, :-1], block.levels[:, :-1], block.levels[:, 1:])
    return counted(shape, *(part[alive] for part in parts))


def test_levels_move_as_the_turn_of_the_week_says_and_bots_stay_bots(block: Block) -> None:
    observed = moves(block)
    assert_shares(observed, COMPANY.transitions, observed.sum(axis=-1, keepdims=True), cells=30)
    assert observed[:, BOT, :BOT].sum() == observed[:, :BOT, BOT].sum() == 0
    assert observed[Turn.PLAIN, BOT, BOT] > 1_000


def test_a_contact_wins_many_of_the_interested_and_after_a_sale_nobody_is_what_he_was(block: Block) -> None:
    share = moves(block) / moves(block).sum(axis=-1, keepdims=True).clip(1)
    curious, interested, ready = (LEVELS.index(name) for name in ("curious", "interested", "ready"))
    assert share[Turn.CONTACTED, interested, ready] > 4 * share[Turn.PLAIN, interested, ready]
    assert share[Turn.CONTACTED, curious, 0] > 2 * share[Turn.PLAIN, curious, 0]
    # Levels are drawn anew: who was ready has no need for a while, as everybody else who has bought.
    assert (COMPANY.transitions[Turn.SOLD, :BOT] == COMPANY.transitions[Turn.SOLD, 0]).all()
    assert share[Turn.SOLD, ready, ready] < 0.05
    assert share[Turn.SOLD, ready, 0] > 0.35


def test_the_turn_of_a_week_is_told_by_the_contacts_and_sales_in_the_log(block: Block) -> None:
    events, segments = block.events, block.segments
    expected = np.full(block.turns.shape, Turn.PLAIN)
    contacts = events.take(~events.marker & np.isin(events.type, np.nonzero(np.array(COMPANY.contacts))[0]))
    assert {TYPE_NAMES[number] for number in np.unique(contacts.type)} == {"call_made", "meeting"}
    assert not contacts.on_duplicate.any()
    assert (contacts.known == contacts.occurred).all()
    expected[contacts.lead, week_of(contacts.occurred)] = Turn.CONTACTED
    sold = segments.take(segments.exit == Exit.CONVERT)
    expected[sold.lead, sold.week] = Turn.SOLD
    assert (block.turns == expected).all()


def test_contents_come_at_the_shares_of_the_level_within_their_kind(block: Block) -> None:
    # The kinds stand one after the other, and the shares of each add up to one.
    kind = (np.ceil(CONTENT_SHARES[0].cumsum() - 1e-9) - 1).astype(np.int64)
    kinds = int(kind[-1]) + 1
    assert kinds == 5
    assert np.stack([CONTENT_SHARES[:, kind == number].sum(axis=1) for number in range(kinds)]) == pytest.approx(
        np.ones((kinds, len(LEVELS)))
    )
    events = block.events.take(~block.events.marker & (block.events.content >= 0))
    level = block.levels[events.lead, week_of(events.occurred)]
    observed = counted((len(LEVELS), len(CONTENTS)), level, events.content)
    total = counted((len(LEVELS), kinds), level, kind[events.content])[:, kind]
    assert_shares(observed, CONTENT_SHARES, total, cells=100)


def test_what_is_about_something_always_says_about_what(block: Block) -> None:
    drawn = block.events.take(~block.events.marker)
    about = {TYPE_NAMES[number] for number in np.unique(drawn.type[drawn.content >= 0])}
    nothing = {TYPE_NAMES[number] for number in np.unique(drawn.type[drawn.content < 0])}
    assert about == {"page_view", "download", "form", "webinar_attended"}
    assert not about & nothing


def test_an_episode_is_left_by_a_sale_or_a_loss_alone() -> None:
    for exit_ in range(EXITS):
        leaves = exit_ == Exit.CONVERT or exit_ >= Exit.LOSE
        assert (NEXT_STATE[exit_] in EPISODE) != leaves
    outside = [state for state in range(STATES) if state not in EPISODE]
    kept = [exit_ for exit_ in range(EXITS) if exit_ != Exit.REOPEN]
    assert (COMPANY.hazards[np.ix_(kept, range(REGIMES), outside)] == 0).all()
    assert (COMPANY.hazards[Exit.REOPEN][:, list(EPISODE)] == 0).all()
