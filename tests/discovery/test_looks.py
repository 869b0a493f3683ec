"""When init proposes to look at leads: at the ages of those that will be scored, and not more often than helps."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from exports import BEGINNING, write_table
from proposals import propose, read
from world import Project

from features.core.time import parse_duration
from models.learning.origins import choose_origins
from pipeline.discovery.sizing import choose_looks
from pipeline.matrix.slices import reach_of
from pipeline.settings.file import load_parameters


def write_short_log(folder: Path, leads: int = 1500, days: int = 120) -> None:
    """Write a log of four months in which leads convert at a daily hazard that falls by half every three weeks."""
    rng = np.random.default_rng(21)
    people, events = [], []
    for number in range(leads):
        created = float(rng.random()) * days
        people.append((f"L{number:05d}X", BEGINNING + timedelta(days=created), ["Web", "Fair"][number % 2]))
        for age in range(int(days - created)):
            at = BEGINNING + timedelta(days=created + age + float(rng.random()))
            if rng.random() < 0.03 * 0.5 ** (age / 21):
                events.append((f"L{number:05d}X", at, "won"))
                break
            if rng.random() < 0.05:
                events.append((f"L{number:05d}X", at, "visit"))
    write_table(folder / "leads.csv", ("lead_id", "created_at", "origin"), people)
    write_table(folder / "events.csv", ("lead_id", "occurred_at", "event"), events)


def write_contacts_and_deals(
    folder: Path, *, seed: int, leads: int, days: int, share: float, pace: float
) -> tuple[list[tuple[str, str, str]], list[tuple[str, datetime]]]:
    """Write and give first contacts over so many days, and deals of a share, which close after some 2 ``pace`` days."""
    rng, end = np.random.default_rng(seed), BEGINNING + timedelta(days=days)
    contacts: list[tuple[str, str, str]] = []
    deals: list[tuple[str, datetime]] = []
    for number in range(leads):
        created = BEGINNING + timedelta(days=float(rng.random()) * days)
        contacts.append((f"m{number:05x}", f"{created:%Y-%m-%d}", ["social", "search"][number % 2]))
        if rng.random() < share:
            won = created + timedelta(days=float(rng.gamma(2, pace)) + 1)
            if won < end:
                deals.append((f"m{number:05x}", won))
    write_table(folder / "qualified_leads.csv", ("mql_id", "first_contact_date", "origin"), contacts)
    write_table(folder / "closed_deals.csv", ("mql_id", "won_date"), deals)
    return contacts, deals


def test_a_short_log_is_looked_at_as_long_as_its_leads_stay_open(tmp_path: Path) -> None:
    write_short_log(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    policies = settings["snapshots"]["policies"]
    assert policies[0] == {"calendar": "monday"}
    assert "ages" in policies[1]
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest", "snapshots")
    snapshots = pd.read_parquet(tmp_path / "data/snapshots.parquet")
    age = (snapshots["as_of"] - snapshots["started_at"]) / timedelta(days=1)
    known = snapshots["label"].notna()
    as_of, labels = snapshots.loc[known, "as_of"].to_numpy(), snapshots.loc[known, "label"].to_numpy(dtype=float)
    leads = snapshots.loc[known, "lead_id"].to_numpy()
    reach = reach_of(read(tmp_path, "data/snapshots.json"))
    origins = choose_origins(as_of, labels, leads, reach, count=6, minimum=20)
    assert origins, "so short a log can be judged from"
    # What is settled comes before what is foretold, by the reach; that is measured on leads as old as today's.
    assert age[known][origins[-1].settled(as_of, reach)].max() > 14
    assert age[known][origins[-1].foretold(as_of)].max() > 60


def test_leads_that_hardly_act_are_looked_at_a_few_times(tmp_path: Path) -> None:
    """A first contact and an outcome: a look each week would say the same of whom never closes."""
    write_contacts_and_deals(tmp_path / "raw", seed=22, leads=3000, days=400, share=0.12, pace=15)
    settings = propose(tmp_path / "raw", tmp_path)
    (policy,) = settings["snapshots"]["policies"]
    ages = [parse_duration(age) for age in policy["ages"]]
    assert ages[-1] == timedelta(days=365)
    assert len(ages) <= 10
    text = (tmp_path / "params.yaml").read_text(encoding="utf-8").replace("\n  #", "")
    assert "hardly act" in text
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest", "snapshots")
    with duckdb.connect() as connection:
        ((rows,),) = connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [str(tmp_path / "data/snapshots.parquet")]
        ).fetchall()
    assert rows < 10 * 3000


def test_where_growing_ages_miss_many_that_are_open_months_are_added(tmp_path: Path) -> None:
    """A log of 720 days has no lead that was looked at after two years: a year is the last of the growing ages."""
    contacts, deals = write_contacts_and_deals(tmp_path / "raw", seed=24, leads=2000, days=720, share=0.2, pace=3)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["snapshots"]["policies"][0] == {"calendar": "monthly"}
    assert settings["snapshots"]["policies"][1]["ages"][-1] == "365d"
    text = (tmp_path / "params.yaml").read_text(encoding="utf-8").replace("\n  #", "")
    assert re.search(r"the firsts of months for (4[5-9]|50)\.\d% of them, which ages would not cover", text), text
    Project(tmp_path, load_parameters(tmp_path / "params.yaml")).run("ingest", "snapshots")
    snapshots = pd.read_parquet(tmp_path / "data/snapshots.parquet")
    learned = (snapshots["as_of"] - snapshots["started_at"])[snapshots["label"].notna()].max()
    until = BEGINNING + timedelta(days=720)
    ages = [until - pd.Timestamp(created) for lead, created, _ in contacts if lead not in dict(deals)]
    assert np.mean([age > learned for age in ages]) < 0.08, "not more than a horizon and a month take from the log"


def test_so_many_leads_that_months_would_be_too_much_are_looked_at_once_more_when_they_are_old(tmp_path: Path) -> None:
    """400,000 leads that are open for up to 600 days: four million looks by the months."""
    until = datetime(2026, 1, 1)
    days = np.linspace(0.01, 600, 400_000)
    episodes = pd.DataFrame(
        {
            "lead_id": [f"{number}" for number in range(len(days))],
            "started_at": until - pd.to_timedelta(days, unit="D"),
            "outcome_at": pd.Series(pd.NaT, index=range(len(days)), dtype="datetime64[us]"),
        }
    ).astype({"started_at": "datetime64[us]"})
    log = tmp_path / "log.parquet"
    acts = pd.DataFrame({"lead_id": ["0"], "event_type": ["visit"], "occurred_at": [until]})
    acts.astype({"occurred_at": "datetime64[us]"}).to_parquet(log)
    for reach, last in ((timedelta(days=7), "570d"), (timedelta(days=45), "540d")):
        looks = choose_looks(episodes, log, ["won"], timedelta(days=2), until, reach)
        ages = looks.policies[0]["ages"]
        assert (len(looks.policies), ages[-2:]) == (1, ["365d", last])


def test_leads_that_all_end_soon_need_no_calendar(tmp_path: Path) -> None:
    rng = np.random.default_rng(23)
    people, events = [], []
    for number in range(900):
        created = BEGINNING + timedelta(days=float(rng.random()) * 300)
        people.append((f"L{number:05d}X", created, ["Web", "Fair"][number % 2]))
        events.append((f"L{number:05d}X", created + timedelta(days=1), "visit"))
        end = created + timedelta(days=2 + 2 * float(rng.random()))
        events.append((f"L{number:05d}X", end, "won" if rng.random() < 0.3 else "lost"))
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "origin"), people)
    write_table(tmp_path / "raw/events.csv", ("lead_id", "occurred_at", "event"), events)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["snapshots"]["policies"] == [{"ages": ["1d"]}]
