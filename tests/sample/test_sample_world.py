"""The sample's files, read as a stranger would read them: columns, dirt, people and time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
from sample_files import RAW_FILES, TRUTHS, block_behind, by_chance
from sample_reading import (
    AMSTERDAM,
    LEADS,
    LOG_END,
    NEVER,
    STEPS,
    History,
    World,
    is_marker,
    read_histories,
    small_world,
    unzipped,
)

from pipeline.sample.chain import Exit, Integers, Source, State
from pipeline.sample.company import LEVELS
from pipeline.sample.simulate import sources_of
from pipeline.sample.tables import Block
from pipeline.sample.timeline import END, HOUR, START, amsterdam_offset, los_angeles_offset


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw")


@pytest.fixture(scope="module")
def block() -> Block:
    return block_behind(LEADS)


@pytest.fixture(scope="module")
def histories(world: World) -> dict[str, History]:
    return read_histories(world)


def test_every_file_has_its_columns(world: World) -> None:
    def header(name: str) -> str:
        return (world.directory / name).read_text().splitlines()[0]

    def schema(name: str) -> dict[str, str]:
        columns = pq.read_schema(world.directory / name)
        return dict(zip(columns.names, map(str, columns.types), strict=True))

    assert {path.name for path in world.directory.iterdir()} == {*RAW_FILES, *TRUTHS}
    assert schema("web.parquet") == {
        "hit_id": "string",
        "visitor": "string",
        "ts": "timestamp[us]",
        "received_at": "timestamp[us]",
        "event": "string",
        "channel": "string",
        "campaign": "string",
        "content": "string",
        "cart_value": "double",
    }
    assert schema("truth.parquet") == {
        "lead_id": "string",
        "as_of": "timestamp[us]",
        "state": "string",
        "level": "int8",
        "p_hidden": "double",
        "p_hidden_with_contact": "double",
        "p_hidden_without_contact": "double",
        "p_observable": "double",
        "p_observable_with_contact": "double",
        "p_observable_without_contact": "double",
    }
    assert schema("truth-machines.parquet") == {"message_id": "string", "machine": "string"}
    assert unzipped(world.directory / "email.csv.gz").splitlines()[0] == "message_id;contact;time;action;campaign"
    assert header("leads.csv") == "lead_id,created_at,channel,country,employees,time_zone,territory,crm_stage"
    assert header("outcomes.csv") == "lead_id,closed_at,outcome,reason,value,currency"
    assert header("identities.csv") == "alias_id,lead_id,linked_at"
    assert header("consents.csv") == "lead_id,purpose,status,changed_at"
    assert header("spend.csv") == "day,time_zone,channel,campaign,clicks,cost,currency"
    assert header("owners.csv") == "territory,owner,from,until,leads_per_day"
    assert header("rates.csv") == "day,currency,rate"


def test_a_record_of_the_crm_says_what_a_webinar_was_about_and_why_a_case_was_refused(world: World) -> None:
    fields = defaultdict(set)
    for record in world.records():
        fields[record["kind"]].add(tuple(record))
    plain = {("id", "lead", "when", "kind", "by")}
    kinds = ("call_answered", "quote_request", "meeting", "call_made", "mail_sent", *STEPS)
    assert fields == {
        **dict.fromkeys(kinds, plain),
        "webinar_attended": {("id", "lead", "when", "kind", "by", "topic")},
        "refused": {("id", "lead", "when", "kind", "by", "reason")},
    }


def test_the_counts_are_those_of_the_files(world: World) -> None:
    assert world.counts.leads == LEADS
    assert world.counts.rows == {
        "web.parquet": len(world.web),
        "email.csv.gz": len(world.email),
        "crm.jsonl": len(world.crm),
        "leads.csv": len(world.leads),
        "outcomes.csv": len(world.outcomes),
        "identities.csv": len(world.identities),
        "consents.csv": len(world.consents),
        "spend.csv": len(world.spend),
        "owners.csv": len(world.owners),
        "rates.csv": len(world.rates),
        "truth.parquet": len(world.truth["as_of"]),
        "truth-machines.parquet": len(world.machines),
    }


@pytest.mark.parametrize("source", Source)
def test_the_dirt_removes_no_interaction_of_any_log(world: World, block: Block, source: Source) -> None:
    known = {row["lead_id"] for row in world.leads} | {row["alias_id"] for row in world.identities}
    written = sum(event.source == source and event.contact in known for event in world.events())
    assert written == (sources_of(block.events.type) == source).sum() > 0
    assert len(block.events.lead) == world.counts.interactions


def test_no_line_of_any_table_is_empty_or_half_a_line(world: World, block: Block) -> None:
    for name in RAW_FILES:
        if name.endswith(".csv"):
            lines = (world.directory / name).read_text().split("\n")
            assert lines.pop() == ""
            assert all(line.count(",") == lines[0].count(",") for line in lines)
            assert not any(line.startswith(",") for line in lines)
    assert len(world.leads) == LEADS + block.people.duplicated.sum()
    losses, orders = (block.segments.exit >= Exit.LOSE).sum(), (block.segments.exit == Exit.CONVERT).sum()
    told = Counter(row["outcome"] for row in world.outcomes)
    assert (told["lost"], told["won"]) == (losses, orders)
    assert set(told) == {"won", "lost", "refund"}


def test_the_dirt_is_there_and_stays_below_one_percent(world: World) -> None:
    hits = Counter(str(hit["hit_id"]) for hit in world.web)
    twice = sum(hits.values()) - len(hits)
    rows = {tuple(hit.values()) for hit in world.web}
    assert len(rows) == len(hits)  # the same hit is the same row
    nameless = sum(hit["visitor"] is None for hit in world.web)
    short = sum(len(fields) < 5 for fields in world.email)
    unreadable = sum(len(fields) == 5 and not fields[2].startswith("20") for fields in world.email)
    repeated = len(world.email) - len({tuple(fields) for fields in world.email})
    broken = sum(not line.endswith("}") for line in world.crm)
    without_lead = sum(record["lead"] is None for record in world.records())
    for kinds, total in (
        ((twice, nameless), len(world.web)),
        ((short, unreadable, repeated), len(world.email)),
        ((broken, without_lead), len(world.crm)),
    ):
        assert min(kinds) > 10
        assert sum(kinds) < 0.01 * total


def test_a_broken_record_is_no_json(world: World) -> None:
    for line in world.crm:
        if not line.endswith("}"):
            with pytest.raises(json.JSONDecodeError):
                json.loads(line)


def test_some_cookies_never_become_a_lead(world: World) -> None:
    linked = {row["alias_id"] for row in world.identities}
    strangers = [hit for hit in world.web if str(hit["visitor"]).startswith("c-") and hit["visitor"] not in linked]
    assert len(strangers) / len(world.web) == pytest.approx(0.03, abs=0.003)


def test_three_aliases_without_events_are_claimed_by_two_leads_at_the_same_time(world: World) -> None:
    claims = defaultdict(list)
    for row in world.identities:
        claims[row["alias_id"]].append(row)
    contested = {alias: rows for alias, rows in claims.items() if len(rows) > 1}
    assert len(contested) == 3
    for alias, rows in contested.items():
        assert len({row["lead_id"] for row in rows}) == 2
        assert len({row["linked_at"] for row in rows}) == 1
        assert all(hit["visitor"] != alias for hit in world.web)


def test_a_tenth_of_the_leads_browses_before_it_is_known(histories: dict[str, History]) -> None:
    browsed = [history for history in histories.values() if history.born < history.created]
    assert len(browsed) / LEADS == pytest.approx(0.10, abs=0.03)
    assert max(history.created - history.born for history in browsed) <= timedelta(days=21)
    for history in browsed:
        before = [event for event in history.events if event.occurred < history.created]
        assert all(event.source == Source.WEB and event.contact.startswith("c-") for event in before)
        assert all(event.contact[0] == "L" for event in history.events if event.occurred >= history.created)


def test_two_percent_have_a_duplicate_that_takes_half_of_their_events_until_the_merge(
    world: World, histories: dict[str, History]
) -> None:
    duplicated = [history for history in histories.values() if history.duplicate]
    assert len(world.leads) - LEADS == len(duplicated)
    assert len(duplicated) / LEADS == pytest.approx(0.02, abs=0.012)
    assert any(history.merged == NEVER for history in duplicated)  # the log ends before the merge
    shared = apart = 0
    for history in duplicated:
        assert history.merged is not None
        assert timedelta(days=20) <= history.merged - history.created
        for event in history.events:
            on_duplicate = event.contact == history.duplicate
            # Steps of sales, and all that has to do with mails that are sent, stay with the lead.
            own = event.by_sales or event.kind in {"meeting", "unsubscribe"} or is_marker(history, event)
            assert not (on_duplicate and own)
            assert not (on_duplicate and event.occurred >= history.merged)
            if not own and history.created < event.occurred < history.merged:
                shared += 1
                apart += on_duplicate
    assert apart / shared == pytest.approx(0.5, abs=by_chance(0.5, shared))


def test_the_stage_in_the_crm_is_the_last_one_of_lead_and_duplicate(
    world: World, histories: dict[str, History]
) -> None:
    stages = {row["lead_id"]: row["crm_stage"] for row in world.leads}
    seen = Counter[str]()
    for history in histories.values():
        last = history.spells[-1]
        expected = "customer" if last.state == State.CUSTOMER else "lost" if last.paused or last.lost else "open"
        assert stages[history.lead] == stages[history.duplicate or history.lead] == expected
        seen[expected] += 1
    assert min(seen[stage] for stage in ("open", "lost", "customer")) > 50


def test_one_lead_in_a_hundred_is_a_bot_that_views_many_pages_and_never_converts(world: World) -> None:
    bot = LEVELS.index("bot")
    bots = set(world.truth["lead_id"][world.truth["level"] == bot])
    views = Counter(hit["visitor"] for hit in world.web if hit["event"] == "page_view")
    rest = np.mean([views[row["lead_id"]] for row in world.leads if row["lead_id"] not in bots])
    assert 0.004 <= len(bots) / LEADS <= 0.02
    assert np.mean([views[lead] for lead in bots]) > 5 * rest
    assert (world.truth["p_hidden_with_contact"][world.truth["level"] == bot] == 0).all()
    assert (world.truth["p_hidden"][world.truth["level"] == bot] == 0).all()
    assert not bots & {row["lead_id"] for row in world.outcomes if row["outcome"] == "won"}


def test_one_hit_in_ten_of_the_leads_is_received_one_to_ten_days_late(histories: dict[str, History]) -> None:
    # First hits and forms that reopen a case come at once; of the last days' hits the late ones are not in the log.
    limit = LOG_END - timedelta(days=11)
    delays = [
        event.known - event.occurred
        for history in histories.values()
        for event in history.events
        if event.source == Source.WEB and event.occurred < limit and not is_marker(history, event)
    ]
    late = [delay for delay in delays if delay != timedelta(seconds=1)]
    assert len(late) / len(delays) == pytest.approx(0.10, abs=by_chance(0.10, delays))
    assert timedelta(days=1) <= min(late) <= max(late) <= timedelta(days=10)


def test_nothing_is_in_the_log_that_came_after_its_end(world: World) -> None:
    moments = [row["created_at"] for row in world.leads]
    moments += [row["closed_at"] for row in world.outcomes]
    moments += [row["linked_at"] for row in world.identities]
    moments += [row["changed_at"] for row in world.consents]
    assert max(datetime.fromisoformat(moment) for moment in moments) < LOG_END
    assert max(event.known for event in world.events()) < LOG_END


@pytest.mark.parametrize(
    ("zone", "offset_of"), [("Europe/Amsterdam", amsterdam_offset), ("America/Los_Angeles", los_angeles_offset)]
)
def test_the_clocks_are_those_of_the_time_zone_database(zone: str, offset_of: Callable[[Integers], Integers]) -> None:
    hours = np.arange(START, END, HOUR)
    moments = [datetime.fromtimestamp(hour / 1e6, tz=ZoneInfo(zone)) for hour in hours.tolist()]
    expected = [moment.utcoffset() for moment in moments]
    assert [timedelta(microseconds=int(offset)) for offset in offset_of(hours)] == expected


def test_times_change_with_daylight_saving(world: World) -> None:
    readable = [fields[2] for fields in world.email if len(fields) == 5 and fields[2].startswith("20")]
    offsets = Counter(time[-6:] for time in readable)
    assert set(offsets) == {"+00:00", "+01:00", "+02:00"}
    for time in readable:
        moment = datetime.fromisoformat(time)
        assert moment.utcoffset() in {timedelta(0), moment.astimezone(AMSTERDAM).utcoffset()}
    # The hour that the clocks skip is in no local time; events fall on both sides of both changes.
    local = [record["when"] for record in world.records()]
    assert not any(when.startswith(("2025-03-30T02", "2026-03-29T02")) for when in local)
    changes = ["2025-03-30", "2025-10-26", "2026-03-29"]
    assert sorted([*changes, min(local), max(local)]) == [min(local), *changes, max(local)]
