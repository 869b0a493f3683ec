"""What may be asked of the sample on top: a company that shifts, and a source that loses a day."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from command_line import call, failure
from sample_files import LOGS, block_behind, by_chance, fingerprints
from sample_reading import AMSTERDAM, STEPS, Row, is_whole, table, unzipped

from pipeline.sample import Scenario, write_sample
from pipeline.sample.chain import Exit
from pipeline.sample.company import CHANNELS, COMPANY, TYPE_NAMES
from pipeline.sample.tables import Block
from pipeline.sample.timeline import WEEK, microseconds

LEADS = 5_000
SHIFT, MONDAY = "2026-04-01", "2026-04-06"
"""Leads of another mix come from the day itself on, and act otherwise from the Monday after."""
WEEK_OF_THE_SHIFT = datetime(2026, 3, 30, tzinfo=UTC)
MIX = {"seo": 0.24, "sea": 0.16, "social": 0.14, "email": 0.12, "webinar": 0.08, "referral": 0.08, "direct": 0.18}


@dataclass(frozen=True)
class Files:
    """Some of a world's files."""

    directory: Path

    @cached_property
    def web(self) -> dict[str, npt.NDArray[Any]]:
        """Moments and kinds of all hits."""
        hits = pq.read_table(self.directory / LOGS["web"], columns=["ts", "event"])
        return {name: hits[name].to_numpy() for name in hits.column_names}

    def rows(self, name: str) -> list[Row]:
        """Read a table."""
        return table(self.directory / name)

    def leads(self) -> list[Row]:
        """Read the leads without their duplicates."""
        first = {row["created_at"]: row for row in reversed(self.rows("leads.csv"))}
        return [*reversed(first.values())]

    def hits(self) -> list[tuple[datetime, tuple[object, ...]]]:
        """Each hit of a visitor once, with its moment, and without its number, which goes by what else is there."""
        hits = {hit["hit_id"]: hit for hit in pq.read_table(self.directory / LOGS["web"]).to_pylist() if hit["visitor"]}
        return [(hit["ts"].replace(tzinfo=UTC), tuple(hit.values())[1:]) for hit in hits.values()]

    def mails(self) -> list[tuple[datetime, tuple[object, ...]]]:
        """Each mail that can be read once, with its moment, and without its number and its clock."""
        lines = [line.split(";") for line in unzipped(self.directory / LOGS["email"]).splitlines()[1:]]
        mails = {fields[0]: fields for fields in lines if is_whole(fields)}
        return [
            (datetime.fromisoformat(moment).astimezone(UTC), (contact, action, campaign))
            for _, contact, moment, action, campaign in mails.values()
        ]

    def records(self) -> list[tuple[datetime, tuple[object, ...]]]:
        """Each record that can be read, with its moment, and without its number."""
        lines = (self.directory / LOGS["crm"]).read_text().splitlines()
        records = [json.loads(line) for line in lines if line.endswith("}")]
        return [
            (
                datetime.fromisoformat(record["when"]).replace(tzinfo=AMSTERDAM).astimezone(UTC),
                (record["lead"], record["kind"], record["when"]),
            )
            for record in records
            if record["lead"]
        ]


def written(directory: Path, shift: str | None = None, gap: str | None = None, *, leads: int = LEADS) -> Files:
    write_sample(directory, leads=leads, seed=1, truth=leads < LEADS, scenario=Scenario.read(shift, gap))
    return Files(directory)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return written(tmp_path_factory.mktemp("plain") / "raw")


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return written(tmp_path_factory.mktemp("shifted") / "raw", shift=SHIFT)


def shares(rows: list[Row]) -> dict[str, float]:
    counts = Counter(row["channel"] for row in rows)
    return {channel: counts[channel] / len(rows) for channel in CHANNELS}


def test_a_shift_doubles_the_shares_of_sea_and_social_among_the_leads_from_its_day_on(shifted: Files) -> None:
    leads = shifted.leads()
    before = [row for row in leads if row["created_at"] < SHIFT]
    after = [row for row in leads if row["created_at"] >= SHIFT]
    doubled = {channel: share * (2 if channel in {"sea", "social"} else 1) / 1.30 for channel, share in MIX.items()}
    assert len(after) > 700
    for rows, mix in ((before, MIX), (after, doubled)):
        assert shares(rows) == {
            channel: pytest.approx(share, abs=by_chance(share, rows)) for channel, share in mix.items()
        }


def test_without_a_shift_the_last_quarter_brings_the_leads_of_the_first(plain: Files) -> None:
    leads = plain.leads()
    quarters = (
        [row for row in leads if row["created_at"] < "2025-04-01"],
        [row for row in leads if row["created_at"] >= SHIFT],
    )
    for rows in quarters:
        assert shares(rows) == {
            channel: pytest.approx(share, abs=by_chance(share, rows)) for channel, share in MIX.items()
        }


