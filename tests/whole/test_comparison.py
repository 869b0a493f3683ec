"""``leadcast compare-actors``: both variants on the same rows, what it says of planted worlds, and what it leaves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from command_line import call, call_for_its_output
from world import Project

from features import own
from features.core.errors import InputError, NotEnoughDataError
from features.language.feature import Feature
from features.language.filters import Filter
from models.evaluation.metrics import FIGURES
from pipeline.core.project import Variant, read_json, write_json
from pipeline.inspection.comparison import ALL, ALONE, compare_actors, tell_comparison
from pipeline.inspection.doctor import examine

QUICK = {"train.rung": "base_rates"}


def files_of(root: Path) -> dict[str, str]:
    """Give the hash of every file of ``data`` and ``reports``."""
    places = [path for folder in ("data", "reports") for path in (root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in places}


@pytest.fixture(scope="module")
def compared(world: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str], str]:
    """Compare on the small world through the command line; gives the files from before, and what was printed.

    By base rates, which are learned in a fifth of the time: both variants go the way of all recipes.
    """
    project = world.copy_to(tmp_path_factory.mktemp("compared") / "project").with_settings(QUICK)
    project.run("train", "evaluate", "report")
    files, here = files_of(project.root), Path.cwd()
    os.chdir(project.root)
    try:
        return project, files, call_for_its_output("compare-actors")
    finally:
        os.chdir(here)


def test_by_the_lead_alone_it_is_what_the_stages_have_measured(compared: tuple[Project, dict[str, str], str]) -> None:
    project, _, _ = compared
    comparison, metrics = read_json(project.comparison), read_json(project.figures)
    assert project.parameters.features.actors == ("lead",)
    assert comparison["model_version"] == read_json(project.training)["model_version"]
    assert comparison["all"]["foretold"] == metrics["foretold"]
    assert comparison["untouched"]["foretold"] == metrics["untouched_foretold"]
    names = (*FIGURES, "calibration_error_by_chance")
    assert {name: comparison["all"][ALONE][name] for name in names} == {name: metrics[name] for name in names}
    assert comparison["all"][ALL]["base_rate"] == metrics["base_rate"], "the rows are the same"
    assert comparison["all"][ALL]["log_loss"] != metrics["log_loss"], "and what is said of them is not"
    gain = comparison["all"]["gain"]
    difference = comparison["all"][ALONE]["log_loss"]["value"] - comparison["all"][ALL]["log_loss"]["value"]
    assert gain["value"] == pytest.approx(difference)
    assert gain["low"] < gain["value"] < gain["high"]


def test_it_leaves_all_as_it_was_and_nothing_of_its_own_but_the_result(
    compared: tuple[Project, dict[str, str], str],
) -> None:
    project, before, _ = compared
    after = files_of(project.root)
    results = {"reports/comparisons/actors.json", "reports/comparisons/actors.txt"}
    assert after.keys() - before.keys() == results
    assert {name: after[name] for name in before} == before
    assert not Variant(project.root, None).matrix.parent.exists()
    leads = pq.read_table(project.leads, columns=["lead_id"])["lead_id"].to_pylist()
    for name in results:
        text = (project.root / name).read_text(encoding="utf-8")
        assert not [lead for lead in leads if lead in text], "no lead is named"


def test_pages_name_the_command_and_are_the_same_bytes_whatever_it_found(
    compared: tuple[Project, dict[str, str], str], tmp_path: Path
) -> None:
    project = compared[0].copy_to(tmp_path / "project")
    before = files_of(project.root)
    project.run("report")
    assert files_of(project.root) == before
    for page in (project.summary, project.model_page):
        text = page.read_text(encoding="utf-8")
        assert "leadcast compare-actors" in text
        assert "comparisons/actors.txt" in text


def test_what_is_printed_is_what_is_written(compared: tuple[Project, dict[str, str], str]) -> None:
    project, _, printed = compared
    comparison = read_json(project.comparison)
    assert printed == project.comparison_text.read_text(encoding="utf-8")
    text = " ".join(printed.split())
    assert f"model {comparison['model_version'][:12]}, which learned up to {comparison['until'][:10]}" in text
    assert f"the same 3 origins ({comparison['origins'][0][:10]} to {comparison['origins'][-1][:10]})" in text
    assert "params.yaml counts the acts of lead." in text
    for variant in (ALONE, ALL):
        figures = comparison["all"][variant]
        assert f"{figures['roc_auc']['value']:.3f} ({figures['roc_auc']['low']:.3f} to " in text
        chance = figures["calibration_error_by_chance"]["quantile_95"]
        assert f"{figures['calibration_error']['value']:.4f} (chance: up to {chance:.4f})" in text
    assert f"the log loss is lower by {comparison['all']['gain']['value']:+.4f} (" in text
    counted = comparison["untouched"]["foretold"]
    assert f"{counted['rows']:,} snapshots of {counted['leads']:,} leads, " in text
    assert max(map(len, printed.splitlines())) <= 110


def test_doctor_says_when_another_model_has_been_trained_since(
    compared: tuple[Project, dict[str, str], str], tmp_path: Path
) -> None:
    project = compared[0].copy_to(tmp_path / "project")
    told = "reports/comparisons/actors.txt was made beside another model"
    assert not [one for one in examine(project).findings if told in one.what]
    write_json(project.comparison, read_json(project.comparison) | {"model_version": "0" * 64})
    (finding,) = (one for one in examine(project).findings if told in one.what)
    assert (finding.state, finding.remedy) == ("odd", "leadcast compare-actors")


def plant(project: Project, known_later: timedelta) -> None:
    """Have us call each lead that will convert, and no other: an hour before the snapshot, known so much later."""
    log = pq.read_table(project.interactions).to_pandas(date_as_object=False)
    rows = pq.read_table(project.matrix, columns=["lead_id", "as_of", "label"]).to_pandas()
    calls = rows.loc[rows["label"] > 0, ["lead_id", "as_of"]]
    occurred = calls["as_of"] - pd.Timedelta(hours=1)
    calls = calls.drop(columns="as_of").assign(
        occurred_at=occurred, known_at=occurred + known_later, event_type="call_made", actor="us", source="crm",
        quantity=1, sequence=range(10**6, 10**6 + len(calls)), local_day=occurred.dt.normalize(), local_hour=0,
    )  # fmt: skip
    log = pd.concat([log[log["actor"] != "us"], calls.astype({"local_day": log["local_day"].dtype})])
    schema = pq.read_schema(project.interactions)
    project.interactions.unlink()
    log = log.sort_values(["lead_id", "occurred_at", "source", "sequence"], kind="stable")
    log.astype({"local_hour": "int8"}).to_parquet(project.interactions, schema=schema, index=False)


def planted(world: Project, root: Path, known_later: timedelta) -> dict[str, Any]:
    project = world.copy_to(root / "project", leave_out=("raw",)).with_settings(QUICK)
    plant(project, known_later)
    compare_actors(project, lambda _: None)
    comparison: dict[str, Any] = read_json(project.comparison)
    comparison["text"] = " ".join(project.comparison_text.read_text(encoding="utf-8").split())
    return comparison


def test_where_we_act_only_on_leads_that_convert_the_acts_of_all_tell_it(world: Project, tmp_path: Path) -> None:
    comparison = planted(world, tmp_path, timedelta(0))
    auc = {name: comparison["all"][name]["roc_auc"] for name in (ALONE, ALL)}
    assert auc[ALL]["low"] > 0.9 > auc[ALONE]["high"]
    assert comparison["all"][ALONE]["log_loss"]["low"] > comparison["all"][ALL]["log_loss"]["high"]
    assert comparison["all"]["gain"]["low"] > 0.0
    assert "more than chance explains: what others than the lead did tells who converts" in comparison["text"]
    # None of those that convert is left alone: of the others nothing can be told.
    assert comparison["untouched"]["foretold"]["conversions"] == 0
    assert "0 of which convert: too few to tell." in comparison["text"]


def test_what_is_known_too_late_tells_nothing(world: Project, tmp_path: Path) -> None:
    # The same acts, but nobody hears of them before the question is answered.
    comparison = planted(world, tmp_path, timedelta(days=3650))
    gain = comparison["all"]["gain"]
    assert gain["low"] <= 0.0 <= gain["high"]
    assert "adds nothing that can be seen" in comparison["text"]
    assert comparison["untouched"]["foretold"] == comparison["all"]["foretold"], "none was touched as was known"
    assert comparison["untouched"][ALONE] == comparison["all"][ALONE]


def other_matrix(project: Project) -> None:
    table = pq.read_table(project.matrix)
    pq.write_table(table.slice(1), project.matrix)


def other_snapshots(project: Project) -> None:
    pq.write_table(pq.read_table(project.snapshots).slice(200), project.snapshots)


def no_origins(project: Project) -> None:
    write_json(project.training, read_json(project.training) | {"origins": []})


def no_model(project: Project) -> None:
    project.training.unlink()


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (other_matrix, InputError, "has learned from another matrix than .*; train it: dvc repro"),
        (other_snapshots, InputError, "is of other snapshots than .*; make both: dvc repro"),
        (no_origins, NotEnoughDataError, "there are fewer than two origins, or train.origins asks for no more; a lon"),
        (no_model, InputError, "training.json not there; run the stages before this one: dvc repro"),
    ],
    ids=["another matrix", "other snapshots", "no origins", "no model"],
)
def test_what_does_not_belong_together_is_not_compared(
    least: Project, tmp_path: Path, change: Callable[[Project], None], error: type[Exception], told: str
) -> None:
    project = least.copy_to(tmp_path / "project", leave_out=("raw",))
    change(project)
    with pytest.raises(error, match=told):
        compare_actors(project, lambda _: None)
    assert not project.comparison.exists()
    assert not Variant(project.root, None).matrix.parent.exists()


def test_one_origin_is_one_too_few(least: Project, tmp_path: Path) -> None:
    project = least.copy_to(tmp_path / "project", leave_out=("raw",))
    settings = QUICK | {"train.origins": 1}
    with pytest.raises(NotEnoughDataError, match="or train.origins asks for no more"):
        compare_actors(project.with_settings(settings), lambda _: None)
    assert not project.comparison.exists()


def test_interrupted_it_leaves_nothing_and_the_former_result_stays(
    compared: tuple[Project, dict[str, str], str], tmp_path: Path
) -> None:
    project = compared[0].copy_to(tmp_path / "project", leave_out=("raw",))
    project = project.with_settings(QUICK)
    before = files_of(project.root)
    variant = Variant(project.root, None)
    variant.matrix.parent.mkdir(parents=True)
    left = variant.matrix.parent / "left by a run that was killed"
    left.touch()

    def stop(text: str) -> None:
        assert not left.exists()
        if "foretold" in text:
            assert variant.matrix.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_actors(project, stop)
    assert files_of(project.root) == before


def test_features_that_name_actors_themselves_are_told(
    least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "FEATURES", (Feature("count", Filter("call_made", actors=("us",))),))
    project = least.copy_to(tmp_path / "project", leave_out=("raw",)).with_settings(QUICK)
    text = " ".join(" ".join(compare_actors(project, lambda _: None)).split())
    (name,) = read_json(project.comparison)["of_others"]
    assert "call_made" in name
    assert f"features/own.py says whose acts these features count: {name}." in text


def example() -> dict[str, Any]:
    """Give a comparison in which everything is known."""
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    figures: dict[str, Any] = dict.fromkeys(FIGURES, figure) | {"calibration_error": {"value": 0.01}}
    figures["calibration_error_by_chance"] = {"mean": 0.01, "quantile_95": 0.02}
    counted = {"rows": 1200, "leads": 400, "conversions": 60}
    part = {ALONE: figures, ALL: figures, "foretold": counted, "gain": {"value": -0.2, "low": -0.3, "high": -0.1}}
    return {
        "model_version": "ab" * 32,
        "horizon": "30d",
        "until": "2026-05-31T00:00:00",
        "actors_of_settings": ["lead", "us"],
        "origins": ["2026-04-01T00:00:00", "2026-05-01T00:00:00"],
        "of_others": [],
        "all": part,
        "untouched": part,
    }


def test_every_end_of_a_comparison_is_put_in_words() -> None:
    comparison = example()
    told = " ".join(" ".join(tell_comparison(comparison)).split())
    assert told.count("lower by -0.2000 (-0.3000 to -0.1000), below 0 by more than chance") == 2
    assert "params.yaml counts the acts of lead, us." in told
    assert "1,200 snapshots of 400 leads, 60 of which convert" in told
    unknown = {"gain": dict.fromkeys(("value", "low", "high"))}
    few = comparison | {"all": comparison["all"] | unknown, "untouched": comparison["untouched"] | unknown}
    told = " ".join(tell_comparison(few))
    assert "too few leads of either kind" in told
    assert told.count("too few") == 2
    assert "no lead was touched" in " ".join(tell_comparison(comparison | {"untouched": None}))


def test_without_a_model_the_command_says_what_to_run(
    world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_text((world.root / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    code, text = call("compare-actors")
    assert code == 4
    assert "compare-actors failed" in text
    assert "dvc repro" in text
