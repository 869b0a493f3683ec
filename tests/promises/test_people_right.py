"""How often people were right: which of their words count, what came of them, and what had been promised before."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_made import EPISODES, write_decisions, written

from models.evaluation.people import judge_words
from pipeline.core.project import Places, Project, write_json
from pipeline.evaluate.people import judge_people
from pipeline.inspection.people import People, look_at_people, told_of_people

LOG = """
A | 2026-03-10 | won
B | 2026-04-10 | won
C | 2026-02-20 | lost
D | 2026-03-05 | won | 2026-03-09
"""
WORDS = """
A | 2026-03-01T09:00 | SQL
B | 2026-03-01T09:00 | SQL
C | 2026-02-20T00:00 | disqualified
C | 2026-03-01T09:00 | SQL
D | 2026-03-07T09:00 | MQL
E | 2026-03-01T09:00 | MQL ||||| 2026-03-15
E | 2026-03-20T09:00 | IQL
E | 2026-03-20T09:00 | MQL
E | 2026-03-31T09:00 | MQL
F | 2026-03-01T09:00 || 2026-03-20
F | 2026-04-02T09:00 | SQL
"""
"""A converts within 30 days and B after them, C was lost before or with its words, D had converted and nobody knew it;
E's first word is an alias's and known from the link on, its second MQL only says again what was said, the third does
not any more; F's first is no tier, its second is not settled."""
FORETOLD = """
A 2026-02-25T00:00 2026-02-01 0.2
A 2026-02-27T00:00 2026-02-01 0.3
A 2026-03-02T00:00 2026-03-01 0.9
B 2026-02-20T00:00 2026-02-01 0.4
D 2026-03-07T09:00 2026-03-01 0.1
E 2026-02-28T00:00 none 0.05
E 2026-03-19T00:00 2026-03-01 0.02
"""
"""A's newest is from after its word, B's nine days older than it, and E's first from no origin."""
COUNTS: dict[str, Any] = {"horizon": "30d", "outcome_delay_hours": 24, "observed_until": "2026-05-01T09:00:00"}


def looked(root: Path, words: str = WORDS, horizon: str = "30d", **counts: object) -> People:
    places = Places(root)
    if not places.leads.exists():
        written(root, LOG)
    write_decisions(places, words)
    write_json(places.snapshot_counts, COUNTS | counts)
    write_json(places.model / "manifest.json", {"horizon": horizon})
    rows = [line.split() for line in FORETOLD.strip().splitlines()]
    origins = [None if row[2] == "none" else datetime.fromisoformat(row[2]) for row in rows]
    told = {
        "lead_id": [row[0] for row in rows],
        "as_of": pa.array([datetime.fromisoformat(row[1]) for row in rows], pa.timestamp("us")),
        "origin": pa.array(origins, pa.timestamp("us")),
        "probability": [float(row[3]) for row in rows],
    }
    pq.write_table(pa.table(told), places.foretold)
    sections = SimpleNamespace(episodes=EPISODES, ingest=SimpleNamespace(decisions="mapped"))
    people = look_at_people(Project(root, sections))
    assert people is not None
    return people


def counted(people: People) -> dict[str, tuple[int, int, int]]:
    return {one["said"]: (one["words"], one["leads"], one["converted"]) for one in people.said}


def promised(people: People) -> dict[str, Any]:
    return {
        one["said"]: (one["foretold"], pytest.approx(one["promised"]), one["foretold_converted"]) for one in people.said
    }


def test_settled_words_on_open_leads_count_once_and_are_held_to_what_came_of_them(tmp_path: Path) -> None:
    people = looked(tmp_path)
    assert counted(people) == {"SQL": (2, 2, 1), "less than SQL": (4, 2, 0)}
    assert (people.words, people.not_settled, people.settled_from) == (8, 1, "2026-05-03")
    assert (people.unobserved, people.known_late) == (0, 0)


def test_only_what_was_foretold_before_a_word_and_not_long_before_stands_beside_it(tmp_path: Path) -> None:
    assert promised(looked(tmp_path)) == {"SQL": (1, 0.3, 1), "less than SQL": (2, 0.12, 0)}
    assert promised(looked(tmp_path, horizon="60d")) == {"SQL": (0, 0.0, 0), "less than SQL": (0, 0.0, 0)}


