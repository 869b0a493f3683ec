"""What has changed since the last scores that were kept: by the same model, by another one, and where that is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import StaleError
from features.core.schema import SORT_ORDER
from models.core.model import Model
from models.decision.changes import CAUSES, log_odds
from pipeline.registry.champion import Champion
from pipeline.scoring import champion

PARTS = [f"change_{cause}" for cause in CAUSES]
OTHER = {"method": "platt", "slope": 0.9, "intercept": 0.1}
"""A calibrator that makes another model of any."""
MONDAY, FRIDAY = datetime(2026, 6, 22, 4), datetime(2026, 6, 26, 4)


class Nights:
    """A project, the models of its registry, and which of these is the champion."""

    def __init__(self, project: Project, patch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.model = Model.load(project.model)
        self.registry = {self.model.version: self.model}
        patch.setattr(champion, "load_champion", lambda *_: Champion(self.model, "a run", "1", "Ada"))
        patch.setattr(champion, "find_model", lambda _, __, version: self.registry.get(version))

    def score(self, moment: datetime) -> pd.DataFrame:
        """Score a moment, and give the open leads by lead_id."""
        folder = champion.run(self.project, self.project.told.append, moment.isoformat(), backfill=True)
        frame: pd.DataFrame = pq.read_table(folder / "recommendations.parquet", partitioning=None).to_pandas()
        return frame[frame["probability"].notna()].set_index("lead_id")

    def rewrite_log(self, query: str) -> None:
        """Give the log other rows: ``query`` selects them FROM log."""
        path = self.project.interactions
        with duckdb.connect() as connection:
            connection.register("log", pq.read_table(path))
            connection.execute(f"COPY ({query} ORDER BY {', '.join(SORT_ORDER)}) TO '{path}' (FORMAT parquet)")


@pytest.fixture
def nights(world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    copy = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    return Nights(copy, monkeypatch)


def add_up(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Give the leads of which a change is told, whose parts add up to the difference of what was kept."""
    told = second[second["what_changed"].notna()]
    assert len(told) > 50
    kept = log_odds(first["probability"].reindex(told.index).to_numpy())
    assert (kept + told[PARTS].fillna(0.0).sum(axis=1) == log_odds(told["probability"].to_numpy())).all()
    assert (told["compared_with"] == MONDAY).all()
    untold = second[second["trend"] == "not enough information"]
    assert not set(untold.index) & set(first.index)
    return told


def test_the_first_night_knows_of_no_change_and_a_missed_one_is_not_guessed(nights: Nights) -> None:
    first = nights.score(MONDAY)
    assert set(first["trend"].dropna()) == {"not enough information"}
    assert first["what_changed"].isna().all()
    told = add_up(first, nights.score(FRIDAY))
    assert (told["change_model"] == 0.0).all()
    assert told["what_changed"].str.contains("since 22 June 2026").all()


def test_rows_that_come_into_the_files_late_are_told_as_corrected_data(nights: Nights) -> None:
    first = nights.score(MONDAY)
    shown = sorted(set(first.index[first["tier"] == "SQL"]))[:5]
    visits = ", ".join(f"'{lead}'" for lead in shown)
    # Nobody had a row of these when Monday was scored; their times say that they should have been there.
    nights.rewrite_log(
        "FROM log UNION ALL BY NAME SELECT * REPLACE ('pricing_view' AS event_type, 10**9 AS sequence, 5 AS quantity, "
        f"'2026-06-21 10:00'::TIMESTAMP AS occurred_at, '2026-06-21 10:00'::TIMESTAMP AS known_at) FROM ("
        f"FROM log WHERE lead_id IN ({visits}) AND actor = 'lead' QUALIFY row_number() OVER (PARTITION BY lead_id "
        "ORDER BY occurred_at) = 1)"
    )
    told = add_up(first, nights.score(FRIDAY))
    late = told.loc[told.index.intersection(pd.Index(shown))]
    assert len(late)
    assert (late["change_data"] > 0.1).all()
    assert late["what_changed"].str.contains("data corrected or learned of since").all()
    with duckdb.connect() as connection:
        query = "SELECT DISTINCT lead_id FROM read_parquet(?) WHERE known_at >= ? AND known_at < ?"
        heard_of = connection.execute(query, [str(nights.project.interactions), MONDAY, FRIDAY]).df()["lead_id"]
    others = told[~told.index.isin({*heard_of, *late.index})]
    assert len(others)
    assert (others["change_data"] == 0.0).all()


