"""``leadcast compare A B`` on the small world: pairs, figures, lists, files, the page in a browser, MLflow's run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from browser import Browser, running_browser
from command_line import call, call_for_its_output
from world import Project

from features.core.errors import InputError, NotEnoughDataError, RegistryError
from models.evaluation.pairs import CANT_TELL, FIGURES, NO_DIFFERENCE
from pipeline.core.project import read_json
from pipeline.registry.mlflow import connected
from pipeline.registry.models import Named, find_named
from pipeline.review.compare import compare_and_list
from pipeline.review.comparison import Comparison
from pipeline.review.keep import place_of, place_of_leads
from pipeline.review.pairs import joined, pair, refuse_other_question
from pipeline.review.told import tables_of
from pipeline.scoring.earlier import AS_OF
from pipeline.scoring.files import write_recommendations

NAME = "lead-conversion"
LEAD = re.compile(r"\bL\d{6}\b")


def quiet(_: str) -> None:
    pass


@dataclass(frozen=True)
class Compared:
    """A project with two models of other seeds, and what comparing them through the command line printed and left."""

    project: Project
    first: str
    """The model_version of the champion."""
    second: str
    printed: str
    content: dict[str, Any]
    before: dict[str, str]
    """The hash of each file of data before."""

    def named(self, *names: str) -> tuple[Named, ...]:
        """Find models by their names."""
        return tuple(find_named(self.project, self.project.parameters.evaluate, name) for name in names)


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def compared(world: Project, retrained: Project, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    project = retrained.copy_to(tmp_path_factory.mktemp("compared") / "project", with_store=True)
    first = read_json(world.training)["model_version"]
    project.run("recommend")
    second = read_json(project.training)["model_version"]
    before, here = hashes(project.root / "data"), Path.cwd()
    os.chdir(project.root)
    try:
        printed = call_for_its_output("compare", "champion", "trained")
    finally:
        os.chdir(here)
    content = read_json(project.comparisons / f"{first[:8]}-{second[:8]}.json")
    return Compared(project, first, second, printed, content, before)


@pytest.fixture(scope="module")
def comparison(compared: Compared) -> Comparison:
    return Comparison.from_json(compared.content)


def test_pairs_are_what_both_foretold_and_what_happened(compared: Compared, comparison: Comparison) -> None:
    folder = compared.project.kept_origins
    a, b = (pd.read_parquet(folder / f"{one[:16]}.parquet") for one in (compared.first, compared.second))
    both = a.merge(b, on=["lead_id", "as_of"], suffixes=("_a", "_b"))
    assert (comparison.a.model_version, comparison.b.model_version) == (compared.first, compared.second)
    assert comparison.pairs == len(both) > 1000
    assert comparison.leads == both["lead_id"].nunique()
    assert comparison.conversions == both["happened_b"].sum() > 50
    assert comparison.converting == both.loc[both["happened_b"], "lead_id"].nunique() < comparison.conversions
    counts = comparison.details["pairs"]
    assert (counts["of_origins"], counts["of_scores"], counts["known_otherwise"]) == (len(both), 0, 0)
    assert counts["from_other_origins"] == (both["origin_a"] != both["origin_b"]).sum()
    loss = comparison.figures["log_loss"]
    by_hand = [
        -np.log(np.where(both["happened_a"], both[said], 1 - both[said])).mean()
        for said in ("probability_a", "probability_b")
    ]
    assert [loss.a, loss.b] == pytest.approx(by_hand)
    assert loss.difference == pytest.approx(by_hand[1] - by_hand[0])
    newest = both[both["origin_b"] == both["origin_b"].max()]
    assert comparison.details["newest"]["pairs"] == len(newest)
    assert comparison.details["newest"]["conversions"] == newest["happened_b"].sum()


def test_each_kind_of_segment_parts_all_pairs(comparison: Comparison) -> None:
    kinds: dict[str, list[int]] = {}
    for one in comparison.segments:
        kinds.setdefault(one.name, []).append(one.rows)
    assert {"age of the episode", "our own acts", "source", "channel"} <= set(kinds)
    assert {name: sum(rows) for name, rows in kinds.items()} == dict.fromkeys(kinds, comparison.pairs)


def test_the_lists_are_those_that_each_model_makes(compared: Compared, comparison: Comparison) -> None:
    churn, lists = comparison.churn, comparison.details["lists"]
    assert churn is not None
    table = pq.read_table(compared.project.recommendations).to_pandas()
    opened = table[table["probability"].notna()].set_index("lead_id")
    assert churn.leads == len(opened)
    assert churn.sql_of_b == (opened["tier"] == "SQL").sum(), "as the stage recommends with the same model"
    assert lists["work"]["b"]["expected_conversions"] == pytest.approx(opened["probability"].sum())
    transitions = pd.DataFrame(lists["transitions"]).T  # a row for each tier by A
    assert transitions.to_numpy().sum() == churn.leads
    assert transitions.loc["SQL"].sum() == churn.sql_of_a
    assert transitions["SQL"].sum() == churn.sql_of_b
    assert transitions.loc["SQL"].drop("SQL").sum() == churn.left
    assert churn.left_share == pytest.approx(churn.left / churn.sql_of_a)
    assert churn.sql_of_a - churn.left + churn.joined == churn.sql_of_b
    moved = pd.read_csv(place_of_leads(compared.project, comparison))
    assert len(moved) == transitions.to_numpy().sum() - np.trace(transitions.to_numpy()) > 0
    assert (moved["tier_a"] != moved["tier_b"]).all()
    assert opened.loc[moved["lead_id"], "tier"].tolist() == moved["tier_b"].tolist()
    assert 0 < lists["rewritten"] <= churn.leads


def test_nothing_is_scored_and_no_model_changed(compared: Compared) -> None:
    after = hashes(compared.project.root / "data")
    assert after == compared.before
    assert not compared.project.scores.exists()


def test_what_is_printed_says_what_is_written(compared: Compared, comparison: Comparison) -> None:
    assert f"Both have foretold {comparison.pairs:,} snapshots of {comparison.leads:,} leads" in compared.printed
    for one in comparison.figures.values():
        assert one.verdict in compared.printed
    assert not LEAD.search(compared.printed)
    assert comparison.to_json() == Comparison.from_json(json.loads(json.dumps(comparison.to_json()))).to_json()
    assert Comparison.from_json(comparison.to_json()) == comparison
    assert list(comparison.figures) == list(FIGURES), "though keys are sorted in the file"
    tables = tables_of(comparison).values()
    assert [table.title for table in tables if table.title not in compared.printed] == []
    cells = [cell for table in tables for row in table.rows for cell in row]
    assert [cell for cell in cells if cell not in compared.printed] == []


def test_a_model_beside_itself_shows_no_difference(compared: Compared) -> None:
    found, moved = compare_and_list(compared.project, compared.second[:8], "trained", quiet)
    assert {one.verdict for one in found.figures.values()} <= {NO_DIFFERENCE, CANT_TELL}
    assert {one.difference for one in found.figures.values()} == {0.0}
    assert not any(one.badly for one in found.segments)
    assert found.churn is not None
    assert (found.churn.left, found.churn.joined, found.details["lists"]["rewritten"]) == (0, 0, 0)
    assert moved.empty
    assert found.details["lists"]["worst_hit"] is None


def foretold(text: str) -> pd.DataFrame:
    """Read lines of ``lead | day of March | origin | probability | happened``; one without an origin is a score."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    frame = pd.DataFrame(rows, columns=["lead_id", "as_of", "origin", "probability", "happened"])
    origin = pd.to_datetime(frame["origin"].replace("", None)).astype("datetime64[us]")
    return frame.assign(
        as_of=pd.to_datetime("2026-03-" + frame["as_of"]).astype("datetime64[us]"),
        origin=origin,
        probability=frame["probability"].astype(float),
        happened=frame["happened"] == "yes",
        is_score=origin.isna(),
    )


