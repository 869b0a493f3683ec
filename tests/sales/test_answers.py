"""``leadcast answers``: what sales made of the lists, of a log and a history worked out by hand."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import kept_scores
import pytest
import yaml
from raw_logs import LEADS, LINKS, source_of
from small_project import SmallProject

LOG = """lead,at,what,why
A,2026-03-02 09:00,call,
B,2026-03-03 15:00,call,
B,2026-03-04 09:00,refused,no budget
C,2026-03-02 05:00,call,
D,2026-03-05 08:00,refused,
E,2026-03-09 08:00,refused,no budget
E,2026-03-10 08:00,call,
X,2026-03-10 08:00,visit,
"""
PEOPLE = "lead,created,region\n" + "".join(
    f"{lead},2026-02-01,{'north' if lead in 'AB' else 'south'}\n" for lead in "ABCDEX"
)
MONDAY, TUESDAY = datetime(2026, 3, 2, 6), datetime(2026, 3, 3, 6)


def keep(root: Path, as_of: datetime, listed: dict[str, str | None]) -> None:
    """Keep a list: of each lead on it its owner, None of one that is not on it."""
    kept_scores.keep(
        root, as_of, {lead: {"list": "sales" if owner else "none", "owner": owner} for lead, owner in listed.items()}
    )


def settle(project: SmallProject, **decision: object) -> None:
    settings = yaml.safe_load((project.root / "params.yaml").read_text())
    settings["decision"] |= decision
    (project.root / "params.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    project = SmallProject(tmp_path)
    project.write(log_csv=LOG, leads_csv=PEOPLE)
    source = source_of(columns={"content": "why"}, actor={"default": "lead", "us": ["call", "refused"]})
    project.set({"log": source}, leads=LEADS | {"attributes": {"region": "category"}})
    settle(
        project,
        territory="region",
        facts={"refused by sales": {"kind": "refuses", "events": ["refused"]}},
        work={"contacts": ["call"]},
    )
    assert project.ingest().code == 0
    return project


def test_each_lead_counts_from_its_first_list_on(project: SmallProject) -> None:
    keep(project.root, MONDAY, {"A": "K1", "B": "K2", "C": "K3", "X": None})
    keep(project.root, TUESDAY, {"A": "K1", "D": "K3", "E": None})
    outcome = project.run("answers", "--json")
    found = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    # A after 3 hours, B after 33, D after 50; C was called before it was listed, and E was on no list.
    assert found["all"] == {
        "who": "all", "listed": 4, "worked": 3, "median_hours": 33.0, "same_day": 1, "refused": 2,
    }  # fmt: skip
    assert found["reasons"] == {"no budget": 1, "without a reason": 1}
    north, south = found["parts"]
    assert (north["who"], north["listed"], north["worked"], north["refused"]) == ("north", 2, 2, 1)
    assert (south["who"], south["listed"], south["worked"], south["median_hours"]) == ("south", 2, 1, 50.0)
    text = project.run("answers").text
    assert "4 leads came onto the list of sales, in 2 lists from 2026-03-02 06:00 to 2026-03-03 06:00 UTC" in text
    assert "worked since: 3 (75%); on the same day 1" in text
    assert "no budget: 1" in text
    assert "K1" not in text


def test_persons_are_told_apart_only_where_the_settings_say_so(project: SmallProject) -> None:
    keep(project.root, MONDAY, {"A": "K1", "B": "K2", "C": "K2"})
    settle(project, by_person=True)
    outcome = project.run("answers", "--json")
    found = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    assert [(one["who"], one["listed"], one["worked"]) for one in found["parts"]] == [("K1", 1, 1), ("K2", 2, 1)]


def test_lists_of_long_ago_are_not_looked_at(project: SmallProject) -> None:
    keep(project.root, datetime(2026, 2, 2, 6), {"A": "K1"})
    keep(project.root, TUESDAY, {"B": "K2"})
    assert "1 lead came onto the list of sales, in 1 list from" in project.run("answers").text


def test_where_nothing_was_kept_or_nothing_says_what_work_is_it_says_so(project: SmallProject) -> None:
    outcome = project.run("answers")
    assert outcome.code != 0
    assert "data/scores has kept no list yet; 'leadcast score' keeps what it decides" in outcome.text
    settle(project, facts={}, work={})
    assert "nothing says what working on a lead is; name the contacts" in project.run("answers").text


def test_a_list_of_the_day_on_which_the_log_ends_had_no_day_yet_and_one_of_a_backfill_was_none(
    project: SmallProject,
) -> None:
    # Of who is listed in the last night nobody can have been called; nobody ever saw the list of the 4th.
    backfilled = {"list": "sales", "owner": "K1", "scored_at": datetime(2026, 3, 10, 12)}
    kept_scores.keep(project.root, datetime(2026, 3, 4, 6), {"B": backfilled})
    listed = {"list": "sales", "owner": "K1", "scored_at": datetime(2026, 3, 10, 6)}
    kept_scores.keep(project.root, datetime(2026, 3, 10, 6), {"E": listed, "X": listed})
    text = project.run("answers").text
    assert "2 leads came onto the list on the day on which the log ends: too early to say, and counted nowhere" in text
    assert "Nobody was on the list of sales before that day, in 1 list until 2026-03-10 06:00 UTC" in text
    keep(project.root, TUESDAY, {"A": "K1"})
    assert "worked since: 0 (0%)" in project.run("answers").text


def test_what_was_done_with_a_lead_that_was_united_with_another_is_done_with_it(project: SmallProject) -> None:
    keep(project.root, MONDAY, {"A": "K1", "D": "K3"})
    people = PEOPLE.replace("A,2026-02-01,north\n", "former,2026-01-01,north\n")
    project.write(leads_csv=people, links_csv="alias,lead,at\nA,former,2026-03-02 08:00\n")
    settings = yaml.safe_load((project.root / "params.yaml").read_text())
    settings["ingest"]["identities"] = LINKS
    (project.root / "params.yaml").write_text(yaml.safe_dump(settings))
    assert project.ingest().code == 0
    outcome = project.run("answers", "--json")
    found = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    assert [(one["who"], one["listed"], one["worked"]) for one in found["parts"]] == [("north", 1, 1), ("south", 1, 1)]
