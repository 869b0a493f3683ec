"""All stages on the small sample world, from raw files to recommendations."""

from __future__ import annotations

import csv
import gzip
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hindsight import come_to_know, forget
from numpy.typing import NDArray
from world import Project

from features.core.recommendation import RECOMMENDATION
from features.core.schema import WORKED
from features.language.catalogue import Catalogue
from features.timeline.snapshots import take_snapshots_at
from models.core.model import Model
from models.evaluation.metrics import evaluate
from pipeline.inspection.explain import explain_value
from pipeline.log.history import read_history
from pipeline.scoring.comparing import COLUMNS
from pipeline.scoring.files import NOT_FOR_PEOPLE
from pipeline.settings.ingest import OWN_TABLES

MONDAY = datetime(2026, 3, 2)
"""A Monday of the months that are foretold."""
FORETOLD_SINCE = datetime(2026, 3, 1)
OUR_OWN_ACTS = ("call_made", "mail_sent", "case_opened", "accepted", "refused", "opportunity_opened", "newsletter_sent")


@pytest.fixture(scope="session")
def recommendations(world: Project) -> pd.DataFrame:
    return pq.read_table(world.root / "data/recommendations.parquet").to_pandas()


@pytest.fixture(scope="session")
def model(world: Project) -> Model:
    return Model.load(world.root / "data/model")


@pytest.fixture(scope="session")
def truth(world: Project) -> pd.DataFrame:
    return pq.read_table(world.root / "data/raw/truth.parquet").to_pandas()


def recommend(project: Project, model: Model, as_of: datetime) -> pd.DataFrame:
    from pipeline.scoring import open_leads  # noqa: PLC0415 - heavy

    recommendations, _, _ = open_leads.recommend(project, model, as_of, project.told.append)
    frame: pd.DataFrame = recommendations.to_pandas()
    return frame


def query(text: str, *values: object) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(text, list(values)).fetchall()
    return rows


def test_every_row_of_every_file_is_used_or_set_aside(world: Project) -> None:
    raw = world.root / "data/raw"
    written = {
        "web": pq.read_metadata(raw / "web.parquet").num_rows,
        "email": len(gzip.decompress((raw / "email.csv.gz").read_bytes()).splitlines()) - 1,
        "crm": len((raw / "crm.jsonl").read_bytes().splitlines()),
        "outcomes": len((raw / "outcomes.csv").read_bytes().splitlines()) - 1,
    }
    interactions = str(world.root / "data/interactions.parquet")
    log = dict(query("SELECT source, count(*) FROM read_parquet(?) GROUP BY 1", interactions))
    ingested = json.loads((world.root / "data/ingest.json").read_text())
    for source, rows in written.items():
        aside = pq.read_metadata(world.root / f"data/quarantine/{source}.parquet").num_rows
        counts = ingested["sources"][source]
        assert (counts["rows"], counts["used"], sum(counts["set_aside"].values())) == (rows, log[source], aside)
        assert rows == log[source] + aside
    assert min(log.values()) > 1000
    beside = (ingested[name] for name in OWN_TABLES)
    tables = [*ingested["sources"].values(), *ingested["tables"].values(), *(table for table in beside if table)]
    assert ingested["totals"]["rows"] == sum(table["rows"] for table in tables)
    assert ingested["totals"]["rows"] == ingested["totals"]["used"] + ingested["totals"]["set_aside"]


def test_recommendations_have_the_columns_that_we_promise(recommendations: pd.DataFrame, world: Project) -> None:
    ours = [name for name in recommendations.columns if not name.startswith("probability_")]  # of other horizons
    assert ours == [field.name for field in RECOMMENDATION]
    schema = pq.read_schema(world.root / "data/recommendations.parquet")
    assert [schema.field(field.name).type for field in RECOMMENDATION] == [field.arrow for field in RECOMMENDATION]
    filled = [field.name for field in RECOMMENDATION if not field.nullable]
    assert not recommendations[filled].isna().any(axis=None)
    assert recommendations["expected_value"].isna().all(), "nobody said what a conversion is worth"
    assert (recommendations["probability"].isna() == recommendations["score"].isna()).all()
    assert recommendations["rank"].notna().any()


def test_recommendations_are_best_first_then_those_that_ended_and_a_lead_has_one(recommendations: pd.DataFrame) -> None:
    assert recommendations["probability"].notna().sum() > 100
    assert recommendations["lead_id"].is_unique
    falling = -recommendations["probability"].fillna(-1.0)
    order = sorted(zip(falling, recommendations["lead_id"], strict=True))
    assert [lead for _, lead in order] == list(recommendations["lead_id"])