OF_A = foretold("""
    A | 01 | 2026-02-01 | 0.1 | no
    A | 08 | 2026-02-01 | 0.2 | yes
    B | 01 | 2026-02-01 | 0.3 | no
    B | 08 |            | 0.4 | no
    C | 01 | 2026-02-01 | 0.5 | no
    C | 01 |            | 0.6 | yes
""")
OF_B = foretold("""
    A | 01 | 2026-03-01 | 0.7 | yes
    A | 08 | 2026-02-01 | 0.8 | yes
    B | 08 | 2026-02-01 | 0.9 | no
    C | 01 | 2026-02-01 | 0.2 | no
    C | 01 |            | 0.3 | yes
    D | 01 | 2026-02-01 | 0.4 | no
""")
"""Of A and 1 March the two know another outcome, from different origins; B was scored by A alone on 8 March; C, on
1 March, was foretold at an origin and scored by both."""


def test_pairs_of_a_few_rows_are_those_that_one_sees() -> None:
    found = joined(OF_A, OF_B, b_is_newer=True)
    assert found.leads.tolist() == ["A", "A", "C"]
    assert (found.of_a.tolist(), found.of_b.tolist()) == ([0.1, 0.2, 0.6], [0.7, 0.8, 0.3]), "of C what was scored"
    assert found.labels.tolist() == [1.0, 1.0, 1.0], "as B knows it"
    assert found.counts == {
        "of_origins": 2, "of_scores": 1, "foretold_by_a": 6, "foretold_by_b": 6, "known_otherwise": 1,
        "from_other_origins": 1,
    }  # fmt: skip
    assert found.newest.tolist() == [True, False, False]
    assert joined(OF_A, OF_B, b_is_newer=False).labels.tolist() == [0.0, 1.0, 1.0], "as A knows it"


