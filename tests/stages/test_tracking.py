"""One run and one version for each model in MLflow, and the history of what the champion scored."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import InputError, RegistryError, SettingsError, StaleError
from features.core.recommendation import RECOMMENDATION
from models.core.model import Model
from pipeline.core.project import Places
from pipeline.registry.mlflow import connected, load_champion, tracking_uri
from pipeline.settings.parameters import Parameters

NAME = "lead-conversion"


@dataclass(frozen=True)
class Store:
    """What MLflow holds of a project."""

    client: Any

    def runs(self) -> list[Any]:
        """List the runs of all experiments."""
        return list(self.client.search_runs([one.experiment_id for one in self.client.search_experiments()]))

    def versions(self) -> list[Any]:
        """List the registered versions of the model, the first one first."""
        return sorted(self.client.search_model_versions(f"name = '{NAME}'"), key=lambda version: int(version.version))

    def aliases(self) -> dict[str, str]:
        """Tell which version has which alias."""
        return dict(self.client.get_registered_model(NAME).aliases)


@pytest.fixture
def store(tracked: Project) -> Iterator[Store]:
    with connected(tracked) as client:
        yield Store(client)


@pytest.fixture(scope="module")
def tracked(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Copy the world into a repository of git's, and evaluate its model into a store of MLflow's own."""
    project = world.copy_to(tmp_path_factory.mktemp("tracked") / "project", leave_out=("raw", "reports"))
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "params.yaml"], ["commit", "--quiet", "--message", "Settings"]):
        subprocess.run([*git, *command], cwd=project.root, check=True)
    project.run("evaluate")
    return project


@pytest.fixture(scope="module")
def challenged(tracked: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Train another model and evaluate it twice into the same store, as an experiment of DVC's; then the first."""
    folder = tmp_path_factory.mktemp("challenged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_EXP_NAME", "bold-idea")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked.root}/mlflow.db")
        other = tracked.copy_to(folder / "project").with_settings({"train.seed": 8})
        other.run("train", "evaluate", "evaluate")
        tracked.run("evaluate")
    return other


def model_of(project: Project) -> Model:
    return Model.load(project.root / "data/model")


def run_of(store: Store, project: Project) -> Any:  # noqa: ANN401 - MLflow's own
    (run,) = (run for run in store.runs() if run.data.tags["model_version"] == model_of(project).version)
    return run


def test_a_model_has_one_run_and_one_version_however_often_it_is_evaluated(
    tracked: Project, challenged: Project, store: Store
) -> None:
    expected = {model_of(tracked).version, model_of(challenged).version}
    assert len(expected) == 2
    assert sorted(run.data.tags["model_version"] for run in store.runs()) == sorted(expected)
    assert sorted(version.tags["model_version"] for version in store.versions()) == sorted(expected)
    assert {version.run_id for version in store.versions()} == {run.info.run_id for run in store.runs()}
    assert {run.info.status for run in store.runs()} == {"FINISHED"}


def test_the_first_model_stays_the_champion_and_another_is_its_challenger(
    tracked: Project, challenged: Project, store: Store
) -> None:
    first, second = store.versions()
    assert first.tags["model_version"] == model_of(tracked).version
    assert second.tags["model_version"] == model_of(challenged).version
    assert store.aliases() == {"champion": first.version, "challenger": second.version}
    roles = [line.partition(" is ")[2].partition(";")[0] for line in tracked.told if line.startswith(NAME)]
    assert roles == ["the champion, being the first", "the champion"]
    roles = [line.partition(" is ")[2].partition(";")[0] for line in challenged.told if line.startswith(NAME)]
    assert roles == [f"the challenger of version {first.version}"] * 2


def test_the_address_in_the_environment_is_where_runs_go(challenged: Project) -> None:
    # The fixture has evaluated with MLFLOW_TRACKING_URI; that its runs got there is tested above.
    assert not (challenged.root / "mlflow.db").exists()
    assert (challenged.root / "reports/metrics.json").exists()


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