def test_a_word_is_settled_when_its_horizon_and_the_delay_of_outcomes_have_passed(tmp_path: Path) -> None:
    people = looked(tmp_path, observed_until="2026-05-01T08:59:59")
    assert (counted(people)["less than SQL"], people.not_settled) == ((3, 2, 0), 2)
    people = looked(tmp_path, observed_until="2026-03-15T00:00:00")
    assert list(told_of_people(people)) == [
        "what people said: none of 8 words is settled; the first will be from 2026-04-01 on"
    ]


def test_words_from_before_conversions_were_recorded_say_nothing(tmp_path: Path) -> None:
    people = looked(tmp_path, outcomes_from={"crm": {"observed_from": "2026-03-05T00:00:00"}})
    assert (people.unobserved, counted(people)) == (3, {"less than SQL": (3, 2, 0)})
    assert "3 words from before conversions were recorded" in "\n".join(told_of_people(people))


def test_words_that_became_known_only_after_the_outcome_are_told(tmp_path: Path) -> None:
    people = looked(tmp_path, "A | 2026-03-01T09:00 | SQL ||||| 2026-03-11\nB | 2026-03-01T09:00 | SQL")
    assert (people.known_late, counted(people)) == (1, {"SQL": (2, 2, 1)})
    assert "1 word became known only after the outcome, and may" in "\n".join(told_of_people(people))


def test_words_of_no_tier_and_of_leads_that_had_ended_are_no_words_to_judge(tmp_path: Path) -> None:
    people = looked(tmp_path, "C | 2026-03-01T09:00 | SQL\nF | 2026-03-01T09:00 || 2026-03-20")
    assert (people.words, people.said) == (0, ())
    assert looked(tmp_path, "").words == 0
    assert "no word has given a tier" in next(told_of_people(people))


def test_it_is_told_in_a_line_for_each_side(tmp_path: Path) -> None:
    few, ours = "too few leads to tell; of", "that we had foretold, we promised"
    assert list(told_of_people(looked(tmp_path))) == [
        "what people said (ingest.decisions), and what came of it within 30d:",
        f"  SQL: 2 words on 2 leads, 1 converted, {few} 1 {ours} 0.3 and 1 converted",
        f"  less than SQL: 4 words on 2 leads, 0 converted, {few} 2 {ours} 0.1 and 0 converted",
        "  1 word not settled yet; the first will be from 2026-05-03 on",
    ]


def test_the_share_has_an_interval_over_leads_from_ten_leads_on() -> None:
    nothing = np.full(11, np.nan)
    tiers, converts = np.full(11, "SQL"), np.arange(11) < 2
    leads = np.arange(11)
    (one,) = judge_words(tiers, leads, converts, nothing)
    assert one.share is not None
    # Two of eleven vary as 2/11 * 9/11 / 10: Wilson's interval for ten words, of which 20/11 convert.
    middle, half = (20 / 11 + 1.920729) / 13.841459, 1.959964 * np.sqrt(180 / 121 + 0.960365) / 13.841459
    assert (one.share.value, one.share.low, one.share.high) == pytest.approx((2 / 11, middle - half, middle + half))
    (again,) = judge_words(np.tile(tiers, 3), np.tile(leads, 3), np.tile(converts, 3), np.tile(nothing, 3))
    assert again.share is not None
    assert (again.words, again.leads, again.converted) == (33, 11, 6)
    assert (again.share.low, again.share.high) == pytest.approx((one.share.low, one.share.high)), "no more witnesses"
    (never,) = judge_words(tiers, leads, np.zeros(11, dtype=bool), nothing)
    assert never.share is not None
    assert (never.share.low, never.share.high) == pytest.approx((0.0, 3.841459 / 14.841459))
    (few,) = judge_words(tiers[:9], leads[:9], converts[:9], nothing[:9])
    assert few.share is None


def test_a_promise_of_an_earlier_episode_is_none_of_the_word(tmp_path: Path) -> None:
    looked(tmp_path)
    words = pd.DataFrame({
        "lead_id": ["A", "A"],
        "decided_at": pd.to_datetime(["2026-03-01T09:00"] * 2).astype("datetime64[us]"),
        "tier": ["SQL", "SQL"],
        "started_at": pd.to_datetime(["2026-02-27", "2026-02-26"]).astype("datetime64[us]"),
        "converts": [False, False],
    })  # fmt: skip
    (one,) = judge_people(Places(tmp_path), words, pd.Timedelta(days=30).to_pytimedelta())
    assert (one.foretold, one.promised) == (1, 0.3)
