"""Every rule that the log must obey is broken once, and is then named with its count and its rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import ContractError
from features.core.schema import INTERACTION, LEAD
from pipeline.contracts.checks import Suite, judge
from pipeline.contracts.expectations import (
    LEAD_LIMITS,
    Check,
    Limit,
    count_expectations,
    interaction_checks,
    interaction_limits,
    judge_counts,
    lead_checks,
)

START = datetime(2026, 3, 2, 9)
WEB = "web"
Row = dict[str, Any]


def event(number: int, **changes: object) -> Row:
    """Make a sound row that stands in line ``number`` of the second file of its source."""
    return {
        "lead_id": f"SECRET-{number % 3}",
        "occurred_at": START + timedelta(hours=number),
        "known_at": START + timedelta(hours=number),
        "event_type": "visit",
        "actor": "lead",
        "channel": None,
        "campaign": None,
        "content": None,
        "value": None,
        "quantity": 1,
        "event_id": None,
        "source": WEB,
        "sequence": (1 << 40) + number,
        "local_day": date(2026, 3, 2),
        "local_hour": 9,
    } | changes


def lead(name: str, **changes: object) -> Row:
    return {"lead_id": name, "created_at": START, "known_at": START, "account_id": None, "time_zone": None} | changes


LEADS = [lead(f"SECRET-{number}") for number in range(3)]
EVENTS = [event(number) for number in range(1, 21)]

BROKEN_EVENTS: dict[str, Row] = {
    "lead_id_missing": {"lead_id": None},
    "occurred_at_missing": {"occurred_at": None},
    "occurred_at_range": {"occurred_at": datetime(1969, 12, 31)},
    "known_at_missing": {"known_at": None},
    "known_at_range": {"known_at": datetime(2100, 1, 1)},
    "event_type_missing": {"event_type": None},
    "actor_missing": {"actor": None},
    "actor_unknown": {"actor": "robot"},
    "value_infinite": {"value": float("inf")},
    "quantity_missing": {"quantity": None},
    "quantity_low": {"quantity": 0},
    "source_missing": {"source": None},
    "sequence_missing": {"sequence": None},
    "sequence_low": {"sequence": -1},
    "local_day_missing": {"local_day": None},
    "local_hour_missing": {"local_hour": None},
    "local_hour_low": {"local_hour": -1},
    "local_hour_high": {"local_hour": 24},
    "known_early": {"known_at": START - timedelta(days=400)},
    "place_repeated": {"sequence": (1 << 40) + 1},
    "lead_unknown": {"lead_id": "SECRET-9"},
}
"""For each rule a change that makes a sound row break it; the rows stand in lines 101, 102 ..."""

BROKEN_LEADS: dict[str, list[Row]] = {
    "lead_id_missing": [lead("x", lead_id=None)],
    "created_at_missing": [lead("SECRET-3", created_at=None)],
    "created_at_range": [lead("SECRET-4", created_at=datetime(2100, 1, 1))],
    "known_at_missing": [lead("SECRET-5", known_at=None)],
    "known_at_range": [lead("SECRET-6", known_at=datetime(2100, 1, 1))],
    "lead_repeated": [LEADS[0]],
}


def line_of(name: str) -> int:
    return 101 + list(BROKEN_EVENTS).index(name)


@dataclass(frozen=True)
class Outcome:
    """What a run of the stage left behind."""

    project: Project
    refused: str
    """The message of the error; empty where there was none."""

    @property
    def verdicts(self) -> list[Row]:
        """Read what became of all expectations."""
        content: dict[str, Any] = json.loads((self.project.root / "data/validation.json").read_text())
        verdicts: list[Row] = content["expectations"]
        return verdicts

    def verdict(self, suite: str, name: str) -> Row:
        """Find what became of the one expectation of this name in a suite."""
        (found,) = (verdict for verdict in self.verdicts if (verdict["suite"], verdict["name"]) == (suite, name))
        return found


Judge = Callable[[Sequence[Row], Sequence[Row]], Outcome]


@pytest.fixture(scope="module")
def judge_log(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    def _judge(events: Sequence[Row], leads: Sequence[Row]) -> Outcome:
        project = Project(tmp_path_factory.mktemp("judged"), world.parameters)
        (project.root / "data").mkdir()
        for name, fields, rows in (("interactions", INTERACTION, events), ("leads", LEAD, leads)):
            schema = pa.schema([(field.name, field.arrow) for field in fields])
            pq.write_table(pa.Table.from_pylist(list(rows), schema), project.root / f"data/{name}.parquet")
        try:
            project.run("validate")
        except ContractError as error:
            return Outcome(project, str(error))
        return Outcome(project, "")

    return _judge


@pytest.fixture(scope="module")
def broken(judge_log: Judge) -> Outcome:
    """Break every rule of the interactions and of the leads, each in a row of its own."""
    rows = [event(line_of(name)) | change for name, change in BROKEN_EVENTS.items()]
    return judge_log([*EVENTS, *rows], [*LEADS, *(row for rows in BROKEN_LEADS.values() for row in rows)])


def test_every_rule_has_a_row_that_breaks_it() -> None:
    checks = {check.name for check in interaction_checks()}
    assert checks | {limit.name for limit in interaction_limits("")} == {*BROKEN_EVENTS}
    checks = {check.name for check in lead_checks()}
    assert checks | {limit.name for limit in LEAD_LIMITS} == {*BROKEN_LEADS, "no_leads"}


@pytest.mark.parametrize(
    ("fields", "checks"), [(INTERACTION, interaction_checks()), (LEAD, lead_checks())], ids=["interactions", "leads"]
)
def test_every_field_that_is_never_missing_has_its_check(fields: Any, checks: Any) -> None:  # noqa: ANN401 - two schemas
    wanted = {f"{field.name}_missing" for field in fields if not field.nullable}
    assert len(wanted) > 1
    assert wanted == {check.name for check in checks if check.name.endswith("_missing")}


@pytest.mark.parametrize("name", [rule.name for rule in interaction_checks()])
def test_a_broken_rule_is_counted_and_its_row_is_named(broken: Outcome, name: str) -> None:
    verdict = broken.verdict("interactions", name)
    assert not verdict["success"]
    assert verdict["count"] == 1
    line = line_of(name)
    # A row without a source or a place is named by what it has; -1 has all bits of a line.
    place = {
        "source_missing": f"None:{line}",
        "sequence_missing": f"{WEB}:None",
        "sequence_low": f"{WEB}:{(1 << 40) - 1}",
    }
    assert verdict["examples"] == [place.get(name, f"{WEB}:{line}")]


# A missing id is unknown, too, and is no distinct one.
@pytest.mark.parametrize(
    ("suite", "name", "figure"),
    [
        ("interactions", "place_repeated", 1),
        ("interactions", "lead_unknown", 2),
        ("leads", "lead_id_missing", 1),
        ("leads", "created_at_missing", 1),
        ("leads", "created_at_range", 1),
        ("leads", "known_at_missing", 1),
        ("leads", "known_at_range", 1),
        ("leads", "lead_repeated", 2),
    ],
)
def test_what_shows_on_the_whole_table_is_counted(broken: Outcome, suite: str, name: str, figure: int) -> None:
    verdict = broken.verdict(suite, name)
    assert (verdict["success"], verdict["count"]) == (False, figure)


def test_the_sampled_rows_are_judged_one_by_one(broken: Outcome) -> None:
    found = {
        (verdict["name"], verdict["meaning"].removeprefix("column values to ")): verdict["examples"]
        for verdict in broken.verdicts
        if verdict["suite"] == "interactions (sampled rows)" and not verdict["success"]
    }
    for name in ("occurred_at", "known_at", "event_type", "actor", "quantity", "local_day", "local_hour"):
        assert found[name, "not be null"] == [f"{WEB}:{line_of(f'{name}_missing')}"]
    assert found["actor", "be in set"] == [f"{WEB}:{line_of('actor_unknown')}"]
    assert found["quantity", "be between"] == [f"{WEB}:{line_of('quantity_low')}"]
    hours = [f"{WEB}:{line_of(name)}" for name in ("local_hour_low", "local_hour_high")]
    assert found["local_hour", "be between"] == hours


def test_critical_failures_stop_the_run_and_are_told_in_words(broken: Outcome) -> None:
    row = f"{WEB}:{line_of('quantity_low')}"
    assert f"interactions.quantity_low: quantity is at least 1, but found 1; rows {row}\n" in broken.refused
    assert "leads.lead_repeated: a lead has one row, but found 2" in broken.refused
    assert "See reports/data-docs/index.html; mend the source or its mapping, then run again." in broken.refused
    assert "known_early" not in broken.refused
    assert "Traceback" not in broken.refused
    critical = [verdict for verdict in broken.verdicts if not verdict["success"] and verdict["severity"] == "critical"]
    assert broken.refused.startswith(f"{len(critical)} expectations failed:\n")


def test_data_docs_show_the_failures_and_name_no_lead(broken: Outcome) -> None:
    docs = broken.project.root / "reports/data-docs"
    assert (docs / "index.html").is_file()
    pages = {path: path.read_text(encoding="utf-8") for path in docs.rglob("*.html")}
    assert any("quantity is at least 1" in page or "quantity_low" in page for page in pages.values())
    assert [str(path) for path, page in pages.items() if "SECRET" in page] == []
    assert "SECRET" not in (broken.project.root / "data/validation.json").read_text()
    assert "SECRET" not in broken.refused


def test_a_verdict_is_the_same_on_a_second_run(broken: Outcome) -> None:
    path = broken.project.root / "data/validation.json"
    first = path.read_bytes()
    with pytest.raises(ContractError):
        broken.project.run("validate")
    assert path.read_bytes() == first


def test_a_warning_is_told_and_stops_nothing(judge_log: Judge) -> None:
    early = event(101) | BROKEN_EVENTS["known_early"]
    warned = judge_log([*EVENTS, early], LEADS)
    assert warned.refused == ""
    assert [verdict["name"] for verdict in warned.verdicts if not verdict["success"]] == ["known_early"]
    (told,) = [line for line in warned.project.told if line.startswith("warning: ")]
    rule = "interactions.known_early: an event is rarely known more than a year before it occurs"
    assert told == f"warning: {rule}, but found 1; rows web:101"


def test_a_log_of_no_lead_is_refused(judge_log: Judge) -> None:
    assert "leads.no_leads: there is at least one lead" in judge_log(EVENTS, []).refused


def test_counts_are_judged_alike_with_great_expectations_and_without() -> None:
    checks = [Check("none", "no row", "x"), Check("some", "rows", "x"), Check("few", "may be", "x", "warning")]
    limits = [Limit("over", "a figure", "x"), Limit("under", "a figure below", "x")]
    counts = pd.DataFrame({"none": [0.0], "some": [1234.0], "few": [1.0], "over": [0.5], "under": [-1.0]})
    expected = judge([Suite("leads", counts, count_expectations(checks, limits))])
    assert judge_counts("leads", counts, checks, limits) == expected


def test_scores_are_judged_without_great_expectations() -> None:
    code = "import sys, pipeline.scoring.open_leads; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
