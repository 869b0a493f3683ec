"""init on usual dumps of a CRM, in several tongues: who converted, whose a call is, what is known of a lead."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from crm_dump import ENGLISH, FRENCH, GERMAN, Said, Truth, write_dump
from exports import BEGINNING, write_table
from proposals import ingest, interactions, propose, read, run_all, told

from features.core.errors import InputError

LEADS = 400


@pytest.mark.parametrize(
    ("said", "words", "labels"),
    [
        ("untimed", ENGLISH, "labels"),
        ("positives", ENGLISH, "ground_truth"),
        ("text", FRENCH, "resultats"),
        ("in the leads", ENGLISH, ""),
        ("untimed", GERMAN, "zielwerte"),
    ],
)
def test_who_converted_is_found_where_nothing_says_when(
    tmp_path: Path, said: Said, words: Mapping[str, str], labels: str
) -> None:
    truth = write_dump(tmp_path / "raw", said, words, labels=labels or "labels", leads=LEADS)
    settings = propose(tmp_path / "raw", tmp_path)
    (conversion,) = settings["episodes"]["conversion"]
    assert conversion.endswith("_converted")
    assert settings["snapshots"] == {"horizon": "30d", "policies": [{"ages": ["1d", "3d", "7d"]}]}
    ingest(tmp_path)
    ends = interactions(tmp_path, f"event_type = '{conversion}'")
    assert {lead for lead, _, _ in ends} == truth.converted_at.keys()
    # Assumed half-way to the horizon, after all looks; told in the settings.
    last = max(at for _, at, _ in interactions(tmp_path))
    assert all(at == min(truth.created[lead] + timedelta(days=15), last) for lead, at, _ in ends)
    assert "assumed: a conversion comes 15d after creation" in (tmp_path / "params.yaml").read_text()
    # Every call, mail and visit is used, and tiers are cut around the share that converts.
    sources = read(tmp_path, "data/ingest.json")["sources"]
    used = sorted(source["used"] for name, source in sources.items() if not name.endswith("_outcomes"))
    assert used == sorted(truth.rows[name] for name in ("visits", "emails", "calls"))
    share = len(truth.converted_at) / LEADS
    assert settings["decision"]["multiples"] == {"mql": 1.0, "sql": 2.5}
    (found,) = re.findall(r"of the odds of the ([\d.]+)% that convert", (tmp_path / "params.yaml").read_text())
    assert 0.8 * share < float(found) / 100 < 1.2 * share
    assert "milestones" not in settings["episodes"]
    assert "came later than 7d after the creation of their lead, and are not learned from" in told(tmp_path)


@pytest.mark.parametrize(
    ("said", "words", "labels"), [("timed", GERMAN, "ergebnisse"), ("timed positives", ENGLISH, "conversions")]
)
def test_a_table_that_says_when_gives_the_times(
    tmp_path: Path, said: Said, words: Mapping[str, str], labels: str
) -> None:
    truth = write_dump(tmp_path / "raw", said, words, labels=labels, leads=LEADS)
    settings = propose(tmp_path / "raw", tmp_path)
    (conversion,) = settings["episodes"]["conversion"]
    assert "maximum_broken" not in settings["ingest"]
    ingest(tmp_path)
    assert {lead: at for lead, at, _ in interactions(tmp_path, f"event_type = '{conversion}'")} == truth.converted_at


def owner(truth: Truth, account: str, at: datetime) -> str:
    """Name the lead of an account that a call counts for: the newest that was there, or else the first."""
    own = sorted((created, lead) for lead, created in truth.created.items() if truth.account[lead] == account)
    there = [created for created, _ in own if created <= at]
    wanted = max(there) if there else own[0][0]
    return min(lead for created, lead in own if created == wanted)


def test_what_an_account_did_counts_for_its_newest_lead_and_is_not_known_before_it(tmp_path: Path) -> None:
    truth = write_dump(tmp_path / "raw", "timed", leads=LEADS)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"]["account_id"] == "account_id"
    assert settings["ingest"]["leads"]["attributes"].keys() >= {"source", "account_industry", "campaign_channel"}
    ingest(tmp_path)
    with (tmp_path / "raw/calls.csv").open(newline="") as stream:
        calls = [(row["account_id"], datetime.fromisoformat(row["called_at"])) for row in csv.DictReader(stream)]
    expected = sorted((owner(truth, account, at), at, "call") for account, at in calls)
    assert interactions(tmp_path, "source = 'call_events'") == expected
    with duckdb.connect() as connection:
        early = connection.execute(
            "SELECT count(*) FROM read_parquet(?) AS log JOIN read_parquet(?) AS lead USING (lead_id) "
            "WHERE log.source IN ('call_events', 'email_events') AND log.known_at < lead.created_at",
            [str(tmp_path / "data/interactions.parquet"), str(tmp_path / "data/leads.parquet")],
        ).fetchall()
        industries = connection.execute(
            "SELECT lead_id, account_industry FROM read_parquet(?)", [str(tmp_path / "data/leads.parquet")]
        ).fetchall()
    assert early == [(0,)]
    with (tmp_path / "raw/accounts.csv").open(newline="") as stream:
        of_account = {row["account_id"]: row["industry"] for row in csv.DictReader(stream)}
    assert dict(industries) == {lead: of_account[account] for lead, account in truth.account.items()}


def test_a_dump_without_times_of_conversion_runs_and_learns_from_the_first_days(tmp_path: Path) -> None:
    write_dump(tmp_path / "raw", "untimed", leads=900)
    propose(tmp_path / "raw", tmp_path)
    run_all(tmp_path)
    # Warm leads visit more, from the first day on.
    assert 0.6 < read(tmp_path, "reports/figures.json")["roc_auc"]["value"] < 0.9
    scoring = read(tmp_path, "data/scoring.json")
    assert scoring["leads"] > 0
    summary = (tmp_path / "reports/summary.txt").read_text(encoding="utf-8")
    assert "would teach it" not in summary or "when leads convert is assumed" in summary


def test_the_name_of_a_label_may_say_how_far_it_looks(tmp_path: Path) -> None:
    write_dump(tmp_path / "raw", "in the leads", leads=LEADS, flag="converted_within_60_days")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["snapshots"]["horizon"] == "60d"


def test_the_column_with_the_outcome_may_lie_in_any_table_of_leads(tmp_path: Path) -> None:
    write_dump(tmp_path / "raw", "untimed", leads=LEADS, labels="misc", flag="verdict")
    settings = propose(tmp_path / "raw", tmp_path, outcome="verdict")
    assert settings["episodes"] == {"conversion": ["lead_converted"], "lost": ["lead_lost"]}
    with pytest.raises(
        InputError, match="--outcome verdikt: leads, .*misc have no such column .* did you mean 'verdict'"
    ):
        propose(tmp_path / "raw", tmp_path, outcome="verdikt")


def test_a_visit_to_the_page_of_a_demo_is_no_milestone(tmp_path: Path) -> None:
    leads, visits, labels = [], [], []
    for number in range(300):
        created = BEGINNING + timedelta(hours=9 * number)
        leads.append((f"L{number}", created, "web"))
        visits += [
            (f"L{number}", created + timedelta(days=step), kind)
            for step, kind in enumerate(("home", "demo", "quote", "opportunity")[: 1 + number % 4], start=1)
        ]
        if number % 4 == 3:
            labels.append((f"L{number}", created + timedelta(days=9)))
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "origin"), leads)
    write_table(tmp_path / "raw/web_visits.csv", ("lead_id", "visited_at", "event"), visits)
    write_table(tmp_path / "raw/conversions.csv", ("lead_id", "converted_at"), labels)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"] == {"conversion": ["lead_converted"]}


def test_events_and_labels_alone_make_leads_of_every_id(tmp_path: Path) -> None:
    events = [
        (f"u{number:04d}", BEGINNING + timedelta(hours=5 * number + 30 * step), ["view", "click"][step % 2])
        for number in range(400)
        for step in range(1 + number % 5)
    ]
    labels = [(f"u{number:04d}", int(number % 5 == 4)) for number in range(450)]
    write_table(tmp_path / "raw/events.csv", ("user_id", "timestamp", "event"), events)
    write_table(tmp_path / "raw/labels.csv", ("user_id", "label"), labels)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["lead_converted"]
    assert "leads" not in settings["ingest"]
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == 400
    assert len(interactions(tmp_path, "event_type = 'lead_converted'")) == 80
