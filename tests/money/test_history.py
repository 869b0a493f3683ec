"""What was proposed at first is what the history of scores holds, by the night on which it did."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.core.errors import InputError
from pipeline.core.project import Places
from pipeline.kpi.history import first_proposed, newest_scores

NIGHTS = {
    datetime(2026, 6, 1): {"A": "MQL", "B": "IQL", "C": "SQL"},
    datetime(2026, 6, 2): {"A": "SQL", "B": "MQL", "C": "MQL"},
    datetime(2026, 6, 3): {"A": "MQL", "B": "MQL", "D": "SQL"},
}


NIGHT = timedelta(hours=12)


def keep(path: Path, moment: datetime, tiers: dict[str, str], computed: datetime | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    at = pa.array([moment] * len(tiers), pa.timestamp("us"))
    scored = pa.array([computed] * len(tiers), pa.timestamp("us"))
    rows = {"lead_id": list(tiers), "as_of": at, "tier": list(tiers.values())} | (
        {"scored_at": scored} if computed else {}
    )
    pq.write_table(pa.table(rows), path)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(tmp_path)
    for moment, tiers in NIGHTS.items():
        keep(found.scores / f"as_of={moment:%Y-%m-%d}/model=abc/recommendations.parquet", moment, tiers)
    aliases = pa.table({"alias_id": ["E"], "lead_id": ["B"]})
    pq.write_table(aliases, found.aliases)
    return found


def test_a_lead_is_counted_by_the_first_night_on_which_it_was_proposed(places: Places) -> None:
    told = first_proposed(places, datetime(2026, 6, 3), NIGHT)
    assert told is not None
    days = {
        row["lead_id"]: tuple(one and one.day for one in (row["mql_on"], row["sql_on"])) for row in told.to_pylist()
    }
    assert days == {"A": (1, 2), "B": (2, None), "C": (2, 1), "D": (None, 3)}


def test_a_backfill_has_proposed_nothing_and_a_united_lead_is_the_one_that_it_is_now(places: Places) -> None:
    moments = datetime(2026, 5, 1), datetime(2026, 5, 2), datetime(2026, 5, 3)
    computed = datetime(2026, 6, 3), datetime(2026, 5, 2, 11), None
    for moment, at, tiers in zip(moments, computed, ({"A": "SQL"}, {"E": "SQL"}, {"D": "MQL"}), strict=True):
        keep(places.scores / f"as_of={moment:%Y-%m-%d}/model=abc/recommendations.parquet", moment, tiers, at)
    told = first_proposed(places, datetime(2026, 6, 3), NIGHT)
    assert told is not None
    rows = {row["lead_id"]: (row["mql_on"], row["sql_on"]) for row in told.to_pylist()}
    assert rows["A"] == (datetime(2026, 6, 1), datetime(2026, 6, 2)), "nobody saw what was computed a month later"
    assert rows["B"] == (datetime(2026, 6, 2), moments[1]), "E is B by now"
    assert rows["D"] == (moments[2], datetime(2026, 6, 3)), "an earlier version did not keep when"
    assert "E" not in rows


def test_a_night_after_the_moment_is_not_known(places: Places) -> None:
    told = first_proposed(places, datetime(2026, 6, 2), NIGHT)
    assert told is not None
    assert told["lead_id"].to_pylist() == ["A", "B", "C"]


def test_without_a_history_nothing_is_known_of_what_was_proposed(tmp_path: Path) -> None:
    assert first_proposed(Places(tmp_path), datetime(2026, 6, 3), NIGHT) is None


def test_the_newest_scores_are_those_of_the_history_or_of_the_stage(places: Places) -> None:
    with pytest.raises(InputError, match="run the stages before this one"):
        newest_scores(places)
    keep(places.recommendations, datetime(2026, 6, 2), {"A": "MQL"})
    places.scoring.write_text(json.dumps({"as_of": "2026-06-02T00:00:00"}))
    assert newest_scores(places).as_of == datetime(2026, 6, 3)
    places.scoring.write_text(json.dumps({"as_of": "2026-06-04T00:00:00"}))
    assert newest_scores(places).recommendations == places.recommendations
