"""What init makes of shapes that vendors have: nested objects, ids of two tables, moments of deals, odd names."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import yaml
from exports import BEGINNING, write_table
from proposals import count, ingest, propose, read

from pipeline.core.project import Places
from pipeline.discovery.attributes import Attribute, judge_by_outcome
from pipeline.discovery.currencies import propose_groups
from pipeline.discovery.initialise import Options, initialise
from pipeline.profiling.words import is_called_id

EPOCH = datetime(1970, 1, 1)


def test_nested_objects_and_lists_of_keys_are_named_by_their_paths(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    rows = []
    for visitor in range(400):
        begun = BEGINNING + timedelta(hours=5 * visitor)
        moments = [begun + timedelta(hours=step) for step in range(int(rng.integers(2, 5)))]
        names = ["page_view"] * len(moments) + (["purchase"] if visitor % 5 == 0 else [])
        for at, name in zip([*moments, begun + timedelta(days=3)], names, strict=False):
            row = {
                "event_date": f"{at:%Y%m%d}",
                "event_timestamp": str(round((at - EPOCH).total_seconds() * 1_000_000)),
                "event_name": name,
                "event_params": [{"key": "currency", "value": {"string_value": "EUR"}}],
                "user_pseudo_id": f"{visitor * 7919}.{visitor}",
                "traffic_source": {"source": "google", "medium": ["cpc", "organic"][visitor % 2], "name": "spring"},
            }
            if name == "purchase":
                row["ecommerce"] = {"purchase_revenue": 40 + visitor / 10}
            rows.append(json.dumps(row))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/events_20250106.jsonl").write_text("\n".join(rows[:600]) + "\n")
    (tmp_path / "raw/events_20250107.jsonl").write_text("\n".join(rows[600:]) + "\n")
    settings = propose(tmp_path / "raw", tmp_path)
    source = settings["ingest"]["sources"]["events"]
    assert source["path"] == "events_*.jsonl"
    assert source["time_format"] == "epoch_microseconds"
    assert source["columns"] == {
        "lead_id": "user_pseudo_id",
        "occurred_at": "event_timestamp",
        "event_type": "event_name",
        "traffic_source": "traffic_source.source",
        "traffic_medium": "traffic_source.medium",
        "campaign": "traffic_source.name",
        "value": "ecommerce.purchase_revenue",
        "currency": "event_params[currency]",
    }
    assert settings["episodes"]["conversion"] == ["purchase"]
    ingest(tmp_path)
    assert count(tmp_path)["purchase", "lead"] == 80


def test_an_id_that_points_into_two_tables_finds_its_lead_by_either(tmp_path: Path) -> None:
    """A task hangs on the lead and, once it is converted, on the contact that it became."""
    leads: list[tuple[object, ...]] = []
    tasks: list[tuple[object, ...]] = []
    deals: list[tuple[object, ...]] = []
    for number in range(400):
        created = BEGINNING + timedelta(hours=5 * number)
        converted = number % 3 == 0
        stamp = f"{created:%Y-%m-%dT%H:%M:%S.000+0000}"
        lead, contact, deal = f"00Q{number:09d}AAA", f"003{number:09d}AAA", f"006{number:09d}AAA"
        kept = (contact, deal, f"{created + timedelta(days=3):%Y-%m-%d}") if converted else ("", "", "")
        leads.append((lead, stamp, ["Web", "Partner"][number % 2], *kept))
        for step in range(3):
            at = created + timedelta(days=2 * step, hours=1)
            who = contact if converted else lead
            tasks.append(
                (
                    f"00T{len(tasks):09d}AAA",
                    who,
                    ["Call", "Email"][step % 2],
                    f"{at + timedelta(days=9):%Y-%m-%d}",
                    f"{at:%Y-%m-%dT%H:%M:%S.000+0000}",
                )
            )
        if converted:
            stage = "Closed Won" if number % 2 else "Closed Lost"
            deals.append(
                (deal, stamp, stage, f"{created + timedelta(days=20):%Y-%m-%d}", 100, ["EUR", "USD"][number % 2])
            )
    write_table(
        tmp_path / "raw/Lead.csv",
        ("Id", "CreatedDate", "LeadSource", "ConvertedContactId", "ConvertedOpportunityId", "ConvertedDate"),
        leads,
    )
    write_table(tmp_path / "raw/Task.csv", ("Id", "WhoId", "TaskSubtype", "ActivityDate", "CreatedDate"), tasks)
    write_table(
        tmp_path / "raw/Opportunity.csv",
        ("Id", "CreatedDate", "StageName", "CloseDate", "Amount", "CurrencyIsoCode"),
        deals,
    )
    settings = propose(tmp_path / "raw", tmp_path)
    columns = settings["ingest"]["sources"]["task_events"]["columns"]
    # Written when it was made: the other date says when it is due.
    assert (columns["occurred_at"], columns["event_type"]) == ("CreatedDate", "TaskSubtype")
    # Two currencies and no rates: none of the amounts is used.
    assert "currency" not in settings["ingest"]
    assert all("value" not in source["columns"] for source in settings["ingest"]["sources"].values())
    ingest(tmp_path)
    sources = read(tmp_path, "data/ingest.json")["sources"]
    assert (sources["task_events"]["rows"], sources["task_events"]["used"]) == (1200, 1200)
    assert count(tmp_path)["opportunity_won", "system"] == 67
    assert count(tmp_path)["opportunity_lost", "system"] == 67
    # The id of the contact came with the conversion: what hangs on it is the lead's from the end of that day on.
    with duckdb.connect() as connection:
        soonest = connection.execute(
            "SELECT min(log.known_at - lead.created_at) FROM read_parquet(?) AS log JOIN read_parquet(?) AS lead "
            "USING (lead_id) WHERE source = 'task_events' AND CAST(right(left(lead_id, 12), 9) AS BIGINT) % 3 = 0",
            [str(tmp_path / "data/interactions.parquet"), str(tmp_path / "data/leads.parquet")],
        ).fetchall()
    assert soonest[0][0] > timedelta(days=3)


def test_ids_that_a_lead_got_at_a_time_untold_tie_nothing_to_it(tmp_path: Path) -> None:
    """Only who converted has such an id: without a time, what it ties would know the outcome."""
    leads, visits = [], []
    for number in range(400):
        created = BEGINNING + timedelta(hours=5 * number)
        won = number % 3 == 0
        leads.append((f"00Q{number:09d}", created, "Web", f"003{number:09d}" if won else "", "yes" if won else "no"))
        visits.append((f"00V{number:09d}", f"00Q{number:09d}", created + timedelta(hours=1), "visit"))
        if won:
            visits.append((f"00W{number:09d}", f"003{number:09d}", created + timedelta(hours=2), "visit"))
    write_table(tmp_path / "raw/leads.csv", ("id", "created_at", "origin", "converted_contact_id", "converted"), leads)
    write_table(tmp_path / "raw/visits.csv", ("visit_id", "who_id", "visited_at", "event"), visits)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    assert count(tmp_path)["visit", "lead"] == 400


def test_an_empty_id_ties_nothing_to_anybody(tmp_path: Path) -> None:
    leads, deals = [], []
    for number in range(300):
        created = BEGINNING + timedelta(hours=9 * number)
        contact = f"C-{number:05d}" if number % 2 else ""
        leads.append((number + 1, created, "Web", contact, created + timedelta(days=2) if contact else ""))
        stage = ["Closed Won", "Closed Lost"][number % 4 // 2]
        deals.append((f"D-{number:05d}", contact, created + timedelta(days=2), stage, created + timedelta(days=9)))
    write_table(
        tmp_path / "raw/leads.csv", ("id", "created_at", "origin", "converted_contact_id", "converted_at"), leads
    )
    write_table(
        tmp_path / "raw/opportunities.csv", ("opportunity_id", "contact_id", "created_at", "stage", "close_date"), deals
    )
    propose(tmp_path / "raw", tmp_path, leads="leads")
    ingest(tmp_path)
    outcomes = read(tmp_path, "data/ingest.json")["sources"]["opportunity_outcomes"]
    assert (outcomes["rows"], outcomes["used"], outcomes["set_aside"]) == (300, 150, {"unknown lead": 150})


def test_a_status_that_is_overwritten_is_no_event_at_creation(tmp_path: Path) -> None:
    leads, mails = [], []
    for number in range(300):
        created = BEGINNING + timedelta(hours=9 * number)
        leads.append((f"L{number}", created, created + timedelta(days=4) if number % 3 == 0 else ""))
        mails.append(
            (
                f"M{number}",
                f"L{number}",
                created,
                ["sent", "clicked", "bounced"][number % 3],
                created + timedelta(days=1),
            )
        )
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "won_date"), leads)
    write_table(tmp_path / "raw/emails.csv", ("email_id", "lead_id", "sent_at", "status", "opened_at"), mails)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["sources"]["emails"]["columns"]["events"] == {"sent_at": "email", "opened_at": "opened"}


def test_stages_are_read_to_the_last(tmp_path: Path) -> None:
    """Sixteen stages, of which the rarest is the one that counts."""
    deals = []
    for number in range(800):
        created = BEGINNING + timedelta(hours=5 * number)
        stage = "Closed Won" if number % 20 == 0 else "Closed Lost" if number % 4 == 1 else f"Stage {number % 14}"
        closed = f"{created + timedelta(days=18):%Y-%m-%d}" if stage.startswith("Closed") else ""
        deals.append((f"D{number:04d}", created, stage, closed))
    write_table(tmp_path / "raw/deals.csv", ("deal_id", "created_at", "stage", "close_date"), deals)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"] == {"conversion": ["deal_won"], "lost": ["deal_lost"]}
    ingest(tmp_path)
    assert count(tmp_path) == {("deal_won", "system"): 40, ("deal_lost", "system"): 200}


def test_what_is_not_converted_is_not_converted(tmp_path: Path) -> None:
    rows = [
        (
            f"C{number:04d}",
            BEGINNING + timedelta(hours=5 * number),
            "Web",
            "Converted" if number % 5 == 0 else "Not converted",
        )
        for number in range(600)
    ]
    write_table(tmp_path / "raw/customers.csv", ("customer_id", "created_at", "origin", "converted"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"] == {"conversion": ["customer_converted"], "lost": ["customer_lost"]}
    ingest(tmp_path)
    assert count(tmp_path)["customer_converted", "system"] == 120


def test_an_amount_that_is_nought_unless_won_gives_itself_away() -> None:
    rng = np.random.default_rng(3)
    won = rng.random(4000) < 0.03
    amount = np.where(won, rng.integers(100, 900, 4000), 0)
    employees = rng.integers(1, 500, 4000)
    judged = judge_by_outcome(
        [Attribute("amount", "number", None), Attribute("employees", "number", None)],
        {"amount": amount.tolist(), "employees": employees.tolist()},
        won.tolist(),
    )
    assert [one.refused is not None for one in judged] == [True, False]


def test_what_a_name_counts_or_names_says_whether_it_is_overwritten(tmp_path: Path) -> None:
    header = ("lead_id", "created_at", "Number of Employees", "num_children", "Number of Pageviews", "Last Activity",
              "Last Name", "lastname", "Total Visits")  # fmt: skip
    rows = [
        (f"L{n:04}", BEGINNING + timedelta(hours=n), n * 7 % 90, n % 3, n * 11 % 60, f"act {n % 7}", f"Name {n % 40}",
         f"name{n % 30}", n * 13 % 50)
        for n in range(600)
    ]  # fmt: skip
    events = [(row[0], row[1] + timedelta(hours=n), ("view", "click", "signed")[n])
              for number, row in enumerate(rows) for n in range(3 if number % 4 == 0 else 2)]  # fmt: skip
    write_table(tmp_path / "raw/leads.csv", header, rows)
    write_table(tmp_path / "raw/events.csv", ("lead_id", "occurred_at", "event"), events)
    found = initialise(tmp_path / "raw", Options(conversion=("signed",)), None, lambda _: None, tmp_path)
    attributes = yaml.safe_load(found.settings)["ingest"]["leads"]["attributes"]
    assert attributes == {"Number of Employees": "number", "num_children": "number"}
    told = {line.split(",")[0]: line for line in found.told if line.startswith("left out")}
    assert [one for one in told if "personal" in told[one]] == ["left out: Last Name", "left out: lastname"]


def test_files_with_a_name_between_are_no_parts(tmp_path: Path) -> None:
    for name, kind in (("events_1", "visit"), ("events_2", "won"), ("events_2_backup", "visit")):
        extra = ("note",) if "backup" in name else ()
        rows = [
            (f"L{number}", BEGINNING + timedelta(hours=9 * number + hour + (kind == "won")), kind, *extra)
            for number in range(200)
            for hour in range(2)
            if kind == "visit" or number % 3 == 0
        ]
        write_table(tmp_path / f"raw/{name}.csv", ("lead_id", "time", "event", *extra), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert sorted(source["path"] for source in settings["ingest"]["sources"].values()) == [
        "events_1.csv",
        "events_2.csv",
        "events_2_backup.csv",
    ]


def test_a_large_field_and_odd_event_types_are_no_harm(tmp_path: Path) -> None:
    rows = [
        (f"L{n}", BEGINNING + timedelta(hours=7 * n), "a\nb: #", "x" * (1_000_000 if n == 3 else 5)) for n in range(200)
    ]
    rows += [(f"L{n}", BEGINNING + timedelta(hours=7 * n + 50), "won", "y") for n in range(0, 200, 4)]
    write_table(tmp_path / "raw/log.csv", ("lead_id", "time", "event", "note"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["won"]
    ingest(tmp_path)
    assert count(tmp_path)["a\nb: #", "lead"] == 200


def test_a_table_of_deals_is_told_by_its_dates_and_not_by_a_type_of_another_thing(tmp_path: Path) -> None:
    leads = [
        (f"m{number:04x}", f"{BEGINNING + timedelta(hours=6 * number):%Y-%m-%d}", "social") for number in range(500)
    ]
    deals = [
        (
            f"m{number:04x}",
            f"s{number}",
            BEGINNING + timedelta(hours=6 * number, days=1 + number % 30),
            ["online", "offline"][number % 2],
        )
        for number in range(0, 500, 8)
    ]
    write_table(tmp_path / "raw/qualified_leads.csv", ("mql_id", "first_contact_date", "origin"), leads)
    write_table(tmp_path / "raw/closed_deals.csv", ("mql_id", "seller_id", "won_date", "lead_type"), deals)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["leads"]["columns"] == {"lead_id": "mql_id", "created_at": "first_contact_date"}
    assert settings["ingest"]["sources"]["closed_deals"]["columns"]["event_type"] == {"constant": "won"}
    assert settings["episodes"]["conversion"] == ["won"]
    ingest(tmp_path)
    assert count(tmp_path) == {("won", "system"): 63}


def test_rows_about_other_things_are_no_leads(tmp_path: Path) -> None:
    """One column of ids, and another that says of what: contacts and companies have numbers alike."""
    rows = []
    for number in range(300):
        at = BEGINNING + timedelta(hours=8 * number)
        rows += [
            ("contact", number, at, "visit"),
            ("contact", number, at + timedelta(days=2), "won" if number % 3 == 0 else "lost"),
        ]
        rows.append(("company", number, at, "visit"))
    write_table(tmp_path / "raw/log.csv", ("entity_type", "entity_id", "occurred_at", "event"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["won"]
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")
    assert summary["lead_count"] == 300
    (source,) = summary["sources"].values()
    assert (source["rows"], source["used"], source["set_aside"]) == (900, 600, {"unknown lead": 300})


def test_times_in_milliseconds_and_ids_in_one_word_are_recognised(tmp_path: Path) -> None:
    rows = []
    for visitor in range(300):
        begun = round((BEGINNING + timedelta(hours=4 * visitor) - EPOCH).total_seconds() * 1000)
        rows += [(begun, visitor * 13, "view", visitor % 70), (begun + 3_600_000, visitor * 13, "view", visitor % 50)]
        if visitor % 6 == 0:
            rows.append((begun + 200_000_000, visitor * 13, "transaction", visitor % 70))
    write_table(tmp_path / "raw/events.csv", ("timestamp", "visitorid", "event", "itemid"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    source = settings["ingest"]["sources"]["events"]
    assert source["time_format"] == "epoch_milliseconds"
    assert source["columns"]["lead_id"] == "visitorid"
    assert settings["episodes"] == {"conversion": ["transaction"]}


def test_names_are_ids_or_not() -> None:
    assert all(
        map(is_called_id, ("lead_id", "LeadID", "user_pseudo_id", "Record ID", "Case ID", "visitorid", "customer"))
    )
    assert not any(map(is_called_id, ("Lead Source", "paid", "valid", "amount", "customer_segment")))


def test_a_channel_on_which_money_is_spent_is_paid_and_groups_are_left_alone_where_none_is(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.leads.parent.mkdir(parents=True)
    with duckdb.connect() as connection:

        def write(path: Path, rows: str, names: str) -> None:
            connection.execute(f"COPY (SELECT * FROM (VALUES {rows}) AS t({names})) TO '{path}' (FORMAT parquet)")

        write(
            places.leads,
            "('a', 'Social'), ('b', 'sea'), ('c', 'seo'), ('d', 'our fair'), ('e', NULL)",
            "lead_id, channel",
        )
        write(places.spend, "('sea', 10.0), ('Social', 5.0), ('seo', 0.0)", "channel, cost")
        assert propose_groups(connection, places) == {
            "groups": {"paid": ["sea", "Social"], "organic": ["seo"], "inbound": ["sea", "seo", "Social"]}
        }
        write(places.spend, "('sea', 10.0), ('Social', NULL)", "channel, cost")
        assert propose_groups(connection, places) == {}
