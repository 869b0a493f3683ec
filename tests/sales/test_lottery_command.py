"""``leadcast lottery``: what it takes before, and what chance has shown since, of a history worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import kept_scores
import pyarrow as pa
import pytest
import yaml
from raw_logs import LINKS
from small_project import SmallProject

from pipeline.core.project import write_json
from pipeline.scoring.files import write_recommendations

CALLED, LEFT = 40, 50
MONDAY, TUESDAY = datetime(2026, 1, 5), datetime(2026, 1, 6)


def keep(root: Path, as_of: datetime, groups: Mapping[str, str | None], probability: float) -> None:
    kept_scores.keep(
        root, as_of, {lead: {"lottery_group": group, "probability": probability} for lead, group in groups.items()}
    )


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    """Ninety leads and one, of which ten that are called and five that are left alone convert within thirty days."""
    project = SmallProject(tmp_path)
    called, left = [f"C{number}" for number in range(CALLED)], [f"L{number}" for number in range(LEFT)]
    leads = [*called, *left, "late"]
    log = "".join(f"{lead},2026-01-02 08:00,visit\n" for lead in leads)
    log += "".join(f"{lead},2026-01-20 08:00,won\n" for lead in (*called[:10], *left[:5]))
    log += f"{called[10]},2026-02-05 08:00,won\n"  # thirty-one days after it was drawn
    log += "late,2026-02-20 08:00,visit\nC39,2026-03-01 08:00,visit\n"
    project.write(
        log_csv=f"lead,at,what\n{log}", leads_csv="lead,created\n" + "".join(f"{x},2026-01-01\n" for x in leads)
    )
    assert project.ingest().code == 0
    write_json(project.root / "data/model/manifest.json", {"base_rate": 0.05})
    horizon = {"horizon": "30d", "outcome_delay_hours": 0.0, "observed_until": "2026-03-01T08:00:00"}
    write_json(project.root / "data/snapshots.json", horizon)
    return project


def agree(project: SmallProject) -> None:
    settings = yaml.safe_load((project.root / "params.yaml").read_text())
    settings["decision"]["lottery"] = {"share": 0.3, "agreed_by": "head of sales"}
    (project.root / "params.yaml").write_text(yaml.safe_dump(settings))


def test_before_anybody_is_drawn_it_says_what_it_takes_and_no_effect(project: SmallProject) -> None:
    text = project.run("lottery").text
    assert "Nobody is drawn: whom sales calls is whom we believed in" in text
    assert "At a base rate of 5.0% within 30d" in text
    assert "to 2.0% either way with 913 leads in each group" in text  # 2 x 0.05 x 0.95 x (1.96 / 0.02)^2
    assert "adds" not in text


def test_each_lead_counts_in_its_first_group_from_then_on(project: SmallProject) -> None:
    agree(project)
    groups: dict[str, str | None] = dict.fromkeys([f"C{number}" for number in range(CALLED)], "worked")
    groups |= dict.fromkeys([f"L{number}" for number in range(LEFT)], "left alone")
    keep(project.root, MONDAY, groups | {"late": None}, 0.1)
    # What is in work is no part of it any more, and what was left alone stays so, whatever becomes of it.
    keep(project.root, TUESDAY, dict.fromkeys(groups) | {"L0": "left alone"}, 0.5)
    keep(project.root, datetime(2026, 2, 21), {"late": "as usual"}, 0.1)
    outcome = project.run("lottery", "--json")
    found = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    assert found["drawn"] == {"left alone": LEFT, "worked": CALLED, "as usual": 1}
    assert found["not_settled"] == 1
    assert found["arms"]["worked"] == {"leads": CALLED, "converted": 10, "promised": pytest.approx(4.0)}
    assert found["arms"]["left alone"] == {"leads": LEFT, "converted": 5, "promised": pytest.approx(5.0)}
    assert found["effect"]["value"] == pytest.approx(10 / 40 - 5 / 50)
    text = project.run("lottery").text
    assert "agreed by head of sales" in text
    assert "worked: 10 of 40 converted (25.0%); 4.0 were promised" in text
    assert "Being to be called adds +15.0% to the share that converts within 30d (" in text


def test_scores_of_an_earlier_version_have_drawn_nobody(project: SmallProject) -> None:
    folder = project.root / "data/scores/as_of=2026-01-05T00-00-00.000000/model=m"
    folder.mkdir(parents=True)
    table = pa.table({"lead_id": ["C0"], "as_of": [MONDAY], "probability": [0.1]})
    write_recommendations(folder / "recommendations.parquet", table)
    outcome = project.run("lottery")
    assert outcome.code == 0
    assert "Drawn so far" not in outcome.text


def test_who_was_drawn_by_a_backfill_does_not_count_for_nobody_was_called_by_it(project: SmallProject) -> None:
    agree(project)
    late, in_time = datetime(2026, 2, 1), datetime(2026, 1, 6, 1)
    groups = {"C0": "worked", "L0": "left alone"}
    kept_scores.keep(project.root, MONDAY, {x: {"lottery_group": g, "scored_at": late} for x, g in groups.items()})
    kept_scores.keep(project.root, TUESDAY, {"C0": {"lottery_group": "as usual", "scored_at": in_time}})
    outcome = project.run("lottery", "--json")
    found = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    assert (found["drawn"], found["too_late"]) == ({"as usual": 1}, 1)
    assert (
        "Drawn only by scores computed more than recommend.maximum_age after their moment: 1"
        in project.run("lottery").text
    )


def test_who_was_united_with_another_lead_since_counts_as_that_one_and_who_is_gone_nowhere(
    project: SmallProject,
) -> None:
    groups: dict[str, str | None] = dict.fromkeys([f"C{number}" for number in range(CALLED)], "worked")
    groups |= dict.fromkeys([f"L{number}" for number in range(LEFT)], "left alone")
    keep(project.root, MONDAY, groups, 0.1)
    # Sales found that C0, who converts, was a lead before, as whom it is known by now; L0, who does, too, is deleted.
    people = (project.raw / "leads.csv").read_text().replace("C0,2026-01-01\n", "former,2025-12-01\n")
    project.write(leads_csv=people.replace("L0,2026-01-01\n", ""), links_csv="alias,lead,at\nC0,former,2026-01-12\n")
    project.set(identities=LINKS)
    agree(project)
    assert project.ingest().code == 0
    outcome = project.run("lottery", "--json")
    found = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    assert (found["gone"], found["not_settled"]) == (1, 0)
    arms = {group: (arm["leads"], arm["converted"]) for group, arm in found["arms"].items()}
    assert arms == {"worked": (CALLED, 10), "left alone": (LEFT - 1, 4)}
    assert "left out: 1, which today's log does not show open when they were drawn" in project.run("lottery").text