def test_another_champion_is_a_part_of_its_own(nights: Nights) -> None:
    first = nights.score(MONDAY)
    same = nights.score(FRIDAY)
    nights.model = replace(nights.model, calibrator=OTHER)
    for path in nights.project.scores.glob("as_of=2026-06-26*/model=*/*"):
        path.unlink()
    told = add_up(first, nights.score(FRIDAY))
    others = told.index.intersection(same.index[same["what_changed"].notna()])
    assert len(others) > 50
    pd.testing.assert_frame_equal(told.loc[others, PARTS[:3]], same.loc[others, PARTS[:3]])
    by_model = log_odds(told.loc[others, "probability"].to_numpy()) - log_odds(
        same.loc[others, "probability"].to_numpy()
    )
    assert (told.loc[others, "change_model"] == by_model).all()
    assert np.abs(by_model).max() > 0.0


def test_where_the_model_of_the_last_scores_is_gone_it_is_one_part_with_data(nights: Nights) -> None:
    first = nights.score(MONDAY)
    nights.registry.clear()
    nights.model = replace(nights.model, calibrator=OTHER)
    told = add_up(first, nights.score(FRIDAY))
    assert told["change_data"].isna().all()
    assert told[["change_time", "change_behaviour", "change_model"]].notna().all(axis=None)
    assert any("is gone: what it and data have changed is told as one" in line for line in nights.project.told)


def test_a_model_that_asks_for_what_the_log_lacks_now_is_as_good_as_gone(nights: Nights) -> None:
    first = nights.score(MONDAY)
    catalogue = {**nights.model.manifest["catalogue"]}
    catalogue["attributes"] = [*catalogue["attributes"], ["shoe_size", "number"]]
    asking = replace(nights.model, manifest={**nights.model.manifest, "catalogue": catalogue})
    nights.registry = {nights.model.version: asking}
    nights.model = replace(nights.model, calibrator=OTHER)
    assert add_up(first, nights.score(FRIDAY))["change_data"].isna().all()


def test_a_night_whose_export_lacks_how_leads_ended_is_refused_unless_somebody_put_it_right(nights: Nights) -> None:
    nights.score(MONDAY)
    over = "event_type IN ('won', 'lost')"
    since = "occurred_at >= TIMESTAMP '2026-06-08'"
    nights.rewrite_log(f"FROM log WHERE NOT ({over} AND {since})")
    before = len(list(nights.project.scores.glob("as_of=*")))
    with pytest.raises(
        StaleError, match="leads that had converted or were lost, by the scores of 2026-06-22 04:00 UTC"
    ):
        nights.score(FRIDAY)
    assert len(list(nights.project.scores.glob("as_of=*"))) == before
    folder = champion.run(
        nights.project, nights.project.told.append, FRIDAY.isoformat(), backfill=True, is_corrected=True
    )
    forgotten = json.loads((folder / "decided.json").read_text())["forgotten"]
    assert forgotten["ended"] > 0.05 * forgotten["of_ended"] > 0
    assert any("are open again" in line for line in nights.project.told)


def test_no_lead_is_scored_where_the_newest_wins_are_written_otherwise(nights: Nights) -> None:
    since = "occurred_at >= TIMESTAMP '2026-06-08'"
    nights.rewrite_log(
        f"SELECT * REPLACE (if(event_type = 'won' AND {since}, 'WON', event_type) AS event_type) FROM log"
    )
    refused = "have an event 'WON'.*0 leads have 'won'.*evaluate.acquitted: {'type_renamed:WON': reason}"
    with pytest.raises(StaleError, match=refused):
        nights.score(FRIDAY)
    assert not list(nights.project.scores.glob("as_of=*"))
