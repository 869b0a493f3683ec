"""How much time a day has, whose it is, and what leads in work and those that were dealt with today take of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from raw_logs import parameters_of, source_of
from standings import standing_of

from features.core.errors import SettingsError
from features.core.schema import OWNERSHIP
from models.decision.capacity import Amount, Costs, Room, Spoken, places_of
from pipeline.core.project import Places
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.today import Owned, Spent, Today, make_lists_of, owned_on
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.parameters import Parameters

AS_OF = datetime(2026, 6, 30, 12)  # a Tuesday
COSTS = Costs(new=1.5, in_work=0.3, new_leads=40, lead_days=400)


def policy_of(**settings: object) -> DecisionPolicy:
    work = {"contacts": ["call"], "call_hours": 0.5, "handed_over": ["case"]}
    facts = {"in work": {"kind": "taken", "events": ["case", "accepted"]}}
    return DecisionPolicy.model_validate({"territory": "region", "facts": facts, "work": work} | settings)


def lists_of(
    today: Today, gain: list[float], tiers: Sequence[str] | None = None, **standing: Sequence[str | None]
) -> tuple[list[str], list[str | None], list[int | None], Spent]:
    size = len(gain)
    ids = np.array([f"L{number}" for number in range(size)], dtype=object)
    stands = standing_of(size, today.as_of, **standing)
    lists, spent = make_lists_of(today, stands, np.array(tiers or ["SQL"] * size, "U12"), np.array(gain), ids)
    ranks = [None if np.isnan(rank) else int(rank) for rank in lists.rank]
    return lists.list.tolist(), lists.reason.tolist(), ranks, spent


def test_hours_are_calls_and_leads_in_work_go_first() -> None:
    assert Amount(9, "hours").places(20, COSTS, 0.5) == 8, "18 calls, of which 6 go to leads in work, at 1.5 a new lead"
    assert Amount(18, "calls").places(20, COSTS, 0.5) == 8
    assert Amount(8, "leads").places(20, COSTS, 0.5) == 8, "where leads are counted, those in work cost nothing"
    assert Amount(5, "calls").places(20, COSTS, 0.5) == 0, "in work is more than there is time for"
    assert Amount(0.3, "calls").places(0, Costs(new=1.0, in_work=0.1), 1.0) == 0
    assert Amount(0.9, "hours").places(0, Costs(), 0.3) == 3, "0.9 / 0.3 is a little below 3 as computers count"


def test_a_place_that_was_used_is_gone_and_who_is_not_named_has_what_each_has() -> None:
    room = Room({"north": Amount(4), "hall": Amount(0)}, Amount(2))
    spoken = Spoken(in_work={"north": 9}, used={"north": 3, "south": 5})
    assert places_of(room, spoken, {"south", "west"}, COSTS, 1.0).of == {"hall": 0, "north": 1, "south": 0, "west": 2}


def test_leads_in_work_count_until_they_are_silent_and_new_ones_take_what_is_left() -> None:
    today = Today(policy_of(capacity=[{"calls": 4}]), AS_OF, costs=COSTS)
    long_ago, lately = "2026-06-16T12:00", "2026-06-16T12:00:00.000001"
    lists, reasons, ranks, spent = lists_of(
        today,
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
        taken=["2026-05-01", "2026-05-01", "2026-05-01", lately, None, None],
        contacted=[long_ago, lately, None, None, None, None],
        acted=[None, None, lately, None, None, None],
    )
    assert spent.in_work == 3, "the first has been silent for 14 days"
    assert spent.amounts == {"calls": {"stated": 4.0, "in_work": pytest.approx(0.9)}}
    assert lists == ["none"] * 4 + ["sales", "sales"], "3.1 calls are left, and a new lead takes 1.5"
    assert reasons == ["in work"] * 4 + [None, None]
    assert ranks == [None] * 4 + [1, 2]
    assert (spent.places, spent.left) == (2, 0)


def owners_file(root: Path, rows: list[tuple[Any, ...]]) -> Places:
    places = Places(root)
    places.owners.parent.mkdir(parents=True)
    schema = pa.schema([(field.name, field.arrow) for field in OWNERSHIP])
    listed = [dict(zip(schema.names, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(listed, schema), places.owners)
    return places


def test_a_day_knows_the_rows_that_hold_on_it_and_none_that_begin_later(tmp_path: Path) -> None:
    places = owners_file(
        tmp_path,
        [
            ("north", "Ann", None, date(2026, 6, 30), "leads", 3.0),
            ("north", "Ben", date(2026, 6, 30), date(2026, 7, 1), "leads", 0.0),
            ("north", "Cy", date(2026, 7, 1), None, "leads", 5.0),
            ("south", "Dee", None, date(9999, 12, 31), "leads", 2.0),
        ],
    )
    assert owned_on(places, date(2026, 6, 29)) == Owned(
        {"north": "Ann", "south": "Dee"}, {"north": Amount(3), "south": Amount(2)}
    )
    assert owned_on(places, date(2026, 6, 30)) == Owned(
        {"north": "Ben", "south": "Dee"}, {"north": Amount(0), "south": Amount(2)}
    )
    late = datetime(2026, 6, 30, 22, 30)
    amsterdam = policy_of(time_zone="Europe/Amsterdam")
    owned = owned_on(places, amsterdam.day_of(late))
    assert Today(amsterdam, late, owned).owners_of(np.array(["north", "west", None], dtype=object)).tolist() == [
        "Cy",
        None,
        None,
    ], "in Amsterdam it is July"


def test_an_empty_table_is_none(tmp_path: Path) -> None:
    assert owned_on(owners_file(tmp_path, []), AS_OF.date()) is None


def test_a_territory_without_an_owner_has_nobody_to_call_and_its_leads_keep_their_rank() -> None:
    owned = Owned({"north": "Ann", "south": "Ann"}, {"north": Amount(1), "south": Amount(0)})
    lists, reasons, ranks, spent = lists_of(
        Today(policy_of(), AS_OF, owned),
        [0.9, 0.8, 0.7, 0.6, 0.5],
        territory=["west", "north", "north", "south", None],
    )
    assert lists == ["none", "sales", "none", "none", "none"]
    assert reasons == ["no owner", None, "capacity", "capacity", "no owner"]
    assert ranks == [1, 2, 3, 4, 5]
    assert (spent.places, spent.left, spent.away) == (1, 0, 1), "the south has no time"


def test_without_places_in_the_table_an_owner_s_day_is_one_whatever_it_is_made_of() -> None:
    owned = Owned({"north": "Ann", "south": "Ann", "west": "Ben", "east": "Cy"}, None)
    territory = ["north", "south", "west", "west", "east", "east", "hall"]
    stated = [{"leads": 1}, {"leads": 2, "of": ["Ben"]}, {"leads": 0, "of": ["east"]}]
    lists, reasons, _, spent = lists_of(
        Today(policy_of(capacity=stated), AS_OF, owned), [9.0, 8, 7, 6, 5, 4, 3], territory=territory
    )
    assert lists == ["sales", "none", "sales", "sales", "none", "none", "none"]
    assert reasons[1:2] + reasons[4:] == ["capacity"] * 3 + ["no owner"]
    assert spent.left == 1, "Cy has time for one, but not in the east"
    lists, reasons, _, spent = lists_of(Today(policy_of(), AS_OF, owned), [9.0, 8, 7, 6, 5, 4, 3], territory=territory)
    assert (lists, spent.places) == (["sales"] * 6 + ["none"], None), "nobody said how much time there is"


def test_on_a_day_off_there_is_no_time_whatever_the_table_says() -> None:
    owned = Owned({"north": "Ann"}, {"north": Amount(3)})
    lists, reasons, _, spent = lists_of(Today(policy_of(), datetime(2026, 7, 4, 12), owned), [0.9], territory=["north"])
    assert (lists, reasons, spent.places, spent.left) == (["none"], ["capacity"], 0, 0)


HANDED = "2026-06-25T15:00"  # a Thursday


@pytest.mark.parametrize(
    ("day", "contacted", "taken", "comes_back"),
    [
        (29, None, HANDED, False),  # Friday was one whole working day
        (30, None, HANDED, True),  # Friday and Monday were two
        (30, "2026-06-25T15:00", HANDED, False),
        (30, "2026-06-25T14:59", HANDED, True),  # of a call before it, nobody knows anything of the hand-over
        (30, None, "2026-06-26T09:00", False),  # somebody has accepted it since
        (30, None, None, False),  # nobody has it any more
    ],
)
def test_who_was_handed_over_and_touched_by_nobody_comes_back_at_the_head(
    day: int, contacted: str | None, taken: str | None, *, comes_back: bool
) -> None:
    today = Today(policy_of(capacity=[{"leads": 1}]), datetime(2026, 6, day, 6))
    lists, reasons, ranks, spent = lists_of(
        today, [0.9, 0.1], tiers=["SQL", "IQL"],
        taken=[None, taken], contacted=[None, contacted], handed=[None, HANDED],
    )  # fmt: skip
    if comes_back:
        assert (lists, reasons, ranks) == (["none", "sales"], ["capacity", "untouched"], [2, 1])
    else:
        assert (lists, reasons[0], ranks[0]) == (["sales", "none"], None, 1)
    assert (spent.untouched, spent.untouched_called) == (int(comes_back), int(comes_back))
    assert not comes_back or spent.in_work == 0, "it costs what a new one does"


def test_who_is_untouched_and_finds_no_place_says_so_and_who_can_not_be_called_too() -> None:
    today = Today(policy_of(capacity=[{"leads": 0}]), AS_OF)
    lists, reasons, ranks, _ = lists_of(today, [0.9, 0.1], taken=[None, HANDED], handed=[None, HANDED])
    assert (lists, reasons, ranks) == (["none", "none"], ["capacity", "untouched"], [2, 1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": [{"leads": 1, "calls": 2}]}, "in one of leads, calls, hours"),
        ({"capacity": [{"of": ["north"]}]}, "in one of leads, calls, hours"),
        ({"capacity": [{"hours": 2}], "work": {}}, "nobody says how long a call takes"),
        ({"work": {"contacts": ["call"], "handed_over": ["mail"]}}, "no fact is taken by 'mail'"),
        ({"work": {"handed_over": ["case"]}}, "name the contacts"),
    ],
)
def test_settings_that_would_count_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        policy_of(**settings)


@pytest.mark.parametrize(
    ("table", "decision", "message"),
    [
        ({}, {}, "not which leads are of it"),
        ({"per_day": "n"}, {"territory": "region", "capacity": [{"leads": 1}]}, "in every territory; keep one"),
        ({"per_day": "n", "unit": "hours"}, {"territory": "region"}, "nobody says how long a call takes"),
    ],
)
def test_a_table_of_owners_and_the_decisions_must_fit(
    table: dict[str, str], decision: dict[str, Any], message: str
) -> None:
    columns = {"territory": "t", "owner": "o"} | {name: table[name] for name in table if name != "unit"}
    owners = {"path": "o.csv", "columns": columns, "unit": table.get("unit", "leads")}
    settings = parameters_of({"log": source_of()}).model_dump(by_alias=True, exclude_unset=True)
    settings["ingest"]["owners"] = owners
    with pytest.raises(ValidationError, match=message):
        Parameters.model_validate(settings | {"decision": decision})


def test_a_day_s_number_by_hand_goes_before_the_table_and_must_name_whom_it_knows(tmp_path: Path) -> None:
    places = owners_file(
        tmp_path, [("north", "Ann", None, None, "leads", 3.0), ("south", "Ben", None, None, "leads", 2.0)]
    )
    owned = owned_on(places, AS_OF.date(), ["north"])
    by_hand = Today(policy_of(capacity=[{"leads": 0, "of": ["north"]}]), AS_OF, owned)
    assert by_hand.room == Room({"north": Amount(0), "south": Amount(2)})
    for name, told in (("Ann", "'Ann' is no territory of ingest.owners"), ("nroth", "did you mean 'north'")):
        with pytest.raises(SettingsError, match=told):
            owned_on(places, AS_OF.date(), [name])


LEADS = st.lists(
    st.fixed_dictionaries(
        {
            "tier": st.sampled_from(("SQL", "SQL", "MQL")),
            "gain": st.integers(1, 6),
            "territory": st.sampled_from(("n", "s", "w", None)),
            "account": st.sampled_from((None, None, "a", "b")),
            "state": st.sampled_from(("new", "new", "work", "silent", "untouched")),
            "kept": st.booleans(),
        }
    ),
    max_size=14,
)


@given(LEADS, st.integers(0, 4), st.integers(0, 90), st.integers(0, 2))
def test_the_list_is_what_taking_one_lead_after_the_other_gives(
    leads: list[dict[str, Any]], north: int, south: int, used: int
) -> None:
    owned = Owned({"n": "Ann", "s": "Ben"}, {"n": Amount(north, "leads"), "s": Amount(south / 10, "calls")})
    gone = pd.DataFrame({"lead_id": ["X", "Y"], "territory": ["n", "s"], "account": ["b", None]}, dtype=object)[:used]
    kept = frozenset(f"L{number}" for number, lead in enumerate(leads) if lead["kept"])
    today = Today(policy_of(), AS_OF, owned, COSTS, Earlier(called=kept, kept=kept, used=gone))
    since = {"new": None, "work": "2026-06-29T09:00", "silent": "2026-01-05T09:00", "untouched": HANDED}
    late = [lead["state"] == "untouched" for lead in leads]
    found = lists_of(
        today,
        [float(lead["gain"]) for lead in leads],
        tiers=[lead["tier"] for lead in leads],
        taken=[since[lead["state"]] for lead in leads],
        handed=[HANDED if is_late else None for is_late in late],
        territory=[lead["territory"] for lead in leads],
        account=[lead["account"] for lead in leads],
    )
    worth = [lead["tier"] == "SQL" for lead in leads]
    lists = ["none" if worth[number] or late[number] else "marketing" for number in range(len(leads))]
    reasons: list[str | None] = [
        "in work" if worth[number] and lead["state"] in ("work", "silent") else None
        for number, lead in enumerate(leads)
    ]
    cost = {"n": 10, "s": 15}  # in tenths of a place, or of a call
    rest = {"n": 10 * north, "s": south}
    rest["s"] -= 3 * sum(lead["state"] == "work" and lead["territory"] == "s" for lead in leads)
    for territory in gone["territory"]:
        rest[territory] -= cost[territory]
    called_accounts, seen, waiting = set(gone["account"].dropna()), set(), []
    by_gain = sorted(range(len(leads)), key=lambda one: (-leads[one]["gain"], f"L{one}"))
    asked = [one for one in by_gain if late[one] or (worth[one] and not since[leads[one]["state"]])]
    for number in sorted(asked, key=lambda one: (not late[one], not leads[one]["kept"])):
        lead, account = leads[number], leads[number]["account"]
        if account and (account in seen or (account in called_accounts and not lead["kept"])):
            reasons[number] = "account"
        else:
            waiting.append(number)
            if lead["territory"] not in cost:
                reasons[number] = "no owner"
            elif rest[lead["territory"]] >= cost[lead["territory"]]:
                rest[lead["territory"]] -= cost[lead["territory"]]
                lists[number], reasons[number] = "sales", "untouched" if late[number] else None
            else:
                reasons[number] = "untouched" if late[number] else "capacity"
        seen.add(account)
    waiting.sort(key=lambda one: (not late[one], by_gain.index(one)))
    ranks = [waiting.index(number) + 1 if number in waiting else None for number in range(len(leads))]
    assert found[:3] == (lists, reasons, ranks)
    assert found[3].left == sum(max(0, rest[name] // cost[name]) for name in rest)
