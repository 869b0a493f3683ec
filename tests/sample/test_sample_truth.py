"""The truth of the sample world, recomputed from its files."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from plain_filter import PlainFilter
from sample_reading import LOG_END, WEEK, History, World, in_fallback, monday_of, read_histories, small_world

from pipeline.sample import Scenario
from pipeline.sample.chain import Exit, Source, State
from pipeline.sample.company import LEVELS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SINCE = datetime(2025, 12, 1, tzinfo=UTC)
CASES = ("", "_with_contact", "_without_contact")
# The files hold nine decimals; the definition and the world's arrays agree to as many.
ROUNDING, AGREEMENT = 5.1e-10, 1e-9


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw")


@pytest.fixture(scope="module")
def histories(world: World) -> dict[str, History]:
    return read_histories(world)


def moments(world: World) -> list[datetime]:
    return [moment.replace(tzinfo=UTC) for moment in world.truth["as_of"].astype(object)]


def test_the_truth_has_a_row_for_each_monday_of_december_and_after_on_which_an_episode_is_open(
    world: World, histories: dict[str, History]
) -> None:
    expected = set()
    for history in histories.values():
        for spell in history.spells:
            if spell.in_episode:
                monday = max(monday_of(spell.start) + WEEK, SINCE)
                while monday <= spell.end and monday < LOG_END:
                    expected.add((history.lead, monday, State(spell.state).name.lower()))
                    monday += WEEK
    rows = list(zip(world.truth["lead_id"], moments(world), world.truth["state"], strict=True))
    assert len(rows) == len(set(rows))
    assert set(rows) == expected


def converts_within_30_days(world: World) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each row's horizon lies in the log, and whether its lead converts in it."""
    won = defaultdict(list)
    for row in world.outcomes:
        if row["outcome"] == "won":
            won[row["lead_id"]].append(datetime.fromisoformat(row["closed_at"]))
    horizon = timedelta(days=30)
    rows = list(zip(world.truth["lead_id"], moments(world), strict=True))
    converts = [any(as_of <= moment < as_of + horizon for moment in won[lead]) for lead, as_of in rows]
    return np.array([as_of + horizon <= LOG_END for _, as_of in rows]), np.array(converts)


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
    assert 0.015 <= label[observed].mean() <= 0.05


def test_who_knows_the_intent_ranks_better_than_who_sees_the_log(world: World) -> None:
    observed, label = converts_within_30_days(world)

    def ranks_right(name: str) -> float:
        """How often a row that converts has the larger probability of two; equal ones count by half."""
        converts, other = (world.truth[name][observed & (label == value)] for value in (True, False))
        larger, equal = converts[:, None] > other, converts[:, None] == other
        return float((larger + equal / 2).mean())

    assert 0.80 < ranks_right("p_observable") < ranks_right("p_hidden") < 0.95


def test_a_contact_wins_the_interested_puts_off_the_curious_and_does_nothing_to_the_others(world: World) -> None:
    level, state = world.truth["level"], world.truth["state"]
    with_contact, without = (world.truth[f"p_hidden{case}"] for case in CASES[1:])
    for number, name in enumerate(LEVELS):
        rows = level == number
        assert rows.sum() > 20, name
        effect = with_contact[rows] - without[rows]
        if name == "interested":
            assert (effect > 0.003).all()
            assert effect[state[rows] == "opportunity"].min() > 0.02
        elif name == "curious":
            assert (effect < 0).all()
        else:
            assert (effect == 0).all(), name


def test_what_happens_lies_between_a_contact_and_none(world: World) -> None:
    for who in ("hidden", "observable"):
        as_it_happens, with_contact, without = (world.truth[f"p_{who}{case}"] for case in CASES)
        assert (as_it_happens >= np.minimum(with_contact, without) - 2e-9).all(), who
        assert (as_it_happens <= np.maximum(with_contact, without) + 2e-9).all(), who


def with_peculiar(histories: dict[str, History], world: World, each: int) -> dict[str, set[str]]:
    """Names of leads by what is peculiar about them, of those with a truth.

    An event in the hour that the clocks repeat can't be placed by its local time.
    """
    told = set(world.truth["lead_id"])
    clear = [h for h in histories.values() if h.lead in told and not any(map(in_fallback, h.events))]
    refusals = range(Exit.REFUSE, Exit.LOSE)
    groups = {
        "browsed": [h for h in clear if h.born < h.created],
        "duplicated": [h for h in clear if h.duplicate],
        "returned": [h for h in clear if any(s.lost and s.exit == Exit.REOPEN for s in h.spells)],
        "bought again": [
            h for h in clear if any(s.state == State.CUSTOMER and s.exit == Exit.REOPEN for s in h.spells)
        ],
        "unsubscribed": [h for h in clear if any(e.kind == "unsubscribe" for e in h.events)],
        "no mail": [h for h in clear if h.mail_until == h.created],
        "scanned": [h for h in clear if any(e.machine == "scanner" for e in h.events)],
        "refused": [h for h in clear if h.left_by(*refusals)],
        "opportunity": [h for h in clear if h.left_by(Exit.OPEN_OPPORTUNITY)],
        "any": clear,
    }
    # From the log's begin to its end, not its first ones alone.
    return {name: {h.lead for h in group[:: math.ceil(len(group) / each)]} for name, group in groups.items()}


