"""The sample's files, read as a stranger would read them: columns, dirt, people, time and repeatability."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sample_reading import (
    AMSTERDAM,
    LEADS,
    LOG_END,
    NEVER,
    History,
    World,
    in_fallback,
    is_marker,
    read_histories,
    small_world,
    state_at,
    unzipped,
)

from features.core.errors import InputError, SettingsError
from pipeline.sample import files, write_sample
from pipeline.sample.chain import Exit, Source, State
from pipeline.sample.company import CHANNELS, LEVELS
from pipeline.sample.timeline import END, HOUR, START, amsterdam_offset


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw")


@pytest.fixture(scope="module")
def histories(world: World) -> dict[str, History]:
    return read_histories(world)


def test_every_file_has_its_columns(world: World) -> None:
    def header(name: str) -> str:
        return (world.directory / name).read_text().splitlines()[0]

    assert sorted(path.name for path in world.directory.iterdir()) == [
        "crm.jsonl",
        "email.csv.gz",
        "identities.csv",
        "leads.csv",
        "outcomes.csv",
        "spend.csv",
        "truth.parquet",
        "web.parquet",
    ]
    web = pq.read_schema(world.directory / "web.parquet")
    assert dict(zip(web.names, map(str, web.types), strict=True)) == {
        "hit_id": "string",
        "visitor": "string",
        "ts": "timestamp[us]",
        "received_at": "timestamp[us]",
        "event": "string",
        "channel": "string",
        "campaign": "string",
        "cart_value": "double",
    }
    truth = pq.read_schema(world.directory / "truth.parquet")
    assert dict(zip(truth.names, map(str, truth.types), strict=True)) == {
        "lead_id": "string",
        "as_of": "timestamp[us]",
        "state": "string",
        "level": "int8",
        "p_hidden": "double",
        "p_observable": "double",
    }
    assert unzipped(world.directory / "email.csv.gz").splitlines()[0] == "message_id;contact;time;action;campaign"
    assert all(list(record) == ["id", "lead", "when", "kind", "by"] for record in world.records())
    assert header("leads.csv") == "lead_id,created_at,channel,country,employees,time_zone,crm_stage"
    assert header("outcomes.csv") == "lead_id,closed_at,outcome"
    assert header("identities.csv") == "alias_id,lead_id,linked_at"
    assert header("spend.csv") == "day,channel,campaign,clicks,cost,currency"


def test_the_counts_are_those_of_the_files(world: World) -> None:
    assert world.counts.leads == LEADS
    assert world.counts.rows == {
        "web.parquet": len(world.web),
        "email.csv.gz": len(world.email),
        "crm.jsonl": len(world.crm),
        "leads.csv": len(world.leads),
        "outcomes.csv": len(world.outcomes),
        "identities.csv": len(world.identities),
        "spend.csv": len(world.spend),
        "truth.parquet": len(world.truth["as_of"]),
    }


def test_the_dirt_removes_no_interaction(world: World) -> None:
    known = {row["lead_id"] for row in world.leads} | {row["alias_id"] for row in world.identities}
    assert sum(event.contact in known for event in world.events()) == world.counts.interactions


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
            assert not (on_duplicate and event.source == Source.CRM_SALES)
            assert not (on_duplicate and event.occurred >= history.merged)
            if event.source != Source.CRM_SALES and history.created < event.occurred < history.merged:
                shared += 1
                apart += on_duplicate
    # Forms that reopen a case stay with the lead: a few more than half.
    assert apart / shared == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(shared))


def test_the_last_quarter_brings_more_leads_from_sea_and_social(world: World) -> None:
    late = [row["channel"] for row in world.leads if row["created_at"] >= "2026-04-01"]
    early = [row["channel"] for row in world.leads if row["created_at"] < "2026-04-01"]
    bought = [sum(channel in {"sea", "social"} for channel in part) / len(part) for part in (early, late)]
    # 0.30 before; both doubled, 0.60 / 1.30 afterwards.
    assert bought == [pytest.approx(0.30, abs=0.05), pytest.approx(0.46, abs=0.11)]
    assert set(early) == set(CHANNELS)


def test_four_to_eight_percent_convert(world: World) -> None:
    won = {row["lead_id"] for row in world.outcomes if row["outcome"] == "won"}
    assert 0.04 <= len(won) / LEADS <= 0.08


def test_the_stage_in_the_crm_is_the_last_one_of_lead_and_duplicate(
    world: World, histories: dict[str, History]
) -> None:
    stages = {row["lead_id"]: row["crm_stage"] for row in world.leads}
    seen = Counter[str]()
    for history in histories.values():
        state, _, _, exit_ = history.spells[-1]
        lost = state in {State.PAUSED, State.LOST}
        expected = "customer" if exit_ == Exit.CONVERT else "lost" if lost else "open"
        assert stages[history.lead] == stages[history.duplicate or history.lead] == expected
        seen[expected] += 1
    assert min(seen[stage] for stage in ("open", "lost", "customer")) > 50


def test_lost_leads_come_back_by_a_form_of_their_own_after_sixty_days(histories: dict[str, History]) -> None:
    returned = 0
    for history in histories.values():
        forms = sorted(event.occurred for event in history.events if event.kind == "form")
        for state, start, end, exit_ in history.spells:
            if state == State.LOST and exit_ == Exit.REOPEN:
                returned += 1
                assert end in forms
            elif state in {State.LOST, State.PAUSED}:
                assert not any(start <= form < end for form in forms)
    assert returned > 100


def test_sales_acts_on_open_and_worked_leads_alone_and_nothing_follows_a_conversion(
    histories: dict[str, History],
) -> None:
    acts: Counter[State] = Counter()
    for history in histories.values():
        finish = history.spells[-1][2]
        for event in history.events:
            if in_fallback(event):
                continue
            assert event.occurred <= finish
            if event.source == Source.CRM_SALES:
                acts[state_at(history, event.occurred)] += 1
    assert set(acts) == {State.OPEN, State.WORKED}
    assert acts[State.WORKED] > acts[State.OPEN] > 100


def test_one_lead_in_a_hundred_is_a_bot_that_views_many_pages_and_never_converts(world: World) -> None:
    bot = LEVELS.index("bot")
    bots = set(world.truth["lead_id"][world.truth["level"] == bot])
    views = Counter(hit["visitor"] for hit in world.web if hit["event"] == "page_view")
    rest = np.mean([views[row["lead_id"]] for row in world.leads if row["lead_id"] not in bots])
    assert 0.004 <= len(bots) / LEADS <= 0.02
    assert np.mean([views[lead] for lead in bots]) > 5 * rest
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
    assert len(late) / len(delays) == pytest.approx(0.10, abs=4 * math.sqrt(0.10 * 0.90 / len(delays)))
    assert timedelta(days=1) <= min(late) <= max(late) <= timedelta(days=10)


def test_nothing_is_in_the_log_that_came_after_its_end(world: World) -> None:
    moments = [row["created_at"] for row in world.leads]
    moments += [row["closed_at"] for row in world.outcomes]
    moments += [row["linked_at"] for row in world.identities]
    assert max(datetime.fromisoformat(moment) for moment in moments) < LOG_END
    assert max(event.known for event in world.events()) < LOG_END


def test_the_clocks_of_amsterdam_are_those_of_the_time_zone_database() -> None:
    hours = np.arange(START, END, HOUR)
    moments = [datetime.fromtimestamp(hour / 1e6, tz=AMSTERDAM) for hour in hours.tolist()]
    expected = [moment.utcoffset() for moment in moments]
    assert [timedelta(microseconds=int(offset)) for offset in amsterdam_offset(hours)] == expected


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


def test_clicks_cost_money_every_day_in_every_paid_channel(world: World) -> None:
    assert len(world.spend) == (END - START) // (24 * HOUR) * 4 * 3
    assert {row["currency"] for row in world.spend} == {"EUR"}
    assert world.spend[0]["day"] == "2025-01-01"
    assert world.spend[-1]["day"] == "2026-06-30"
    clicks: defaultdict[str, int] = defaultdict(int)
    cost: defaultdict[str, float] = defaultdict(float)
    for row in world.spend:
        clicks[row["channel"]] += int(row["clicks"])
        cost[row["channel"]] += float(row["cost"])
    price = {channel: cost[channel] / clicks[channel] for channel in clicks}
    # The list prices times a uniform factor from 0.80 to 1.25.
    assert price == {
        "sea": pytest.approx(1.9475, abs=0.02),
        "social": pytest.approx(0.82, abs=0.01),
        "email": pytest.approx(0.15375, abs=0.003),
        "webinar": pytest.approx(3.28, abs=0.04),
    }


def fingerprints(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        write_sample(tmp_path / name, leads=60, seed=seed)
    first, second, other = (fingerprints(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second
    assert all(first[name] != other[name] for name in first)


def test_more_blocks_change_nothing_in_the_former_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 50)
    done: list[tuple[int, int]] = []
    write_sample(tmp_path / "small", leads=100)
    write_sample(tmp_path / "large", leads=130, progress=lambda leads, total: done.append((leads, total)))
    assert done == [(50, 130), (100, 130), (130, 130)]
    for name in ("web.parquet", "truth.parquet"):
        small, large = (pq.read_table(tmp_path / size / name) for size in ("small", "large"))
        assert small.num_rows < large.num_rows
        assert large.slice(0, small.num_rows).equals(small)
    for name in ("email.csv.gz", "crm.jsonl", "leads.csv", "outcomes.csv", "identities.csv"):
        read = unzipped if name.endswith(".gz") else Path.read_text
        small_text, large_text = (read(tmp_path / size / name) for size in ("small", "large"))
        assert len(small_text) < len(large_text)
        assert large_text.startswith(small_text)


def test_a_world_of_one_lead_can_be_written(tmp_path: Path) -> None:
    counts = write_sample(tmp_path / "raw", leads=1, seed=0)
    assert counts.leads == 1
    assert counts.rows["leads.csv"] >= 1


def test_a_run_that_ends_early_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "raw", leads=10, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mine.csv").write_text("precious")
    with pytest.raises(InputError, match=r"raw already exists and isn't empty: remove it, or name another folder"):
        write_sample(tmp_path / "raw", leads=10)
    assert (tmp_path / "raw" / "mine.csv").read_text() == "precious"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    write_sample(tmp_path / "raw", leads=10)
    assert (tmp_path / "raw" / "truth.parquet").exists()


@pytest.mark.parametrize(("leads", "seed"), [(0, 7), (10, -1)])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, leads: int, seed: int) -> None:
    with pytest.raises(SettingsError, match="at least 1 lead and a seed from 0 on"):
        write_sample(tmp_path / "raw", leads=leads, seed=seed)
