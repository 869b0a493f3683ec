"""The truth of the sample world, recomputed from its files.

The filter at the end is the definition in plain Python: it knows the chain's parameters and the files, nothing of
the simulation.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from sample_reading import LOG_END, History, World, in_fallback, is_marker, monday_of, read_histories, small_world

from pipeline.sample.chain import Exit, Source, State
from pipeline.sample.company import COMPANY, DUPLICATE_FILING, LEVELS, TYPE_NAMES
from pipeline.sample.truth import horizon_probability


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw")


@pytest.fixture(scope="module")
def histories(world: World) -> dict[str, History]:
    return read_histories(world)


def test_the_truth_has_a_row_for_each_monday_of_an_open_or_worked_episode(
    world: World, histories: dict[str, History]
) -> None:
    expected = set()
    for history in histories.values():
        for state, start, end, _ in history.spells:
            if state in {State.OPEN, State.WORKED}:
                monday = monday_of(start) + timedelta(days=7)
                while monday <= end and monday < LOG_END:
                    expected.add((history.lead, monday, state.name.lower()))
                    monday += timedelta(days=7)
    as_of = [moment.replace(tzinfo=UTC) for moment in world.truth["as_of"].astype(object)]
    rows = list(zip(world.truth["lead_id"], as_of, world.truth["state"], strict=True))
    assert len(rows) == len(set(rows))
    assert set(rows) == expected


def converts_within_30_days(world: World) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each row's horizon lies in the log, and whether its lead converts in it."""
    won = {row["lead_id"]: row["closed_at"].rstrip("Z") for row in world.outcomes if row["outcome"] == "won"}
    closed = np.array([won.get(lead, "2100-01-01") for lead in world.truth["lead_id"]], dtype="datetime64[us]")
    end = world.truth["as_of"] + np.timedelta64(30, "D")
    return np.asarray(end <= np.datetime64("2026-07-01")), closed < end


def test_both_truths_are_as_large_on_average_as_the_share_that_converts(world: World) -> None:
    observed, label = converts_within_30_days(world)
    leads = world.truth["lead_id"][observed]
    hidden, observable = (world.truth[name][observed] for name in ("p_hidden", "p_observable"))
    for what, difference in {
        "observable - hidden": observable - hidden,
        "hidden - label": hidden - label[observed],
        "observable - label": observable - label[observed],
    }.items():
        for part in (np.ones(len(leads), dtype=bool), observable > 0.03, observable <= 0.03):
            _, number = np.unique(leads[part], return_inverse=True)
            by_lead = np.bincount(number, difference[part])  # rows of a lead aren't independent
            assert abs(by_lead.sum()) < 3.5 * math.sqrt((by_lead**2).sum()), what
    assert 0.015 <= label[observed].mean() <= 0.04


def test_who_knows_the_intent_ranks_better_than_who_sees_the_log(world: World) -> None:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - slow to import

    observed, label = converts_within_30_days(world)
    hidden, observable = (
        roc_auc_score(label[observed], world.truth[name][observed]) for name in ("p_hidden", "p_observable")
    )
    assert 0.80 < observable < hidden < 0.93


def test_the_filter_in_plain_python_finds_the_same_probabilities(world: World, histories: dict[str, History]) -> None:
    # Few enough to be quick, with all that is peculiar: cookies, duplicates, returns, late hits (everywhere).
    # An event in the hour that the clocks repeat can't be placed by its local time.
    clear = [history for history in histories.values() if not any(map(in_fallback, history.events))]
    peculiar = {
        "browsed": [history for history in clear if history.born < history.created],
        "duplicated": [history for history in clear if history.duplicate],
        "returned": [history for history in clear if any(spell[3] == Exit.REOPEN for spell in history.spells)],
        "plain": clear,
    }
    chosen = {history.lead: history for group in peculiar.values() for history in group[:16]}
    compared = Counter[str]()
    for lead, moment, state, level, hidden, observable in zip(*world.truth.values(), strict=True):
        if lead in chosen:
            history, as_of = chosen[lead], moment.astype(object).replace(tzinfo=UTC)
            by_level = probabilities()[history.channel, :, int(state == "worked")]
            belief = naive_belief(history, as_of)
            assert hidden == pytest.approx(by_level[level], abs=5.1e-10)  # written with nine decimals
            assert observable == pytest.approx(float(by_level @ belief), rel=1e-7, abs=5.1e-10), (lead, as_of)
            compared["rows"] += 1
            compared["apart"] += history.merged is not None and history.merged >= as_of
            compared["united"] += history.merged is not None and history.merged < as_of
    assert compared["rows"] > 400
    assert min(compared["apart"], compared["united"]) > 50


