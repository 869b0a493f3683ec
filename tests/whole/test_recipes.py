"""The recipes of ``docs/your-data.md``: each is read from the page and run on files as the vendor writes them.

What must come out is told by hand, from the files in ``recipes_exports.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from recipes_exports import (
    write_ads,
    write_french_crm,
    write_ga4,
    write_hubspot,
    write_salesforce,
    write_shop,
    write_table,
)
from recipes_page import RECIPES, project_of
from world import Project

from pipeline.ingest import stage as ingest

Row = tuple[object, ...]


@dataclass(frozen=True)
class Recipe:
    """A recipe's files, and what ingest must make of them."""

    write: Callable[[Path], None]
    interactions: list[Row]
    """lead_id, occurred_at and known_at (UTC), event_type, actor, channel, value."""
    set_aside: dict[str, dict[str, int]]
    """By table and reason; all other rows are used."""
    leads: list[Row]
    """lead_id, created_at and known_at (UTC), account_id, attributes."""
    spend: list[Row] = field(default_factory=list)
    """day, channel, campaign, cost in ingest.currency, clicks."""


EXPECTED = {
    "GA4, exported from BigQuery": Recipe(
        write_ga4,
        [
            # Rows are known a day and a half later; what c1.1 did before u-17 was known, as late as the link.
            ("u-17", "2025-12-28 00:00:00.000001", "2026-01-02 13:00:00", "page_view", "lead", "SEA", None),
            ("u-17", "2025-12-28 00:00:00.000001", "2026-01-02 13:00:00", "user_engagement", "system", "SEA", None),
            ("u-17", "2026-01-01 01:00:00", "2026-01-02 13:00:00", "generate_lead", "lead", "SEA", None),
            ("u-17", "2026-01-02 01:00:00", "2026-01-03 13:00:00", "page_view", "lead", "direct", None),
            ("u-17", "2026-01-03 01:00:00", "2026-01-04 13:00:00", "purchase", "lead", "direct", 49.9),
        ],
        {"web": {"missing lead_id": 1, "unknown lead": 1}},
        [("u-17", "2025-12-28 00:00:00.000001", "2026-01-02 13:00:00", None)],
    ),
    "HubSpot": Recipe(
        write_hubspot,
        [
            # Berlin is an hour ahead of UTC in winter, and two in summer.
            ("101", "2026-01-13 09:30:00", "2026-01-13 09:30:00", "marketing_qualified", "system", None, None),
            ("101", "2026-01-13 10:26:40", "2026-01-13 11:26:40", "CALL", "us", None, None),
            ("101", "2026-01-14 14:13:20.5", "2026-01-14 14:13:20.5", "INCOMING_EMAIL", "lead", None, None),
            ("101", "2026-02-02 10:00:00", "2026-02-02 10:00:00", "opportunity", "system", None, None),
            ("101", "2026-03-01 07:00:00", "2026-03-01 07:00:00", "deal_lost", "us", None, None),
            ("101", "2026-07-01 10:00:00", "2026-07-01 10:00:00", "customer", "system", None, None),
            ("102", "2026-01-14 14:13:20.5", "2026-01-14 14:13:20.5", "INCOMING_EMAIL", "lead", None, None),
            ("102", "2026-02-03 10:00:00", "2026-02-03 10:00:00", "opportunity", "system", None, None),
            ("102", "2026-03-01 07:00:00", "2026-03-01 07:00:00", "deal_lost", "us", None, None),
        ],
        {"lifecycle": {"no event in the row": 1}, "engagements_of_contacts": {"unknown lead": 1}},
        [
            ("101", "2026-01-12 08:00:00", "2026-01-12 08:00:00", None, "Organic Search"),
            ("102", "2026-01-12 08:05:00", "2026-01-12 08:05:00", None, "Direct Traffic"),
            ("103", "2026-01-12 08:10:00", "2026-01-12 08:10:00", None, "Paid Search"),
        ],
    ),
    "Salesforce": Recipe(
        write_salesforce,
        [
            ("00Q1", "2026-01-06 09:00:00", "2026-01-06 09:00:00", "Call", "us", None, None),  # of the contact, today
            ("00Q1", "2026-01-06 09:30:00", "2026-01-06 09:30:00", "Working", "us", None, None),
            ("00Q1", "2026-01-20 15:45:00", "2026-01-20 15:45:00", "accepted", "us", None, None),
            (
                "00Q1",
                "2026-02-28 00:00:00",
                "2026-03-01 00:00:00",
                "won",
                "system",
                None,
                1000.0,
            ),  # 1,100 dollars / 1.1
            ("00Q2", "2026-01-08 09:00:00", "2026-01-08 09:00:00", "Inbound Call", "lead", None, None),
            ("00Q2", "2026-01-09 10:00:00", "2026-01-09 10:00:00", "Unqualified", "us", None, None),
            ("00Q3", "2026-01-09 09:00:00", "2026-01-09 09:00:00", "Task", "us", None, None),
            ("00Q3", "2026-02-01 00:00:00", "2026-02-02 00:00:00", "lost", "system", None, 500.0),
        ],
        {"tasks": {"unknown lead": 1}},
        [
            ("00Q1", "2026-01-05 08:00:00", "2026-01-05 08:00:00", None, "Web"),
            ("00Q2", "2026-01-06 08:00:00", "2026-01-06 08:00:00", None, "Partner"),
            ("00Q3", "2026-01-07 08:00:00", "2026-01-07 08:00:00", None, "Web"),
            ("00Q4", "2026-01-08 08:00:00", "2026-01-08 08:00:00", None, "Web"),
        ],
    ),
    "A web shop: a cart left is a lead": Recipe(
        write_shop,
        [
            ("s1", "2026-01-01 10:00:00", "2026-01-01 10:00:00", "view", "lead", "SEO", 19.9),
            ("s1", "2026-01-01 10:01:00", "2026-01-01 10:01:00", "add_to_cart", "lead", "SEO", 19.9),
            ("s1", "2026-01-01 10:05:30", "2026-01-01 10:05:30", "purchase", "lead", "SEO", 19.9),
            ("s2", "2026-01-02 10:00:00", "2026-01-02 10:00:00", "add_to_cart", "lead", "email", 5.0),
            ("s2", "2026-01-02 10:02:00", "2026-01-02 10:02:00", "add_to_cart", "lead", "email", 7.5),
            ("s2", "2026-01-09 10:00:00", "2026-01-09 10:00:00", "cart_left", "system", None, None),
            ("s4", "2026-01-10 10:00:00", "2026-01-10 10:00:00", "add_to_cart", "lead", "direct", 5.0),
        ],
        {"shop": {"unknown lead": 1}},
        [
            ("s1", "2026-01-01 10:01:00", "2026-01-01 10:01:00", "7"),
            ("s2", "2026-01-02 10:00:00", "2026-01-02 10:00:00", None),
            ("s4", "2026-01-10 10:00:00", "2026-01-10 10:00:00", "8"),
        ],
    ),
    "An ad platform's spend": Recipe(
        write_ads,
        [
            ("v1", "2026-01-05 10:00:00", "2026-01-05 10:00:00", "visit", "lead", "SEA", None),
            ("v1", "2026-01-06 12:00:00", "2026-01-06 12:00:00", "signed", "system", "direct", None),
            ("v2", "2026-01-05 11:00:00", "2026-01-05 11:00:00", "visit", "lead", "paid social", None),
            ("v3", "2026-01-05 12:00:00", "2026-01-05 12:00:00", "visit", "lead", "direct", None),
        ],
        {},
        [
            ("v1", "2026-01-05 10:00:00", "2026-01-05 10:00:00", None),
            ("v2", "2026-01-05 11:00:00", "2026-01-05 11:00:00", None),
            ("v3", "2026-01-05 12:00:00", "2026-01-05 12:00:00", None),
        ],
        [
            ("2026-01-05", "SEA", "brand", 1234.5, 320),
            ("2026-01-05", "paid social", "spring", 198.0, 90),  # 220 dollars at 0.9
            ("2026-01-06", "SEA", "brand", 80.0, 20),
            ("2026-01-06", "paid social", "spring", 0.0, 0),
        ],
    ),
    "A French CRM": Recipe(
        write_french_crm,
        [
            ("P1", "2026-01-06 08:15:00", "2026-01-06 08:15:00", "Appel Entrant", "lead", None, None),
            ("P1", "2026-01-19 23:00:00", "2026-01-20 23:00:00", "devis", "us", None, None),
            ("P1", "2026-02-02 23:00:00", "2026-02-03 23:00:00", "signé", "system", None, 1234.5),
            ("P1", "2026-07-06 07:15:00", "2026-07-06 07:15:00", "E-mail Sortant", "us", None, None),
            ("P2", "2026-02-01 23:00:00", "2026-02-02 23:00:00", "devis", "us", None, None),
            ("P2", "2026-04-14 22:00:00", "2026-04-15 22:00:00", "perdu", "us", None, None),
        ],
        {
            "actions": {"unknown lead": 1},
            "devis": {"no event in the row": 1},
            "signatures": {"no event in the row": 2},
        },
        [
            ("P1", "2026-01-04 23:00:00", "2026-01-04 23:00:00", None, "Salon", 85.5),
            ("P2", "2026-01-30 23:00:00", "2026-01-30 23:00:00", None, "Téléphone", 1120.25),
            ("P3", "2026-01-31 23:00:00", "2026-01-31 23:00:00", None, "Salon", None),
        ],
    ),
    "Leads without any events": Recipe(
        write_table,
        [
            # Four leads over two years (2020 has a day more): one each 182.5 days. The last one is still open.
            ("660200", "2021-01-30 00:00:00", "2021-01-30 00:00:00", "lead_lost", "system", None, None),
            ("660300", "2021-07-02 12:00:00", "2021-07-02 12:00:00", "lead_converted", "system", None, None),
            ("9900", "2020-07-02 12:00:00", "2020-07-02 12:00:00", "lead_converted", "system", None, None),
        ],
        {},
        [
            ("660200", "2020-12-31 00:00:00", "2020-12-31 00:00:00", None, "Landing Page", "Google", "Yes", None),
            ("660300", "2021-07-01 12:00:00", "2021-07-01 12:00:00", None, "API", None, "No", "Unemployed"),
            ("660400", "2021-12-31 00:00:00", "2021-12-31 00:00:00", None, "API", "Google", "No", "Student"),
            ("9900", "2020-07-01 12:00:00", "2020-07-01 12:00:00", None, "Landing Page", "Reference", "No", "Student"),
        ],
    ),
}


