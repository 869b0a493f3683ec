"""A day's places are shared by all its runs: who was called for keeps its place, and one that was used is gone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from standings import standing_of

from features.core.schema import INTERACTION, LEAD
from pipeline.core.project import Places
from pipeline.scoring.earlier import AS_OF, look_back
from pipeline.scoring.today import Spent, Today, make_lists_of
from pipeline.settings.decision import DecisionPolicy

POLICY = DecisionPolicy.model_validate(
    {
        "time_zone": "Europe/Amsterdam",
        "facts": {
            "in work": {"kind": "taken", "events": ["accepted"]},
            "refused by sales": {"kind": "refuses", "events": ["refused"]},
        },
        "capacity": [{"leads": 2}],
        "work": {"contacts": ["call"]},
        "stay": 0.0,
    }
)
EIGHT, NINE, TEN = (datetime(2026, 6, 30, hour) for hour in (6, 7, 8))  # in Amsterdam
IDS = list("ABCDE")


class Day:
    """A folder with what leads did, who they are, and the lists of the runs of a day."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        self.acts: list[tuple[str, str, datetime, datetime]] = []

    def act(self, lead: str, kind: str, at: datetime, known: datetime | None = None) -> None:
        """Let something happen."""
        self.acts.append((lead, kind, at, known or at))

    def run(
        self, as_of: datetime, gain: dict[str, float], *, worked_on: str = "", accounts: dict[str, str] | None = None
    ) -> tuple[str, Spent]:
        """Make the list of a moment and keep it; leads without a gain have ended."""
        self._write(accounts or {})
        today = Today(POLICY, as_of, earlier=look_back(self.places, POLICY, as_of))
        ids = sorted(gain)
        standing = standing_of(
            len(ids), as_of, taken=["2026-06-30T06:10" if lead in worked_on else None for lead in ids],
            account=[(accounts or {}).get(lead) for lead in ids],
        )  # fmt: skip
        lists, spent = make_lists_of(
            today, standing, np.full(len(ids), "SQL"), np.array([gain[lead] for lead in ids]), np.array(ids, object)
        )
        folder = self.places.scores / f"{as_of:{AS_OF}}" / "model=a"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"lead_id": ids, "list": lists.list.tolist()}), folder / "recommendations.parquet")
        return "".join(lead for lead, name in zip(ids, lists.list, strict=True) if name == "sales"), spent

    def _write(self, accounts: dict[str, str]) -> None:
        rows: list[dict[str, Any]] = [
            {"lead_id": lead, "event_type": kind, "occurred_at": at, "known_at": known, "actor": "us", "quantity": 1}
            for lead, kind, at, known in self.acts
        ]
        self.places.interactions.parent.mkdir(parents=True, exist_ok=True)
        for rows_, fields, path in (
            (rows, INTERACTION, self.places.interactions),
            ([{"lead_id": lead, "account_id": accounts.get(lead)} for lead in IDS], LEAD, self.places.leads),
        ):
            schema = pa.schema([(field.name, field.arrow) for field in fields])
            pq.write_table(pa.Table.from_pylist(rows_, schema), path)


@pytest.fixture
def day(tmp_path: Path) -> Day:
    return Day(tmp_path)


def test_three_runs_of_a_day_give_its_places_away_once(day: Day) -> None:
    morning = {"A": 0.9, "B": 0.8, "C": 0.7}
    assert day.run(EIGHT, morning)[0] == "AB"
    day.act("A", "accepted", datetime(2026, 6, 30, 6, 10))
    listed, spent = day.run(NINE, morning | {"D": 0.95}, worked_on="A")
    assert listed == "B", "the place of A is used, and B keeps its own though D is better"
    assert (spent.used, spent.places, spent.left) == (1, 1, 0)
    day.act("B", "call", datetime(2026, 6, 30, 7, 30))
    day.act("B", "refused", datetime(2026, 6, 30, 7, 40))
    listed, spent = day.run(TEN, {"A": 0.9, "C": 0.7, "D": 0.95}, worked_on="A")
    assert (listed, spent.used, spent.left) == ("", 2, 0), "B has ended, and its place is used all the same"
    listed, spent = day.run(datetime(2026, 6, 30, 22), {"A": 0.9, "C": 0.7, "D": 0.95}, worked_on="A")
    assert (listed, spent.used) == ("CD", 0), "in Amsterdam the first of July begins"


def test_a_place_is_free_again_where_nobody_dealt_with_the_lead(day: Day) -> None:
    assert day.run(EIGHT, {"A": 0.9, "B": 0.8, "C": 0.7})[0] == "AB"
    listed, spent = day.run(NINE, {"B": 0.8, "C": 0.7})
    assert (listed, spent.used) == ("BC", 0), "A has ended by itself"


def test_who_was_called_and_not_reached_stays_on_the_list_and_takes_one_place(day: Day) -> None:
    gain = {"A": 0.9, "B": 0.8, "C": 0.95}
    del gain["C"]
    day.run(EIGHT, gain)
    day.act("A", "call", datetime(2026, 6, 30, 6, 10))
    assert day.run(NINE, gain | {"C": 0.95})[0] == "AB"


@pytest.mark.parametrize(
    ("at", "known", "is_used"),
    [
        (datetime(2026, 6, 30, 6, 30), None, True),
        (datetime(2026, 6, 30, 6, 30), NINE, False),  # known at the moment, not before it
        (datetime(2026, 6, 30, 7, 30), datetime(2026, 6, 30, 6, 30), False),  # planned, and not made yet
        (datetime(2026, 6, 30, 5, 59), None, False),  # before it was on any list
    ],
)
def test_only_what_was_known_to_have_happened_since_uses_a_place(
    day: Day, at: datetime, known: datetime | None, *, is_used: bool
) -> None:
    day.run(EIGHT, {"A": 0.9, "B": 0.8})
    day.act("A", "call", at, known)
    listed, spent = day.run(NINE, {"B": 0.8, "C": 0.7})
    assert (listed, spent.used) == (("B", 1) if is_used else ("BC", 0))


def test_an_account_is_called_once_a_day(day: Day) -> None:
    accounts = {"A": "acme", "C": "acme", "D": "umbrella", "B": "umbrella"}
    assert day.run(EIGHT, {"A": 0.9, "B": 0.8}, accounts=accounts)[0] == "AB"
    day.act("A", "accepted", datetime(2026, 6, 30, 6, 10))
    listed, spent = day.run(NINE, {"A": 0.9, "B": 0.8, "C": 0.95, "D": 0.99}, worked_on="A", accounts=accounts)
    assert (listed, spent.left) == ("B", 0), "C is of whom A was called for, and B has the place that D would have"


def test_a_second_run_of_a_moment_looks_at_none_of_its_own_nor_at_later_ones(day: Day) -> None:
    gain = {"A": 0.9, "B": 0.8, "C": 0.7}
    day.run(EIGHT, gain)
    day.act("A", "call", datetime(2026, 6, 30, 6, 10))
    first = day.run(NINE, {"B": 0.8, "C": 0.7, "D": 0.95})
    day.run(TEN, {"C": 0.7})
    assert day.run(NINE, {"B": 0.8, "C": 0.7, "D": 0.95}) == first


def test_a_first_run_and_scores_older_than_lists_know_of_no_places(day: Day) -> None:
    assert look_back(day.places, POLICY, EIGHT).used.empty
    folder = day.places.scores / f"{EIGHT:{AS_OF}}" / "model=a"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"lead_id": ["A"]}), folder / "recommendations.parquet")
    assert day.run(NINE, {"A": 0.9, "B": 0.8, "C": 0.7})[0] == "AB"
