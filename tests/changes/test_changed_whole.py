"""What has changed since a week ago, over a whole log: held to scores of both moments, and to planted events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.schema import OPEN_TIERS, SORT_ORDER
from models.core.model import Model
from models.decision.changes import CAUSES, log_odds
from pipeline.core.project import Project as Handed
from pipeline.scoring.comparing import LastScore
from pipeline.scoring.open_leads import recommend, stated_moment

DAY = timedelta(days=1)
PARTS = [f"change_{cause}" for cause in CAUSES]


def scored(project: Project, as_of: datetime, since: timedelta | None = None) -> pd.DataFrame:
    """Score the open leads at a moment, and compare them with an earlier one; by lead_id."""
    model = Model.load(project.model)
    handed = Handed(project.root, project.parameters)
    last = None if since is None else LastScore(as_of - since, model)
    rows, _, _ = recommend(handed, model, as_of, project.told.append, None, last)
    frame: pd.DataFrame = rows.to_pandas().set_index("lead_id")
    return frame[frame["probability"].notna()]


@pytest.fixture(scope="module")
def everybody(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Make a world in which all tiers are explained."""
    copy = world.copy_to(tmp_path_factory.mktemp("changed") / "project", leave_out=("raw", "reports"))
    return copy.with_settings({"recommend.reasons_for": list(OPEN_TIERS)})


@pytest.fixture(scope="module")
def now(everybody: Project) -> datetime:
    return stated_moment(Handed(everybody.root, everybody.parameters))


@pytest.fixture(scope="module")
def compared(everybody: Project, now: datetime) -> pd.DataFrame:
    return scored(everybody, now, 7 * DAY)


def events_of(project: Project, condition: str, *values: object) -> set[str]:
    with duckdb.connect() as connection:
        query = f"SELECT DISTINCT lead_id FROM read_parquet(?) WHERE {condition}"
        return {lead for (lead,) in connection.execute(query, [str(project.interactions), *values]).fetchall()}


def test_the_parts_add_up_to_the_difference_of_what_either_moment_foretells(
    everybody: Project, compared: pd.DataFrame, now: datetime
) -> None:
    then = scored(everybody, now - 7 * DAY)
    told = compared[compared["what_changed"].notna()]
    assert len(told) > 200
    kept = then["probability"].reindex(told.index)
    assert (log_odds(kept.to_numpy()) + told[PARTS].sum(axis=1) == log_odds(told["probability"].to_numpy())).all()
    assert (told["change_model"] == 0.0).all()
    assert (told["compared_with"] == now - 7 * DAY).all()
    new = compared[compared["what_changed"].isna()]
    assert set(new["trend"]) == {"not enough information"}
    assert not set(new.index) & set(then.index)
    assert new[["compared_with", *PARTS]].isna().all(axis=None)


def test_of_whom_nothing_was_learned_it_is_the_time_that_passed(
    everybody: Project, compared: pd.DataFrame, now: datetime
) -> None:
    then = now - 7 * DAY
    heard_of = events_of(everybody, "known_at >= ? OR occurred_at >= ?", then, then)
    quiet = compared[~compared.index.isin(heard_of) & compared["what_changed"].notna()]
    assert len(quiet) > 20
    assert (quiet[["change_data", "change_behaviour"]] == 0.0).all(axis=None)
    assert quiet["what_changed"].str.fullmatch(r".* 2026: time passed|Unchanged since .*").all()
    late = events_of(everybody, "known_at >= ? AND occurred_at < ?", then, then)
    assert (compared.loc[~compared.index.isin(late), "change_data"].dropna() == 0.0).all()
    assert (compared["change_data"].fillna(0.0) != 0.0).any()


def test_trends_go_where_time_and_behaviour_do(compared: pd.DataFrame) -> None:
    moved = (compared["change_time"] + compared["change_behaviour"]).dropna()
    trends = compared.loc[moved.index, "trend"]
    assert set(trends) == {"improving", "steady", "declining"}
    assert ((trends == "improving") == (np.exp(moved) >= 1.25)).all()
    assert ((trends == "declining") == (np.exp(moved) <= 0.8)).all()
    up = compared["what_changed"].str.startswith("Up ", na=False)
    assert (compared.loc[up, PARTS].sum(axis=1) > 0.0).all()