def ask(project: Project, select: str, file: str, order: str) -> list[Row]:
    """Read a stage's output."""
    path = str(project.root / "data" / file)
    with duckdb.connect() as connection:
        query = f"SELECT {select} FROM read_parquet(?) ORDER BY {order}"
        rows: list[Row] = connection.execute(query, [path]).fetchall()
    return rows


INTERACTION = (
    "lead_id, CAST(occurred_at AS VARCHAR), CAST(known_at AS VARCHAR), event_type, actor, channel, round(value, 6)"
)


def interactions_of(project: Project) -> list[Row]:
    """Give the log as ingest has written it, in an order of its own."""
    return ask(project, INTERACTION, "interactions.parquet", "lead_id, occurred_at, event_type")


def test_every_recipe_of_the_page_is_tested() -> None:
    assert set(RECIPES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recipe_makes_of_the_vendors_files_what_is_told_by_hand(name: str, tmp_path: Path) -> None:
    recipe = EXPECTED[name]
    project = project_of(tmp_path, name)
    recipe.write(tmp_path / project.parameters.data_root)
    summary = ingest.run(project, project.told.append).as_json()
    assert interactions_of(project) == recipe.interactions
    leads = (
        "lead_id, CAST(created_at AS VARCHAR), CAST(known_at AS VARCHAR), * EXCLUDE (lead_id, created_at, known_at, "
    )
    assert ask(project, leads + "time_zone)", "leads.parquet", "lead_id") == recipe.leads
    spend = "CAST(day AS VARCHAR), channel, campaign, round(cost, 6), clicks"
    assert ask(project, spend, "spend.parquet", "day, channel") == recipe.spend
    tables = summary["sources"] | summary["tables"]
    assert {table: read["set_aside"] for table, read in tables.items() if read["set_aside"]} == recipe.set_aside
    for table, read in tables.items():
        assert read["rows"] == read["used"] + sum(read["set_aside"].values()), table
