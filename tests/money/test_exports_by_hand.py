"""Files for others, of a few leads by hand: whose consent is taken back, unknown, of another id, or still to come."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from small_project import SmallProject

from features.core.errors import SettingsError
from pipeline.core.project import Project
from pipeline.exports.conversions import BROKEN_CLICK, WITHOUT_CLICK, WITHOUT_CONSENT, find_conversions
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters

LEADS = """lead,created,gclid
agrees,2026-01-01,click-1
withdrew,2026-01-01,click-2
silent,2026-01-01,click-3
clickless,2026-01-01,
formula,2026-01-01,=HYPERLINK(1)
merged,2026-01-01,click-6
later,2026-01-01,click-7
of two ids,2026-01-01,
former,2026-01-01,click-8
=1+1,2026-01-01,click-9
"""
WHO = ("agrees", "withdrew", "silent", "clickless", "formula", "merged", "later", "of two ids")
LOG = "lead,at,what,content,value\n" + "".join(
    f"{lead},2026-01-20 10:00,visit,prices,\n{lead},2026-02-01 10:00,won,,100\n" for lead in WHO
) + "=1+1,2026-04-20 10:00,visit,prices,\n"  # fmt: skip
CONSENTS = """lead,purpose,status,at
agrees,advertising,given,2026-01-01
withdrew,advertising,given,2026-01-01
withdrew,advertising,withdrawn,2026-03-01
clickless,advertising,given,2026-01-01
formula,advertising,given,2026-01-01
merged,advertising,given,2026-01-05
cookie,advertising,withdrawn,2026-01-02
later,advertising,given,2026-05-01 12:00
of two ids,everything,given,2026-01-01
"""
LINKS = "alias,lead,at\ncookie,merged,2026-01-10\nformer,of two ids,2026-01-10\n"
EVE, DAY_AFTER = datetime(2026, 5, 1), datetime(2026, 5, 2)


def settings_of(project: SmallProject, **sections: object) -> Parameters:
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    content["decision"] |= {
        "time_zone": "Europe/Paris",
        "facts": {
            "stopped": {"kind": "closes_channel", "channel": "mail", "events": ["stop"]},
            "in work": {"kind": "taken", "events": ["handed"]},
        },
    }
    content.pop("exports", None)
    (project.root / "params.yaml").write_text(yaml.safe_dump(content | sections))
    return load_parameters(project.root / "params.yaml")


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = SmallProject(tmp_path_factory.mktemp("exports"))
    project.write(log_csv=LOG, leads_csv=LEADS, consents_csv=CONSENTS, links_csv=LINKS)
    comma = {"delimiter": ","}
    source = {
        "path": "log.csv", "known_at": "as_it_occurred", "actor": {"default": "system", "lead": ["visit"]},
        "columns": {"lead_id": "lead", "occurred_at": "at", "event_type": "what", "content": "content",
                    "value": "value", "currency": {"constant": "EUR"}},
    }  # fmt: skip
    said = {"lead_id": "lead", "purpose": "purpose", "status": "status", "changed_at": "at"}
    project.set(
        {"log": source | comma},
        leads={"path": "leads.csv", "columns": {"lead_id": "lead", "created_at": "created"}} | comma,
        consents={"path": "consents.csv", "columns": said} | comma,
        identities={
            "path": "links.csv", "columns": {"alias_id": "alias", "lead_id": "lead", "linked_at": "at"}
        } | comma,
        currency="EUR",
    )  # fmt: skip
    settings_of(project, exports={"click_id": "gclid"})
    assert project.ingest().code == 0
    return project


@pytest.fixture
def small(ingested: SmallProject, tmp_path: Path) -> SmallProject:
    """Give each test a copy of its own."""
    project = SmallProject(tmp_path / "own")
    shutil.copytree(ingested.root, project.root, dirs_exist_ok=True)
    return project


def score(small: SmallProject, rows: list[dict[str, object]], as_of: str = "2026-05-01T00:00:00") -> None:
    usual = {"probability": 0.1, "tier": "MQL", "maturity": "warm", "expected_value": None}
    kinds = [("lead_id", pa.string()), ("probability", pa.float64()), ("tier", pa.string())]
    schema = pa.schema([*kinds, ("maturity", pa.string()), ("expected_value", pa.float64())])
    pq.write_table(
        pa.Table.from_pylist([usual | row for row in rows], schema), small.root / "data/recommendations.parquet"
    )
    (small.root / "data/scoring.json").write_text(f'{{"as_of": "{as_of}"}}')


def ids(small: SmallProject, path: str = "reports/private/audience.csv") -> list[str]:
    with (small.root / path).open(encoding="utf-8") as stream:
        (head, *rows) = list(csv.reader(stream))
    assert head == ["lead_id"]
    return [lead for (lead,) in rows]


def test_who_agrees_at_the_moment_of_the_file_is_in_it(small: SmallProject) -> None:
    project = Project(small.root, settings_of(small, exports={"click_id": "gclid"}))
    made = find_conversions(project, DAY_AFTER)
    assert [row.click_id for row in made.rows] == ["click-1", "click-7", "click-8"]
    assert made.rows[0] == ("click-1", "won", "2026-02-01T11:00:00+01:00", 100.0, "EUR")
    assert made.left_out == {WITHOUT_CONSENT: 3, WITHOUT_CLICK: 1, BROKEN_CLICK: 1}


def test_consent_that_is_taken_back_later_counts_and_one_of_the_future_does_not(small: SmallProject) -> None:
    project = Project(small.root, settings_of(small, exports={"click_id": "gclid"}))
    assert "click-7" not in {row.click_id for row in find_conversions(project, EVE).rows}
    before = {row.click_id for row in find_conversions(project, datetime(2026, 3, 1)).rows}
    assert ("click-2" in before, "click-2" in {row.click_id for row in find_conversions(project, EVE).rows}) == (
        True, False,
    )  # fmt: skip
    assert find_conversions(project, datetime(2026, 2, 1, 10)).rows == [], "nothing is told before it happens"


def test_the_withdrawal_of_a_former_id_wins(small: SmallProject) -> None:
    project = Project(small.root, settings_of(small, exports={"click_id": "gclid"}))
    # What each id said before both were one; from then on nobody knows who has agreed.
    assert "click-6" not in {row.click_id for row in find_conversions(project, DAY_AFTER).rows}
    consents = pq.read_table(project.consents).to_pylist()
    again: dict[str, object] = {
        "lead_id": "merged",
        "own_id": "merged",
        "purpose": "advertising",
        "status": "given",
        "linked_at": None,
    }
    again |= {"changed_at": datetime(2026, 1, 11), "known_at": datetime(2026, 1, 11)}
    pq.write_table(pa.Table.from_pylist([*consents, again], pq.read_schema(project.consents)), project.consents)
    assert "click-6" in {row.click_id for row in find_conversions(project, DAY_AFTER).rows}


def test_where_no_consent_is_known_nothing_is_exported_and_the_file_of_yesterday_goes(small: SmallProject) -> None:
    path = small.root / "data/consents.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    target = small.root / "ads.csv"
    target.write_text("of yesterday")
    outcome = small.run("export", "conversions", "--to", "ads.csv")
    assert outcome.code == 0
    assert "no consent for advertising is known (ingest.consents): nothing is exported" in outcome.text
    assert target.read_text() == "click_id,conversion_name,conversion_time,value,currency\n"
    score(small, [{"lead_id": "agrees", "probability": 0.2}])
    assert "nothing is exported" in small.run("export", "audience", "--channel", "advertising").text
    assert ids(small) == []


def test_the_command_counts_and_names_nobody(small: SmallProject) -> None:
    settings_of(small, exports={"click_id": "gclid", "names": {"won": "Purchase"}})
    outcome = small.run("export", "conversions", "--since", "2026-02-01")
    assert outcome.code == 0
    assert "left out: 3 without consent for advertising" in outcome.text
    assert "the log is known until 2026-04-20 10:00 UTC" in outcome.text
    assert "wrote 3 rows to reports/private/conversions.csv" in outcome.text
    assert not [lead for lead in WHO if f" {lead} " in outcome.text.replace("agrees", "") and lead != "later"]
    lines = (small.root / "reports/private/conversions.csv").read_text().splitlines()
    assert lines[1] == "click-1,Purchase,2026-02-01T11:00:00+01:00,100,EUR"
    assert small.run("export", "conversions", "--since", "2026-02-02").text.count("wrote 0 rows") == 1
    assert not list((small.root / "data/.tmp").iterdir())


def test_what_is_wrong_is_told_with_how_to_mend_it(small: SmallProject) -> None:
    settings_of(small)
    outcome = small.run("export", "conversions")
    assert (outcome.code, "exports: {click_id: gclid}" in outcome.text) == (3, True)
    settings_of(small, exports={"click_id": "gclids"})
    outcome = small.run("export", "conversions")
    assert (outcome.code, "'gclid'" in outcome.text) == (3, True)
    with pytest.raises(SettingsError, match="exports: expected and names both say 'Lead'.*a name of its own"):
        settings_of(small, exports={"click_id": "gclid", "names": {"won": "Lead"}, "expected": "Lead"})
    settings_of(small)
    assert small.run("export", "conversions", "--to", "data").code == 2, "a folder is not replaced by a file"
    assert small.run("export", "conversions", "--since", "May").code == 2
    assert small.run("export", "audience", "--channel", "post").code == 2
    assert small.run("export", "audience", "--channel", "mail", "--tier", "hot").code == 2
    assert small.run("export", "audience", "--channel", "mail", "--within", "long").code == 2


def test_an_audience_leaves_out_whom_nobody_may_write_to(small: SmallProject) -> None:
    log = pq.read_table(small.root / "data/interactions.parquet")
    rows = log.to_pylist()
    for place, (lead, kind, day) in enumerate(
        [("agrees", "stop", 21), ("silent", "handed", 22), ("clickless", "won", 1)]
    ):
        month = 5 if kind == "won" else 4
        at = datetime(2026, month, day, 12)
        rows.append(rows[0] | {
            "lead_id": lead, "occurred_at": at, "known_at": at, "event_type": kind, "actor": "us", "content": None,
            "sequence": 1000 + place,
        })  # fmt: skip
    rows.sort(key=lambda row: (row["lead_id"], row["occurred_at"], row["source"], row["sequence"]))
    pq.write_table(pa.Table.from_pylist(rows, log.schema), small.root / "data/interactions.parquet")
    consents = pq.read_table(small.root / "data/consents.parquet")
    objects: dict[str, object] = {
        "lead_id": "merged",
        "own_id": "merged",
        "purpose": "everything",
        "status": "objected",
    }
    objects |= {"changed_at": datetime(2026, 5, 3), "known_at": datetime(2026, 5, 3), "linked_at": None}
    pq.write_table(
        pa.Table.from_pylist([*consents.to_pylist(), objects], consents.schema), small.root / "data/consents.parquet"
    )
    score(small, [
        {"lead_id": "withdrew"}, {"lead_id": "=1+1"}, {"lead_id": "agrees"}, {"lead_id": "silent"},
        {"lead_id": "merged"}, {"lead_id": "clickless"}, {"lead_id": "gone"},
        {"lead_id": "formula", "probability": None, "tier": "customer"},
        {"lead_id": "later", "tier": "disqualified"}, {"lead_id": "of two ids", "maturity": "cold"},
    ])  # fmt: skip
    outcome = small.run("export", "audience", "--channel", "mail", "--maturity", "warm")
    assert outcome.code == 0
    assert ids(small) == ["'=1+1", "withdrew"], "only advertising is closed to who withdrew, and no id is a formula"
    for reason in (
        "customer", "closed, or not wanted", "in work by sales", "mail closed", "objected to everything",
        "converted or lost since", "united with another lead since, or gone",
    ):  # fmt: skip
        assert f"left out: 1 {reason}" in outcome.text, reason
    assert "of the scores of 2026-05-01 00:00 UTC" in outcome.text
    # In the thirty days before the scores one lead looked at prices.
    options = ("--channel", "telephone", "--content", "prices", "--to", "here.csv")
    assert small.run("export", "audience", *options).code == 0
    assert ids(small, "here.csv") == ["'=1+1"]
    assert small.run("export", "audience", *options, "--within", "5d").code == 0
    assert ids(small, "here.csv") == []


def test_what_is_expected_of_open_leads_stands_at_their_creation(small: SmallProject) -> None:
    content = {"click_id": "gclid", "expected": "Lead value"}
    parameters = settings_of(small, exports=content)
    money = {"value": 2000, "sales_contact": 60, "nurturing": 4}
    decision = yaml.safe_load((small.root / "params.yaml").read_text())["decision"] | {"money": money}
    score(small, [
        {"lead_id": "agrees", "expected_value": 200.0}, {"lead_id": "silent", "expected_value": 10.0},
        {"lead_id": "later", "expected_value": 10.0, "tier": "disqualified"},
        {"lead_id": "of two ids", "probability": None, "tier": "customer"},
    ])  # fmt: skip
    assert parameters.decision.money is None
    assert small.run("export", "conversions", "--expected").code == 3
    decision.pop("tiers")
    settings = yaml.safe_load((small.root / "params.yaml").read_text()) | {"decision": decision}
    (small.root / "params.yaml").write_text(yaml.safe_dump(settings))
    outcome = small.run("export", "conversions", "--expected")
    assert outcome.code == 0, outcome.text
    lines = (small.root / "reports/private/conversions.csv").read_text().splitlines()
    assert lines[1] == "click-1,Lead value,2026-01-01T01:00:00+01:00,200,EUR"
    assert sum("Lead value" in line for line in lines) == 1
    assert "left out: 4 without consent for advertising" in outcome.text
    assert "left out: 1 closed, or not wanted" in outcome.text
    suspended = '[{"where": {"probability": {"from": 0.1}}, "since": "2026-04-30"}]'
    (small.root / "data/suspensions.json").write_text(suspended)
    outcome = small.run("export", "conversions", "--expected")
    assert "left out: 2 suspended, for the promise to such leads is broken" in outcome.text
    assert "Lead value" not in (small.root / "reports/private/conversions.csv").read_text()
