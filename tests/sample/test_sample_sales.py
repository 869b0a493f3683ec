"""Sales in the sample's files: hand-overs and answers, who sells where, losses with reasons, and who comes back."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from sample_files import by_chance
from sample_reading import (
    LOG_END,
    PAUSES,
    WEEK,
    History,
    Row,
    Seen,
    Spell,
    World,
    in_fallback,
    monday_of,
    read_histories,
    small_world,
    state_at,
)

from pipeline.sample.chain import LOSS_REASONS, REFUSAL_REASONS, Exit, State

LEADS = 4_000
AWAY_FACTOR = 0.08
WORKING_DAYS = 390  # in eighteen months


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw", leads=LEADS, truth=False)


@pytest.fixture(scope="module")
def histories(world: World) -> dict[str, History]:
    return read_histories(world)


@pytest.fixture(scope="module")
def away(world: World) -> Callable[[str, datetime], bool]:
    known: dict[tuple[str, datetime], bool] = {}

    def is_away(territory: str, moment: datetime) -> bool:
        place = territory, monday_of(moment)
        if place not in known:
            known[place] = world.away(*place)
        return known[place]

    return is_away


def spells_of(histories: dict[str, History], *states: int) -> Iterator[tuple[History, Spell]]:
    return ((history, spell) for history in histories.values() for spell in history.spells if spell.state in states)


def weeks_by_presence(
    histories: dict[str, History], away: Callable[[str, datetime], bool], *states: int
) -> dict[bool, float]:
    """Count the weeks that leads spend in some states, apart for those in which nobody sells in their territory."""
    weeks: dict[bool, float] = defaultdict(float)
    for history, spell in spells_of(histories, *states):
        start = spell.start
        while start < spell.end:
            end = min(spell.end, monday_of(start) + WEEK)
            weeks[away(history.territory, start)] += (end - start) / WEEK
            start = end
    return weeks


def is_answer(exit_: int) -> bool:
    return exit_ == Exit.ACCEPT or Exit.REFUSE <= exit_ < Exit.LOSE


def test_nobody_is_handed_over_again_before_an_answer_and_an_end(world: World, histories: dict[str, History]) -> None:
    ends = defaultdict(list)
    for row in world.outcomes:
        if row["outcome"] != "refund":
            ends[row["lead_id"]].append((datetime.fromisoformat(row["closed_at"]), "end"))
    before = {
        "case_opened": {"", "end", "refused"},
        "accepted": {"case_opened"},
        "refused": {"case_opened"},
        "opportunity_opened": {"accepted"},
    }
    seen: Counter[str] = Counter()
    for history in histories.values():
        steps = [event for event in history.events if event.kind in before]
        assert all(event.contact == history.lead for event in steps)
        if any(in_fallback(event) for event in steps):
            continue  # The order of the hour that comes twice stands in no file.
        newest = ""
        for _, step in sorted([*ends[history.lead], *((event.occurred, event.kind) for event in steps)]):
            assert step == "end" or newest in before[step]
            seen[step] += 1
            newest = step
    assert seen["case_opened"] > seen["accepted"] > seen["opportunity_opened"] > 500
    assert seen["refused"] > 300


def test_sales_accepts_three_of_four_and_says_of_the_others_why_not(world: World) -> None:
    records = [record for record in world.records() if record["lead"]]
    reasons = Counter(record["reason"] for record in records if record["kind"] == "refused")
    kinds = Counter(record["kind"] for record in records)
    answers = kinds["accepted"] + kinds["refused"]
    assert kinds["accepted"] / answers == pytest.approx(0.737, abs=by_chance(0.737, answers))
    assert set(reasons) == set(REFUSAL_REASONS)
    assert len(REFUSAL_REASONS) == 6
    assert reasons["too early"] > reasons["no budget"] > reasons["outside the target"] > 10


def test_a_lead_waits_for_an_answer_by_whether_anybody_is_there(
    histories: dict[str, History], away: Callable[[str, datetime], bool]
) -> None:
    weeks = weeks_by_presence(histories, away, State.HANDED_OVER)
    answers = Counter(
        away(history.territory, spell.end)
        for history, spell in spells_of(histories, State.HANDED_OVER)
        if is_answer(spell.exit)
    )
    rates = {absent: answers[absent] / weeks[absent] for absent in weeks}
    # From 3.2 to 4.8 a week, by the intent of the lead.
    assert rates[False] == pytest.approx(3.8, abs=4 * 3.8 / math.sqrt(answers[False]))
    expected = AWAY_FACTOR * rates[False]
    assert rates[True] == pytest.approx(expected, abs=4 * expected / math.sqrt(expected * weeks[True]))


def test_half_are_answered_within_two_days_and_some_are_not_touched_for_weeks(
    histories: dict[str, History], away: Callable[[str, datetime], bool]
) -> None:
    waits = {True: list[timedelta](), False: list[timedelta]()}
    for history, spell in spells_of(histories, State.HANDED_OVER):
        waits[away(history.territory, spell.start)].append(spell.end - spell.start)
    median = {absent: sorted(times)[len(times) // 2] for absent, times in waits.items()}
    assert timedelta(days=1) < median[False] < timedelta(days=2)
    assert median[True] > timedelta(days=4)
    for times in waits.values():
        assert sum(time > timedelta(days=15) for time in times) >= 3
    assert sum(time > timedelta(days=15) for time in [*waits[True], *waits[False]]) < 0.05 * sum(
        map(len, waits.values())
    )


def test_sales_acts_on_open_accepted_and_opportunity_alone(histories: dict[str, History]) -> None:
    acts: dict[int, Counter[str]] = defaultdict(Counter)
    for history in histories.values():
        for event in history.events:
            if (event.by_sales or event.kind in {"meeting", "call_answered"}) and not in_fallback(event):
                acts[state_at(history, event.occurred)][event.kind] += 1
    worked = acts[State.ACCEPTED] + acts[State.OPPORTUNITY]
    for kind in ("call_made", "mail_sent", "meeting"):
        assert worked[kind] > acts[State.OPEN][kind] > 20
        assert acts[State.HANDED_OVER][kind] == 0
    assert set(acts[State.CUSTOMER]) | set().union(*(acts[state] for state in range(State.PAUSED, 16))) == set()


def test_sales_calls_writes_and_meets_nearly_nobody_while_it_is_away(
    histories: dict[str, History], away: Callable[[str, datetime], bool]
) -> None:
    worked = (State.ACCEPTED, State.OPPORTUNITY)
    weeks = weeks_by_presence(histories, away, *worked)
    done: dict[str, Counter[bool]] = defaultdict(Counter)
    for history in histories.values():
        for event in history.events:
            if not in_fallback(event) and state_at(history, event.occurred) in worked:
                done[event.kind][away(history.territory, event.occurred)] += 1
    for kind in ("call_made", "mail_sent", "meeting"):
        left = {absent: done[kind][absent] / weeks[absent] for absent in weeks}
        # A mail is nothing but sales' own act as well.
        expected = AWAY_FACTOR * left[False]
        assert left[True] == pytest.approx(expected, abs=5 * expected / math.sqrt(expected * weeks[True]))
    # What the lead does by itself goes on.
    assert done["page_view"][True] / weeks[True] == pytest.approx(done["page_view"][False] / weeks[False], rel=0.2)


def posts_by_territory(world: World) -> dict[str, list[Row]]:
    posts = defaultdict(list)
    for row in world.owners:
        posts[row["territory"]].append(row)
    return posts


def test_every_territory_has_owners_without_a_gap_but_for_one_vacancy(world: World) -> None:
    posts = posts_by_territory(world)
    assert set(posts) == {"key-accounts", "nl", "de", "be", "gb", "fr", "pt", "us"}
    assert {row["territory"] for row in world.leads} == set(posts)
    vacancies = []
    for territory, rows in posts.items():
        assert rows[0]["from"] == "2025-01-01"
        assert [bool(row["until"]) for row in rows] == [True] * (len(rows) - 1) + [False]
        for row, following in pairwise(rows):
            assert row["from"] < row["until"] <= following["from"]
            if row["until"] < following["from"]:
                assert row["owner"] != following["owner"]
                vacancies.append((territory, row["until"], following["from"]))
    assert vacancies == [("nl", "2025-09-29", "2025-10-20")]


def test_owners_are_away_for_whole_weeks_with_room_for_nobody(world: World) -> None:
    rooms: dict[str, set[int]] = defaultdict(set)
    for row in world.owners:
        room = int(row["leads_per_day"])
        if room == 0:
            first, back = date.fromisoformat(row["from"]), date.fromisoformat(row["until"])
            assert first.weekday() == back.weekday() == 0
            assert 1 <= (back - first).days // 7 <= 4
        rooms[row["territory"]].add(room)
    # One room while at work, none while away: everybody has holidays.
    assert all(len(room) == 2 and min(room) == 0 for room in rooms.values())
    christmas = {
        row["territory"] for row in world.owners if row["from"] == "2025-12-22" and row["leads_per_day"] == "0"
    }
    assert christmas == set(rooms)


def test_one_seller_has_two_territories_and_large_companies_of_the_largest_market_have_one_of_their_own(
    world: World,
) -> None:
    territories = defaultdict(set)
    for row in world.owners:
        territories[row["owner"]].add(row["territory"])
    assert {owner for owner, owned in territories.items() if len(owned) > 1} == {"S05"}
    assert territories["S05"] == {"be", "pt"}
    for row in world.leads:
        large = row["country"] == "NL" and int(row["employees"]) >= 50
        assert row["territory"] == ("key-accounts" if large else row["country"].lower())


def test_the_room_of_sales_fits_the_cases_that_are_opened(world: World) -> None:
    territory_of = {row["lead_id"]: row["territory"] for row in world.leads}
    opened = Counter(
        territory_of[record["lead"]] for record in world.records() if record["lead"] and record["kind"] == "case_opened"
    )
    room = {row["territory"]: int(row["leads_per_day"]) for row in world.owners if row["leads_per_day"] != "0"}
    assert sum(opened.values()) == pytest.approx(0.41 * LEADS, rel=0.1)
    for territory, cases in opened.items():
        # A quarter more, in whole leads.
        a_day = cases / WORKING_DAYS
        assert a_day < room[territory] < a_day * 1.6 + 1


def test_each_reason_of_a_loss_has_its_own_earliest_return(histories: dict[str, History]) -> None:
    assert list(PAUSES) == list(LOSS_REASONS)
    shortest: dict[str, timedelta] = {}
    lost: Counter[str] = Counter()
    returned: Counter[str] = Counter()
    for history in histories.values():
        forms = [event.occurred for event in history.events if event.kind == "form"]
        closed: dict[str, datetime] = {}
        for spell in history.spells:
            if spell.exit >= Exit.LOSE:
                reason = LOSS_REASONS[spell.exit - Exit.LOSE]
                closed[reason] = spell.end
                lost[reason] += 1
            elif spell.lost and spell.exit == Exit.REOPEN:
                reason = LOSS_REASONS[spell.state - State.LOST]
                wait = spell.end - closed[reason]
                shortest[reason] = min(wait, shortest.get(reason, wait))
                returned[reason] += 1
            if spell.paused or spell.lost:
                assert not any(spell.start <= form < spell.end for form in forms)
                assert (spell.end in forms) == (spell.exit == Exit.REOPEN)
    assert set(lost) == set(LOSS_REASONS)
    assert set(shortest) == set(LOSS_REASONS) - {"outside the target"}
    for reason, wait in shortest.items():
        assert PAUSES[reason] < wait < PAUSES[reason] + timedelta(days=10)
    share = {reason: returned[reason] / lost[reason] for reason in lost}
    assert share["budget postponed"] > share["no answer"] > share["no need"] > share["outside the target"] == 0
    assert returned.total() > 400


def test_a_form_of_a_lost_lead_is_the_one_by_which_it_comes_back(histories: dict[str, History]) -> None:
    for history, spell in spells_of(histories, State.CUSTOMER):
        forms = [event.occurred for event in history.events if event.kind == "form"]
        assert not any(spell.start < form < spell.end for form in forms)
        assert spell.end in forms or spell.end == LOG_END


def test_customers_come_back_and_some_buy_again(world: World, histories: dict[str, History]) -> None:
    back = [history for history, spell in spells_of(histories, State.CUSTOMER) if spell.exit == Exit.REOPEN]
    weeks = sum((spell.end - spell.start) / WEEK for _, spell in spells_of(histories, State.CUSTOMER))
    # 0.42 a year, from 0.001 to 0.050 a week by intent.
    assert len(back) / weeks * 52.14 == pytest.approx(0.42, abs=4 * 0.42 / math.sqrt(len(back)))
    orders = Counter(row["lead_id"] for row in world.outcomes if row["outcome"] == "won")
    again = {lead for lead, count in orders.items() if count > 1}
    assert again <= {history.lead for history in back}
    assert 2 <= len(again) < 0.1 * len(orders)


def test_nobody_asks_for_a_quote_or_is_called_after_a_sale_before_coming_back(histories: dict[str, History]) -> None:
    seen: list[Seen] = []
    for history, spell in spells_of(histories, State.CUSTOMER):
        seen += [event for event in history.events if spell.start < event.occurred < spell.end]
    kinds = Counter(event.kind for event in seen)
    assert kinds["page_view"] > 100
    assert not {"quote_request", "call_made", "mail_sent", "meeting", "form", "call_answered"} & set(kinds)