def test_before_a_shift_the_same_leads_come_and_the_same_becomes_of_them(plain: Files, shifted: Files) -> None:
    def known(files: Files) -> tuple[list[object], ...]:
        leads = [tuple(row.values())[:-1] for row in files.rows("leads.csv") if row["created_at"] < SHIFT]
        outcomes = [
            row
            for row in files.rows("outcomes.csv")
            if row["outcome"] != "refund" and datetime.fromisoformat(row["closed_at"]) < WEEK_OF_THE_SHIFT
        ]
        steps = [
            (moment, record)
            for moment, record in files.records()
            if record[1] in {*STEPS, "refused"} and moment < WEEK_OF_THE_SHIFT
        ]
        return [*leads], [*outcomes], [*steps]

    before = known(plain)
    assert before == known(shifted)
    assert min(map(len, before)) > 2_500
    everybody = [[row["created_at"] for row in files.rows("leads.csv")] for files in (plain, shifted)]
    assert everybody[0] == everybody[1]


def test_before_a_shift_leads_do_as_much_of_everything_as_without_one(plain: Files, shifted: Files) -> None:
    def done(files: Files) -> Counter[str]:
        early = files.web["ts"] < np.datetime64(WEEK_OF_THE_SHIFT.replace(tzinfo=None))
        kinds = Counter(files.web["event"][early].tolist())
        kinds.update(str(record[1]) for moment, record in files.records() if moment < WEEK_OF_THE_SHIFT)
        return kinds

    without, with_shift = done(plain), done(shifted)
    assert set(without) == set(with_shift)
    for kind, count in without.items():
        assert with_shift[kind] == pytest.approx(count, abs=4 * math.sqrt(2 * count))


def test_prices_are_looked_at_a_third_as_often_from_the_monday_after_a_shift(plain: Files, shifted: Files) -> None:
    def views(files: Files, since: str, until: str) -> tuple[float, int]:
        moments, kinds = files.web["ts"], files.web["event"]
        within = (moments >= np.datetime64(since)) & (moments < np.datetime64(until))
        prices, pages = (int((kinds[within] == kind).sum()) for kind in ("pricing_view", "page_view"))
        return prices / pages, prices

    usual, _ = views(plain, "2025-07", MONDAY)
    assert usual == pytest.approx(0.1, abs=0.005)
    for files, since, until, factor in (
        (plain, MONDAY, "2026-07", 1.0),
        (shifted, SHIFT, MONDAY, 1.0),
        (shifted, MONDAY, "2026-07", 0.35),
    ):
        share, count = views(files, since, until)
        assert share / usual == pytest.approx(factor, abs=factor * 5 / math.sqrt(count))


@pytest.fixture(scope="module", params=[None, SHIFT])
def blocks(request: pytest.FixtureRequest) -> tuple[str | None, list[Block]]:
    return request.param, [
        block_behind(LEADS, seed=seed, scenario=Scenario.read(request.param, None)) for seed in range(6)
    ]


def test_from_the_monday_after_a_shift_on_fewer_buy_and_look_at_prices_whatever_their_intent(
    blocks: tuple[str | None, list[Block]],
) -> None:
    shift, drawn = blocks
    monday = microseconds(2026, 4, 6)
    until = monday + 10 * WEEK  # of the last days' hits the late ones are not in the log
    kinds = {name: TYPE_NAMES.index(name) for name in ("pricing_view", "page_view")}
    expected: dict[tuple[str, bool], float] = defaultdict(float)
    seen: dict[tuple[str, bool], int] = defaultdict(int)
    for block in drawn:
        segments = block.segments.take(block.segments.end <= until)
        events = block.events.take(~block.events.marker & (block.events.occurred < until))
        # What would be where nothing shifted, but for sales at work or away.
        place = segments.regime % 2, segments.state, block.people.channel[segments.lead], segments.level
        weeks = (segments.end - segments.start) / WEEK
        for late in (False, True):
            chosen = (segments.start >= monday) == late
            expected["sale", late] += (COMPANY.hazards[Exit.CONVERT][place] * weeks)[chosen].sum()
            seen["sale", late] += (segments.exit[chosen] == Exit.CONVERT).sum()
            for name, kind in kinds.items():
                expected[name, late] += (COMPANY.rates[(*place, kind)] * weeks)[chosen].sum()
                seen[name, late] += ((events.type == kind) & ((events.occurred >= monday) == late)).sum()
    factors = {"sale": 0.6, "pricing_view": 0.35, "page_view": 1.0} if shift else {}
    for (name, late), count in seen.items():
        factor = factors.get(name, 1.0) if late else 1.0
        assert count / expected[name, late] == pytest.approx(factor, abs=4 * factor / math.sqrt(count))


LOST = "2026-03-28"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return written(tmp_path_factory.mktemp("whole") / "raw", leads=1_200)


