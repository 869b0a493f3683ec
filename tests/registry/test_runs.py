"""One run for each model in MLflow, what it shows, and the version that the first one becomes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss
from tracking_stores import NAME, Store, champion_scores, model_of, read_scores, run_of
from world import Project

from features.core.recommendation import RECOMMENDATION
from pipeline.core.project import Places, read_json
from pipeline.registry.mlflow import connected, tracking_uri
from pipeline.registry.registering import register


@pytest.fixture(scope="module")
def challenged(tracked: Project, retrained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Evaluate another model twice into the same store, as an experiment of DVC's; then the first."""
    folder = tmp_path_factory.mktemp("challenged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_EXP_NAME", "bold-idea")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked.root}/mlflow.db")
        other = retrained.copy_to(folder / "project")
        other.run("evaluate", "evaluate")
        tracked.run("evaluate")
    return other


def test_a_model_has_one_run_and_one_version_however_often_it_is_evaluated(
    tracked: Project, challenged: Project, store: Store
) -> None:
    expected = {model_of(tracked).version, model_of(challenged).version}
    assert len(expected) == 2
    assert sorted(run.data.tags["model_version"] for run in store.runs()) == sorted(expected)
    assert {run.info.status for run in store.runs()} == {"FINISHED"}


def test_the_first_model_is_the_champion_and_another_an_experiment_until_somebody_registers_it(
    tracked: Project, challenged: Project, store: Store
) -> None:
    (first,) = store.versions()
    assert first.tags["model_version"] == model_of(tracked).version
    assert first.run_id == run_of(store, tracked).info.run_id
    assert first.tags["approved_by"] == "nobody"
    assert store.aliases() == {"champion": str(first.version)}
    roles = [line.partition(" is ")[2].partition(";")[0] for line in tracked.told if line.startswith(NAME)]
    assert roles == ["the champion, being the first, approved by nobody: leadcast promote 1", "the champion"]
    told = [line for line in challenged.told if line.startswith("run ")]
    assert len(told) == 2
    assert all(line.endswith("where it is to be reviewed: leadcast register") for line in told)


def test_the_address_in_the_environment_is_where_runs_go(challenged: Project) -> None:
    # The fixture has evaluated with MLFLOW_TRACKING_URI; that its runs got there is tested above.
    assert not (challenged.root / "mlflow.db").exists()
    assert (challenged.root / "reports/figures.json").exists()


def test_tracking_leaves_no_address_behind_for_the_next_project(
    tracked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow  # noqa: PLC0415 - heavy

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with connected(tracked):
        assert mlflow.get_tracking_uri() == f"sqlite:///{tracked.root}/mlflow.db"
    assert tracking_uri(Places(Path("/elsewhere"))) == "sqlite:////elsewhere/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////shared.db")
    assert tracking_uri(Places(Path("/elsewhere"))) == "sqlite:////shared.db"


def test_the_figures_that_matter_are_metrics_rounded_and_in_groups(tracked: Project, store: Store) -> None:
    figures = json.loads((tracked.root / "reports/figures.json").read_text())
    metrics = run_of(store, tracked).data.metrics
    named = {
        "verdict/log_loss": "log_loss",
        "ranking/roc_auc": "roc_auc",
        "calibration/error": "calibration_error",
        "calibration/slope": "calibration_slope",
        "data/base_rate": "base_rate",
        "horizons/60d_log_loss": "horizon_60d_log_loss",
    }
    for metric, name in named.items():
        assert metrics[metric] == round(figures[name]["value"], 4), metric
    for name in ("log_loss", "roc_auc", "lift_at_10"):
        for part in ("low", "high"):
            assert metrics[f"intervals/{name}_{part}"] == round(figures[name][part], 4)
    rows = metrics["data/foretold_rows"]
    assert rows == figures["foretold"]["rows"] > 1000
    assert metrics["calibration/error_by_chance"] == round(figures["calibration_error_by_chance"]["quantile_95"], 4)
    (base,) = (one for one in read_json(tracked.breakdown)["rivals"] if one["code"] == "base_rate")
    assert metrics["verdict/gain_over_base_rate"] == round(base["gain"], 4)
    assert len(metrics) < 40, "few enough to be read"
    assert all("/" in name for name in metrics)
    short = json.loads((tracked.root / "reports/metrics.json").read_text())
    assert short["log_loss"] == figures["log_loss"]["value"]
    assert len(short) < 12
    assert not [name for name, value in short.items() if isinstance(value, dict)], "a column each in dvc exp show"


