"""What is told of leads whose last episode has ended: hand-made logs, and all of a small world by a naive count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import EPISODES, POLICY, written
from world import Project

from models.decision.recontact import Rates
from pipeline.core.project import Places, read_json
from pipeline.log.history import read_history
from pipeline.scoring.actions import Actions
from pipeline.scoring.ended import tell_ended
from pipeline.scoring.recontact import Recontact
from pipeline.settings.decision import DecisionPolicy

DAY = timedelta(days=1)
MARCH = datetime(2026, 3, 10)
LOG = """
A | 2026-03-01 | opened
A | 2026-03-04 23:30 | won
B | 2026-02-01 | objected
B | 2026-02-12 | lost
B | 2026-03-08 | demo
C | 2026-02-10 | opened
C | 2026-02-20 | lost
C | 2026-02-25 | opened
C | 2026-03-05 | opened | 2026-03-11
D | 2026-03-01 | demo
E | 2026-02-07 | lost
F | 2026-03-01 | lost | 2026-03-12
"""


def told(root: Path, log: str = LOG, as_of: datetime = MARCH, words: str = "", **policy: Any) -> pa.Table:  # noqa: ANN401 - settings of any kind
    places = written(root, log, words)
    sections = SimpleNamespace(
        decision=DecisionPolicy.model_validate(POLICY | policy),
        episodes=EPISODES,
        snapshots=SimpleNamespace(horizon=30 * DAY),
    )
    version = pa.array(["model"]).dictionary_encode()
    with duckdb.connect() as connection:
        nobody = pd.DataFrame({"since": pd.to_datetime([]), "reason": []}, index=pd.Index([], dtype=object))
        recontact = Recontact(sections.decision, "en", as_of, nobody, {}, {})
        actions = Actions(places, connection, sections.decision, "en", as_of)
        history = read_history(places, EPISODES)
        return tell_ended(places, sections, connection, history, as_of, version, recontact, actions).table


def test_who_converted_is_a_customer_and_who_was_lost_is_disqualified_and_the_end_comes_first(tmp_path: Path) -> None:
    rows = told(tmp_path).to_pylist()
    shown = [tuple(row[name] for name in ("lead_id", "tier", "stage", "maturity", "target")) for row in rows]
    assert shown == [
        ("A", "customer", "won", "cold", "in"),
        ("B", "disqualified", "lost", "hot", "out"),
        # people took it up after it was lost; that they did so once more became known later
        ("C", "disqualified", "accepted", "cold", "unknown"),
    ]
    # In Paris, A converted half an hour after midnight.
    assert [row["facts"] for row in rows] == [
        ["2026-03-05 converted"],
        ["2026-02-12 lost", "2026-02-01 objection", "outside the target: employees below 10"],
        ["2026-02-20 lost"],
    ]
    for row in rows:
        assert (row["as_of"], row["list"], row["reasons"], row["is_guess"]) == (MARCH, "none", [], False)
        assert row["model_version"] == "model"


@pytest.mark.parametrize(
    ("keep", "found"), [("5d", ""), ("6d", "A"), ("17d", "A"), ("18d", "AC"), ("31d", "ABCE"), (None, "ABC")]
)
def test_a_row_is_kept_as_long_as_the_settings_say(tmp_path: Path, keep: str | None, found: str) -> None:
    assert "".join(told(tmp_path, keep=keep)["lead_id"].to_pylist()) == found


def test_what_became_known_later_changes_nothing(tmp_path: Path) -> None:
    known = "\n".join(line for line in LOG.strip().splitlines() if line.count("|") < 3)
    later = LOG + "A | 2026-03-11 | objected\nB | 2026-03-09 | won | 2026-03-11\nD | 2026-03-09 | lost | 2026-03-10"
    assert told(tmp_path / "known", known).equals(told(tmp_path / "later", later))


def test_a_word_said_with_the_end_or_after_it_is_told_and_changes_no_tier(tmp_path: Path) -> None:
    words = """
        A | 2026-03-04 12:00 | SQL
        B | 2026-02-12 | SQL | | | K2 | asks again in May
        C | 2026-03-01 | | 2026-05-01
    """
    rows = told(tmp_path, words=words).to_pylist()
    assert [(row["lead_id"], row["tier"], row["word"]) for row in rows] == [
        ("A", "customer", None),
        ("B", "disqualified", "2026-02-12 SQL, by K2: asks again in May"),
        ("C", "disqualified", "2026-03-01 call on 2026-05-01"),
    ]


def test_where_nobody_has_ended_there_are_no_rows(tmp_path: Path) -> None:
    nobody = told(tmp_path, as_of=datetime(2026, 1, 20))
    assert len(nobody) == 0
    assert nobody.column_names == told(tmp_path / "others").column_names


FACTS: dict[str, Any] = {
    "objection": {"kind": "closes", "events": ["objected"]},
    "in work": {"kind": "taken", "events": ["opened"]},
}
LOST = """
A | 2026-03-01 | lost
B | 2026-03-01 | lost
F | 2026-03-01 | lost
F | 2026-03-20 | objected
C | 2026-03-01 | lost
C | 2026-06-05 | demo
D | 2026-03-01 | won
E | 2026-03-01 | lost
E | 2026-06-02 | opened
"""
"""By the pause of the settings it pays from 30 May on to come back to who was lost; but B is outside the target."""


def ended_at(places: Places, as_of: datetime, **policy: Any) -> tuple[dict[str, dict[str, Any]], Mapping[str, int]]:  # noqa: ANN401 - settings of any kind
    """Tell of the leads that have ended, by lead_id, and how many did of late."""
    episodes = EPISODES.model_copy(update={"reopen_on": ("demo",), "reopen_after": 30 * DAY})
    sections = SimpleNamespace(
        decision=DecisionPolicy.model_validate(POLICY | {"facts": FACTS} | policy),
        episodes=episodes,
        snapshots=SimpleNamespace(horizon=30 * DAY),
        words=SimpleNamespace(language="en"),
    )
    version = pa.array(["model"]).dictionary_encode()
    with duckdb.connect() as connection:
        history = read_history(places, episodes)
        recontact = Recontact.learn(places, sections, connection, history, as_of, as_of)
        actions = Actions(places, connection, sections.decision, "en", as_of)
        ended = tell_ended(places, sections, connection, history, as_of, version, recontact, actions)
    return {row["lead_id"]: row for row in ended.table.to_pylist()}, ended.of_late


def test_a_lost_lead_is_waited_for_then_due_then_told_to_be_no_more_and_gone(tmp_path: Path) -> None:
    places = written(tmp_path, LOST)
    walked = {
        day: ended_at(places, datetime(2026, *day))
        for day in [(3, 2), (3, 30), (4, 20), (5, 29), (5, 30), (6, 28), (6, 29), (7, 28), (7, 29)]
    }
    shown = {
        day: [rows["A"][name] for name in ("tier", "list", "action", "channel")] if "A" in rows else None
        for day, (rows, _) in walked.items()
    }
    waits, over = ["disqualified", "none", "wait_until", None], ["disqualified", "none", "none", None]
    due = ["recycled", "marketing", "take_up_again", "mail"]
    assert shown == {
        (3, 2): waits, (3, 30): waits, (4, 20): waits, (5, 29): waits,
        (5, 30): due, (6, 28): due,
        # whoever was told that it is due is told that it is not any more
        (6, 29): over, (7, 28): over,
        (7, 29): None,
    }  # fmt: skip
    for rows, _ in walked.values():
        assert all(row["facts"][0] == "2026-03-01 lost" for lead, row in rows.items() if lead != "D")
    # An objection, an end by a sale, and another episode leave nobody to come back to.
    assert ["".join(sorted(rows)) for rows, _ in walked.values()] == [
        "ABCDEF", "ABCDEF", "ABCEF", "ABCEF", "ABCEF", "ABEF", "ABEF", "ABEF", "",
    ]  # fmt: skip
    due_ones = {lead for rows, _ in walked.values() for lead, row in rows.items() if row["tier"] == "recycled"}
    assert due_ones == {"A", "C", "E"}
    # Somebody works on E again, and needs nobody to say so.
    assert walked[6, 28][0]["E"]["action"] == "none"
    assert [of_late for _, of_late in walked.values()] == [
        {"converted": 1, "lost": 5}, {"converted": 1, "lost": 5}, *[{"converted": 0, "lost": 0}] * 7,
    ]  # fmt: skip


def test_who_is_due_is_on_the_list_that_its_channels_allow(tmp_path: Path) -> None:
    no_mail = {"kind": "closes_channel", "channel": "mail", "events": ["opened"]}
    rows, _ = ended_at(written(tmp_path, LOST), datetime(2026, 6, 4), facts={"unsubscribed": no_mail})
    assert [(lead, row["list"], row["channel"]) for lead, row in rows.items() if row["tier"] == "recycled"] == [
        ("A", "marketing", "mail"), ("C", "marketing", "mail"), ("E", "none", "telephone"), ("F", "marketing", "mail"),
    ]  # fmt: skip


def test_who_is_to_be_closed_is_waited_for_by_nobody() -> None:
    lost = pd.DataFrame({"since": [np.datetime64("2026-03-01", "us")], "reason": ["no need"]}, index=["A"])
    months = np.array([400] * 12)
    never = {"no need": Rates(400, months, months * 0, months * 0.0, months * 0.0, 1)}
    for day in [(3, 2), (3, 31), (4, 1), (9, 1)]:
        policy = DecisionPolicy.model_validate(POLICY)
        recontact = Recontact(policy, "en", datetime(2026, *day), lost, never, {})
        (on,), (why,) = (column.to_pylist() for column in recontact.of_lost(["A"], np.array([False])).values())
        assert on is None
        assert why.startswith("Close: lost in March 2026")
        assert recontact.awaited(30 * DAY).tolist() == []


def test_every_lead_that_ended_within_a_horizon_has_a_row_behind_the_open_ones(world: Project) -> None:
    table = pq.read_table(world.recommendations).to_pandas()
    is_open = table["probability"].notna()
    assert is_open.to_list() == sorted(is_open, reverse=True)
    ended = table[~is_open]
    assert ended["lead_id"].is_monotonic_increasing
    as_of = table["as_of"].iloc[0]
    log = pq.read_table(world.interactions, columns=["lead_id", "event_type", "occurred_at", "known_at"]).to_pandas()
    ends = log[(log["known_at"] < as_of) & log["event_type"].isin(("won", "lost"))].sort_values("occurred_at")
    recent = ends[ends["occurred_at"] >= as_of - world.parameters.snapshots.horizon]
    # Who ended before is told as long as there is a date to come back, or it is over for no longer than a horizon.
    earlier = ended[~ended["lead_id"].isin(recent["lead_id"])]
    assert set(earlier["lead_id"]) <= set(ends.loc[ends["event_type"] == "lost", "lead_id"])
    assert earlier["recontact_on"].notna().any()
    # Who is not told had converted before, or is open again.
    others = set(recent["lead_id"]) - set(ended["lead_id"]) - set(table.loc[is_open, "lead_id"])
    before = ends[ends["occurred_at"] < as_of - world.parameters.snapshots.horizon]
    assert others <= set(before.loc[before["event_type"] == "won", "lead_id"])
    won = set(ends.loc[ends["event_type"] == "won", "lead_id"])
    assert (ended["tier"] == "customer").to_list() == [lead in won for lead in ended["lead_id"]]
    today = world.parameters.decision.day_of(as_of)
    is_due = ended["recontact_on"].map(lambda day: day is not None and day <= today)
    assert (ended["tier"] == "recycled").equals(is_due)
    empty = ["score", "probability_7d", "probability_60d", "expected_value", "rank", "list_reason"]
    assert ended[empty].isna().all(axis=None)
    sums = read_json(world.scoring)
    assert sums["leads"] == is_open.sum() == sum(sums["tiers"].values())
    assert sums["ended"] == ended["tier"].value_counts().to_dict()
    assert set(sums["ended"]) == {"customer", "disqualified", "recycled"}
    of_late = ended.loc[ended["lead_id"].isin(recent["lead_id"]), "facts"].str[0].str.split().str[1].value_counts()
    assert sums["ended_of_late"] == of_late.to_dict()
