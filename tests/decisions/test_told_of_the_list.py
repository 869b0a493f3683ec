"""What is said of today's list: who has time, what is left, and what changed that leads did not do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.decision.capacity import Amount, Costs
from models.decision.todays_list import told_of_the_list
from pipeline.core.project import write_json
from pipeline.scoring.basis import DECIDED, basis_of, since_last
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.today import Owned, Today
from pipeline.settings.decision import DecisionPolicy

AS_OF = datetime(2026, 6, 30, 6)
TIME: dict[str, Any] = {
    "places": 8, "left": 3, "used": 0, "in_work": 0, "untouched": 0, "untouched_called": 0, "away": 0,
    "amounts": {"leads": {"stated": 8.0, "in_work": 0.0}},
}  # fmt: skip
SCORING: dict[str, Any] = {
    "day": "2026-06-30",
    "is_working_day": True,
    "lists": {"sales": 5, "none": 9},
    "list_reasons": {"in work": 4},
    "costs": {"new": 1.0, "in_work": 1.0, "new_leads": 0, "lead_days": 0},
}


def told(time: dict[str, Any] | None = None, **changes: object) -> list[str]:
    return told_of_the_list(SCORING | changes | {"time": TIME | (time or {})})


def test_where_places_are_left_the_list_comes_first_and_then_how_many() -> None:
    assert told() == [
        "5 leads are on the list of sales for 2026-06-30; of the others that are worth an hour, 4 are worked on",
        "3 of 8 places are left",
    ]


def test_where_nobody_has_time_that_is_the_first_line_with_its_numbers() -> None:
    waiting = {"list_reasons": {"capacity": 12}}
    assert told({"left": 0}, **waiting)[0] == "No place is left on 2026-06-30: all 8 are given; 12 leads wait"
    assert told({"left": 0, "places": 5, "used": 3}, **waiting)[0] == (
        "No place is left on 2026-06-30: all 8 are given, 3 of them to leads that were dealt with today; 12 leads wait"
    )
    nobody = {"left": 0, "places": 0, "amounts": {"leads": {"stated": 0.0, "in_work": 0.0}}}
    assert told(nobody)[0] == "There is no time for a new lead on 2026-06-30: nobody is there"
    busy = {"left": 0, "places": 0, "amounts": {"calls": {"stated": 9.0, "in_work": 12.5}}, "in_work": 40}
    assert told(busy)[0] == "There is no time for a new lead on 2026-06-30: leads in work take all the time there is"
    off = told({"left": 0, "places": 0}, is_working_day=False)
    assert off[0] == "Sales does not work on 2026-06-30 (decision.working_days), so nobody is called"


def test_empty_states_are_said() -> None:
    assert told(lists={}, list_reasons={})[0] == "No open lead is worth an hour of sales on 2026-06-30"
    assert told({"places": None, "left": None})[-1].startswith("Nobody said how much time sales has a day")
    assert "There is no earlier list that it could be compared with" in told(since_last=None)
    assert "2 are of territories that nobody owns today" in told(list_reasons={"no owner": 2})[0]


def test_what_leads_in_work_take_is_told_with_what_it_rests_on() -> None:
    calls = {"amounts": {"calls": {"stated": 40.0, "in_work": 12.5}}, "in_work": 50, "away": 2}
    measured = {"new": 1.5, "in_work": 0.25, "new_leads": 120, "lead_days": 3400}
    *_, away, taken = told(calls, costs=measured)
    assert away == "2 of those who have leads, or a number of their own, have no time that day"
    assert taken == (
        "Of 40 calls, 50 leads in work take 12.5; a new lead takes 1.50 calls on its first day (measured on 120 leads "
        "of the last 90 days), one in work 0.25 a working day (measured on 3,400 days of leads of the last 90 days)"
    )
    assert (
        "(not measured, and taken to be 1: decision.work.contacts and the last 90 days give 0 leads)" in told(calls)[-1]
    )


@pytest.fixture
def last(tmp_path: Path) -> Path:
    folder = tmp_path / "as_of=2026-06-29T06-00-00.000000" / "model=a"
    folder.mkdir(parents=True)
    lists = ["sales", "sales", "none"]
    pq.write_table(pa.table({"lead_id": ["A", "B", "C"], "list": lists}), folder / "recommendations.parquet")
    return folder / "recommendations.parquet"


TODAY = Today(DecisionPolicy(), AS_OF, Owned({"north": "Ann"}, {"north": Amount(3)}), Costs(1.5, 0.25, 90, 900))


def compared(today: Today, last: Path, model: str = "m") -> dict[str, Any] | None:
    now = pa.table({"lead_id": ["A", "B", "C"], "list": ["sales", "none", "sales"]})
    return since_last({"basis": basis_of(today), "model_version": model}, now, Earlier(last=last))


@pytest.mark.parametrize(
    ("today", "model", "changed"),
    [
        (replace(TODAY, as_of=datetime(2026, 6, 30, 9)), "m", []),
        (TODAY, "other", ["model"]),
        (replace(TODAY, costs=Costs(1.504, 0.25, 91, 950)), "m", []),  # the same to two decimals
        (replace(TODAY, costs=Costs(1.6, 0.25, 91, 950)), "m", ["costs"]),
        (replace(TODAY, owned=Owned({"north": "Ben"}, {"north": Amount(3)})), "m", ["owners"]),
        (replace(TODAY, owned=Owned({"north": "Ann"}, {"north": Amount(0)})), "m", ["owners"]),
        (replace(TODAY, owned=None), "m", ["owners"]),
        (replace(TODAY, policy=DecisionPolicy.model_validate({"capacity": [{"leads": 3}]})), "m", ["time"]),
        (replace(TODAY, policy=DecisionPolicy.model_validate({"multiples": {"sql": 3.0}})), "m", ["cut_offs"]),
        (replace(TODAY, policy=DecisionPolicy(stay=0.1)), "m", ["rules"]),
    ],
)
def test_what_has_changed_but_leads_is_told_apart(last: Path, today: Today, model: str, changed: list[str]) -> None:
    write_json(last.with_name(DECIDED), {"basis": basis_of(TODAY), "model_version": "m"})
    assert compared(today, last, model) == {"as_of": "2026-06-29 06:00", "came": 1, "went": 1, "changed": changed}


def test_a_list_that_notes_nothing_is_compared_by_its_names_alone(last: Path) -> None:
    found = compared(TODAY, last)
    assert found == {"as_of": "2026-06-29 06:00", "came": 1, "went": 1, "changed": None}
    assert since_last({}, pa.table({"lead_id": ["A"], "list": ["sales"]}), Earlier()) is None
    names = "Since the list of 2026-06-29 06:00 UTC 1 came onto it, and 1 left it"
    assert f"{names}; what that one rests on was not noted" in told(since_last=found)
    assert f"{names}: by what leads did, and by the date; nothing else has changed" in told(
        since_last=found | {"changed": []}
    )
    assert (
        f"{names}. Not leads alone did that: changed has the model, "
        "who owns which territory, or the time there (ingest.owners)"
    ) in told(since_last=found | {"changed": ["model", "owners"]})