# The definition


@cache
def probabilities() -> npt.NDArray[np.float64]:
    return horizon_probability(COMPANY)


def naive_belief(history: History, as_of: datetime) -> npt.NDArray[np.float64]:
    """Levels at as_of given all that is known before, week by week and segment by segment."""
    united = history.merged is None or history.merged < as_of
    belief: npt.NDArray[np.float64] = COMPANY.initial[history.channel, history.large].copy()
    week = monday_of(history.born)
    while week < as_of:
        log_likelihood = [0.0] * len(LEVELS)
        for state, start, end, exit_ in history.spells:
            first, last = max(start, week), min(end, week + timedelta(days=7))
            if first < last:
                ends_here = exit_ if end == last and end < as_of else Exit.NONE
                known = [
                    TYPE_NAMES.index(event.kind)
                    for event in history.events
                    if first <= event.occurred < last
                    and event.known < as_of
                    and (united or event.contact != history.duplicate)
                    and not is_marker(history, event)
                ]
                for level in range(len(LEVELS)):
                    log_likelihood[level] += segment_log_likelihood(
                        history, state, level, first, last, as_of, known, ends_here, united=united
                    )
        best = max(log_likelihood)
        weight = belief * np.array([math.exp(value - best) for value in log_likelihood])
        belief = np.asarray((weight / weight.sum()) @ COMPANY.transition)
        week += timedelta(days=7)
    return belief


def segment_log_likelihood(
    history: History,
    state: State,
    level: int,
    first: datetime,
    last: datetime,
    as_of: datetime,
    known: list[int],
    exit_: Exit,
    *,
    united: bool,
) -> float:
    week = timedelta(days=7)
    hazards = COMPANY.hazards[:, state, history.channel, level]
    total = -float(hazards.sum()) * ((last - first) / week)
    if exit_ != Exit.NONE:
        total += math.log(hazards[exit_]) if hazards[exit_] else -1e6
    for number, source in enumerate(COMPANY.sources):
        rate = float(COMPANY.rates[state, history.channel, level, number])
        halved = not united and source != Source.CRM_SALES and state != State.ANONYMOUS
        total -= rate * expected_known(source, first, last, as_of) * ((1 - DUPLICATE_FILING) if halved else 1.0)
        if known.count(number):
            total += known.count(number) * (math.log(rate) if rate else -1e6)
    return total


@cache
def expected_known(source: Source, first: datetime, last: datetime, as_of: datetime) -> float:
    """Weeks of [first, last) known by as_of: the share known is linear between the bounds of the delays."""
    bounds = {Source.WEB: (1, 86_400, 864_000), Source.EMAIL: (21_600,)}.get(source, ())
    cuts = sorted({min(max(as_of - timedelta(seconds=bound), first), last) for bound in bounds} | {first, last})
    total = 0.0
    for start, end in pairwise(cuts):
        age = (as_of - (start + (end - start) / 2)).total_seconds()  # the middle of a piece stands for all of it
        share = 1.0
        if source == Source.EMAIL:
            share = float(age > 21_600)
        elif source == Source.WEB:
            share = 0.9 * (age > 1) + 0.1 * min(max((age - 86_400) / (9 * 86_400), 0.0), 1.0)
        total += share * ((end - start) / timedelta(days=7))
    return total