def test_figures_are_tied_to_the_model_and_to_what_it_was_judged_on(tracked: Project, store: Store) -> None:
    run = run_of(store, tracked)
    given = {one.dataset.name: one for one in run.inputs.dataset_inputs}
    contexts = {name: one.tags[0].value for name, one in given.items()}
    assert contexts == {"learned from": "training", "foretold at the origins": "evaluation"}
    judged = given["foretold at the origins"].dataset
    (logged,) = store.client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    said = {metric.key: metric for metric in logged.metrics}
    assert said["verdict/log_loss"].value == run.data.metrics["verdict/log_loss"]
    assert {(metric.dataset_name, metric.dataset_digest) for metric in logged.metrics} == {(judged.name, judged.digest)}
    learned = given["learned from"].dataset
    training = read_json(tracked.training)
    profile = json.loads(learned.profile)
    assert (profile["num_rows"], profile["conversions"]) == (training["rows"], training["conversions"])
    assert profile["base_rate"] == round(training["conversions"] / training["rows"], 5)
    columns = [one["name"] for one in json.loads(learned.schema)["mlflow_colspec"]]
    assert columns == [*model_of(tracked).columns, "label"]
    figures = read_json(tracked.figures)["foretold"]
    assert {name: json.loads(judged.profile)[name] for name in ("leads", "conversions")} == {
        name: figures[name] for name in ("leads", "conversions")
    }


def test_what_each_origin_had_learned_from_is_a_curve(tracked: Project, store: Store) -> None:
    history = store.client.get_metric_history(run_of(store, tracked).info.run_id, "learning/log_loss")
    told = pq.read_table(tracked.foretold).to_pandas()
    expected = {}
    for one in read_json(tracked.training)["origins"]:
        rows = told[told["origin"] == pd.Timestamp(one["origin"])]
        said = rows["probability"].where(rows["happened"], 1 - rows["probability"])
        expected[one["learned"]["rows"]] = round(float(-np.log(said).mean()), 4)
    assert len(expected) == tracked.parameters.train.origins
    assert {metric.step: metric.value for metric in history} == expected


def test_each_baseline_of_the_same_questions_has_a_run_to_compare_with(
    tracked: Project, challenged: Project, store: Store
) -> None:
    experiment = run_of(store, tracked).info.experiment_id
    runs = store.client.search_runs([experiment], "tags.role = 'baseline'")
    rivals = {
        f"baseline: {one['name']}": one
        for project in (challenged, tracked)
        for one in read_json(project.breakdown)["rivals"]
    }
    assert {run.info.run_name for run in runs} == rivals.keys()
    assert len(runs) == len(rivals), "one each, however often it is evaluated"
    base = next(run for run in runs if run.info.run_name == "baseline: the base rate")
    assert base.data.metrics["verdict/log_loss"] == round(rivals["baseline: the base rate"]["log_loss"], 4)
    assert {run.data.tags["role"] for run in store.runs() if "role" in run.data.tags} == {"champion"}


def test_a_baseline_whose_run_was_killed_is_made_whole_and_what_people_wrote_of_the_experiment_stays(
    tracked: Project, store: Store
) -> None:
    experiment = run_of(store, tracked).info.experiment_id
    (base,) = (
        run
        for run in store.client.search_runs([experiment], "tags.role = 'baseline'")
        if run.info.run_name == "baseline: the base rate"
    )
    store.client.update_run(base.info.run_id, status="RUNNING")
    written = store.client.get_experiment(experiment).tags["mlflow.note.content"]
    assert written.startswith("Does a lead convert?")
    store.client.set_experiment_tag(experiment, "mlflow.note.content", "Ask Ada first.")
    tracked.run("evaluate")
    runs = store.client.search_runs([experiment], "tags.role = 'baseline'")
    same = [run for run in runs if run.info.run_name == "baseline: the base rate"]
    assert [(run.info.run_id, run.info.status) for run in same] == [(base.info.run_id, "FINISHED")]
    assert store.client.get_experiment(experiment).tags["mlflow.note.content"] == "Ask Ada first."


