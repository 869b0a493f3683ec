"""Figures of the sample world as documented, within chance over ten worlds: each by its standard error.

Figures that nobody sets were measured in forty worlds of 5,000 leads each.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from sample_files import block_behind

from pipeline.sample.chain import (
    EPISODE,
    LOSS_REASONS,
    REFUSAL_REASONS,
    Exit,
    Flags,
    Floats,
    Integers,
    Source,
    State,
    Turn,
)
from pipeline.sample.company import CHANNELS, COUNTRIES, LEVELS
from pipeline.sample.money import orders
from pipeline.sample.simulate import EVENT_NAMES, sources_of
from pipeline.sample.tables import Block, Machine, Segments
from pipeline.sample.timeline import DAY, END, HOUR, START, WEEK, WEEKS, turn_of, week_of

SEEDS, LEADS = range(1_000, 1_010), 1_200
CHANCE = 4  # standard errors
YEAR = 365 * DAY

# Each figure with its standard error over 12,000 leads, which ten worlds of 1,200 leads are together, too.
PEOPLE = {
    "channel seo": (0.24, 0.0044),
    "channel sea": (0.16, 0.0035),
    "channel social": (0.14, 0.0031),
    "channel email": (0.12, 0.0028),
    "channel webinar": (0.08, 0.0023),
    "channel referral": (0.08, 0.0027),
    "channel direct": (0.18, 0.0037),
    "country NL": (0.44, 0.004),
    "country DE": (0.18, 0.0038),
    "country BE": (0.14, 0.0027),
    "country GB": (0.09, 0.0024),
    "country FR": (0.07, 0.0028),
    "country PT": (0.04, 0.0017),
    "country US": (0.04, 0.0016),
    "large": (0.238, 0.0037),
    "median of employees": (18.55, 0.33),
    "browsed before": (0.1, 0.0028),
    "duplicated": (0.02, 0.0015),
    "bots": (0.0101, 0.0008),
    "agreed to mail": (0.8, 0.003),
    "scanned of small": (0.04, 0.0024),
    "scanned of large": (0.15, 0.0064),
    "images fetched": (0.15, 0.0036),
}
OUTCOMES = {
    "converted": (0.0767, 0.0024),
    "orders a lead": (0.0788, 0.0025),
    "converted seo": (0.072, 0.004),
    "converted sea": (0.0646, 0.0059),
    "converted social": (0.044, 0.0051),
    "converted email": (0.0649, 0.0062),
    "converted webinar": (0.1045, 0.0092),
    "converted referral": (0.1329, 0.011),
    "converted direct": (0.0897, 0.0063),
    "snapshots converted in 30 days": (0.0306, 0.001),
    "of open": (0.0102, 0.00058),
    "of handed over": (0.0585, 0.0059),
    "of accepted": (0.0775, 0.0035),
    "of opportunity": (0.1529, 0.0065),
    "losses a lead": (0.9083, 0.0042),
    "lost: no answer": (0.3562, 0.0042),
    "lost: no need": (0.2937, 0.0051),
    "lost: budget postponed": (0.127, 0.0029),
    "lost: competitor": (0.1028, 0.0028),
    "lost: outside the target": (0.1204, 0.0026),
    "returned of lost": (0.1711, 0.0025),
    "a year: no answer": (0.6116, 0.017),
    "a year: no need": (0.3454, 0.016),
    "a year: budget postponed": (1.38, 0.065),
    "a year: competitor": (0.5497, 0.051),
    "a year: customers": (0.4151, 0.032),
    "refunded": (0.05, 0.0094),
    "refunded within the log": (0.0466, 0.0081),
    "in pounds": (0.0912, 0.011),
}
SALES = {
    "cases a lead": (0.4137, 0.005),
    "handed over ever": (0.3468, 0.0036),
    "accepted": (0.7247, 0.006),
    "refused": (0.2583, 0.0057),
    "refused: too early": (0.2769, 0.0079),
    "refused: no budget": (0.2031, 0.0093),
    "refused: no need": (0.1497, 0.0096),
    "refused: not reached": (0.1709, 0.011),
    "refused: wrong contact": (0.1203, 0.0082),
    "refused: outside the target": (0.0791, 0.0076),
    "opportunities of accepted": (0.5364, 0.0078),
    "won of opportunities": (0.3219, 0.01),
    "answers a week at work": (3.817, 0.056),
    "answers a week away": (0.3175, 0.022),
    "median days to an answer": (1.397, 0.028),
    "answered after two weeks": (0.0177, 0.0017),
    "calls a lead": (2.152, 0.03),
    "meetings a lead": (0.4468, 0.0097),
}
EVENTS = {
    "interactions a lead": (66.55, 0.62),
    "hits late": (0.1, 0.00049),
    "days late": (5.5, 0.014),
    "hours until mail is known": (6, 0),
    "machines of mail's answers": (0.2041, 0.0056),
    "unsubscribed by hand": (0.2071, 0.0043),
    "unsubscribed by a robot": (0.0045, 0.00061),
    "objected": (0.0111, 0.001),
}
DOCUMENTED = PEOPLE | OUTCOMES | SALES | EVENTS
Figures = Mapping[str, Floats]


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return [block_behind(LEADS, seed=seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def figures(blocks: list[Block]) -> Figures:
    each = [
        {**_people(block), **_outcomes(block, seed), **_sales(block), **_events(block)}
        for seed, block in zip(SEEDS, blocks, strict=True)
    ]
    return {name: np.array([figure[name] for figure in each]) for name in each[0]}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_figure_is_as_documented(figures: Figures, name: str) -> None:
    values, (documented, error) = figures[name], DOCUMENTED[name]
    assert values.mean() == pytest.approx(documented, abs=CHANCE * error + 1e-12)
    # Ten worlds scatter by their own error, which has nine degrees of freedom.
    assert error / 3 <= values.std(ddof=1) / np.sqrt(len(values)) <= 2 * error + 1e-12


def test_every_figure_that_is_measured_is_documented(figures: Figures) -> None:
    assert set(figures) == set(DOCUMENTED)


def _people(block: Block) -> dict[str, float]:
    people = block.people
    large = people.size == 1
    return {
        **{f"channel {name}": float(np.mean(people.channel == place)) for place, name in enumerate(CHANNELS)},
        **{f"country {name}": float(np.mean(people.country == place)) for place, name in enumerate(COUNTRIES)},
        "large": float(np.mean(large)),
        "median of employees": float(np.median(people.employees)),
        "browsed before": float(np.mean(people.born < people.created)),
        "duplicated": float(np.mean(people.duplicated)),
        "bots": float(np.mean(block.levels[:, -1] == LEVELS.index("bot"))),
        "agreed to mail": float(np.mean(people.written)),
        "scanned of small": float(np.mean(people.scanned[~large])),
        "scanned of large": float(np.mean(people.scanned[large])),
        "images fetched": float(np.mean(people.proxied)),
    }


def _outcomes(block: Block, seed: int) -> dict[str, float]:
    segments, channel = block.segments, block.people.channel
    sold = segments.take(segments.exit == Exit.CONVERT)
    lost = segments.take(segments.exit >= Exit.LOSE)
    buyers = np.unique(sold.lead)
    back = segments.take(segments.exit == Exit.REOPEN)
    paid = orders(block, np.random.default_rng(seed))
    early = (paid.moment < END - 40 * DAY) & ~paid.refund
    refunded = np.isin(paid.lead[early], paid.lead[paid.refund])
    weeks_lost = {
        reason: segments.take(segments.state == State.LOST + place) for place, reason in enumerate(LOSS_REASONS)
    }
    snapshots, converted = _snapshots(segments, sold)
    names = ("open", "handed over", "accepted", "opportunity")
    return {
        "converted": len(buyers) / LEADS,
        "orders a lead": len(sold.lead) / LEADS,
        **{
            f"converted {name}": float(np.sum(channel[buyers] == place) / np.sum(channel == place))
            for place, name in enumerate(CHANNELS)
        },
        "snapshots converted in 30 days": float(converted.mean()),
        **{
            f"of {name}": float(converted[snapshots.state == state].mean())
            for state, name in zip(EPISODE, names, strict=True)
        },
        "losses a lead": len(lost.lead) / LEADS,
        **{f"lost: {name}": float(np.mean(lost.exit == Exit.LOSE + place)) for place, name in enumerate(LOSS_REASONS)},
        "returned of lost": float(np.sum(back.state >= State.LOST) / len(lost.lead)),
        **{
            f"a year: {reason}": _a_year(spells)
            for reason, spells in weeks_lost.items()
            if reason != "outside the target"
        },
        "a year: customers": _a_year(segments.take(segments.state == State.CUSTOMER)),
        "refunded": float(np.mean(refunded)),
        "refunded within the log": float(np.sum(paid.refund) / np.sum(~paid.refund)),
        "in pounds": float(np.mean(paid.in_pounds[~paid.refund])),
    }


def _a_year(spells: Segments) -> float:
    """Count the returns a year of those who may come back."""
    return float(np.sum(spells.exit == Exit.REOPEN) / (np.sum(spells.end - spells.start) / YEAR))


def _line(lead: Integers, moment: Integers) -> Integers:
    """Put moments on one line, lead after lead."""
    return np.asarray(lead.astype(np.int64) * (2 * (END - START)) + (moment - START))


def _snapshots(segments: Segments, sold: Segments) -> tuple[Segments, Flags]:
    """Return the open leads of all Mondays that have thirty days of log after them, and which convert within these."""
    lasts = (segments.end == turn_of(segments.week + 1)) & (segments.exit == Exit.NONE)
    open_ = (segments.state >= EPISODE[0]) & (segments.state <= EPISODE[-1])
    snapshots = segments.take(lasts & open_ & (segments.end <= END - 30 * DAY))
    sales = np.append(np.sort(_line(sold.lead, sold.end)), np.iinfo(np.int64).max)
    moment = _line(snapshots.lead, snapshots.end)
    return snapshots, np.asarray(sales[np.searchsorted(sales, moment)] < moment + 30 * DAY)


def _sales(block: Block) -> dict[str, float]:
    segments = block.segments
    opened = segments.take(segments.exit == Exit.HAND_OVER)
    refused = segments.take((segments.exit >= Exit.REFUSE) & (segments.exit < Exit.LOSE))
    accepted = np.sum(segments.exit == Exit.ACCEPT)
    opportunities = np.sum(segments.exit == Exit.OPEN_OPPORTUNITY)
    won = np.sum((segments.exit == Exit.CONVERT) & (segments.state == State.OPPORTUNITY))
    waiting = segments.take(segments.state == State.HANDED_OVER)
    answered = (waiting.exit == Exit.ACCEPT) | ((waiting.exit >= Exit.REFUSE) & (waiting.exit < Exit.LOSE))
    away = waiting.regime % 2 == 1
    weeks = (waiting.end - waiting.start) / WEEK
    ended = np.sort(_line(waiting.lead, waiting.end)[waiting.exit != Exit.NONE])
    begun = np.sort(_line(opened.lead, opened.end))
    # The newest cases may have no end yet; all others are ended in order.
    following = np.searchsorted(ended, begun)
    days = (np.append(ended, np.iinfo(np.int64).max)[following] - begun) / DAY
    days = days[days < (END - START) / DAY]
    types = [EVENT_NAMES.index(name) for name in ("call_made", "meeting")]
    calls, meetings = (np.sum(block.events.type == type_) / LEADS for type_ in types)
    return {
        "cases a lead": len(opened.lead) / LEADS,
        "handed over ever": len(np.unique(opened.lead)) / LEADS,
        "accepted": accepted / len(opened.lead),
        "refused": len(refused.lead) / len(opened.lead),
        **{
            f"refused: {name}": float(np.mean(refused.exit == Exit.REFUSE + place))
            for place, name in enumerate(REFUSAL_REASONS)
        },
        "opportunities of accepted": opportunities / accepted,
        "won of opportunities": won / opportunities,
        "answers a week at work": float(answered[~away].sum() / weeks[~away].sum()),
        "answers a week away": float(answered[away].sum() / weeks[away].sum()),
        "median days to an answer": float(np.median(days)),
        "answered after two weeks": float(np.mean(days > 14)),
        "calls a lead": float(calls),
        "meetings a lead": float(meetings),
    }


def _events(block: Block) -> dict[str, float]:
    events, people = block.events, block.people
    source = sources_of(events.type)
    hits = events.take((source == Source.WEB) & ~events.marker & (events.occurred < END - 11 * DAY))
    delay = hits.known - hits.occurred
    late = delay >= DAY
    mails = events.take(source == Source.EMAIL)
    answers = mails.take(mails.type < EVENT_NAMES.index("newsletter_sent"))
    left = answers.take(answers.type == EVENT_NAMES.index("unsubscribe"))
    written = people.written.sum()
    return {
        "interactions a lead": len(events.lead) / LEADS,
        "hits late": float(np.mean(late)),
        "days late": float(np.mean(delay[late]) / DAY),
        "hours until mail is known": float(np.mean(mails.known - mails.occurred) / HOUR),
        "machines of mail's answers": float(np.mean(answers.machine != Machine.NONE)),
        "unsubscribed by hand": float(np.sum(left.machine == Machine.NONE) / written),
        "unsubscribed by a robot": float(np.sum(left.machine == Machine.ROBOT) / written),
        "objected": float(np.mean(block.objected < END)),
    }


@pytest.mark.parametrize(
    ("turn", "level", "expected"),
    [
        (Turn.PLAIN, "unaware", (0.950, 0.043, 0.006, 0.001)),
        (Turn.PLAIN, "curious", (0.060, 0.875, 0.057, 0.008)),
        (Turn.PLAIN, "interested", (0.015, 0.075, 0.840, 0.070)),
        (Turn.PLAIN, "ready", (0.010, 0.030, 0.110, 0.850)),
        # A contact changes nothing in the unaware and the ready, puts some of the curious off, and wins the interested.
        (Turn.CONTACTED, "unaware", (0.950, 0.043, 0.006, 0.001)),
        (Turn.CONTACTED, "curious", (0.23755, 0.7006, 0.05463, 0.00722)),
        (Turn.CONTACTED, "interested", (0.0141, 0.07875, 0.48801, 0.41914)),
        (Turn.CONTACTED, "ready", (0.010, 0.030, 0.110, 0.850)),
        (Turn.SOLD, "ready", (0.45, 0.40, 0.13, 0.02)),
    ],
)
def test_what_happens_in_a_week_decides_how_intent_moves(
    blocks: list[Block], turn: Turn, level: str, expected: tuple[float, ...]
) -> None:
    moved = np.concatenate([_moved(block, turn, LEVELS.index(level)) for block in blocks])
    assert len(moved) > 250
    for place, share in enumerate(expected):
        error = np.sqrt(share * (1 - share) / len(moved))
        assert np.mean(moved == place) == pytest.approx(share, abs=CHANCE * error)


def _moved(block: Block, turn: Turn, level: int) -> Integers:
    """Return the levels after all weeks of leads that are there, at a level, with what decides how it moves."""
    there = np.arange(WEEKS) >= week_of(block.people.born)[:, None]
    chosen = there & (block.turns == turn) & (block.levels == level)
    return np.asarray(block.levels[:, 1:][chosen[:, :-1]])
