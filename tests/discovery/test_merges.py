"""Which record a merge leaves, and leads that no table lists."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from cases import CASES
from command_line import call
from exports import BEGINNING, write_table
from proposals import ingest, interactions, notes, propose, read

from features.core.errors import InputError
from pipeline.discovery.merges import left_by_name


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("Merged Record ID", "Record ID"),
        ("loser_id", "winner_id"),
        ("secondary", "primary"),
        ("from_id", "to_id"),
        ("old_id", "new_id"),
        ("contact_id", "merged_into"),
        ("merged_from", "contact_id"),
        ("duplicate_id", "master_record_id"),
        ("vid", "canonical_vid"),
        ("removed_id", "kept_id"),
        ("Id", "SurvivorId"),
        ("lead_id", "duplicate_of"),
        ("id_ancien", "id_nouveau"),
        ("doublon_id", "principal_id"),
        ("id_supprimé", "id_conservé"),
        ("alte_id", "neue_id"),
        ("Dubletten-ID", "Haupt-ID"),
        ("quell_id", "ziel_id"),
    ],
)
def test_the_names_say_which_record_is_left_in_either_order(gone: str, left: str) -> None:
    assert left_by_name((gone, left)) == left_by_name((left, gone)) == left


@pytest.mark.parametrize(("one", "other"), [("contact_a", "contact_b"), ("id_1", "id_2"), ("old_a", "old_b")])
def test_names_that_say_nothing_or_both_the_same_choose_none(one: str, other: str) -> None:
    assert left_by_name((one, other)) is None


def write_merges(
    folder: Path, header: Sequence[str], *, gone_first: bool = True, gone_stay: bool = True, gone_act: bool = True
) -> dict[str, str]:
    """Write contacts, events and merges of every second pair; gives who was merged into whom."""
    contacts, events, merges, into = [], [], [], {}
    for number in range(160):
        gone, left = f"4{number * 2:06d}00", f"4{number * 2 + 1:06d}00"
        created = BEGINNING + timedelta(hours=18 * number)
        merged = created + timedelta(days=20)
        is_merged = number % 2 == 0
        contacts += [(gone, created)] if gone_stay or not is_merged else []
        contacts.append((left, created))
        events += [(one, created + timedelta(days=step), "visit") for one in (gone, left) for step in (1, 3)]
        events.append((left, created + timedelta(days=25), "visit"))
        events += [(gone, created + timedelta(days=26), "visit")] if gone_act or not is_merged else []
        events += [(left, created + timedelta(days=30 + number % 9), "won")] if number % 3 == 0 else []
        if is_merged:
            merges.append((gone, left, merged) if gone_first else (left, gone, merged))
            into[gone] = left
    write_table(folder / "contacts.csv", ("contact_id", "created_at"), contacts)
    write_table(folder / "events.csv", ("contact_id", "time", "event"), events)
    write_table(folder / "merges.csv", header, merges)
    return into


def alias_and_lead(root: Path) -> tuple[str, str]:
    columns = propose(root / "raw", root)["ingest"]["identities"]["columns"]
    return columns["alias_id"], columns["lead_id"]


@pytest.mark.parametrize("gone_first", [True, False])
def test_merged_contacts_are_united_onto_the_one_that_is_left(tmp_path: Path, *, gone_first: bool) -> None:
    header = ("merged_id", "contact_id", "merged_at") if gone_first else ("contact_id", "merged_id", "merged_at")
    into = write_merges(tmp_path / "raw", header, gone_first=gone_first)
    assert alias_and_lead(tmp_path) == ("merged_id", "contact_id")
    ingest(tmp_path)
    acting = {lead for lead, _, _ in interactions(tmp_path)}
    assert not acting & into.keys()
    assert set(into.values()) <= acting


@pytest.mark.parametrize("kept", [{"gone_stay": False}, {"gone_act": False}])
def test_where_names_are_silent_what_became_of_the_ids_tells(tmp_path: Path, kept: dict[str, bool]) -> None:
    write_merges(tmp_path / "raw", ("id_2", "id_1", "merged_at"), **kept)
    assert alias_and_lead(tmp_path) == ("id_2", "id_1")


def test_where_nothing_tells_init_stops_and_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_merges(tmp_path / "raw", ("id_1", "id_2", "merged_at"))
    monkeypatch.chdir(tmp_path)
    code, text = call("init", "raw", "--yes")
    assert code == 4
    told = " ".join(text.split())
    assert "merges links 'id_1' with 'id_2'. Which one holds the record that is left after a merge?" in told or (
        "merges links 'id_2' with 'id_1'. Which one holds the record that is left after a merge?" in told
    )
    assert "Their names don't tell, the data doesn't tell; say which: --survivor" in told
    settings = propose(tmp_path / "raw", tmp_path, survivor="id_2")
    assert settings["ingest"]["identities"]["columns"]["lead_id"] == "id_2"
    with pytest.raises(
        InputError, match="--survivor id_3: merges links 'id_., name one of these|--survivor id_3: merges"
    ):
        propose(tmp_path / "raw", tmp_path, survivor="id_3")


def test_names_and_data_that_contradict_each_other_are_both_told(tmp_path: Path) -> None:
    write_merges(tmp_path / "raw", ("winner_id", "loser_id", "merged_at"), gone_stay=False)
    with pytest.raises(InputError, match="By its name 'winner_id', by the data 'loser_id' .* are leads"):
        propose(tmp_path / "raw", tmp_path)


def test_a_merge_that_the_leads_tell_themselves_is_known_from_the_row_s_last_change(tmp_path: Path) -> None:
    leads, events = [], []
    for number in range(240):
        created = BEGINNING + timedelta(hours=12 * number)
        merged = number % 8 == 0
        leads.append(
            (f"00Q{number:06d}", created, "web", f"00Q{number + 1:06d}" if merged else "", created + timedelta(days=9))
        )
        events.append((f"00Q{number:06d}", created + timedelta(days=1), "visit"))
        events.append((f"00Q{number:06d}", created + timedelta(days=12), "won" if number % 8 in {1, 4} else "visit"))
    header = ("Id", "CreatedDate", "Origin", "MasterRecordId", "LastModifiedDate")
    write_table(tmp_path / "raw/leads.csv", header, leads)
    write_table(tmp_path / "raw/events.csv", ("LeadId", "time", "event"), events)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")
    assert summary["leads"]["set_aside"] == {"merged into another lead": 30} or summary["lead_count"] == 210
    with duckdb.connect() as connection:
        known = connection.execute(
            "SELECT known_at FROM read_parquet(?) WHERE lead_id = '00Q000001' ORDER BY occurred_at LIMIT 1",
            [str(tmp_path / "data/interactions.parquet")],
        ).fetchall()
    assert known == [(BEGINNING + timedelta(days=9),)]


def test_a_list_of_merged_ids_is_taken_apart(tmp_path: Path) -> None:
    contacts, events = [], []
    for number in range(200):
        created = BEGINNING + timedelta(hours=12 * number)
        merged = f"9{number:05d}1;9{number:05d}2" if number % 5 == 0 else ""
        contacts.append((f"1{number:06d}", created, merged))
        ids = [f"1{number:06d}", *(merged.split(";") if merged else [])]
        events += [(one, created + timedelta(days=1), "visit") for one in ids]
        events += [(f"1{number:06d}", created + timedelta(days=12), "won")] if number % 4 == 0 else []
    write_table(tmp_path / "raw/contacts.csv", ("Record ID", "Create Date", "Merged object IDs"), contacts)
    write_table(tmp_path / "raw/events.csv", ("Record ID", "time", "event"), events)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    source = read(tmp_path, "data/ingest.json")["sources"]["events"]
    assert (source["rows"], source["used"]) == (330, 330)


def test_merges_beside_events_alone_leave_every_id_a_lead(tmp_path: Path) -> None:
    into = write_merges(tmp_path / "raw", ("old_id", "new_id", "merged_at"))
    (tmp_path / "raw/contacts.csv").unlink()
    propose(tmp_path / "raw", tmp_path, conversion=("won",))
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")
    assert summary["lead_count"] == 320 - len(into)
    assert all(not source["set_aside"] for source in summary["sources"].values())


def test_cookies_beside_events_alone_are_united_onto_the_person(tmp_path: Path) -> None:
    """Only the cookie ever acts; that several of them are one person tells which is which."""
    events, links = [], []
    for number in range(300):
        begun = BEGINNING + timedelta(hours=9 * number)
        cookie = f"c{number * 7919 % 10007:05d}x"
        events += [(cookie, begun + timedelta(days=step), "visit") for step in (0, 2)]
        events += [(cookie, begun + timedelta(days=6), "won")] if number % 4 == 0 else []
        links.append((cookie, f"user-{number // 2:04d}", begun + timedelta(days=1)))
    write_table(tmp_path / "raw/events.csv", ("visitor_id", "time", "event"), events)
    write_table(tmp_path / "raw/identities.csv", ("visitor_id", "user_id", "linked_at"), links)
    assert alias_and_lead(tmp_path) == ("visitor_id", "user_id")
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == 150


def write_activities(folder: Path) -> int:
    """Write activities in four files, one of which says a country; gives the number of leads."""
    kinds = ("click_email", "fill_out_form", "open_email", "opportunity")
    rows: dict[str, list[tuple[object, ...]]] = {kind: [] for kind in kinds}
    for number in range(300):
        begun = BEGINNING + timedelta(hours=20 * number)
        for step in range(4):
            kind = kinds[(number + step) % 3]
            at = begun + timedelta(days=2 * step)
            if number % 3 == 1 and kind == "click_email":
                continue
            extra = ("DE",) if kind == "click_email" else ()
            rows[kind].append((1280000 + number, at, 7, *extra))
        if number % 4 == 0:
            rows["opportunity"].append((1280000 + number, begun + timedelta(days=15), 0))
    for kind, content in rows.items():
        header = ("lead_id", "activity_date", "campaign_id", *(("country",) if kind == "click_email" else ()))
        write_table(folder / f"activity_{kind}.csv", header, content)
    return 300


def test_without_a_table_of_leads_every_id_of_the_log_is_a_lead(tmp_path: Path) -> None:
    leads = write_activities(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path, conversion=("activity_opportunity_created",))
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")
    assert summary["lead_count"] == leads
    assert all(not source["set_aside"] for source in summary["sources"].values())
    assert len({lead for lead, _, _ in interactions(tmp_path, "event_type = 'activity_opportunity_created'")}) == 75
    if "country" in settings["ingest"].get("leads", {}).get("query", ""):
        with duckdb.connect() as connection:
            late = connection.execute(
                "SELECT count(*) FROM read_parquet(?) AS lead WHERE country IS NOT NULL AND lead_id NOT IN ("
                "SELECT lead_id FROM read_parquet(?) AS log WHERE source = 'activity_click_email' "
                "AND log.lead_id = lead.lead_id AND log.occurred_at <= lead.created_at)",
                [str(tmp_path / "data/leads.parquet"), str(tmp_path / "data/interactions.parquet")],
            ).fetchall()
        assert late == [(0,)]


def test_a_table_that_calls_the_lead_otherwise_belongs_to_the_log(tmp_path: Path) -> None:
    leads = write_activities(tmp_path / "raw")
    deals = tmp_path / "raw/activity_opportunity.csv"
    deals.write_text(deals.read_text(encoding="utf-8").replace("lead_id", "LeadId", 1), encoding="utf-8")
    propose(tmp_path / "raw", tmp_path, conversion=("activity_opportunity_created",))
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == leads
    assert len({lead for lead, _, _ in interactions(tmp_path, "event_type = 'activity_opportunity_created'")}) == 75


def test_a_table_that_lists_some_of_the_leads_is_told_with_what_it_costs(tmp_path: Path) -> None:
    leads, events = [], []
    for number in range(300):
        begun = BEGINNING + timedelta(hours=9 * number)
        leads += [(f"L{number}", begun, "web")] if number % 2 else []
        events.append((f"L{number}", begun + timedelta(days=1), "visit"))
        events += [(f"L{number}", begun + timedelta(days=9), "won")] if number % 3 == 0 else []
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "origin"), leads)
    write_table(tmp_path / "raw/events.csv", ("lead_id", "time", "event"), events)
    told = notes(tmp_path / "raw")
    assert "50% of the events are of leads that leads does not hold, and are set aside (200 of 400 of events)" in told
    propose(tmp_path / "raw", tmp_path, leave_out=("leads",))
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["lead_count"] == 300


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Path:
    """Give the folder of exports of a shared case."""
    folder: Path = CASES / request.param / "data/exports"
    if not folder.is_dir():
        pytest.skip(f"the case is not in {folder}")
    return folder


@pytest.mark.parametrize("case", ["activities-without-leads"], indirect=True)
def test_all_seven_hundred_leads_of_the_activities_count(case: Path, tmp_path: Path) -> None:
    settings = propose(case, tmp_path, conversion=("marketo_activity_opportunity_created",))
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")
    assert summary["lead_count"] == 700
    assert len(interactions(tmp_path, "event_type = 'marketo_activity_opportunity_created'")) == 182
    assert settings["ingest"]["leads"]["attributes"] == {"country": "category"}


@pytest.mark.parametrize("case", ["merges-which-way"], indirect=True)
def test_the_merged_contacts_of_the_case_go_onto_those_that_are_left(case: Path, tmp_path: Path) -> None:
    propose(case, tmp_path, conversion=("won",))
    ingest(tmp_path)
    with (case / "merges.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    acting = {lead for lead, _, _ in interactions(tmp_path)}
    assert not acting & {row["Merged Record ID"] for row in rows}
    assert acting >= {row["Record ID"] for row in rows}
    assert isinstance(interactions(tmp_path)[0][1], datetime)