def test_a_lead_older_than_any_that_was_learned_from_is_a_guess(
    recommendations: pd.DataFrame, world: Project, model: Model, tmp_path: Path
) -> None:
    assert not recommendations["is_guess"].any()
    # A model that has seen nothing older than ten days guesses of all others, and says so of each.
    oldest = 10.0
    narrow = replace(model, manifest={**model.manifest, "oldest_episode_days": oldest})
    as_of = recommendations["as_of"].iloc[0].to_pydatetime()
    table = recommend(world.copy_to(tmp_path / "narrow"), narrow, as_of)
    assert not table.loc[table["probability"].isna(), "is_guess"].any()
    table = table[table["probability"].notna()]
    guesses = table["is_guess"].to_numpy(dtype=bool)
    opened = take_snapshots_at(read_history(world, world.parameters.episodes), as_of).set_index("lead_id")["started_at"]
    ages = (as_of - opened.reindex(table["lead_id"].astype(str).to_list())) / timedelta(days=1)
    assert (guesses == (ages > oldest).to_numpy()).all()
    assert 0 < guesses.sum() < len(guesses)


def test_the_score_is_a_hundred_times_the_probability(recommendations: pd.DataFrame) -> None:
    opened = recommendations.loc[recommendations["probability"].notna(), "probability"]
    assert opened.between(0, 1, inclusive="neither").all()
    np.testing.assert_allclose(recommendations["score"], 100 * recommendations["probability"], rtol=1e-12)


def test_a_lead_to_work_on_has_up_to_three_reasons_in_words(recommendations: pd.DataFrame) -> None:
    # Whoever is called is explained, too; of who was lost, and is due, nothing is foretold.
    worked = recommendations["tier"].isin(WORKED) | (recommendations["list"] == "sales")
    waiting = ~(worked & recommendations["probability"].notna())
    assert set(recommendations.loc[~waiting, "reasons"].map(len)) <= {1, 2, 3}
    assert set(recommendations.loc[waiting, "reasons"].map(len)) == {0}
    reasons = [reason for reasons in recommendations["reasons"] for reason in reasons]
    assert all(re.fullmatch(r"(raises|lowers): \S.*", reason) for reason in reasons)
    assert len(set(reasons)) > 20
    assert all(len(set(reasons)) == len(reasons) for reasons in recommendations["reasons"])


@pytest.mark.parametrize("tiers", [(), ("SQL",), ("IQL", "MQL", "SQL")], ids=["none", "SQL", "all"])
def test_the_tiers_that_are_asked_for_get_the_reasons_they_always_have(
    recommendations: pd.DataFrame, world: Project, model: Model, tiers: tuple[str, ...]
) -> None:
    score = world.parameters.recommend.model_copy(update={"reasons_for": tiers})
    project = Project(world.root, world.parameters.model_copy(update={"recommend": score}))
    asked = recommend(project, model, recommendations["as_of"].iloc[0].to_pydatetime())
    asked["model_version"] = asked["model_version"].astype("str")
    explained = ["grade", "reasons_for", "reasons_against", "reasons"]
    # Compared with nothing here, of whichever tier.
    others = [name for name in recommendations.columns if name not in (*explained, *COLUMNS, "tier_before")]
    assert (asked["trend"].notna() == asked["grade"].notna()).all()
    pd.testing.assert_frame_equal(asked[others], recommendations[others], check_exact=True)
    is_asked = asked["tier"].isin(tiers) | ((asked["list"] == "sales") & bool(tiers))
    told = is_asked & asked["probability"].notna()
    for name in explained[1:]:
        for is_told, tier, reasons, before in zip(told, asked["tier"], asked[name], recommendations[name], strict=True):
            assert is_told or not len(reasons)
            assert list(reasons) == list(before) or not is_told or tier == "IQL"
    assert (asked["grade"].notna() == told).all()
    assert (asked.loc[told, "reasons"].map(len) > 0).all()


