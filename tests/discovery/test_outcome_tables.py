"""A table with a row for each lead that converted is no table of leads: its leads are those of the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from cases import empty_project
from exports import BEGINNING, write_table
from outcome_exports import (
    VISITORS,
    visitors,
    write_analytics,
    write_charges,
    write_customers,
    write_deals,
    write_goals,
    write_shop,
)
from proposals import count, propose, read, run_all
from world import Project

from features.core.errors import InputError
from pipeline.discovery.initialise import Options, initialise
from pipeline.settings.file import load_parameters

FOLDERS = {
    "orders of a shop": (write_shop, "orders_export_won", []),
    "goals": (write_goals, "Purchase", []),
    "deals of a CRM": (write_deals, "deal_won", ["deal_lost"]),
    "deals and browsers": (write_analytics, "crm_deal_won", ["crm_deal_lost"]),
    "charges": (write_charges, "unified_payment_won", []),
    "customers": (write_customers, "lead_converted", []),
}


def ingest(root: Path) -> None:
    Project(root, load_parameters(root / "params.yaml")).run("ingest")


@pytest.mark.parametrize(("write", "won", "lost"), FOLDERS.values(), ids=FOLDERS)
def test_leads_are_those_of_the_log_and_what_they_came_to_is_the_conversion(
    write: Callable[[Path], None], won: str, lost: list[str], tmp_path: Path
) -> None:
    write(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert (settings["episodes"]["conversion"], settings["episodes"].get("lost", [])) == ([won], lost)
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == VISITORS
    found = {kind: number for (kind, _), number in count(tmp_path).items()}
    assert found[won] == sum(one.bought is not None for one in visitors())
    assert [found[kind] for kind in lost] == [sum(one.declined is not None for one in visitors())] * len(lost)


@pytest.mark.parametrize("write", [write_shop, write_analytics])
def test_what_was_proposed_runs_to_recommendations(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "raw")
    propose(tmp_path / "raw", tmp_path)
    run_all(tmp_path)
    assert 0.6 < read(tmp_path, "reports/figures.json")["roc_auc"]["value"] < 0.97


def stamp(number: int, hours: float) -> str:
    return f"{BEGINNING + timedelta(hours=4 * number + hours):%Y-%m-%d %H:%M:%S}"


def test_buyers_who_come_back_and_buy_again_are_counted_by_their_first_order(tmp_path: Path) -> None:
    mails = [f"m{number * 7919:05d}@example.org" for number in range(600)]
    views = [(mail, stamp(n, step), "view") for n, mail in enumerate(mails) for step in range(4)]
    orders = [(f"#{n}", mails[n], stamp(n, 2.5), 20 + n) for n in range(0, 600, 3)]
    again = [(f"#{n + 1}", mails[n], stamp(n, 50), 30) for n in range(0, 600, 6)]
    for name, rows in (("once", orders), ("twice", orders + again)):
        write_table(tmp_path / name / "raw/views.csv", ("email", "at", "event"), views)
        write_table(tmp_path / name / "raw/orders.csv", ("Name", "Email", "Created at", "Total"), rows)
        settings = propose(tmp_path / name / "raw", tmp_path / name)
        assert settings["episodes"]["conversion"] == ["order"]
        ingest(tmp_path / name)
        assert read(tmp_path / name, "data/ingest.json")["lead_count"] == 600
        assert count(tmp_path / name)["order", "lead"] == len(rows)


def test_leads_that_were_visitors_before_stay_the_leads(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    views = [(f"c-{n:05d}x", stamp(n, step), "view") for n in range(900) for step in range(4)]
    leads = [
        (f"c-{n:05d}x", stamp(n, 5), rng.choice(["form", "chat"]), stamp(n, 90) if n % 9 == 0 else "")
        for n in range(0, 900, 3)
    ]
    write_table(tmp_path / "raw/views.csv", ("client_id", "at", "event"), views)
    write_table(tmp_path / "raw/leads.csv", ("client_id", "created_at", "source", "converted_at"), leads)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["path"] == "leads.csv"
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == 300


def test_a_table_that_nobody_knows_by_its_number_is_known_by_its_address(tmp_path: Path) -> None:
    people = [(f"P-{n:05d}q", f"m{n * 7919:05d}@example.org", stamp(n, 0), n % 5) for n in range(400)]
    acts = [(one[1], stamp(n, step), ("view", "purchase")[step == 3 and n % 4 == 0])
            for n, one in enumerate(people) for step in range(1, 4)]  # fmt: skip
    write_table(tmp_path / "raw/people.csv", ("Record ID", "Email", "Created", "Office"), people)
    write_table(tmp_path / "raw/acts.csv", ("e_mail", "at", "event"), acts)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"] == {"lead_id": "Email", "created_at": "Created"}
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == 400
    assert count(tmp_path)["purchase", "lead"] == 100


def test_where_no_event_is_called_a_conversion_the_tables_that_were_left_are_named(tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    views = [(f"v-{n:04d}x", stamp(n, step), "view") for n in range(200) for step in range(3)]
    write_table(project.raw / "views.csv", ("visitor_id", "at", "event"), views)
    orders = [(f"#{n}", stamp(n, 3), 20 + n) for n in range(90)]
    write_table(project.raw / "orders.csv", ("Name", "Created at", "Total"), orders)
    said = project.run("init", "raw", "--yes")
    assert said.code == 4
    assert "no event type is called a conversion" in said.text
    assert "orders is not used: it has no column 'visitor_id', nor its ids by another name" in said.text


def test_a_table_tied_by_an_id_that_came_at_any_time_is_told_and_not_used(tmp_path: Path) -> None:
    contacts = [(f"C-{n:05d}q", f"m{n * 7919:05d}@example.org", stamp(n, 5)) for n in range(400)]
    views = [(one[1], stamp(n, step), "view") for n, one in enumerate(contacts) for step in range(4)]
    deals = [(f"D{n}", one[0], stamp(n, 9), "won" if n % 3 else "lost", stamp(n, 70)) for n, one in enumerate(contacts)]
    write_table(tmp_path / "raw/views.csv", ("mail_address", "at", "event"), views)
    write_table(tmp_path / "raw/contacts.csv", ("Contact ID", "Email", "Created"), contacts)
    write_table(tmp_path / "raw/deals.csv", ("Deal ID", "Contact ID", "Created", "Stage", "Closed"), deals)
    found = initialise(tmp_path / "raw", Options(), None, lambda _: None, tmp_path)
    assert "leads: contacts, named by Contact ID, created at Created" in found.told
    silent = "nothing says when its rows happened, or when their ids became the lead's"
    assert f"note: views is not used: {silent}" in found.told


def test_what_the_user_calls_the_leads_are_the_leads(tmp_path: Path) -> None:
    write_deals(tmp_path / "raw")
    found = initialise(tmp_path / "raw", Options(leads="deals", lead_id="contact_id"), None, lambda _: None, tmp_path)
    assert "leads: deals, named by contact_id, created at Create Date" in found.told
    with pytest.raises(InputError, match="--leads deal: there is no such table"):
        initialise(tmp_path / "raw", Options(leads="deal"), None, lambda _: None, tmp_path)