def planted(
    project: Project, folder: Path, leads: list[str], event_type: str = "pricing_view", **moments: datetime
) -> Project:
    """Copy a project, and have leads look at prices (or do something else) for a day, six times up to the moments."""
    copy = project.copy_to(folder, leave_out=("raw", "reports"))
    log = pq.read_table(copy.interactions)
    rows: list[Mapping[str, object]] = [
        {
            **dict.fromkeys(log.column_names),
            "lead_id": lead,
            **{name: at - (5 - step) * timedelta(hours=4) for name, at in moments.items()},
            "event_type": event_type,
            "actor": "lead",
            "quantity": 1,
            "source": "web",
            "sequence": 10**9 + step,
            "local_day": moments["occurred_at"].date(),
            "local_hour": moments["occurred_at"].hour,
        }
        for lead in leads
        for step in range(6)
    ]
    with duckdb.connect() as connection:
        connection.register("log", pa.concat_tables([log.cast(log.schema), pa.Table.from_pylist(rows, log.schema)]))
        order = ", ".join(SORT_ORDER)
        connection.execute(f"COPY (FROM log ORDER BY {order}) TO '{copy.interactions}' (FORMAT parquet)")
    return copy


@pytest.fixture(scope="module")
def quiet(everybody: Project, compared: pd.DataFrame, now: datetime) -> list[str]:
    """List leads of which nothing was learned for a week."""
    silent = set(compared.index[compared["what_changed"].notna()])
    return sorted(silent - events_of(everybody, "known_at >= ?", now - 7 * DAY))[:10]


def test_a_planted_late_event_is_told_as_data_that_were_learned_since(
    everybody: Project, compared: pd.DataFrame, now: datetime, quiet: list[str], tmp_path: Path
) -> None:
    then = now - 7 * DAY
    late = planted(everybody, tmp_path / "late", quiet, occurred_at=then - timedelta(hours=1), known_at=now - DAY)
    rows = scored(late, now, 7 * DAY)
    before, after = compared.loc[quiet], rows.loc[quiet]
    assert (after["change_data"] > 0.5).all()
    assert (after["change_behaviour"] == 0.0).all()
    # What was foretold then is what it was.
    kept = [log_odds(frame["probability"].to_numpy()) - frame[PARTS].sum(axis=1) for frame in (before, after)]
    assert (kept[0] == kept[1]).all()
    told = r"Up since 24 June 2026: looked at the prices on 2[34] June 2026, learned of since"
    assert after["what_changed"].str.fullmatch(told).all()
    others = compared.index.difference(pd.Index(quiet))
    columns = ["trend", "what_changed", *PARTS]
    pd.testing.assert_frame_equal(rows.loc[others, columns], compared.loc[others, columns])


def test_a_planted_act_is_told_as_behaviour_with_its_day(
    everybody: Project, now: datetime, quiet: list[str], tmp_path: Path
) -> None:
    at = now - 2 * DAY
    rows = scored(planted(everybody, tmp_path / "act", quiet, occurred_at=at, known_at=at), now, 7 * DAY).loc[quiet]
    assert (rows["change_data"] == 0.0).all()
    assert (rows["change_behaviour"] > 0.5).all()
    what = "since 24 June 2026: looked at the prices on 29 June 2026"
    is_moved = rows["tier_before"].notna()
    assert is_moved.any()
    told = rows.loc[is_moved, ["tier_before", "tier", "what_changed"]].itertuples(index=False)
    own = "(Neither data nor model have changed.)"
    assert all(text == f"Moved from {before} to {now} {what}. {own}" for before, now, text in told)
    assert set(rows.loc[is_moved, "tier_changed"]) == {"behaviour"}
    assert (rows.loc[~is_moved, "what_changed"] == f"Up {what}").all()
    assert set(rows["trend"]) == {"improving"}


