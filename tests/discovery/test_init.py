"""``leadcast init``: settings for exports that nobody has described, and what it refuses to guess."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import yaml
from cases import LOAN_LOG, needs_the_loan_log
from exports import BEGINNING, write_crm_dump, write_entity_log, write_table, write_wide_table
from house import ROOT
from proposals import count, propose, read, run_all
from world import Project

from pipeline.settings.file import load_parameters


@pytest.fixture(scope="module")
def crm_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Propose settings for a CRM's tables, once. The folder is shared: a test that writes makes its own copy."""
    root = tmp_path_factory.mktemp("crm_dump")
    write_crm_dump(root / "raw", leads=1500)
    propose(root / "raw", root)
    return root


@pytest.fixture(scope="module")
def entity_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Propose settings for a log of applications and their offers, once; shared as well."""
    root = tmp_path_factory.mktemp("entity_log")
    write_entity_log(root / "raw", cases=1500)
    propose(root / "raw", root)
    return root


def settings_of(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return content


@pytest.mark.skipif(needs_the_loan_log.args[0], reason=needs_the_loan_log.kwargs["reason"])
def test_the_loan_log_gets_the_settings_of_the_example(tmp_path: Path) -> None:
    proposed = propose(LOAN_LOG, tmp_path)
    example = yaml.safe_load((ROOT / "examples/loan-leads/params.yaml").read_text(encoding="utf-8"))
    assert Path(proposed.pop("data_root")) == LOAN_LOG
    assert example.pop("data_root") == "data/raw"
    assert proposed == example


def test_a_crm_s_tables_become_one_log_by_their_ids(crm_dump: Path, tmp_path: Path) -> None:
    shutil.copytree(crm_dump, tmp_path, dirs_exist_ok=True)
    settings = settings_of(tmp_path)
    assert settings["data_root"] == "raw"
    assert settings["ingest"]["leads"]["columns"] == {"lead_id": "id", "created_at": "created_at"}
    assert settings["ingest"]["leads"]["attributes"] == {
        "lead_source": "category",
        "country": "category",
        "industry": "category",
        "employees": "number",
    }
    assert settings["episodes"] == {
        "conversion": ["opportunity_won"],
        "lost": ["opportunity_lost"],
        "milestones": {"accepted by sales": ["converted"], "opportunity": ["opportunity_created"]},
    }
    run_all(tmp_path)
    counts = count(tmp_path)
    with duckdb.connect() as connection:
        # The CRM's own answer: deals of contacts that are known, by their stage.
        stages = dict(
            connection.execute(
                "SELECT stage, count(*) FROM read_csv(?) JOIN read_csv(?) USING (contact_id) GROUP BY stage",
                [str(tmp_path / "raw/opportunities.csv"), str(tmp_path / "raw/contacts.csv")],
            ).fetchall()
        )
    assert counts["opportunity_won", "system"] == stages["Closed Won"]
    assert counts["opportunity_lost", "system"] == stages["Closed Lost"]
    assert counts["opportunity_created", "us"] == sum(stages.values())
    assert {actor for kind, actor in counts if kind in {"Call", "Email", "Meeting"}} == {"us"}
    assert {actor for kind, actor in counts if kind in {"page_view", "pricing_view", "form_submit"}} == {"lead"}
    sources = read(tmp_path, "data/ingest.json")["sources"]
    assert all(source["rows"] == source["used"] + sum(source["set_aside"].values()) for source in sources.values())
    assert read(tmp_path, "data/scoring.json")["leads"] > 0


def test_the_settings_name_no_table_that_nothing_reads(crm_dump: Path) -> None:
    ingest = settings_of(crm_dump)["ingest"]
    queries = "".join(source.get("query", "") for source in ingest["sources"].values())
    assert ingest["tables"] == {
        name: {"path": f"{name}.csv", "delimiter": ","} for name in ("activities", "opportunities", "touches")
    }
    assert all(f'"{name}"' in queries for name in ingest["tables"])


def test_what_a_contact_did_is_known_only_from_when_it_was_tied_to_its_lead(crm_dump: Path, tmp_path: Path) -> None:
    shutil.copytree(crm_dump, tmp_path, dirs_exist_ok=True)
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest")
    with duckdb.connect() as connection:
        late = connection.execute(
            "SELECT count(*), count(*) FILTER (log.known_at = greatest(log.occurred_at, contact.created_at)) "
            "FROM read_parquet(?) AS log JOIN read_csv(?) AS contact ON log.lead_id = CAST(contact.lead_id AS VARCHAR) "
            "WHERE log.source = 'touch_events'",
            [str(tmp_path / "data/interactions.parquet"), str(tmp_path / "raw/contacts.csv")],
        ).fetchall()[0]
    assert late[0] > 1000
    assert late[0] == late[1]


def test_a_log_of_two_kinds_of_entities_is_told_by_the_one_that_all_rows_have(entity_log: Path, tmp_path: Path) -> None:
    shutil.copytree(entity_log, tmp_path, dirs_exist_ok=True)
    settings = settings_of(tmp_path)
    source = settings["ingest"]["sources"]["event_log"]
    assert source["columns"]["lead_id"] == "case:concept:name"
    assert source["columns"]["event_type"] == ["concept:name", "lifecycle:transition"]
    assert source["actor"] == {"default": "lead", "us": ["W_*"]}
    assert settings["episodes"]["conversion"] == ["O_Accepted complete"]
    assert settings["episodes"]["lost"] == ["A_Cancelled complete", "A_Denied complete"]
    # Neither what is only known at the end (case:FinalStatus) nor what is said of an offer when it was chosen.
    assert settings["ingest"]["leads"]["attributes"] == {"case:LoanGoal": "category", "case:RequestedAmount": "number"}
    text = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    assert "it could also be OfferID: --lead-id" in text
    run_all(tmp_path)
    # Base rates lose no more than trees (a log loss of .584 and .586), and rank a little worse (.60 and .61).
    auc = read(tmp_path, "reports/figures.json")["roc_auc"]
    assert 0.58 < auc["value"] < 0.8
    rivals = {one["code"]: one["gain"] for one in read(tmp_path, "reports/breakdown.json")["rivals"]}
    assert min(rivals.values()) > -0.002
    assert rivals["base_rate"] > 0.02


def test_the_other_kind_of_entity_can_be_the_lead(entity_log: Path, tmp_path: Path) -> None:
    settings = propose(entity_log / "raw", tmp_path, lead_id="OfferID", conversion=("O_Accepted complete",))
    assert settings["ingest"]["sources"]["event_log"]["columns"]["lead_id"] == "OfferID"


def test_a_field_that_knows_the_outcome_gives_itself_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    leads, events = [], []
    for number in range(1200):
        created = BEGINNING + timedelta(hours=number * 3)
        wins = rng.random() < 0.3
        # A harmless name, written after the sale: only what it foretells tells.
        leads.append((f"L{number}", created, "gold" if wins else "silver", rng.choice(["NL", "DE"])))
        events.append((f"L{number}", created + timedelta(hours=2), "visit"))
        events.append((f"L{number}", created + timedelta(days=5), "won" if wins else "lost"))
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "badge", "country"), leads)
    write_table(tmp_path / "raw/events.csv", ("lead_id", "occurred_at", "event"), events)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["attributes"] == {"country": "category"}
    comment = (tmp_path / "params.yaml").read_text(encoding="utf-8").replace("\n    #", "")
    assert "badge (knows the outcome)" in comment
    vouched = propose(tmp_path / "raw", tmp_path / "vouched", attributes=("badge",))
    assert "badge" in vouched["ingest"]["leads"]["attributes"]


def test_one_table_without_dates_is_read_as_of_each_lead_s_creation(tmp_path: Path) -> None:
    write_wide_table(tmp_path / "raw", leads=2500)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"] == {"lead_id": "Lead Number", "created_at": "assumed_created_at"}
    assert settings["snapshots"] == {"horizon": "30d", "policies": [{"ages": ["1h"]}]}
    used = settings["ingest"]["leads"]["attributes"]
    assert {"Lead Origin", "Lead Source", "What is your current occupation"} <= set(used)
    assert not {"Tags", "Last Activity", "TotalVisits", "Total Time Spent on Website", "Converted"} & set(used)
    run_all(tmp_path)
    converted = read(tmp_path, "data/snapshots.json")["funnel"][-1]["leads"]
    with duckdb.connect() as connection:
        flags = connection.execute(
            "SELECT sum(Converted) FROM read_csv(?)", [str(tmp_path / "raw/Leads.csv")]
        ).fetchall()
    assert converted == flags[0][0]
    assert 0.55 < read(tmp_path, "reports/figures.json")["roc_auc"]["value"] < 0.8
    assert read(tmp_path, "data/scoring.json")["leads"] > 0


def test_rows_that_nothing_names_are_named_by_their_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [
        (
            int(rng.integers(18, 80)),
            rng.choice(["clerk", "nurse"]),
            int(rng.gamma(2, 100)),
            "yes" if rng.random() < 0.2 else "no",
        )
        for _ in range(1200)
    ]
    write_table(tmp_path / "raw/calls.csv", ("age", "job", "duration", "y"), rows, delimiter=";")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"]["lead_id"] == "row_number"
    assert settings["ingest"]["leads"]["attributes"] == {"age": "number", "job": "category"}
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest")
    summary = read(tmp_path, "data/ingest.json")
    assert summary["lead_count"] == 1200
    assert count(tmp_path)["call_converted", "system"] == sum(row[3] == "yes" for row in rows)


def deals(folder: Path, rows: int = 1200) -> None:
    """Write a table of deals with their last stage, of which a few were never begun."""
    rng = np.random.default_rng(6)
    table = []
    for number in range(rows):
        begun = BEGINNING + timedelta(hours=number * 7)
        stage = str(rng.choice(["Won", "Lost", "Engaging", "Prospecting"], p=[0.4, 0.3, 0.2, 0.1]))
        closed = begun + timedelta(days=int(rng.gamma(2, 15)) + 1)
        table.append(
            (
                f"D{number:05d}",
                rng.choice(["GTX", "MG"]),
                stage,
                "" if stage == "Prospecting" else begun.date(),
                closed.date() if stage in {"Won", "Lost"} else "",
                int(rng.integers(100, 900)) if stage == "Won" else "",
            )
        )
    write_table(
        folder / "deals.csv", ("deal_id", "product", "deal_stage", "engage_date", "close_date", "close_value"), table
    )


def test_a_stage_is_used_at_its_end_only_and_broken_rows_are_allowed_in_the_open(tmp_path: Path) -> None:
    deals(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["deal_won"]
    assert settings["episodes"]["lost"] == ["deal_lost"]
    assert settings["ingest"]["sources"]["deal_outcomes"]["known_at"] == {"delay": "1d"}
    assert settings["ingest"]["leads"]["attributes"] == {"product": "category"}
    assert 0.05 < settings["ingest"]["maximum_broken"] < 0.2
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest")
    assert read(tmp_path, "data/ingest.json")["leads"]["set_aside"].keys() == {"missing created_at"}


def test_the_ids_of_a_deal_s_contacts_lead_to_them_in_exports_named_by_their_day(tmp_path: Path) -> None:
    deals(tmp_path / "all")
    rows = (tmp_path / "all/deals.csv").read_text().splitlines()[1:]
    folder = tmp_path / "raw"
    folder.mkdir()
    begun = [row.split(",") for row in rows if row.split(",")[3]]
    write_table(
        folder / "crm-exports-all-contacts-2026-06-29.csv",
        ("Record ID", "Create Date"),
        [(200000001 + 7 * number, row[3]) for number, row in enumerate(begun)],
    )
    write_table(
        folder / "crm-exports-all-deals-2026-06-29.csv",
        ("Record ID", "Deal Stage", "Create Date", "Close Date", "Associated Contact IDs"),
        [
            (900000001 + number, f"Closed {row[2]}", row[3], row[4], 200000001 + 7 * number)
            for number, row in enumerate(begun)
            if row[4]
        ],
    )
    settings = propose(folder, tmp_path)
    assert settings["ingest"]["leads"]["columns"] == {"lead_id": "Record ID", "created_at": "Create Date"}
    assert settings["episodes"]["conversion"] == ["crm_exports_all_deal_won"]


def test_semicolons_decimal_commas_and_letters_of_windows_are_found_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rows = []
    for number in range(1200):
        created = BEGINNING + timedelta(hours=number * 3)
        rows.append(
            (
                f"P{number}",
                f"{created:%d/%m/%Y %H:%M}",
                rng.choice(["Salon", "Récommandé"]),
                f"{rng.integers(1, 9)}.{rng.integers(100, 999)},{rng.integers(10, 99)}",
                "Oui" if rng.random() < 0.3 else "Non",
            )
        )
    header = ("Id prospect", "Créé le", "Origine", "Surface", "Converti")
    write_table(tmp_path / "raw/prospects.csv", header, rows, delimiter=";", encoding="cp1252")
    settings = propose(tmp_path / "raw", tmp_path)
    table = settings["ingest"]["leads"]
    assert (table["delimiter"], table["encoding"], table["time_format"]) == (";", "cp1252", "%d/%m/%Y %H:%M")
    assert (table["decimal"], table["thousands"]) == (",", ".")
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest")
    with duckdb.connect() as connection:
        surface, origin = connection.execute(
            "SELECT Surface, Origine FROM read_parquet(?) WHERE lead_id = 'P0'", [str(tmp_path / "data/leads.parquet")]
        ).fetchall()[0]
    assert surface == float(str(rows[0][3]).replace(".", "").replace(",", "."))
    assert origin == rows[0][2]


def test_the_tables_of_a_database_are_exports_too(
    crm_dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    with sqlite3.connect(folder / "crm.sqlite") as database:
        for path in sorted((crm_dump / "raw").glob("*.csv")):
            header, *rows = [line.split(",") for line in path.read_text(encoding="utf-8").split("\n") if line]
            names = ", ".join(f'"{name.strip()}"' for name in header)
            database.execute(f"CREATE TABLE {path.stem} ({names})")
            marks = ", ".join("?" for _ in header)
            database.executemany(
                f"INSERT INTO {path.stem} VALUES ({marks})", [[v.strip() for v in row] for row in rows]
            )
    monkeypatch.setenv("CRM_DATABASE", "sqlite:///crm.sqlite")
    settings = propose(folder, tmp_path / "database", database="$CRM_DATABASE")
    assert settings["episodes"]["conversion"] == ["opportunity_won"]
    assert settings["ingest"]["sources"]["sessions"]["database"] == "$CRM_DATABASE"
    Project(tmp_path / "database", load_parameters(tmp_path / "database/params.yaml")).run("ingest")
    shutil.copytree(crm_dump, tmp_path / "plain")
    Project(tmp_path / "plain", load_parameters(tmp_path / "plain/params.yaml")).run("ingest")
    assert count(tmp_path / "database") == count(tmp_path / "plain")


def test_every_line_of_the_settings_says_what_it_is(entity_log: Path) -> None:
    lines = (entity_log / "params.yaml").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if ":" in line and "#" not in line and "#" not in before and not line.lstrip().startswith("-")
    ]
    # What is left is named by the user, or lies inside of a query.
    assert all(
        line.strip() in {"event_log:", "event_log: {path: event_log.csv, delimiter: ','}"} or '"' in line
        for line in bare
    )
