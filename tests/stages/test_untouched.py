"""Leads that none of us had acted on, and the source of a lead's last act: as known then, and as pages show them."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from world import Project

from models.evaluation.metrics import FIGURES, WITHOUT_INTERVAL, evaluate
from pipeline.core.project import read_json
from pipeline.evaluate.acts import NO_ACT, latest_sources, touched
from pipeline.matrix.slices import read_rows
from pipeline.report.results import Results

NOON = datetime(2026, 3, 10, 12)
HOUR = timedelta(hours=1)
ACTS = (
    ("A", -9, -9, "lead", "web"),
    ("A", -8, -7, "lead", "email"),
    ("A", -8, -6, "us", "crm"),
    ("A", -5, 0, "lead", "crm"),  # known at noon itself, which is too late
    ("B", -9, 2, "us", "crm"),  # happened before, and nobody knew
    ("B", -9, 2, "lead", "web"),
    ("C", -4, -4, "lead", "email"),
    ("C", -4, -4, "lead", "web"),  # of equal times the later one in the order of the log
    ("C", 3, -2, "lead", "crm"),  # of a time to come
    ("D", -6, -1, "lead", "web"),  # known last, and not what it did last
    ("D", -5, -5, "lead", "email"),
    ("D", -1, -1, "system", "crm"),
    ("D", 1, 1, "us", "crm"),
)
"""Lead, when it happened and when it was known in hours from noon, who acted, and whose log it is from."""


def log_of(folder: Path, acts: tuple[tuple[str, int, int, str, str], ...]) -> Path:
    frame = pd.DataFrame(
        [
            (lead, NOON + occurred * HOUR, NOON + known * HOUR, actor, source, place)
            for place, (lead, occurred, known, actor, source) in enumerate(acts)
        ],
        columns=["lead_id", "occurred_at", "known_at", "actor", "source", "sequence"],
    )
    frame = frame.sort_values(["lead_id", "occurred_at", "source", "sequence"])
    frame.astype({"occurred_at": "datetime64[us]", "known_at": "datetime64[us]"}).to_parquet(folder / "log.parquet")
    return folder / "log.parquet"


def rows_of(text: str, hours: float = 0.0) -> tuple[NDArray[np.object_], NDArray[np.datetime64]]:
    leads = np.array(text.split(), dtype=object)
    return leads, np.full(len(leads), np.datetime64(NOON + hours * HOUR, "us"))


def test_who_was_acted_on_goes_by_what_was_known_at_the_moment(tmp_path: Path) -> None:
    log = log_of(tmp_path, ACTS)
    for hours, expected in ((-6, ""), (-5, "A"), (0, "A"), (2, "AD"), (3, "ABD")):
        acted = touched(log, *rows_of("D C B A A E", hours))
        assert acted is not None
        assert acted.tolist() == [lead in expected for lead in "DCBAAE"], hours


def test_a_log_without_an_act_of_ours_tells_nobody_apart(tmp_path: Path) -> None:
    log = log_of(tmp_path, tuple(act for act in ACTS if act[3] != "us"))
    assert touched(log, *rows_of("A B")) is None


def test_the_last_act_of_a_lead_itself_names_the_source(tmp_path: Path) -> None:
    log = log_of(tmp_path, ACTS)
    found = latest_sources(log, *rows_of("E D C B A A"))
    assert found is not None
    assert found.tolist() == [NO_ACT, "email", "web", NO_ACT, "email", "email"]
    later = latest_sources(log, *rows_of("A B C D", 4))
    assert later is not None
    assert later.tolist() == ["crm", "web", "crm", "email"]


@pytest.mark.parametrize("text", ["A B E", "B E"], ids=["one source", "none at all"])
def test_one_source_is_no_kind_of_lead(tmp_path: Path, text: str) -> None:
    assert latest_sources(log_of(tmp_path, ACTS), *rows_of(text)) is None


@pytest.fixture(scope="module")
def base(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return world.copy_to(tmp_path_factory.mktemp("untouched") / "project", leave_out=("raw",))


def change_our_acts(project: Project, change: str) -> None:
    """Leave only some of our acts in the log: those of half of the leads, or none; the matrix does not hold them."""
    log = pq.read_table(project.interactions).to_pandas(date_as_object=False)
    if change == "half":
        known = project_rows(project)["lead_id"].drop_duplicates().sort_values().iloc[::2]
        log = log[(log["actor"] != "us") | ~log["lead_id"].isin(known)]
    elif change == "none":
        log = log[log["actor"] != "us"]
    elif change == "all":
        ours = project_rows(project).drop_duplicates("lead_id").assign(actor="us")[["lead_id", "actor"]]
        first = log.drop_duplicates("lead_id").drop(columns="actor").merge(ours, on="lead_id")
        long_ago = pd.Timestamp("2020-01-01")
        log = pd.concat([log, first.assign(known_at=long_ago, occurred_at=long_ago)])
    schema = pq.read_schema(project.interactions)
    project.interactions.unlink()
    log.sort_values(["lead_id", "occurred_at"], kind="stable").to_parquet(
        project.interactions, schema=schema, index=False
    )


def project_rows(project: Project) -> pd.DataFrame:
    return pq.read_table(project.foretold).to_pandas()


def test_the_figures_of_leads_none_of_us_had_acted_on_are_those_of_their_rows(base: Project, tmp_path: Path) -> None:
    project = base.copy_to(tmp_path / "project")
    change_our_acts(project, "half")
    project.run("evaluate", "report")
    told = project_rows(project)
    rows, as_of = read_rows(project.matrix)
    labels = pd.DataFrame({"lead_id": rows.leads, "as_of": as_of, "label": rows.labels})
    log = pq.read_table(project.interactions, columns=["lead_id", "known_at", "actor"]).to_pandas()
    ours = log[log["actor"] == "us"].groupby("lead_id")["known_at"].min().rename("first").reset_index()
    told = told.merge(labels, on=["lead_id", "as_of"]).merge(ours, on="lead_id", how="left")
    untouched = told[~(told["first"] < told["as_of"])]
    columns = [untouched[name].to_numpy() for name in ("label", "probability", "lead_id")]
    expected = evaluate(columns[0], columns[1], columns[2], replicates=50)
    metrics = read_json(project.figures)
    assert {f"untouched_{name}" for name in (*FIGURES, "foretold", "calibration_error_by_chance")} == {
        name for name in metrics if name.startswith("untouched_")
    }
    for name, estimate in expected.items():
        assert metrics[f"untouched_{name}"]["value"] == pytest.approx(estimate.value)
        if name not in WITHOUT_INTERVAL:
            assert metrics[f"untouched_{name}"]["low"] == pytest.approx(estimate.low)
    counted = metrics["untouched_foretold"]
    leads = untouched["lead_id"].nunique()
    assert counted == {"rows": len(untouched), "leads": leads, "conversions": int(untouched["label"].sum())}
    assert metrics["untouched_calibration_error_by_chance"]["quantile_95"] > 0.0
    for page in (project.summary, project.model_page):
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert "f leads that none of us had acted on" in text
        assert f"{len(untouched):,} snapshots of {leads:,} leads, {counted['conversions']:,} of which convert" in text
        assert f"{expected['roc_auc'].value:.3f}" in text
    parts = {(one["kind"], one["name"]): one for one in read_json(project.breakdown)["segments"]}
    assert parts["our own acts", "none of us had acted"]["rows"] == len(untouched)
    assert {name for kind, name in parts if kind == "source"} >= {"web", "email", "crm"}


def test_where_we_had_acted_on_all_it_is_said_and_nothing_is_measured(base: Project, tmp_path: Path) -> None:
    project = base.copy_to(tmp_path / "project")
    change_our_acts(project, "all")
    project.run("evaluate", "report")
    metrics = read_json(project.figures)
    assert metrics["untouched_foretold"] == {"rows": 0, "leads": 0, "conversions": 0}
    assert metrics["untouched_roc_auc"] == {"value": None, "low": None, "high": None}
    for page in (project.summary, project.model_page):
        assert "one of us had acted on it before: there is none to measure." in " ".join(page.read_text().split())


def test_too_few_leads_are_counted_and_not_measured(world: Project) -> None:
    # Of 2,000 leads of the sample hardly one is left alone, and then converts.
    metrics = read_json(world.figures)
    assert metrics["untouched_log_loss"]["value"] is None
    assert 0 < metrics["untouched_foretold"]["leads"] < metrics["foretold"]["leads"]
    for page in (world.summary, world.model_page):
        assert "too few leads of either kind to tell the model from chance." in " ".join(page.read_text().split())


def test_a_log_without_us_shows_nothing_of_us(base: Project, tmp_path: Path) -> None:
    project = base.copy_to(tmp_path / "project")
    change_our_acts(project, "none")
    project.run("evaluate", "report")
    assert not [name for name in read_json(project.figures) if name.startswith("untouched_")]
    assert "our own acts" not in {one["kind"] for one in read_json(project.breakdown)["segments"]}
    for page in (project.summary, project.model_page):
        assert "none of us had acted" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("error", "told"), [(0.0068, True), (0.0058, False)])
def test_promises_to_leads_that_we_left_alone_are_said_not_to_be_kept_where_they_are_not(
    world: Project, error: float, told: bool
) -> None:
    results = Results.read(world)
    foretold = {"rows": 5460, "leads": 1060, "conversions": 24}
    known = {name: value for name, value in results.metrics.items() if not name.startswith("untouched_")}
    known |= {f"untouched_{name}": parts for name, parts in results.metrics.items() if f"untouched_{name}" not in known}
    known |= {"untouched_foretold": foretold, "untouched_calibration_error": {"value": error}}
    known |= {"untouched_calibration_error_by_chance": {"quantile_95": 0.0058}}
    rest_on = dataclasses.replace(results, metrics=known).untouched_rest_on()
    assert "24 of which convert. By chance, a perfect model shows a calibration error of up to 0.0058" in rest_on
    assert ("NOT calibrated" in rest_on) == told


def test_a_part_that_is_off_is_named_by_its_kind_and_its_name(world: Project) -> None:
    results = Results.read(world)
    part = {"kind": "our own acts", "name": "none of us had acted", "promised": 60.4, "happened": 24}
    off = dataclasses.replace(results, breakdown=results.breakdown | {"worst": [part | {"rows": 5460, "leads": 1060}]})
    told = "our own acts, none of us had acted: 60 promised, 24 happened, of 5,460 snapshots of 1,060 leads"
    assert off.worst() == [told]