def test_scores_in_use_are_paired_once_their_horizon_is_over(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both score ten leads at a moment after what they have learned from, as if that had been long ago."""
    first, second = compared.named("champion", "trained")
    before = pair(compared.project, first, second)
    snapshots = pd.read_parquet(compared.project.snapshots)
    labelled = snapshots[snapshots["label"].notna()]
    moment = labelled["as_of"].value_counts().index[0]  # a day on which many were looked at
    some = labelled[labelled["as_of"] == moment].head(10)
    assert len(some) == 10
    monkeypatch.setattr("pipeline.review.pairs._until", lambda _: datetime(2025, 1, 1))
    for one, said in ((first, 0.25), (second, 0.5)):
        table = pa.table({
            "lead_id": some["lead_id"].tolist(),
            "as_of": pa.array([moment] * 10, pa.timestamp("us")),
            "probability": [said] * 10,
            "tier": ["MQL"] * 10,
            "model_version": [one.model.version] * 10,
        })  # fmt: skip
        folder = compared.project.scores / f"{moment:{AS_OF}}" / f"model={one.model.version[:16]}"
        write_recommendations(folder / "recommendations.parquet", table)
    try:
        found = pair(compared.project, first, second)
    finally:
        shutil.rmtree(compared.project.scores)
    assert (before.counts["of_scores"], found.counts["of_scores"]) == (0, 10)
    scored = np.isin(found.leads, some["lead_id"]) & (found.as_of == np.datetime64(moment, "us"))
    assert set(found.of_a[scored]) == {0.25}
    assert set(found.of_b[scored]) == {0.5}
    assert found.labels[scored].tolist() == some.sort_values("lead_id")["label"].astype(float).tolist()


def test_models_whose_labels_mean_another_thing_are_not_compared(compared: Compared) -> None:
    first, second = compared.named("champion", "trained")
    question = second.model.manifest["question"]
    for change, told in (
        ({"snapshots.horizon": "60d"}, 'snapshots.horizon was "30d", and is "60d"'),
        ({"episodes.conversion": ["paid"]}, 'episodes.conversion was ["won"], and is ["paid"]'),
    ):
        other = replace(
            second, model=replace(second.model, manifest={**second.model.manifest, "question": {**question, **change}})
        )
        with pytest.raises(InputError, match="answer different questions") as refused:
            refuse_other_question(first, other)
        assert told in str(refused.value)
    sources = {name: one for name, one in question["ingest.sources"].items() if name != "email"}
    manifest = {**second.model.manifest, "question": {**question, "ingest.sources": sources}}
    seen = refuse_other_question(first, replace(second, model=replace(second.model, manifest=manifest)))
    assert seen == ["ingest.sources.email is gone"], "who has dropped a source is compared, and it is told"


def test_too_little_in_common_ends_with_the_command_that_makes_more(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(compared.project.root)
    kept = compared.project.kept_origins / f"{compared.first[:16]}.parquet"
    content = kept.read_bytes()
    try:
        pq.write_table(pq.read_table(kept).slice(0, 5), kept)
        code, text = call("compare", "champion", "trained")
        assert code == NotEnoughDataError.exit_code == 6
        assert re.search(r"champion and trained have both foretold [0-5] times of the same lead", text)
        assert f"dvc repro train && leadcast compare trained {compared.second[:16]}" in text
        kept.unlink()
        code, text = call("compare", "champion", "trained")
        assert code == NotEnoughDataError.exit_code
        assert "is not here" in text
        assert "dvc repro train" in text
    finally:
        kept.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("newest", InputError, "'newest' names no model; write trained, champion, challenger, a version"),
        ("99", RegistryError, "'lead-conversion' has no version 99; there are: 1"),
        ("0123456789abcdef", RegistryError, "no model_version begins with 0123456789abcdef"),
    ],
)
def test_a_name_that_is_none_is_told(compared: Compared, name: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=re.escape(told)):
        compared.named(name)


def test_a_model_is_found_by_each_of_its_names(compared: Compared) -> None:
    champion, by_number, by_hash, trained = compared.named("champion", "1", compared.first[:8], "trained")
    assert {one.model.version for one in (champion, by_number, by_hash)} == {compared.first}
    assert (champion.version, trained.model.version) == ("1", compared.second)
    with connected(compared.project) as client:
        client.set_registered_model_alias(NAME, "challenger", "1")
        try:
            assert compared.named("challenger")[0].model.version == compared.first
        finally:
            client.delete_registered_model_alias(NAME, "challenger")
    with pytest.raises(RegistryError, match="there is no challenger"):
        compared.named("challenger")


@pytest.mark.parametrize("width", [1600, 1280, 390])
def test_the_page_is_sound_in_a_browser_and_names_no_lead(
    compared: Compared, comparison: Comparison, browser: Browser, width: int
) -> None:
    path = place_of(compared.project, comparison, "html")
    browser.open(path, width=width)
    assert [url for url in browser.requested if not url.startswith("data:")] == [path.resolve().as_uri()]
    assert browser.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("document.querySelectorAll('svg').length") == 4
    assert browser.evaluate("Array.from(document.querySelectorAll('svg')).every((one) => one.clientWidth > 100)")
    verdicts = browser.evaluate(
        "Array.from(document.querySelectorAll('#figures table:first-of-type .verdict')).map((one) => one.textContent)"
    )
    assert verdicts[:4] == [one.verdict for one in comparison.figures.values()]
    assert not LEAD.search(path.read_text(encoding="utf-8"))
    assert not LEAD.search(json.dumps(compared.content))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def test_the_run_has_tables_and_pictures_and_names_no_lead(compared: Compared, tmp_path: Path) -> None:
    with connected(compared.project) as client:
        (experiment,) = (one.experiment_id for one in client.search_experiments() if one.name == "leadcast")
        wanted = f"tags.compared = '{compared.first} {compared.second}'"
        (run,) = client.search_runs([experiment], wanted)
        assert "model_version" not in run.data.tags, "it is no run of a model"
        assert run.info.run_name.startswith(f"champion ({compared.first[:8]}, version 1) against trained (")
        files = {one.path for one in client.list_artifacts(run.info.run_id)}
        tables = {"figures.json", "newest_origin.json", "calibration.json", "segments.json", "transitions.json"}
        pictures = {"calibration_of_a.png", "calibration_of_b.png", "differences.png", "segments.png"}
        assert tables | pictures | {"comparison.html", "comparison.json"} <= files
        shown = client.load_table(experiment, "figures.json", [run.info.run_id])
        assert shown["B is"].tolist() == [compared.content["figures"][name]["verdict"] for name in FIGURES]
        metrics = run.data.metrics
        note = client.get_experiment(experiment).tags["mlflow.note.content"]
        assert f"(#/experiments/{experiment}/runs/{run.info.run_id}/artifacts), {run.info.run_name}" in note
        assert metrics["difference/log_loss"] == pytest.approx(compared.content["figures"]["log_loss"]["difference"])
        folder = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".html"):
            assert not LEAD.search(path.read_text(encoding="utf-8")), path
    assert not LEAD.search(json.dumps(run.data.tags))
    assert (folder / "differences.png").read_bytes().startswith(b"\x89PNG")


def test_comparing_again_is_the_same_run(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(compared.project.root)
    again = json.loads(call_for_its_output("compare", "champion", "trained", "--json"))
    assert again == compared.content
    with connected(compared.project) as client:
        (experiment,) = (one.experiment_id for one in client.search_experiments() if one.name == "leadcast")
        assert len(client.search_runs([experiment], f"tags.compared_b = '{compared.second}'")) == 1
