"""Three recipes of ``docs/your-data.md``, from files to recommendations; and what init makes of a table alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from exports import write_wide_table
from recipes_histories import write_ga4_history, write_salesforce_history
from recipes_page import project_of, small_model
from world import Project

from pipeline.commands.app import STAGES
from pipeline.discovery.initialise import Options, initialise
from pipeline.ingest import stage as ingest
from pipeline.settings.file import load_parameters

GA4, SALESFORCE, TABLE = "GA4, exported from BigQuery", "Salesforce", "Leads without any events"


def _write_table(folder: Path) -> int:
    """Write a table of leads; give how many have converted."""
    write_wide_table(folder, leads=2_500)
    with duckdb.connect() as connection:
        row = connection.execute(
            "SELECT sum(CAST(Converted AS INTEGER)) FROM read_csv(?)", [str(folder / "Leads.csv")]
        ).fetchone()
    assert row is not None
    return int(row[0])


def _ask(project: Project, query: str, file: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(query, [str(project.root / "data" / file)]).fetchall()
    return rows


# The table's leads differ in what a few columns say: less can be known of them than of leads that have a history.
@pytest.mark.parametrize(
    ("recipe", "write", "least_auc"),
    [(GA4, write_ga4_history, 0.8), (SALESFORCE, write_salesforce_history, 0.75), (TABLE, _write_table, 0.53)],
)
def test_a_recipe_leads_from_files_to_recommendations(
    recipe: str, write: Callable[[Path], int], least_auc: float, tmp_path: Path
) -> None:
    project = project_of(
        tmp_path, recipe, small_model(**{"train.other_horizons": [], "train.members": 1, "train.origins": 2})
    )
    conversions = write(tmp_path / project.parameters.data_root)
    project.run(*STAGES)
    [conversion] = project.parameters.episodes.conversion
    counted = "SELECT count(*), count(DISTINCT lead_id) FROM read_parquet(?) WHERE event_type = "
    assert _ask(project, f"{counted}'{conversion}'", "interactions.parquet") == [(conversions, conversions)]
    metrics = json.loads((tmp_path / "reports/figures.json").read_text())
    assert _auc(metrics) > least_auc
    [(scored, least, most, leads)] = _ask(
        project,
        "SELECT count(*), min(probability), max(probability), count(DISTINCT lead_id) FROM read_parquet(?)",
        "recommendations.parquet",
    )
    assert scored == leads > 0
    assert 0 <= least < most <= 1
    assert (tmp_path / "reports/index.html").exists()


def _auc(metrics: dict[str, Any]) -> float:
    found = metrics["roc_auc"]
    return float(found["value"] if isinstance(found, dict) else found)


def test_the_tasks_of_converted_leads_are_not_lost_with_salesforces_move_to_the_contact(tmp_path: Path) -> None:
    project = project_of(tmp_path, SALESFORCE)
    write_salesforce_history(tmp_path / project.parameters.data_root, leads=200)
    summary = ingest.run(project, project.told.append)
    assert not summary.sources["tasks"].set_aside
    assert _ask(
        project,
        "SELECT count(DISTINCT lead_id) FROM read_parquet(?) WHERE source = 'tasks'",
        "interactions.parquet",
    ) == [(200,)]


def test_init_alone_reads_a_table_without_events_as_the_recipe_does(tmp_path: Path) -> None:
    by_recipe = project_of(tmp_path / "recipe", TABLE)
    folder = by_recipe.root / by_recipe.parameters.data_root
    write_wide_table(folder, leads=1_000)
    found = initialise(folder, Options(), None, by_recipe.told.append, by_recipe.root)
    (tmp_path / "init").mkdir()
    content = yaml.safe_load(found.settings) | {"data_root": str(folder)}
    (tmp_path / "init/params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    by_init = Project(tmp_path / "init", load_parameters(tmp_path / "init/params.yaml"))
    query = "SELECT * EXCLUDE (source, sequence) FROM read_parquet(?) ORDER BY lead_id"
    logs = []
    for project in (by_recipe, by_init):
        ingest.run(project, project.told.append)
        logs.append(_ask(project, query, "interactions.parquet"))
    assert logs[0] == logs[1]
    assert len(logs[0]) > 900
    assert by_init.parameters.episodes.conversion == by_recipe.parameters.episodes.conversion
    assert by_init.parameters.snapshots.policies == by_recipe.parameters.snapshots.policies
