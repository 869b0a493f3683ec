"""``leadcast tiers``: what the cut-offs mean in leads, and how assumptions move them, as deciding anew would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hand_made import written
from small_project import SmallProject
from world import Project

from features.core.recommendation import RECOMMENDATION
from models.decision.tiers import CutOffs, Money, Multiples, Stated
from pipeline.core.project import read_json, write_json
from pipeline.scoring.cut_offs import look_at_cut_offs
from pipeline.scoring.files import write_recommendations

FACTS = {
    "asked": {"kind": "raises", "events": ["quote"]},
    "refused by sales": {"kind": "refuses", "events": ["refused"]},
    "in work": {"kind": "taken", "events": ["accepted"]},
}
LEADS: tuple[tuple[str, float, str, list[str]], ...] = (
    ("D", 0.5, "MQL", ["2026-01-04 refused by sales"]),
    ("A", 0.3, "SQL", ["2026-01-07 in work"]),
    ("E", 0.25, "SQL", []),
    ("B", 0.15, "MQL", []),
    ("C", 0.05, "SQL", ["2026-01-05 asked", "2026-01-04 refused by sales"]),
    ("F", 0.01, "IQL", []),
    ("G", 0.4, "disqualified", ["outside the target: employees below 10"]),
)
"""Decided by hand, where sales begins above 0.15 and at no more than 0.25."""
MONEY = Money(value=1000, sales_contact=100, nurturing=10, effect=0.5)
NAMES = {Money: "money", Multiples: "multiples", Stated: "tiers"}
BASE_RATE = 0.1
NOBODY: Mapping[str, tuple[str, str]] = {}
_COUNTED = ("sql_from", "sql_leads", "expected_conversions")


def decided(
    root: Path, settled: Money | Multiples | Stated, spoken: Mapping[str, tuple[str, str]] = NOBODY
) -> SmallProject:
    """Write the recommendations of the leads, as they are decided by these settings."""
    name = NAMES[type(settled)]
    project = SmallProject(root)
    settings = yaml.safe_load((root / "params.yaml").read_text())
    said = {key: value for key, value in vars(settled).items() if value is not None}
    settings["decision"] = {"facts": FACTS, name: said}
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    cuts = CutOffs.of(settled, BASE_RATE)
    words = {
        lead: {"tier": tier, "own_tier": own, "word": f"2026-01-07 {tier}"}
        for lead, (tier, own) in (spoken or {}).items()
    }
    rows = [
        {
            "lead_id": lead, "as_of": datetime(2026, 1, 8), "probability": probability, "score": 100 * probability,
            "maturity": "cold", "tier": tier, "facts": facts, "list": "none", "reasons": [], "is_guess": False,
            "expected_value": 1000 * probability if name == "money" else None, "model_version": "abc",
        } | words.get(lead, {})
        for lead, probability, tier, facts in LEADS
    ]  # fmt: skip
    schema = pa.schema([(field.name, field.arrow) for field in RECOMMENDATION])
    write_recommendations(root / "data/recommendations.parquet", pa.Table.from_pylist(rows, schema))
    told = {"as_of": "2026-01-08T00:00:00", "cut_offs": {"MQL": cuts.mql, "SQL": cuts.sql}, "cut_offs_from": name}
    write_json(root / "data/scoring.json", told)
    write_json(root / "data/model/manifest.json", {"base_rate": BASE_RATE})
    return project


def asked(project: SmallProject) -> dict[str, Any]:
    outcome = project.run("tiers", "--json")
    assert outcome.code == 0
    content: dict[str, Any] = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    return content


def moves(content: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            one["assumption"],
            one["value"],
            round(one["sql_from"], 4),
            one["sql_leads"],
            round(one["expected_conversions"], 4),
        )
        for one in content["assumptions"]
    ]


def test_from_money_each_assumption_moves_the_cut_off_and_its_leads(tmp_path: Path) -> None:
    content = asked(decided(tmp_path, MONEY))
    assert (content["as_of"], content["cut_offs_from"]) == ("2026-01-08T00:00:00Z", "money")
    assert content["cut_offs"] == {"MQL": 0.02, "SQL": 0.2}
    assert moves(content) == [
        ("as it is", 0.2, 0.2, 3, 0.6),
        ("value", 500, 0.4, 1, 0.05),
        ("value", 2000, 0.1, 4, 0.75),
        ("sales_contact", 50, 0.1, 4, 0.75),
        ("sales_contact", 200, 0.4, 1, 0.05),
        ("effect", 0.25, 0.4, 1, 0.05),
        ("effect", 1.0, 0.1, 4, 0.75),
    ]
    assert [tuple(one.values()) for one in content["tiers"]] == [
        ("disqualified", 1, 0.4, 1),
        ("SQL", 3, pytest.approx(0.6), 1),
        ("MQL", 2, 0.65, 1),
        ("IQL", 1, 0.01, 0),
    ]


def test_who_has_its_tier_from_people_keeps_it_wherever_the_cut_off_lies(tmp_path: Path) -> None:
    # Two that would be MQL and IQL are SQL by people's word, and one that would be SQL is not.
    spoken = {"B": ("SQL", "MQL"), "F": ("SQL", "IQL"), "E": ("IQL", "SQL")}
    content = asked(decided(tmp_path, Stated(mql=0.02, sql=0.2), spoken))
    assert moves(content) == [
        ("as it is", 0.2, 0.2, 4, pytest.approx(0.51)),
        ("tiers.sql", 0.1, 0.1, 4, pytest.approx(0.51)),
        ("tiers.sql", 0.4, 0.4, 3, pytest.approx(0.21)),
    ]
    assert [tuple(one.values()) for one in content["tiers"]] == [
        ("disqualified", 1, 0.4, 1),
        ("SQL", 4, pytest.approx(0.51), 3),
        ("MQL", 1, 0.5, 1),
        ("IQL", 1, 0.25, 1),
    ]


def test_more_than_all_conversions_never_come_of_a_call(tmp_path: Path) -> None:
    effects = [one for one in moves(asked(decided(tmp_path, replace(MONEY, effect=0.8)))) if one[0] == "effect"]
    assert effects == [("effect", 0.4, 0.25, 3, 0.6), ("effect", 1.0, 0.1, 4, 0.75)]


def test_what_people_said_is_judged_where_a_table_of_it_is_mapped(tmp_path: Path) -> None:
    places = written(tmp_path, "A | 2026-03-10 | won", "A | 2026-03-01 | SQL")
    project = decided(tmp_path, MONEY)
    counts = {"horizon": "30d", "outcome_delay_hours": 24, "observed_until": "2026-05-01T00:00:00"}
    write_json(places.snapshot_counts, counts)
    assert asked(project)["people"] is None, "nobody's word is kept"
    assert "people said" not in project.run("tiers").text
    settings = yaml.safe_load((tmp_path / "params.yaml").read_text())
    columns = {"lead_id": "lead", "decided_at": "at", "tier": "tier"}
    settings["ingest"]["decisions"] = {"path": "decisions.csv", "columns": columns}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    (one,) = asked(project)["people"]["said"]
    assert (one["said"], one["words"], one["converted"], one["share"]) == ("SQL", 1, 1, None)
    assert "SQL: 1 word on 1 lead, 1 converted, too few leads to tell" in project.run("tiers").text
    for path in (places.snapshot_counts, places.decisions):
        path.unlink()
        assert asked(project)["people"] is None, "an older folder lacks it"


def test_from_multiples_the_odds_are_moved(tmp_path: Path) -> None:
    content = asked(decided(tmp_path, Multiples(mql=1.0, sql=2.0)))
    assert moves(content) == [
        ("as it is", pytest.approx(0.2 / 1.1), 0.1818, 3, 0.6),
        ("multiples.sql", 1.0, 0.1, 4, 0.75),
        ("multiples.sql", 4.0, 0.3077, 1, 0.05),
    ]


def test_the_command_says_it_in_words_and_tables(tmp_path: Path) -> None:
    text = decided(tmp_path, Stated(mql=0.02, sql=0.2)).run("tiers").text
    assert "cut-offs: as people have settled them (decision.tiers)" in text
    assert "SQL from 20.00%: there one lead in 5.0 converts" in text
    assert "SQL 3 0.6 1" in text
    assert "tiers.sql 0.1 0.5 10.00% 4 0.8" in text or "tiers.sql 0.1 0.5 10.00% 4 0.7" in text


def test_other_cut_offs_than_the_recommendations_rest_on_are_told(tmp_path: Path) -> None:
    project = decided(tmp_path, Stated(mql=0.02, sql=0.2))
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("sql: 0.2", "sql: 0.25"))
    outcome = project.run("tiers")
    assert outcome.code == 4
    assert "(SQL from 0.2, now 0.25); run: leadcast recommend" in outcome.text


def test_without_recommendations_the_stages_to_run_are_named(tmp_path: Path) -> None:
    outcome = SmallProject(tmp_path).run("tiers")
    assert outcome.code == 4
    assert "data/recommendations.parquet" in outcome.text
    assert "dvc repro" in outcome.text


def test_what_would_be_is_what_deciding_anew_gives(world: Project, tmp_path: Path) -> None:
    cuts = look_at_cut_offs(world)
    assert {one.tier: one.leads for one in cuts.tiers} == read_json(world.scoring)["tiers"]
    settled = world.parameters.decision.tiers
    assert settled is not None
    project = world.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    changed = project.with_settings({"decision.tiers": {"mql": settled.mql, "sql": settled.sql / 2}})
    changed.run("recommend")
    probabilities = []
    for place in (world, changed):
        table = pq.read_table(place.recommendations).to_pandas()
        probabilities.append(table.loc[table["tier"] == "SQL", "probability"])
    assert [one.sql_leads for one in cuts.assumptions[:2]] == [len(one) for one in probabilities]
    expected = [one.expected_conversions for one in cuts.assumptions[:2]]
    assert expected == pytest.approx([one.sum() for one in probabilities])
    assert len(probabilities[1]) > len(probabilities[0])