def test_every_figure_is_a_metric_with_its_interval(tracked: Project, store: Store) -> None:
    figures = json.loads((tracked.root / "reports/metrics.json").read_text())
    metrics = run_of(store, tracked).data.metrics
    names = {"roc_auc", "average_precision", "log_loss", "brier", "lift_at_10", "base_rate", "horizon_60d_log_loss"}
    assert names <= set(figures)
    for name in names:
        for metric, part in ((name, "value"), (f"{name}_low", "low"), (f"{name}_high", "high")):
            assert metrics[metric] == figures[name][part]
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
    assert metrics["foretold_rows"] == figures["foretold"]["rows"] > 1000
    assert list(figures["calibration_error"]) == ["value"], "no interval around it holds the truth"
    assert not {"calibration_error_low", "calibration_error_high"} & metrics.keys()
    assert metrics["calibration_error_by_chance_quantile_95"] > metrics["calibration_error_by_chance_mean"] > 0


def test_another_seed_of_the_training_is_judged_by_the_same_leads(tracked: Project, challenged: Project) -> None:
    one, other = (json.loads((project.root / "reports/metrics.json").read_text()) for project in (tracked, challenged))
    assert one["foretold"] == other["foretold"]
    assert one["log_loss"] != other["log_loss"]
    assert one["base_rate"] == other["base_rate"]


def test_the_parameters_are_those_that_made_the_model(tracked: Project, challenged: Project, store: Store) -> None:
    parameters, others = (run_of(store, project).data.params for project in (tracked, challenged))
    assert {place for place in parameters if parameters[place] != others[place]} == {"train.seed"}
    assert (parameters["train.seed"], others["train.seed"]) == ("7", "8")
    assert parameters["snapshots.horizon"] in {"P30D", "30d"}
    assert parameters["train.parameters.learning_rate"] == "0.3"
    assert not [
        place for place in parameters if place.split(".")[0] in {"ingest", "decision", "recommend", "run", "data_root"}
    ]