def test_a_run_is_called_by_what_was_changed_and_says_so(tracked: Project, challenged: Project, store: Store) -> None:
    first, second = (run_of(store, project) for project in (tracked, challenged))
    assert (first.info.run_name, second.info.run_name) == ("first model", "seed 8")
    note = second.data.tags["mlflow.note.content"]
    assert note.startswith("Does a lead convert within 30d? Learned from ")
    assert note.endswith("Against the champion 1 parameters are others: changed_against_champion.json.")
    table = json.loads(
        Path(store.client.download_artifacts(second.info.run_id, "changed_against_champion.json")).read_text()
    )
    assert table == {"columns": ["setting", "champion", "this run"], "data": [["train.seed", "7", "8"]]}


def test_another_seed_of_the_training_is_judged_by_the_same_leads(tracked: Project, challenged: Project) -> None:
    one, other = (json.loads((project.root / "reports/figures.json").read_text()) for project in (tracked, challenged))
    assert one["foretold"] == other["foretold"]
    assert one["log_loss"] != other["log_loss"]
    assert one["base_rate"] == other["base_rate"]


def test_the_parameters_are_those_that_made_the_model(tracked: Project, challenged: Project, store: Store) -> None:
    parameters, others = (run_of(store, project).data.params for project in (tracked, challenged))
    assert {place for place in parameters if parameters[place] != others[place]} == {"train.seed"}
    assert (parameters["train.seed"], others["train.seed"]) == ("7", "8")
    assert parameters["snapshots.horizon"] in {"P30D", "30d"}
    assert parameters["train.parameters.learning_rate"] == "0.3"
    assert not [place for place in parameters if place.split(".")[0] in {"decision", "recommend", "run", "data_root"}]
    assert parameters["ingest.sources"] == " ".join(sorted(tracked.parameters.ingest.sources))
    assert parameters["ingest.sources.web.columns.lead_id"] == "visitor"
    assert "quote_request" in parameters["events"].split()
    assert parameters["features.of_your_own"] == ""


