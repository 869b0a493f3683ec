"""Columns of the raw table of leads, read when a page or a file is made: whose a text is, and what is empty."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from raw_logs import LEADS
from small_project import SmallProject

from features.core.errors import SettingsError
from pipeline.core.project import Project
from pipeline.reading.lead_columns import Wanted, find_empty, read_of_leads
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters

NAME, PHONE = "leads.shown.name", "leads.shown.telephone"
EVE, DAY_AFTER = datetime(2026, 1, 3), datetime(2026, 1, 5)
ROWS = (
    "lead,created,first,last,phone,fax\n"
    "A,2026-01-01,,,,\n"
    "A,2026-01-01,Ada , Byron,,\n"
    "A,2026-01-01,Not,Hers,1,\n"
    "cookie,2026-01-01,Not,Hers,2,\n"
    "B,2026-01-01,,,\u00a0 ,\n"
    "other,2026-01-01,Bea,,3,\n"
)
IDENTITIES = {"path": "aliases.csv", "columns": {"alias_id": "alias", "lead_id": "lead", "linked_at": "at"}}


def opened(project: SmallProject) -> Project[Parameters]:
    return Project(project.root, load_parameters(project.root / "params.yaml"))


@pytest.fixture
def small(tmp_path: Path) -> SmallProject:
    small = SmallProject(tmp_path / "project")
    small.write(leads_csv=ROWS, aliases_csv="alias,lead,at\ncookie,A,2026-01-01\nother,B,2026-01-04\n")
    small.set(identities=IDENTITIES)
    assert small.ingest().code == 0
    return small


def test_a_lead_s_own_first_row_that_holds_a_text_says_it_and_else_one_of_an_alias(small: SmallProject) -> None:
    wanted: Wanted = {NAME: ["first", "last"], PHONE: "phone"}
    both = read_of_leads(opened(small), wanted, DAY_AFTER)
    assert both == {"A": {NAME: "Ada   Byron", PHONE: "1"}, "B": {NAME: "Bea", PHONE: "3"}}
    before = read_of_leads(opened(small), wanted, EVE)
    assert before == {"A": both["A"], "other": both["B"]}, "nobody knew then that it is B"
    assert read_of_leads(opened(small), wanted, DAY_AFTER, ["B"]) == {"B": both["B"]}
    assert read_of_leads(opened(small), wanted, DAY_AFTER, []) == {}


def test_a_database_says_the_same_as_a_file(small: SmallProject) -> None:
    wanted: Wanted = {NAME: ["first", "last"], PHONE: "phone"}
    of_file = read_of_leads(opened(small), wanted, DAY_AFTER)
    with sqlite3.connect(small.raw / "crm.sqlite") as connection:
        connection.execute("CREATE TABLE leads (lead, created, first, last, phone, fax)")
        rows = [[cell or None for cell in line.split(",")] for line in ROWS.splitlines()[1:]]
        connection.executemany("INSERT INTO leads VALUES (?, ?, ?, ?, ?, ?)", rows)
    table = {"database": "sqlite:///crm.sqlite", "query": "SELECT * FROM leads ORDER BY rowid"}
    columns = {"lead_id": "lead", "created_at": "created"}
    small.set(identities=IDENTITIES, leads={**table, "columns": columns})
    assert read_of_leads(opened(small), wanted, DAY_AFTER) == of_file
    assert find_empty(opened(small), {PHONE: "phone", "leads.shown.mail": "fax"}) == ["leads.shown.mail"]


def test_a_column_that_holds_nothing_in_any_row_is_found_before_there_is_a_log(tmp_path: Path) -> None:
    small = SmallProject(tmp_path / "project")
    small.write(leads_csv=ROWS)
    small.set()
    assert find_empty(opened(small), {NAME: "first", PHONE: ["fax"], "leads.shown.mail": "phone"}) == [PHONE]
    small.write(leads_csv="lead,created,first,fax\n")
    assert find_empty(opened(small), {NAME: "first"}) == [NAME], "nor where there is no row"


def test_a_column_that_is_not_there_and_a_table_that_is_a_query_are_told_by_their_place(small: SmallProject) -> None:
    with pytest.raises(SettingsError, match=r"^leads.shown.name: the table of leads has no column 'frist'.*'first'\?"):
        read_of_leads(opened(small), {PHONE: "phone", NAME: "frist"}, EVE)
    small.set(identities=IDENTITIES, tables={"raw": {"path": "leads.csv"}}, leads={
        "query": "SELECT * FROM raw", "columns": LEADS["columns"],
    })  # fmt: skip
    with pytest.raises(SettingsError, match=r"^exports.click_id is read from the files of ingest.leads.*give"):
        read_of_leads(opened(small), {"exports.click_id": "phone"}, EVE)