def test_a_planted_act_that_is_a_fact_moves_the_tier_and_is_named(
    everybody: Project, compared: pd.DataFrame, now: datetime, quiet: list[str], tmp_path: Path
) -> None:
    at = now - 2 * DAY
    asked = planted(everybody, tmp_path / "fact", quiet, "quote_request", occurred_at=at, known_at=at)
    rows = scored(asked, now, 7 * DAY).loc[quiet]
    assert set(rows["tier"]) == {"SQL"}
    assert set(rows["tier_changed"]) == {"fact"}
    own = "“asked for a quote” since 29 June 2026. (Neither data nor model have changed.)"
    for lead, row in rows.iterrows():
        assert row["tier_before"] == compared.loc[str(lead), "tier"]
        assert row["what_changed"] == f"Moved from {row['tier_before']} to SQL since 24 June 2026: {own}"


def test_the_tier_before_is_that_which_a_score_of_then_gives(
    everybody: Project, compared: pd.DataFrame, now: datetime
) -> None:
    then = scored(everybody, now - 7 * DAY)["tier"].reindex(compared.index)
    is_moved = then.notna() & (then != compared["tier"])
    assert is_moved.any()
    assert (compared.loc[is_moved, "tier_before"] == then[is_moved]).all()
    assert compared.loc[~is_moved, ["tier_before", "tier_changed"]].isna().all(axis=None)
    words = compared.loc[is_moved & compared["compared_with"].notna()]
    assert words["what_changed"].str.startswith("Moved from ").all()
    # By time alone a lead moves down, or by a fact that holds no longer.
    by_time = compared[compared["tier_changed"] == "time"]
    assert len(by_time)
    assert by_time["what_changed"].str.contains(": time passed").all()


@pytest.mark.parametrize(("occurs", "becomes_known"), [(-8 * DAY, DAY), (2 * DAY, -9 * DAY), (2 * DAY, -DAY)])
def test_what_lies_ahead_or_is_not_known_yet_changes_nothing(
    everybody: Project,
    compared: pd.DataFrame,
    now: datetime,
    quiet: list[str],
    tmp_path: Path,
    occurs: timedelta,
    becomes_known: timedelta,
) -> None:
    ahead = planted(everybody, tmp_path / "ahead", quiet, occurred_at=now + occurs, known_at=now + becomes_known)
    pd.testing.assert_frame_equal(scored(ahead, now, 7 * DAY), compared)


def test_batches_make_no_difference(
    everybody: Project, compared: pd.DataFrame, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.matrix import local  # noqa: PLC0415
    from pipeline.matrix.batches import Batch  # noqa: PLC0415

    monkeypatch.setattr(local, "size_batches", lambda *_: Batch(3_000, 90, 2))
    pd.testing.assert_frame_equal(scored(everybody, now, 7 * DAY), compared)


def test_where_nobody_was_open_then_nothing_is_said(everybody: Project, now: datetime) -> None:
    rows = scored(everybody, now, 20_000 * DAY)
    assert set(rows["trend"]) == {"not enough information"}
    assert rows[["what_changed", "compared_with", *PARTS]].isna().all(axis=None)


def test_the_stage_compares_the_tiers_that_are_shown_and_none_where_told_so(world: Project, tmp_path: Path) -> None:
    written = pd.read_parquet(world.recommendations)
    tiers = world.parameters.recommend.reasons_for
    # Who has left these tiers since is told why, too, and who is called whatever its tier.
    is_shown = written["tier"].isin(tiers) | written["tier_before"].isin(tiers) | (written["list"] == "sales")
    shown = is_shown & written["probability"].notna()
    assert (written["trend"].notna() == shown).all()
    assert (written.loc[shown, "as_of"] - written.loc[shown, "compared_with"]).dropna().unique() == [7 * DAY]
    copy = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    alone = copy.with_settings({"recommend.compare_to": None})
    alone.run("recommend")
    rows = pd.read_parquet(alone.recommendations)
    assert set(rows["trend"].dropna()) == {"not enough information"}
    assert rows["what_changed"].isna().all()
    pd.testing.assert_frame_equal(rows[["lead_id", "probability"]], written[["lead_id", "probability"]])