def test_the_tags_tell_the_model_the_data_and_the_code(tracked: Project, challenged: Project, store: Store) -> None:
    tags = run_of(store, tracked).data.tags
    tables = {"interactions": tracked.interactions, "snapshots": tracked.snapshots, "matrix": tracked.matrix}
    for name, path in tables.items():
        assert tags[f"sha256_{name}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tracked.root, check=True, capture_output=True, text=True)
    assert tags["git_revision"] == head.stdout.strip()
    assert "dvc_exp_name" not in tags
    assert tags["run.memory_limit"] == "1GB", "how the work was done is no parameter of the model"
    # The challenger's settings were changed and not committed.
    others = run_of(store, challenged).data.tags
    assert others["git_revision"] == f"{tags['git_revision']}-dirty"
    assert others["dvc_exp_name"] == "bold-idea"


def test_the_note_is_a_card_that_a_person_can_read(tracked: Project, store: Store) -> None:
    run = run_of(store, tracked)
    card = Path(store.client.download_artifacts(run.info.run_id, "model-card.md")).read_text()
    decided = f"Champion since {datetime.now(UTC):%Y-%m-%d}, being the first; approved by nobody."
    assert store.versions()[0].description == f"{card}\n## Who\n\nMade by {run.data.tags['author']}. {decided}\n"
    assert card.startswith("# Will this lead convert within 30d?")
    labelled = json.loads((tracked.root / "data/snapshots.json").read_text())["labelled"]
    assert f"{labelled['rows']:,} snapshots of {labelled['leads']:,} leads, of which " in card
    assert f"of which {labelled['conversions']:,} convert" in card
    assert "It has probabilities for 7d and 60d, too, which never contradict the one above." in card
    told = pq.read_table(tracked.foretold).to_pandas()
    rows = pq.read_table(tracked.matrix, columns=["lead_id", "as_of", "label"]).to_pandas()
    days = [f"{origin:%Y-%m-%d}" for origin in told["origin"].unique()]
    assert re.findall(r"^\| (\d\S+) \|", card, re.MULTILINE) == days
    groups = pd.read_csv(tracked.plots / "calibration.csv")
    is_off = (groups["observed"] < groups["band_low"]) | (groups["observed"] > groups["band_high"])
    assert f"Of {len(groups)} groups of snapshots by what was promised, {(~is_off).sum()} lie in the band" in card
    assert card.count("; promised ") == is_off.sum()
    assert "known again, until it converts or is lost: by " in card
    assert len(days) == tracked.parameters.train.origins
    for origin, of_origin in told.merge(rows, on=["lead_id", "as_of"]).groupby("origin"):
        settled = rows[rows["as_of"] + timedelta(days=30) <= origin]
        assert (
            f"| {origin:%Y-%m-%d} | {len(settled):,} | {settled['label'].sum():,} | {len(of_origin):,} | "
            f"{of_origin['probability'].sum():,.0f} | {of_origin['label'].sum():,} | "
            f"{log_loss(of_origin['label'], of_origin['probability'], labels=[0, 1]):.4f} |"
        ) in card
    assert f"ROC AUC {read_json(tracked.figures)['roc_auc']['value']:.3f} (" in card
    assert model_of(tracked).version in card
    assert "It converts when `won` happens within 30d of the moment" in " ".join(card.split())
    assert "| the base rate | " in card
    families = {one["family"] for one in read_json(tracked.breakdown)["families"]}
    assert {"pricing_view", "all events together"} <= families
    assert (tracked.root / "reports/model-card.md").read_text() == card


def test_the_run_holds_plots_pictures_and_the_catalogue(tracked: Project, store: Store, tmp_path: Path) -> None:
    run_id = run_of(store, tracked).info.run_id
    names = ("calibration", "gains", "precision_recall", "importance")
    held = {file.path for file in store.client.list_artifacts(run_id)}
    at_the_root = {f"{name}.{kind}" for name in names for kind in ("csv", "png")}
    assert at_the_root <= held, "the comparison of runs lists no folder"
    assert {"catalogue.json", "figures.json", "training.json", "snapshots.json", "params.yaml"} <= held
    images = {file.path for file in store.client.list_artifacts(run_id, "images")}
    assert {name for name in names if any(path.startswith(f"images/{name}") for path in images)} == set(names)
    picture = Path(store.client.download_artifacts(run_id, "gains.png", str(tmp_path)))
    assert picture.read_bytes() == (tracked.root / "reports/pictures/gains.png").read_bytes()


def test_the_logged_model_predicts_on_a_plain_frame_what_the_artefact_predicts(tracked: Project, store: Store) -> None:
    import mlflow  # noqa: PLC0415 - heavy

    model = model_of(tracked)
    rows = pq.read_table(tracked.root / "data/features.parquet").to_pandas().sample(200, random_state=1)
    plain = pd.DataFrame(
        {
            name: rows[name].astype(object).where(rows[name].notna(), None)
            if name in model.categories
            else rows[name].astype("float64")
            for name in reversed(model.columns)  # by name, not by position
        }
    )
    assert store.aliases()["champion"]
    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    np.testing.assert_array_equal(loaded.predict(plain), model.predict(rows))


def test_the_champion_scores_the_end_of_the_log_and_not_the_model_just_trained(
    tracked: Project, challenged: Project, world: Project, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked.root}/mlflow.db")
    scores = read_scores(champion_scores(challenged, "latest"))
    stage = pq.read_table(world.root / "data/recommendations.parquet").to_pandas()
    assert list(scores.columns) == [*stage.columns, "run_id", "scored_at", "list_changed", "created_at"]
    assert {field.name for field in RECOMMENDATION} | {"probability_7d", "probability_60d"} == set(stage.columns)
    # The stage compares with a week before, the champion with its last scores, of which there are none.
    same = [one for one in stage if "change" not in one and one not in ("trend", "tier_before", "compared_with")]
    pd.testing.assert_frame_equal(scores[same], stage[same])
    assert set(scores["trend"].dropna()) == {"not enough information"}
    assert scores["what_changed"].isna().all()
    assert set(scores["run_id"]) == {run_of(store, tracked).info.run_id}
    assert len(set(scores["scored_at"])) == 1
    assert scores["scored_at"].dtype == "datetime64[us]"


def test_what_a_copy_of_dvc_has_made_is_kept_in_the_project(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC deletes the copy in which ``exp run --temp`` and the queue work."""
    monkeypatch.setenv("DVC_EXP_NAME", "in-a-copy")
    copy = world.copy_to(tmp_path / "project/.dvc/tmp/exps/standalone/tmp1", leave_out=("raw", "reports"))
    copy.run("evaluate")
    shutil.rmtree(copy.root)
    project = Places(tmp_path / "project")
    assert project.home == project.root
    assert copy.kept_origins == project.kept_origins.resolve()
    with connected(project) as client:
        (version,) = client.search_model_versions(f"name = '{NAME}'")
    (line,) = register(project, copy.parameters.evaluate, "in-a-copy", lambda: None, None)[:1]
    assert line == f"{NAME} has it already, as version {version.version}"