def test_the_csv_says_what_the_parquet_says(recommendations: pd.DataFrame, world: Project) -> None:
    with (world.root / "data/recommendations.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [name for name in recommendations.columns if name not in NOT_FOR_PEOPLE]
    for row, lead in zip(rows, recommendations.itertuples(), strict=True):
        assert (row["lead_id"], row["tier"], row["maturity"]) == (lead.lead_id, lead.tier, lead.maturity)
        if pd.isna(lead.probability):
            assert (row["probability"], row["score"], row["rank"]) == ("", "", "")
            assert lead.tier in ("customer", "disqualified", "recycled")
        else:
            assert (float(row["probability"]), float(row["score"])) == pytest.approx(
                (lead.probability, lead.score), abs=5.1e-5
            )
        assert datetime.fromisoformat(row["as_of"]).replace(tzinfo=None) == lead.as_of
        assert row["reasons"] == "; ".join(lead.reasons)


def test_a_count_of_the_matrix_is_the_one_that_is_explained(world: Project) -> None:
    matrix = pd.read_parquet(world.root / "data/features.parquet").sort_values(["lead_id", "as_of"])
    names = [name for name in matrix if name.startswith("count__")][::5]
    for row in matrix.iloc[:: len(matrix) // 8].to_dict("records"):
        for name in names:
            found = explain_value(world, name, row["lead_id"], row["as_of"].isoformat(), everything=True)
            assert re.search(rf" is {row[name]:,.0f} events?$", found.told[0]), (found.told, row[name])


def test_every_open_lead_is_scored_and_no_other(world: Project, model: Model, truth: pd.DataFrame) -> None:
    monday = datetime(2026, 4, 13)
    table = recommend(world, model, monday)
    recommended = set(table.loc[table["probability"].notna(), "lead_id"])
    # A duplicate whose links contradict each other stays a lead of its own, of which the truth knows nothing.
    recommended &= set(truth["lead_id"])
    # A customer stays one, whatever it asks for next.
    outcomes = pd.read_csv(world.root / "data/raw/outcomes.csv")
    customers = set(outcomes.loc[(outcomes["outcome"] == "won") & (outcomes["closed_at"] < "2026-04-13"), "lead_id"])
    assert recommended == set(truth.loc[truth["as_of"] == monday, "lead_id"]) - customers


def test_a_row_that_was_learned_from_is_scored_the_same(world: Project, model: Model) -> None:
    matrix = pq.read_table(world.root / "data/features.parquet", filters=[("as_of", ">=", FORETOLD_SINCE)]).to_pandas()
    matrix = matrix.assign(probability=model.predict(matrix))
    moments = [*pd.Series([MONDAY, datetime(2026, 5, 11)]), *matrix["as_of"].iloc[[0, 400, 1600]]]
    assert any(moment.hour for moment in moments), "ages and events, and not only Mondays"
    compared = 0
    for as_of in moments:
        learned = matrix[matrix["as_of"] == as_of]
        scored = recommend(world, model, as_of).set_index("lead_id")["probability"]
        assert learned["probability"].tolist() == scored[learned["lead_id"]].tolist()
        compared += len(learned)
    assert compared > 400


@pytest.fixture(scope="module")
def scored_on_monday(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = world.copy_to(tmp_path_factory.mktemp("monday") / "project", leave_out=("reports",))
    project = project.with_settings({"recommend.as_of": MONDAY.isoformat()})
    project.run("recommend")
    return project


@pytest.fixture(scope="module")
def rewritten(scored_on_monday: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """Run again on files in which other things became known from Monday on."""
    projects = {}
    for name, rewrite in (("more was learned later", come_to_know), ("nothing later is there", forget)):
        projects[name] = scored_on_monday.copy_to(tmp_path_factory.mktemp("later") / "project")
        rewrite(projects[name].root / "data/raw", MONDAY)
        projects[name].run("ingest", "recommend")
    return projects


@pytest.mark.parametrize("later", ["more was learned later", "nothing later is there"])
def test_what_became_known_later_changes_nothing(
    scored_on_monday: Project, rewritten: dict[str, Project], later: str
) -> None:
    other = rewritten[later]
    events = [
        json.loads((project.root / "data/ingest.json").read_text())["interactions"]
        for project in (scored_on_monday, other)
    ]
    assert abs(events[0] - events[1]) > 1000
    for name in ("data/recommendations.parquet", "data/recommendations.csv"):
        assert (other.root / name).read_bytes() == (scored_on_monday.root / name).read_bytes()


def test_what_became_known_in_the_meantime_changes_the_scores(
    scored_on_monday: Project, rewritten: dict[str, Project], model: Model
) -> None:
    other = rewritten["more was learned later"]
    # Five events of every third lead.
    added = 5 * len((other.root / "data/raw/leads.csv").read_text().splitlines()[1::3])
    counts = [
        query("SELECT count(*) FROM read_parquet(?)", f"{project.root}/data/interactions.parquet")[0][0]
        for project in (scored_on_monday, other)
    ]
    assert counts[1] > counts[0] + 0.9 * added
    hours_later = datetime(2026, 3, 2, 7)
    before, after = (
        recommend(project, model, hours_later).set_index("lead_id")["probability"]
        for project in (scored_on_monday, other)
    )
    assert (before != after[before.index]).mean() > 0.3


def test_no_lead_is_named_in_reports_logs_or_mlflow(world: Project) -> None:
    leads = {lead for (lead,) in query("SELECT lead_id FROM read_parquet(?)", f"{world.root}/data/leads.parquet")}

    def named(content: bytes) -> set[str]:
        return {match.decode() for match in re.findall(rb"L\d{6}", content)} & leads

    assert named((world.root / "data/recommendations.csv").read_bytes()), "the search finds what there is"
    assert not named("\n".join(world.told).encode())
    assert (world.root / "mlflow.db").stat().st_size > 0
    files = [world.root / "mlflow.db", *(world.root / "mlruns").rglob("*"), *(world.root / "reports").rglob("*")]
    files = [path for path in files if path.is_file() and "private" not in path.relative_to(world.root).parts]
    assert len(files) > 20
    assert [str(path.relative_to(world.root)) for path in files if named(path.read_bytes())] == []


def mondays_with_truth(project: Project, truth: pd.DataFrame) -> pd.DataFrame:
    """Join the Mondays that were foretold with the best that anyone could have said."""
    labels = pq.read_table(project.root / "data/features.parquet", columns=["lead_id", "as_of", "label"]).to_pandas()
    rows = pq.read_table(project.root / "data/origins.parquet").to_pandas().merge(labels, on=["lead_id", "as_of"])
    return rows.merge(truth, on=["lead_id", "as_of"], validate="one_to_one")[
        ["lead_id", "label", "probability", "p_observable"]
    ]


def roc_auc(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """Count, over all pairs of one that converts and one that doesn't, how often the former has the higher one."""
    converted, others = probabilities[labels], np.sort(probabilities[~labels])
    below = np.searchsorted(others, converted, side="left") + np.searchsorted(others, converted, side="right")
    return float(below.mean() / 2 / len(others))


def lead_over_the_limit(rows: pd.DataFrame) -> tuple[float, float]:
    """By how much the model's AUC exceeds the best possible, and the standard error over leads of this difference."""
    labels, model, limit = (rows[name].to_numpy() for name in ("label", "probability", "p_observable"))
    positions = list(rows.groupby("lead_id").indices.values())
    generator = np.random.default_rng(3)
    draws = [
        np.concatenate([positions[lead] for lead in generator.integers(0, len(positions), len(positions))])
        for _ in range(100)
    ]
    gains = [roc_auc(labels[draw], model[draw]) - roc_auc(labels[draw], limit[draw]) for draw in draws]
    return roc_auc(labels, model) - roc_auc(labels, limit), float(np.std(gains))


def test_the_model_is_better_than_chance_and_not_better_than_possible(world: Project, truth: pd.DataFrame) -> None:
    rows = mondays_with_truth(world, truth)
    assert len(rows) > 3000
    assert roc_auc(rows["label"].to_numpy(), rows["probability"].to_numpy()) > 0.6
    difference, standard_error = lead_over_the_limit(rows)
    assert difference <= 3 * standard_error
    # The limit itself holds: nobody says it better than the chain that drew the world.
    figures = evaluate(rows["label"], rows["p_observable"], rows["lead_id"], replicates=50, seed=0)
    assert figures["calibration_slope"].low < 1 < figures["calibration_slope"].high


def test_a_field_that_is_overwritten_after_the_sale_leaps_over_the_limit(
    world: Project, truth: pd.DataFrame, tmp_path: Path
) -> None:
    leaky = world.copy_to(tmp_path / "project", leave_out=("reports",))
    leaky = leaky.with_settings(
        {
            "ingest.leads.attributes": {"crm_stage": "category", "country": "category"},
            "train.rung": "trees",
            "train.other_horizons": [],
        }
    )
    leaky.run("ingest", "snapshots", "features", "train")
    difference, standard_error = lead_over_the_limit(mondays_with_truth(leaky, truth))
    assert difference > 3 * standard_error


def test_no_reason_quotes_what_we_did_though_the_model_may_use_it(world: Project, tmp_path: Path) -> None:
    project = world.copy_to(tmp_path / "project", leave_out=("reports", "raw"))
    judged_by_nothing = {"train.rung": "trees", "train.origins": 0, "train.other_horizons": []}
    project = project.with_settings({"features.actors": ["lead", "us", "system"], "words": {}} | judged_by_nothing)
    project.run("features", "train")
    model = Model.load(project.root / "data/model")
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    recommended = recommend(project, model, MONDAY)
    gain = dict(zip(catalogue.columns, model.gains(), strict=True))
    assert sum(gain[name] for name in gain if any(act in name for act in OUR_OWN_ACTS)) > 0
    both = [*recommended["reasons_for"], *recommended["reasons_against"]]
    reasons = " ".join(reason for reasons in both for reason in reasons)
    assert "Pricing view on " in reasons
    assert not [act for act in OUR_OWN_ACTS if act.replace("_", " ") in reasons or act in reasons]