def test_the_tags_tell_the_model_the_data_and_the_code(tracked: Project, challenged: Project, store: Store) -> None:
    tags = run_of(store, tracked).data.tags
    datasets = {"log": tracked.interactions, "snapshots": tracked.snapshots, "matrix": tracked.matrix}
    for name, path in datasets.items():
        assert tags[f"sha256_{name}"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {given.dataset.name for given in run_of(store, tracked).inputs.dataset_inputs} == datasets.keys()
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
    card = run.data.tags["mlflow.note.content"]
    assert card.startswith("# Will this lead convert within 30d?")
    labelled = json.loads((tracked.root / "data/snapshots.json").read_text())["labelled"]
    assert f"learned from {labelled['rows']:,} snapshots of {labelled['leads']:,} leads, of which " in card
    assert f"of which {labelled['conversions']:,}\nconvert" in card
    assert "It has probabilities for 7d and 60d, too, which never contradict the one above." in card
    told = pq.read_table(tracked.foretold).to_pandas()
    rows = pq.read_table(tracked.matrix, columns=["lead_id", "as_of", "label"]).to_pandas()
    days = [f"{origin:%Y-%m-%d}" for origin in told["origin"].unique()]
    assert re.findall(r"^\| (\d\S+) \|", card, re.MULTILINE) == days
    assert len(days) == tracked.parameters.train.origins
    for origin, of_origin in told.merge(rows, on=["lead_id", "as_of"]).groupby("origin"):
        settled = rows[rows["as_of"] + timedelta(days=30) <= origin]
        assert (
            f"| {origin:%Y-%m-%d} | {len(settled):,} | {settled['label'].sum():,} | {len(of_origin):,} | "
            f"{of_origin['probability'].sum():,.0f} | {of_origin['label'].sum():,} |"
        ) in card
    assert f"ROC AUC {run.data.metrics['roc_auc']:.3f} (" in card
    assert model_of(tracked).version in card


def test_the_run_holds_plots_pictures_and_the_catalogue(tracked: Project, store: Store, tmp_path: Path) -> None:
    run_id = run_of(store, tracked).info.run_id
    names = ("calibration", "gains", "precision_recall", "importance")
    held = {file.path for folder in (None, "plots", "pictures") for file in store.client.list_artifacts(run_id, folder)}
    assert {f"plots/{name}.csv" for name in names} | {f"pictures/{name}.png" for name in names} <= held
    assert {"catalogue.json", "metrics.json", "training.json", "snapshots.json"} <= held
    picture = Path(store.client.download_artifacts(run_id, "pictures/gains.png", str(tmp_path)))
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


def champion_scores(project: Project, when: str, *, backfill: bool = False) -> Path:
    from pipeline.scoring import champion  # noqa: PLC0415 - heavy

    return champion.run(project, project.told.append, when, backfill=backfill)


def read_scores(folder: Path) -> pd.DataFrame:
    assert sorted(path.name for path in folder.iterdir()) == ["decided.json", "recommendations.parquet"]
    return pq.read_table(folder / "recommendations.parquet", partitioning=None).to_pandas()


def test_the_champion_scores_the_end_of_the_log_and_not_the_model_just_trained(
    tracked: Project, challenged: Project, world: Project, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked.root}/mlflow.db")
    scores = read_scores(champion_scores(challenged, "latest"))
    stage = pq.read_table(world.root / "data/recommendations.parquet").to_pandas()
    assert list(scores.columns) == [*stage.columns, "run_id", "scored_at", "list_changed"]
    assert {field.name for field in RECOMMENDATION} | {"probability_7d", "probability_60d"} == set(stage.columns)
    # The stage compares with a week before, the champion with its last scores, of which there are none.
    same = [one for one in stage if "change" not in one and one not in ("trend", "tier_before", "compared_with")]
    pd.testing.assert_frame_equal(scores[same], stage[same])
    assert set(scores["trend"].dropna()) == {"not enough information"}
    assert scores["what_changed"].isna().all()
    assert set(scores["run_id"]) == {run_of(store, tracked).info.run_id}
    assert len(set(scores["scored_at"])) == 1
    assert scores["scored_at"].dtype == "datetime64[us]"


def test_a_second_scoring_of_the_same_moment_replaces_the_first(tracked: Project) -> None:
    when = "2026-07-01T01:30:00+02:00"
    folder = champion_scores(tracked, when)
    assert folder.parts[-2:] == ("as_of=2026-06-30T23-30-00.000000", f"model={model_of(tracked).version[:16]}")
    first = read_scores(folder)
    assert set(first["as_of"]) == {datetime(2026, 6, 30, 23, 30)}
    before = set((tracked.root / "data/scores").iterdir())
    assert champion_scores(tracked, when) == folder
    assert set((tracked.root / "data/scores").iterdir()) == before
    second = read_scores(folder)
    pd.testing.assert_frame_equal(first.drop(columns="scored_at"), second.drop(columns="scored_at"))
    assert second["scored_at"].iloc[0] > first["scored_at"].iloc[0]


def test_a_moment_that_the_champion_has_learned_from_asks_for_a_backfill(tracked: Project) -> None:
    trained_until = datetime.fromisoformat(model_of(tracked).manifest["trained_until"])
    when = (trained_until - timedelta(days=100)).isoformat()
    with pytest.raises(StaleError, match="has learned: it knows how some of these leads ended.*add --backfill"):
        champion_scores(tracked, when)
    assert len(read_scores(champion_scores(tracked, when, backfill=True))) > 50


def test_now_is_refused_where_the_log_is_old(tracked: Project, tmp_path: Path) -> None:
    old = tracked.copy_to(tmp_path / "project", leave_out=("scores",))
    ingested = json.loads((old.root / "data/ingest.json").read_text())
    for source in ingested["sources"].values():
        source["observed_until"] = "2020-02-29T12:00:00"
    (old.root / "data/ingest.json").write_text(json.dumps(ingested))
    with pytest.raises(StaleError, match="the log ends more than 2d ago .crm on 2020-02-29 12:00 UTC.*leadcast ingest"):
        champion_scores(old, "now")
    assert not (old.root / "data/scores").exists()


def test_what_is_no_moment_is_refused(tracked: Project) -> None:
    with pytest.raises(InputError, match="--as-of 'yesterday' is no date; write now, latest, or a date"):
        champion_scores(tracked, "yesterday")


def test_a_scoring_waits_for_no_other(tracked: Project) -> None:
    tracked.lock.parent.mkdir(exist_ok=True)
    hold = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n    print('held', flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tracked.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another leadcast is at work in this folder .*wait until it is done"):
            champion_scores(tracked, "2026-06-30T23:40")
        other.stdin.write("\n")
        other.stdin.flush()
    assert len(read_scores(champion_scores(tracked, "2026-06-30T23:40"))) > 50


def test_a_missing_champion_says_what_next(tracked: Project, tmp_path: Path) -> None:
    empty = tracked.copy_to(tmp_path / "project")
    nobody = Project(tracked.root, empty.with_settings({"evaluate.model_name": "nobody"}).parameters)
    with pytest.raises(RegistryError, match="no champion of 'nobody' in sqlite:.*; train and register one: make run"):
        champion_scores(nobody, "latest")


def test_one_source_that_is_old_is_enough_to_refuse_now(tracked: Project, tmp_path: Path) -> None:
    """Whether it is old was judged by its rhythm when it was read: here, in February 2020."""
    old = tracked.copy_to(tmp_path / "project", leave_out=("scores",))
    ingested = json.loads((old.root / "data/ingest.json").read_text())
    past, fresh = "2020-02-29T12:00:00", datetime.now(UTC).replace(tzinfo=None).isoformat()
    for name, source in ingested["sources"].items():
        source["observed_until"] = past if name == "web" else fresh
    ingested["sources"]["web"]["rhythm"] |= {"state": "silent", "since": past, "reaches": past}
    (old.root / "data/ingest.json").write_text(json.dumps(ingested))
    with pytest.raises(StaleError, match="web on 2020-02-29 12:00 UTC") as error:
        champion_scores(old, "now")
    assert "crm" not in str(error.value)


def test_a_moment_long_after_the_end_of_the_log_is_refused(tracked: Project) -> None:
    with pytest.raises(StaleError, match="2035-01-01 00:00 lies more than 2d after the end of the log"):
        champion_scores(tracked, "2035-01-01")


CHANGES: dict[str, object] = {
    "episodes.lost": [],
    "episodes.reopen_after": "45d",
    "episodes.after_conversion": {"reopen_on": ["form"]},
    "snapshots.horizon": "45d",
    "ingest.currency": "USD",
    "ingest.sources.email.known_at": "as_it_occurred",
    "ingest.sources.email.columns.channel": {"constant": "newsletter"},
    "ingest.sources.web.actor": "system",
}
"""Each asks for another probability than the champion learned to give."""


@pytest.mark.parametrize("place", CHANGES)
def test_the_champion_is_not_asked_another_question_than_it_learned(
    tracked: Project, tmp_path: Path, place: str
) -> None:
    other = settings_of(tracked, tmp_path, {place: CHANGES[place]})
    with pytest.raises(
        SettingsError, match=rf"(?s)would be asked another question:\n  {place} was .*, and is .*dvc repro"
    ):
        champion_scores(Project(tracked.root, other), "latest")


def settings_of(project: Project, folder: Path, changes: dict[str, object]) -> Parameters:
    """Give the project's settings with some changed."""
    (folder / "params.yaml").write_text((project.root / "params.yaml").read_text())
    return Project(folder, project.parameters).with_settings(changes).parameters


def test_a_champion_of_an_earlier_version_that_noted_no_question_is_a_message(
    tracked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run_id = load_champion(tracked, tracked.parameters.evaluate)
    former = replace(model, manifest={name: part for name, part in model.manifest.items() if name != "question"})
    monkeypatch.setattr("pipeline.scoring.champion.load_champion", lambda *_: (former, run_id))
    with pytest.raises(RegistryError, match="trained by an earlier version, which did not note what it asked"):
        champion_scores(tracked, "latest")


def test_what_changes_no_probability_does_not_keep_the_champion_from_scoring(tracked: Project, tmp_path: Path) -> None:
    before = read_scores(champion_scores(tracked, "2026-06-30T23:50"))
    changes: dict[str, object] = {
        "episodes.milestones": {"renamed": ["accepted"]},
        "episodes.lost": list(reversed(tracked.parameters.episodes.lost)),
        "run": {"memory_limit": "2GB"},
        "ingest.sources.web.path": "elsewhere.parquet",
        "ingest.sources.crm.time_zone": "UTC",
        "ingest.sources.crm.columns.lead_id": "renamed",
        "snapshots.policies": [{"ages": ["9d"]}],
        "decision.maturity": {"hot_for": "3d"},
        "train.seed": 99,
        "train.other_horizons": [],
        "evaluate.replicates": 51,
    }
    other = Project(tracked.root, settings_of(tracked, tmp_path, changes))
    after = read_scores(champion_scores(other, "2026-06-30T23:50"))
    for column in ("probability", "probability_7d", "probability_60d"):
        assert after[column].dropna().tolist() == before[column].dropna().tolist()
