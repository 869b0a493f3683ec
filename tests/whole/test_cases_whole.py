"""Cases that end in a figure of the model: the whole way, from the exports on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cases import CASES, case, propose
from raw_logs import moment_of
from small_project import SmallProject

LEARNED = ("snapshots", "features", "train", "evaluate")
DEALS, LEADS = "deals-closing-in-the-future", "salesforce-last-change"
DRAWN_AT = moment_of("2026-02-01 23:59")


def run(project: SmallProject, *commands: str) -> None:
    for command in commands:
        outcome = project.run(command)
        assert outcome.code == 0, outcome.text


def read(project: SmallProject, path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project.root / path).read_text())
    return content


def ask(project: SmallProject, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(query.replace("DATA", f"{project.root}/data")).fetchall()
    return rows


@pytest.fixture(scope="module")
def proposed_deals(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """Learn from the deals as ``init`` proposes it."""
    project = case(DEALS, tmp_path_factory.mktemp("proposed"))
    propose(project, "data/exports", "--leads", "opportunity")
    run(project, *LEARNED)
    return project


@pytest.fixture(scope="module")
def right_deals(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """Learn from the deals by the settings that are right."""
    project = case(DEALS, tmp_path_factory.mktemp("right"))
    shutil.copyfile(CASES / DEALS / "params-right.yaml", project.root / "params.yaml")
    run(project, "ingest", *LEARNED)
    return project


def test_the_deals_of_the_proposal_are_those_of_the_right_settings(
    proposed_deals: SmallProject, right_deals: SmallProject
) -> None:
    columns = "lead_id, occurred_at, known_at, event_type, actor"
    assert proposed_deals.log(columns) == right_deals.log(columns)
    assert proposed_deals.leads("lead_id, created_at") == right_deals.leads("lead_id, created_at")


def test_no_close_date_moves_the_end_of_the_deals_log(proposed_deals: SmallProject, right_deals: SmallProject) -> None:
    for project in (proposed_deals, right_deals):
        assert project.log("max(occurred_at), max(known_at)") <= [(DRAWN_AT, DRAWN_AT)]
        [(ends,)] = ask(project, "SELECT max(as_of) FROM 'DATA/origins.parquet'")
        assert f"{ends:%Y-%m-%d}" == "2026-01-02"


def test_the_deals_calibration_error_is_what_chance_explains(right_deals: SmallProject) -> None:
    figures = read(right_deals, "reports/figures.json")
    # On what was foretold from six months; on the last quarter alone, by a model of what came before, it was 0.0196.
    assert figures["calibration_error"]["value"] == pytest.approx(0.0143, abs=0.002)
    assert figures["calibration_error"]["value"] <= figures["calibration_error_by_chance"]["quantile_95"]


def test_looks_at_early_ages_change_whom_the_deals_error_is_measured_on_and_it_is_told(
    proposed_deals: SmallProject, right_deals: SmallProject
) -> None:
    """The proposal looks at 2, 3, 5 and 7 days, too: half of the conversions it is measured on are those of new deals.

    Neither looks are better: of 71 logs drawn from the same process the log loss on the Mondays that both have was
    0.1653 with the proposal's and 0.1650 with one early look.
    """
    measured = {project: read(project, "reports/figures.json") for project in (proposed_deals, right_deals)}
    shares = [figures["base_rate"]["value"] for figures in measured.values()]
    assert shares == pytest.approx([0.117, 0.086], abs=0.001)
    counted = (
        "SELECT count(*), sum(label::INT) FROM 'DATA/snapshots.parquet' JOIN 'DATA/origins.parquet' "
        "USING (lead_id, as_of) WHERE trigger = 'monday'"
    )
    [(looks, won)], [(others, others_won)] = ask(proposed_deals, counted), ask(right_deals, counted)
    assert won / looks == pytest.approx(others_won / others, abs=0.003)
    error, by_chance = (
        measured[proposed_deals][name][part]
        for name, part in (("calibration_error", "value"), ("calibration_error_by_chance", "quantile_95"))
    )
    assert error < 0.0488  # with a log that ended in April
    # It is more than chance explains, and the page says where: deals that are older than a quarter are over.
    assert by_chance < error == pytest.approx(0.0263, abs=0.002)
    beyond = read(proposed_deals, "reports/breakdown.json")["worst"]
    assert [(one["kind"], one["name"], one["happened"]) for one in beyond] == [
        ("age of the episode", "more than 90 days", 0)
    ]


def test_leads_without_the_stamp_of_their_last_change_are_told_apart_as_well_as_they_can_be(tmp_path: Path) -> None:
    """Without the 60 looks at leads that had ended, unknown to us, the last quarter alone gave 0.922, 71 and 35.

    They are scored, so they are learned from: that costs a little of what could be told in hindsight. From six months,
    the first of which had less to learn from, what is foretold has 0.902. A stack calls a few more of them SQL, and one
    that learns from how soon leads convert a few more still: 83 and 30, where 74 and 33 were by labels alone.
    """
    project = case(LEADS, tmp_path)
    propose(project, "data/exports")
    run(project, *LEARNED, "recommend")
    figures = read(project, "reports/figures.json")
    assert figures["roc_auc"]["value"] == pytest.approx(0.902, abs=0.004)
    assert figures["calibration_error"]["value"] <= figures["calibration_error_by_chance"]["quantile_95"]
    ended = "SELECT count(*) FROM 'DATA/snapshots.parquet' WHERE outcome_at < as_of AND label IS NOT NULL"
    assert ask(project, ended) == [(60,)]
    tiers = dict(ask(project, "SELECT tier, count(*) FROM 'DATA/recommendations.parquet' GROUP BY tier"))
    assert (tiers["SQL"], tiers["MQL"]) == (pytest.approx(83, abs=4), pytest.approx(30, abs=4))
