"""``leadcast doctor`` on ``decision``: strengths that the data contradict, and names that the log lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from exports import BEGINNING, write_table
from world import Project

from features.core.time import DAY
from pipeline.core.sql import file_literal, literal, open_reader
from pipeline.inspection.doctor import Examination, examine
from pipeline.log.strengths import Share, find_strengths
from pipeline.settings.file import load_parameters

Event = tuple[str, datetime, str]
ANYHOW = Share(131, 32)


def events() -> Iterator[Event]:
    """Let 60 leads fill in a form, and 60 ask for a quote, a day after they came; few, and half of them, win."""
    for number in range(60):
        came = BEGINNING + 0.8 * number * DAY
        yield f"A{number:02d}", came, "visit"
        yield f"A{number:02d}", came + DAY, "form"
        yield f"B{number:02d}", came, "visit"
        yield f"B{number:02d}", came + DAY, "quote"
        yield f"B{number:02d}", came + 5 * DAY, "quote"  # the first one counts
        if number % 2 == 0:
            yield f"B{number:02d}", came + 3 * DAY, "won"
    for number, later in ((3, 2 * DAY), (20, 7 * DAY - timedelta(seconds=1)), (40, 7 * DAY), (50, 0 * DAY)):
        yield f"A{number:02d}", BEGINNING + 0.8 * number * DAY + DAY + later, "won"
    for number in range(5):
        came = BEGINNING + number * DAY
        yield f"C{number}", came, "visit"  # a customer when it filled in the form
        yield f"C{number}", came + DAY / 4, "won"
        yield f"C{number}", came + 2 * DAY, "form"
        yield f"M{number}", came, "visit"  # its form is a machine's
        yield f"M{number}", came + DAY, "form"
        yield f"U{number}", came, "visit"  # its form is ours
        yield f"I{number}", BEGINNING + 96 * DAY, "visit"  # nobody knows yet
        yield f"I{number}", BEGINNING + 97 * DAY, "form"
    yield "I0", BEGINNING + 98 * DAY, "won"
    for day in range(101):
        yield "E", BEGINNING + day * DAY, "visit"


OURS = [(f"U{number}", BEGINNING + (number + 1) * DAY, "form") for number in range(5)]
STRONG = {
    "facts": {
        "asked": {"kind": "raises", "events": ["quote", "form"], "lasts": "14d"},
        "in work": {"kind": "taken", "events": ["visit"]},
    },
    "maturity": {"strong": ["form"], "medium": ["visit"]},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Read the log in, and let a machine have filled in the forms of M."""
    root = tmp_path_factory.mktemp("strengths")
    write_table(root / "raw/log.csv", ("lead", "at", "what"), list(events()))
    write_table(root / "raw/ours.csv", ("lead", "at", "what"), OURS)
    columns = {"lead_id": "lead", "occurred_at": "at", "event_type": "what"}
    sources = {
        name: {"path": f"{name}.csv", "known_at": "as_it_occurred", "actor": actor, "columns": columns}
        for name, actor in (("log", "lead"), ("ours", "us"))
    }
    settings = {
        "data_root": "raw",
        "ingest": {"sources": sources},
        "episodes": {"conversion": ["won"]},
        "snapshots": {"horizon": "7d", "policies": [{"ages": ["12h"]}]},
        "decision": STRONG,
    } | {name: {} for name in ("validate", "features", "train", "evaluate", "recommend", "words")}
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    project = Project(root, load_parameters(root / "params.yaml"))
    project.run("ingest")
    as_it_is = project.interactions.rename(root / "as-it-is.parquet")
    with open_reader() as connection:
        connection.execute(
            "COPY (SELECT * REPLACE (CASE WHEN lead_id LIKE 'M%' AND event_type = 'form' THEN 'machine' ELSE actor END "
            f"AS actor) FROM {file_literal(as_it_is)}) TO {literal(str(project.interactions))} (FORMAT parquet)"
        )
    return project


def deciding(log: Project, folder: Path, decision: Mapping[str, Any]) -> Examination:
    return examine(log.copy_to(folder / "project").with_settings({"decision": decision}))


def test_a_lead_counts_by_its_first_such_act_before_it_converts(log: Project) -> None:
    """Of A three win within a week: the one that wins a week after its form is too late, the one at once is not."""
    quote, form = sorted(find_strengths(log, ANYHOW), key=lambda one: one.event_type != "quote")
    assert (quote.event_type, quote.places, quote.after) == ("quote", ("decision.facts.asked",), Share(60, 30))
    assert (form.event_type, form.after) == ("form", Share(60, 3))
    assert form.places == ("decision.maturity.strong", "decision.facts.asked")
    assert [quote.is_contradicted, form.is_contradicted] == [False, True]


def test_doctor_advises_against_a_strength_that_the_data_contradict(log: Project) -> None:
    """Looked at after twelve hours are all but C, who have won, and I: of 131 two of A, and 30 of B, win."""
    examination = examine(log)
    (told,) = [finding for finding in examination.findings if "hardly convert" in finding.what]
    assert told.what == (
        "decision.maturity.strong and decision.facts.asked: after 'form' leads hardly convert more often than anyhow: "
        "3 of 60 leads convert within 7d after it (5.0%, by chance at most 16.0%), and 24.4% do at any look (32 of 131)"
    )
    assert (told.area, told.state) == ("settings", "odd")
    assert told.remedy.startswith("take it out there, or call it medium")
    assert examination.exit_code == 0


def test_without_a_contradiction_doctor_says_so_and_of_few_leads_nothing(log: Project, tmp_path: Path) -> None:
    """Only forty have won: a strength that few have is not judged."""
    examination = deciding(log, tmp_path, {"maturity": {"strong": ["quote", "won"]}})
    assert "none of 1 strong acts is contradicted by who converts" in [one.what for one in examination.findings]
    few = deciding(log, tmp_path / "few", {"maturity": {"medium": ["form"]}})
    assert not [one for one in few.findings if "strong" in one.what or "hardly convert" in one.what]


@pytest.mark.parametrize(
    ("share", "at_most"),
    [
        (Share(50, 0), 0.098),  # square / (1 + square), of a square of 2.326 ** 2 / 50
        (Share(400, 12), 0.057),
        (Share(60, 60), 1.0),
    ],
)
def test_chance_is_bounded_as_wilson_does(share: Share, at_most: float) -> None:
    assert share.at_most == pytest.approx(at_most, abs=0.0005)


def test_what_the_log_lacks_is_an_error_before_a_run(log: Project, tmp_path: Path) -> None:
    facts = {"asked": {"kind": "raises", "events": ["qoute"]}}
    examination = deciding(log, tmp_path, {"facts": facts})
    (wrong,) = [finding for finding in examination.findings if finding.state == "wrong"]
    assert wrong.what.startswith("decision.facts.asked: no event of type 'qoute' in the log; did you mean 'quote'?")
    assert examination.exit_code == 6
    examination = deciding(log, tmp_path / "other", {"territory": "account"})
    (wrong,) = [finding for finding in examination.findings if finding.state == "wrong"]
    assert wrong.what == "decision.territory: leads have no attribute 'account'"
    assert wrong.remedy.startswith("did you mean 'account_id'?")
    assert examination.exit_code == 3
