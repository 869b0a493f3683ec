"""What people said of leads as a decision takes it: the last word that was known at the moment, and what it changes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest
from hand_made import EPISODES, POLICY, write_decisions, written

from features.core.errors import InputError
from pipeline.core.project import Places
from pipeline.scoring.deciding import Decider
from pipeline.scoring.standing import Standing, look
from pipeline.scoring.today import Today
from pipeline.settings.decision import DecisionPolicy

LOG = """
A | 2026-03-01 | opened
B | 2026-03-01 | demo
B | 2026-03-02 | objected
C | 2026-02-01 | lost
C | 2026-03-08 | demo
D | 2026-03-01 | demo
"""
SETTINGS = DecisionPolicy.model_validate(POLICY | {"tiers": {"mql": 0.1, "sql": 0.3}})
LEADS = "ABCD"
NOON = datetime(2026, 3, 10, 12)


def stand(places: Places, as_of: datetime = NOON) -> Standing:
    asked = pd.DataFrame({
        "lead_id": list(LEADS),
        "started_at": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-03-08", "2026-01-01"]).astype("datetime64[us]"),
        "episode": [1, 1, 2, 1],
    })  # fmt: skip
    sections = SimpleNamespace(decision=SETTINGS, episodes=EPISODES)
    with duckdb.connect() as connection:
        return look(places, sections, connection, asked, as_of)


def decide(root: Path, words: str, as_of: datetime = NOON) -> dict[str, tuple[str, str | None, str, str | None]]:
    """Give tier, own tier, list and its reason of each lead; all but D would be MQL by their probability."""
    places = Places(root)
    if not places.leads.exists():
        written(root, LOG)
    write_decisions(places, words)
    decider = Decider(SETTINGS, stand(places, as_of), np.array(list(LEADS), dtype=object), 0.02, Today(SETTINGS, as_of))
    probabilities = np.array([0.2, 0.2, 0.2, 0.4])
    columns = decider.decide(probabilities, decider.tiers(probabilities, slice(0, 4))).columns
    shown = zip(*(columns[name].to_pylist() for name in ("tier", "own_tier", "list", "list_reason")), strict=True)
    return dict(zip(LEADS, shown, strict=True))


NOBODY_SPEAKS = {
    "A": ("MQL", None, "marketing", None),
    # It lies outside the target, and it has objected.
    "B": ("disqualified", None, "none", None),
    "C": ("recycled", None, "marketing", None),
    "D": ("SQL", None, "sales", None),
}


def test_a_word_says_the_tier_and_what_ours_would_be_stands_beside(tmp_path: Path) -> None:
    assert decide(tmp_path, "") == NOBODY_SPEAKS
    assert decide(tmp_path, "A | 2026-03-05 | SQL\nD | 2026-03-05 | IQL") == NOBODY_SPEAKS | {
        "A": ("SQL", "MQL", "sales", None),
        "D": ("IQL", "SQL", "none", None),
    }


def test_no_word_outdoes_an_objection(tmp_path: Path) -> None:
    assert decide(tmp_path, "B | 2026-03-05 | SQL") == NOBODY_SPEAKS
    assert stand(Places(tmp_path)).spoken.texts == [None, "2026-03-05 SQL", None, None], "it is told all the same"


def test_people_may_overrule_the_target(tmp_path: Path) -> None:
    written(tmp_path, LOG.replace("objected", "opened"))
    assert decide(tmp_path, "")["B"][0] == "disqualified"
    assert decide(tmp_path, "B | 2026-03-05 | SQL")["B"] == ("SQL", "disqualified", "sales", None)


def test_a_day_agreed_on_keeps_a_lead_off_the_list_and_puts_it_there_when_it_comes(tmp_path: Path) -> None:
    words = "D | 2026-03-05 | | 2026-03-12\nC | 2026-03-09 | | 2026-03-12"
    assert decide(tmp_path, words) == NOBODY_SPEAKS | {"D": ("SQL", None, "none", "agreed later")}
    # In Paris the twelfth begins an hour before midnight.
    assert decide(tmp_path, words, datetime(2026, 3, 11, 22, 59))["D"] == ("SQL", None, "none", "agreed later")
    on_the_day = decide(tmp_path, words, datetime(2026, 3, 11, 23, 0))
    assert (on_the_day["D"], on_the_day["C"]) == (("SQL", "SQL", "sales", None), ("SQL", "recycled", "sales", None))


def test_only_what_was_known_before_the_moment_counts_and_of_that_the_last(tmp_path: Path) -> None:
    past = "A | 2026-03-05 | SQL"
    later = [
        "A | 2026-03-10 12:00 | IQL",
        "A | 2026-03-09 | IQL | | | | | 2026-03-10 12:00",
        "A | 2026-03-20 | IQL | | | | | 2026-03-09",  # dated ahead
    ]
    for word in later:
        assert decide(tmp_path, f"{past}\n{word}")["A"] == ("SQL", "MQL", "sales", None), word
    known = "A | 2026-03-09 | IQL | | | | | 2026-03-10 11:59:59"
    assert decide(tmp_path, f"{known}\n{past}")["A"] == ("IQL", "MQL", "none", None)
    assert decide(tmp_path, f"{past}\nA | 2026-03-05 | IQL")["A"][0] == "IQL", "of one moment the later row counts"


def test_what_was_replaced_does_not_come_back(tmp_path: Path) -> None:
    words = "A | 2026-03-05 | SQL\nA | 2026-03-06 | IQL | | 2026-03-08"
    assert decide(tmp_path, words)["A"] == NOBODY_SPEAKS["A"]


def test_a_word_on_an_earlier_episode_is_over_and_one_said_between_two_is_not(tmp_path: Path) -> None:
    assert decide(tmp_path, "C | 2026-01-31 | SQL")["C"] == NOBODY_SPEAKS["C"]
    assert decide(tmp_path, "C | 2026-02-02 | SQL")["C"] == ("SQL", "recycled", "sales", None)


def test_a_word_is_told_with_who_gave_it_and_why(tmp_path: Path) -> None:
    words = """
        A | 2026-03-04 23:30 | SQL | | 2026-04-01 | K2 | budget approved
        C | 2026-03-05 | MQL | 2026-05-01
        D | 2026-03-05 | | 2026-05-01 | | K1
    """
    decide(tmp_path, words)
    assert stand(Places(tmp_path)).spoken.texts == [
        "2026-03-05 SQL until 2026-04-01, by K2: budget approved",
        None,
        "2026-03-05 MQL, call on 2026-05-01",
        "2026-03-05 call on 2026-05-01, by K1",
    ]


def test_without_the_file_the_stage_before_is_named(tmp_path: Path) -> None:
    places = written(tmp_path, LOG)
    places.decisions.unlink()
    with pytest.raises(InputError, match=r"decisions.parquet not there; run the stages before"):
        stand(places)