@pytest.mark.parametrize("source", ["web", "email", "crm"])
def test_a_source_that_loses_a_day_has_no_row_of_it_and_nothing_else_changes(
    whole: Files, tmp_path: Path, source: str
) -> None:
    torn = written(tmp_path / "raw", gap=f"{source}:{LOST}", leads=1_200)

    def rows(files: Files) -> list[tuple[datetime, tuple[object, ...]]]:
        return {"web": files.hits, "email": files.mails, "crm": files.records}[source]()

    def on_the_day(moment: datetime) -> bool:
        return moment.date() == date.fromisoformat(LOST)

    assert sum(on_the_day(moment) for moment, _ in rows(whole)) > 10
    left = Counter(row for row in rows(whole) if not on_the_day(row[0]))
    assert Counter(rows(torn)) == left
    before, after = fingerprints(whole.directory), fingerprints(torn.directory)
    changed = {name for name in before if before[name] != after[name]}
    truths = {"web": {"truth.parquet"}, "email": {"truth.parquet", "truth-machines.parquet"}, "crm": {"truth.parquet"}}
    assert changed == {LOGS[source], *truths[source]}


@pytest.mark.parametrize("source", ["web", "email", "crm"])
def test_no_broken_row_tells_of_a_day_that_was_lost(tmp_path: Path, source: str) -> None:
    torn = written(tmp_path / "raw", gap=f"{source}:{LOST}", leads=1_200)
    if source == "web":
        moments = [
            moment.replace(tzinfo=UTC) for moment in pq.read_table(torn.directory / LOGS[source])["ts"].to_pylist()
        ]
    elif source == "email":
        lines = unzipped(torn.directory / LOGS[source]).splitlines()[1:]
        times = [line.split(";")[2] for line in lines]
        moments = [datetime.fromisoformat(time).astimezone(UTC) for time in times if time.startswith("20")]
    else:
        lines = (torn.directory / LOGS[source]).read_text().splitlines()
        times = [line.partition('"when":"')[2][:13] for line in lines]
        moments = [datetime.fromisoformat(time).replace(tzinfo=AMSTERDAM).astimezone(UTC) for time in times]
    assert len(moments) > 5_000
    assert not any(moment.date() == date.fromisoformat(LOST) for moment in moments)


def test_a_lost_mail_was_opened_by_no_machine_either(tmp_path: Path) -> None:
    letters = "2026-04-07"
    torn = written(tmp_path / "raw", gap=f"email:{letters}", leads=1_200)
    lines = [line.split(";") for line in unzipped(torn.directory / LOGS["email"]).splitlines()[1:]]
    action = {fields[0]: fields[3] for fields in lines if is_whole(fields)}
    machines = pq.read_table(torn.directory / "truth-machines.parquet").to_pylist()
    assert len(machines) > 1_000
    assert all(action[row["message_id"]].endswith(("_open", "_click", "unsubscribe")) for row in machines)
    months = {str(campaign) for _, (_, kind, campaign) in torn.mails() if kind == "newsletter_sent"}
    assert {"newsletter-2026-03", "newsletter-2026-04", "newsletter-2026-05"} & months == {
        "newsletter-2026-03",
        "newsletter-2026-05",
    }


def test_the_command_writes_what_its_options_ask_for(tmp_path: Path) -> None:
    options = ("--leads", "60", "--seed", "1", "--truth", "--shift", SHIFT, "--gap", f"crm:{LOST}")
    code, text = call("sample", "--directory", str(tmp_path / "called"), *options)
    assert code == 0
    assert "interactions of 60 leads" in text
    asked = written(tmp_path / "written", shift=SHIFT, gap=f"crm:{LOST}", leads=60)
    assert fingerprints(tmp_path / "called") == fingerprints(asked.directory)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--shift", "spring"), "--shift: 'spring' is no day of the log; write one from 2025-01-01 to 2026-06-30"),
        (("--shift", "2024-12-31"), "'2024-12-31' is no day of the log; write one from 2025-01-01 to 2026-06-30"),
        (("--shift", "2026-07-01"), "'2026-07-01' is no day of the log; write one from 2025-01-01 to 2026-06-30"),
        (("--shift", "2026-02-30"), "'2026-02-30' is no day of the log; write one from 2025-01-01 to 2026-06-30"),
        (("--gap", "web:2026-13-01"), "--gap: '2026-13-01' is no day of the log; write one from 2025-01-01 to"),
        (("--gap", "web:"), "--gap: '' is no day of the log; write one from 2025-01-01 to 2026-06-30"),
        (("--gap", "shop:2026-06-28"), "names no source; write one of web, email, crm, as in web:2026-06-28"),
        (("--gap", "2026-06-28"), "names no source; write one of web, email, crm, as in web:2026-06-28"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str], expected: str
) -> None:
    code, text = failure(tmp_path, monkeypatch, "sample", "--leads", "10", *options)
    assert code == 4
    assert expected in text
    assert not list(tmp_path.iterdir())
