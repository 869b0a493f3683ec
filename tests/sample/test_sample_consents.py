"""Consents in the sample's files: for what, since when, withdrawn, given again, and objections to everything."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pytest
from sample_files import by_chance
from sample_reading import LOG_END, WEEK, History, World, read_histories, small_world

from pipeline.sample.chain import LOSS_REASONS, Exit, State

LEADS = 4_000
_REASON = LOSS_REASONS.index("outside the target")
OUTSIDE, NEVER_AGAIN = Exit.LOSE + _REASON, {State.PAUSED + _REASON, State.LOST + _REASON}


class Change(NamedTuple):
    """A line of the table of consents."""

    moment: datetime
    status: str


Register = dict[str, dict[str, list[Change]]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw", leads=LEADS, truth=False)


@pytest.fixture(scope="module")
def histories(world: World) -> dict[str, History]:
    return read_histories(world)


@pytest.fixture(scope="module")
def register(world: World) -> Register:
    """Read the changes by purpose and lead, in the order of the file."""
    changes: Register = defaultdict(lambda: defaultdict(list))
    for row in world.consents:
        change = Change(datetime.fromisoformat(row["changed_at"]), row["status"])
        changes[row["purpose"]][row["lead_id"]].append(change)
    return changes


def test_purposes_and_what_may_become_of_them(register: Register) -> None:
    orders = {
        purpose: {tuple(change.status for change in changes) for changes in by_lead.values()}
        for purpose, by_lead in register.items()
    }
    assert set(orders) == {"mail", "telephone", "advertising", "everything"}
    assert orders["mail"] == {("given",), ("refused",), ("given", "withdrawn")}
    assert orders["advertising"] == {("given",), ("refused",), ("given", "withdrawn")}
    assert orders["everything"] == {("objected",)}
    assert {("given",), ("refused",), ("given", "withdrawn"), ("given", "withdrawn", "given")} <= orders["telephone"]
    assert all(order == ("refused",) or set(order[::2]) == {"given"} for order in orders["telephone"])
    assert all(set(order[1::2]) <= {"withdrawn"} for order in orders["telephone"])


def test_a_lead_agrees_or_refuses_as_it_is_created_or_was_never_asked(
    register: Register, histories: dict[str, History]
) -> None:
    for purpose, agreed in (("mail", 0.8), ("telephone", 0.6), ("advertising", 0.4)):
        first = {lead: changes[0] for lead, changes in register[purpose].items()}
        assert all(change.moment == histories[lead].created for lead, change in first.items())
        counts = Counter(change.status for change in first.values())
        assert counts["given"] / LEADS == pytest.approx(agreed, abs=by_chance(agreed, LEADS))
        silent = LEADS - counts["given"]
        assert counts["refused"] / silent == pytest.approx(0.5, abs=by_chance(0.5, silent))


def test_changes_stand_in_the_order_of_time(world: World, register: Register) -> None:
    moments = [datetime.fromisoformat(row["changed_at"]) for row in world.consents]
    assert moments == sorted(moments)
    assert moments[-1] < LOG_END
    for by_lead in register.values():
        for changes in by_lead.values():
            assert len({change.moment for change in changes}) == len(changes)


def test_one_loss_in_ten_ends_the_consent_to_the_telephone_until_the_lead_comes_back(
    register: Register, histories: dict[str, History]
) -> None:
    losses = withdrawn = again = 0
    for lead, changes in register["telephone"].items():
        if changes[0].status == "refused":
            continue
        spells = histories[lead].spells
        lost = {spell.end for spell in spells if spell.exit >= Exit.LOSE}
        losses += len(lost)
        expected = [changes[0]]
        for change in changes:
            if change.status == "withdrawn":
                withdrawn += 1
                assert change.moment in lost
                # A pause is a spell of its own, so the return need not end the next one.
                returns = [spell.end for spell in spells if spell.exit == Exit.REOPEN and spell.end > change.moment]
                expected += [change, *(Change(moment, "given") for moment in returns[:1])]
                again += bool(returns)
        assert changes == expected
    assert withdrawn / losses == pytest.approx(0.1, abs=by_chance(0.1, losses))
    assert again > 15


def test_advertising_is_allowed_for_a_hundred_weeks_on_average(register: Register) -> None:
    ended = 0
    weeks = 0.0
    for given, *later in register["advertising"].values():
        if given.status == "given":
            ended += len(later)
            weeks += ((later[0].moment if later else LOG_END) - given.moment) / WEEK
    assert weeks / ended == pytest.approx(100, rel=4 / math.sqrt(ended))
    assert ended > 100


def objections(register: Register, histories: dict[str, History]) -> Iterator[tuple[History, datetime]]:
    for lead, changes in register["everything"].items():
        yield histories[lead], changes[0].moment


def test_one_in_ten_of_those_outside_the_target_objects_as_it_is_lost(
    register: Register, histories: dict[str, History]
) -> None:
    outside = {(h.lead, spell.end) for h in histories.values() for spell in h.spells if spell.exit == OUTSIDE}
    objected = {(history.lead, moment) for history, moment in objections(register, histories)}
    assert objected <= outside
    assert len(objected) / len(outside) == pytest.approx(0.1, abs=by_chance(0.1, outside))


def test_nothing_follows_an_objection_but_looking_at_pages(
    world: World, register: Register, histories: dict[str, History]
) -> None:
    closed = defaultdict(list)
    for row in world.outcomes:
        if row["outcome"] != "refund":
            closed[row["lead_id"]].append(datetime.fromisoformat(row["closed_at"]))
    kinds: Counter[str] = Counter()
    for history, moment in objections(register, histories):
        assert history.spells[-1].state in NEVER_AGAIN
        assert max(closed[history.lead]) == moment
        kinds.update(event.kind for event in history.events if event.occurred > moment)
        for by_lead in register.values():
            assert not any(change.moment > moment for change in by_lead.get(history.lead, []))
    assert set(kinds) <= {"page_view", "download", "pricing_view", "cart", "webinar_attended"}
    assert kinds["page_view"] > 10