def compare(
    plain: PlainFilter, histories: dict[str, History], leads: Collection[str], since: datetime = SINCE
) -> Counter[str]:
    """Compare all six probabilities of each row of some leads with the definition; return what was compared."""
    truth, compared = plain.world.truth, Counter[str]()
    for row, as_of in enumerate(moments(plain.world)):
        lead = truth["lead_id"][row]
        if lead not in leads or as_of < since:
            continue
        history, state = histories[lead], State[truth["state"][row].upper()]
        by_level, belief = plain.forecasts(history, as_of, state), plain.belief(history, as_of)
        for number, case in enumerate(CASES):
            expected = sum(share * chances[number] for share, chances in zip(belief, by_level, strict=True))
            hidden, observable = (truth[f"p_{who}{case}"][row] for who in ("hidden", "observable"))
            assert abs(hidden - by_level[truth["level"][row]][number]) < AGREEMENT + ROUNDING, (lead, as_of, case)
            assert abs(observable - expected) < AGREEMENT + ROUNDING, (lead, as_of, case)
        compared["rows"] += 1
        compared[state.name] += 1
        compared["apart"] += history.merged is not None and history.merged >= as_of
        compared["united"] += history.merged is not None and history.merged < as_of
        compared["away"] += plain.world.away(history.territory, as_of)
    return compared


def test_the_definition_in_plain_python_finds_the_same_probabilities(
    world: World, histories: dict[str, History]
) -> None:
    groups = with_peculiar(histories, world, each=36)
    assert min(len(group) for group in groups.values()) >= 12
    chosen = set().union(*groups.values())
    assert len(chosen) >= 200
    compared = compare(PlainFilter(world), histories, chosen)
    assert compared["rows"] > 1_500
    for what in ("OPEN", "ACCEPTED", "OPPORTUNITY", "apart", "united", "away"):
        assert compared[what] > 50, what
    assert compared["HANDED_OVER"] > 10


def test_the_same_definition_holds_across_a_shift(tmp_path: Path) -> None:
    # Rates and hazards shift on the first Monday after the day; a horizon that reaches over it knows.
    shifted = small_world(tmp_path / "raw", leads=500, scenario=Scenario.read("2026-04-01", None))
    histories = read_histories(shifted)
    chosen = set().union(*with_peculiar(histories, shifted, each=4).values())
    plain = PlainFilter(shifted, shifted_from=datetime(2026, 4, 6, tzinfo=UTC))
    assert compare(plain, histories, chosen, since=datetime(2026, 3, 2, tzinfo=UTC))["rows"] > 100


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("complete") / "raw", leads=500, truth=False)


@pytest.mark.parametrize("source", list(Source), ids=lambda source: source.name.lower())
def test_the_same_definition_holds_where_a_source_has_lost_a_day(
    tmp_path: Path, complete: World, source: Source
) -> None:
    gap = small_world(tmp_path / "raw", leads=500, scenario=Scenario.read(None, f"{source.name.lower()}:2026-05-20"))
    # In which states the leads were is told, though the records of it may be lost; what they did is not.
    histories = read_histories(complete)
    seen = defaultdict(list)
    for event in gap.events():
        seen[event.contact].append(event)
    affected = set()
    for history in histories.values():
        contacts = {event.contact for event in history.events}
        left = [event for contact in contacts for event in seen[contact]]
        if len(left) < len(history.events):
            affected.add(history.lead)
        history.events = left
    groups = with_peculiar(histories, gap, each=3)
    groups["affected"] = {lead for lead in affected if lead in set(gap.truth["lead_id"])}
    plain = PlainFilter(gap, lost=(source, datetime(2026, 5, 20, tzinfo=UTC)))
    chosen = set().union(*groups.values())
    compared = compare(plain, histories, chosen, since=datetime(2026, 5, 18, tzinfo=UTC))
    assert compared["rows"] > 60
    assert len(groups["affected"]) > 5
