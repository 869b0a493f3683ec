"""What says when an outcome was recorded says when it was known, and is no event of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, interactions, propose

from pipeline.core.sql import open_reader

LEADS, DAYS = 700, 300.0
END = BEGINNING + timedelta(days=DAYS)


class Ended:
    """A lead, and how it ended: its times, and when the end was recorded."""

    def __init__(self, rng: np.random.Generator, number: int) -> None:
        self.lead = f"L{number:05d}"
        self.created = BEGINNING + timedelta(minutes=int(rng.integers(0, int(DAYS * 24 * 60))))
        self.won = bool(rng.random() < 0.3)
        self.closed = self.created + timedelta(minutes=int(rng.integers(60, 40 * 24 * 60)))
        self.recorded = self.closed + timedelta(minutes=int(rng.gamma(1.5, 9 * 24 * 60)) + 10)

    @property
    def word(self) -> str:
        """How it ended."""
        return "won" if self.won else "lost"


@cache
def world() -> tuple[list[Ended], list[Ended]]:
    """Draw the leads, and those whose end was recorded before the export was drawn."""
    rng = np.random.default_rng(11)
    leads = [Ended(rng, number) for number in range(LEADS)]
    return leads, [one for one in leads if one.recorded < END]


def write_leads(folder: Path) -> None:
    leads, _ = world()
    write_table(folder / "leads.csv", ("lead_id", "created_at"), [(one.lead, one.created) for one in leads])
    visits = [
        (one.lead, at, "page_view")
        for one in leads
        for step in range(4)
        if (at := one.created + timedelta(hours=7 * step + 1)) < END
    ]
    write_table(folder / "web.csv", ("lead_id", "at", "event"), visits)


OUTCOMES: dict[str, tuple[str, Sequence[str], Callable[[Ended], tuple[object, ...]]]] = {
    "outcomes": ("outcomes", ("lead_id", "outcome", "closed_at"), lambda one: (one.lead, one.word, one.closed)),
    "conversions": ("conversions", ("lead_id", "converted_at"), lambda one: (one.lead, one.closed)),
    "labels": ("labels", ("lead_id", "converted", "date"), lambda one: (one.lead, int(one.won), one.closed)),
    "deals": (
        "deals",
        ("deal_id", "lead_id", "created_at", "stage", "closed_at"),
        lambda one: (f"D{one.lead}", one.lead, one.created, f"Closed {one.word.title()}", one.closed),
    ),
    "closings": ("closings", ("lead_id", "closed_at", "status"), lambda one: (one.lead, one.closed, one.word)),
}
SHAPES = [
    *[(table, "recorded_at", first) for table in OUTCOMES for first in (False, True)],
    ("outcomes", "received_at", False),
    ("outcomes", "entered_on", True),
    ("outcomes", "logged", False),
    ("outcomes", "added_at", True),
    ("conversions", "created_at", False),
    ("conversions", "erfasst_am", True),
]
"""A table, the name of the column that says when it was recorded, and whether that stands before the others."""


def sources_of(settings: dict[str, Any], table: str) -> dict[str, dict[str, Any]]:
    """Give the sources that read a table."""
    sources = settings["ingest"]["sources"].items()
    return {name: one for name, one in sources if f'"{table}"' in one.get("query", "") or name == table}


def known_of(root: Path, types: Sequence[str]) -> dict[str, tuple[datetime, datetime]]:
    """Give for each lead when its end happened, and when it was known."""
    with open_reader() as connection:
        rows = connection.execute(
            "SELECT lead_id, occurred_at, known_at FROM read_parquet($log) WHERE list_contains($types, event_type)",
            {"log": str(root / "data/interactions.parquet"), "types": list(types)},
        ).fetchall()
    return {lead: (occurred, known) for lead, occurred, known in rows}


@pytest.mark.parametrize(("table", "column", "first"), SHAPES)
def test_an_outcome_is_known_from_when_it_was_recorded(tmp_path: Path, table: str, column: str, *, first: bool) -> None:
    write_leads(tmp_path / "raw")
    name, header, row = OUTCOMES[table]
    ended = [one for one in world()[1] if one.won or table != "conversions"]
    rows = [(one.recorded, *row(one)) if first else (*row(one), one.recorded) for one in ended]
    write_table(tmp_path / f"raw/{name}.csv", (column, *header) if first else (*header, column), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    of_table = sources_of(settings, name)
    (ends,) = [one for source, one in of_table.items() if source.endswith("_outcomes") or source == name]
    assert ends["known_at"] == {"column": column}
    ingest(tmp_path)
    conversion = settings["episodes"]["conversion"]
    known = known_of(tmp_path, [*conversion, *settings["episodes"].get("lost", [])])
    told = [one for one in ended if one.won or settings["episodes"].get("lost")]
    assert known == {one.lead: (one.closed, one.recorded) for one in told}
    others = {kind for kind, _ in count(tmp_path)} - {*conversion, *settings["episodes"].get("lost", []), "page_view"}
    assert others == ({"deal_created"} if table == "deals" else set())


def test_a_time_of_recording_that_tells_only_days_counts_when_they_are_over(tmp_path: Path) -> None:
    write_leads(tmp_path / "raw")
    ended = world()[1]
    rows = [(one.lead, one.word, one.closed, f"{one.recorded:%d.%m.%Y}") for one in ended]
    write_table(tmp_path / "raw/outcomes.csv", ("lead_id", "outcome", "closed_at", "recorded_on"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    known = known_of(tmp_path, [*settings["episodes"]["conversion"], *settings["episodes"]["lost"]])
    over = {one.lead: datetime.combine(one.recorded.date(), datetime.min.time()) + timedelta(days=1) for one in ended}
    assert known == {one.lead: (one.closed, over[one.lead]) for one in ended}


def test_a_column_that_lies_before_the_end_or_is_mostly_empty_says_nothing_of_when_it_was_known(tmp_path: Path) -> None:
    ended = world()[1]
    columns: dict[str, Callable[[Ended], object]] = {
        "before": lambda one: one.created,
        "empty": lambda one: one.recorded if one.lead < "L00400" else "",
    }
    for name, given in columns.items():
        write_leads(tmp_path / name / "raw")
        rows = [(one.lead, one.word, one.closed, given(one)) for one in ended]
        write_table(tmp_path / name / "raw/outcomes.csv", ("lead_id", "outcome", "closed_at", "recorded_at"), rows)
        settings = propose(tmp_path / name / "raw", tmp_path / name)
        assert settings["ingest"]["sources"]["outcome_outcomes"]["known_at"] == "as_it_occurred"
    text = (tmp_path / "empty/params.yaml").read_text(encoding="utf-8")
    assert "recorded_at says when it reached you, but says nothing in" in text


def test_ends_among_the_dates_of_the_leads_are_known_from_when_they_were_recorded(tmp_path: Path) -> None:
    leads, ended = world()
    write_leads(tmp_path / "raw")
    wins = {one.lead: one for one in ended if one.won}
    rows = [
        (one.lead, one.created, one.created + timedelta(hours=3))
        + ((one.closed, one.recorded) if one.lead in wins else ("", ""))
        for one in leads
    ]
    header = ("lead_id", "created_at", "first_contact_at", "converted_at", "recorded_at")
    write_table(tmp_path / "raw/leads.csv", header, rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["conversion"] == ["converted"]
    ingest(tmp_path)
    assert known_of(tmp_path, ["converted"]) == {lead: (one.closed, one.recorded) for lead, one in wins.items()}
    assert all(at == known for at, known in known_of(tmp_path, ["first_contact"]).values())
    assert {kind for kind, _ in count(tmp_path)} == {"page_view", "first_contact", "converted"}


def test_a_history_of_stages_is_known_from_when_its_changes_were_recorded(tmp_path: Path) -> None:
    write_leads(tmp_path / "raw")
    steps = [
        (one.lead, stage, at, at + (one.recorded - one.closed))
        for one in world()[1]
        for stage, at in (("Contacted", one.created + timedelta(hours=1)), (f"Closed {one.word.title()}", one.closed))
        if at + (one.recorded - one.closed) < END
    ]
    for column in ("changed_at", "entered_stage_at", "date"):
        root = tmp_path / column
        write_leads(root / "raw")
        write_table(root / "raw/stage_history.csv", ("lead_id", "stage", column, "recorded_at"), steps)
        settings = propose(root / "raw", root)
        (source,) = sources_of(settings, "stage_history").values()
        assert source["known_at"] == {"column": "recorded_at"}, column
        ingest(root)
        found = interactions(root, "event_type <> 'page_view'")
        assert found == sorted((lead, at, stage) for lead, stage, at, _ in steps), column


def test_a_deal_s_creation_stays_its_event_and_its_reception_is_read_with_it(tmp_path: Path) -> None:
    """Received a minute after it was begun: the query must hand on the column that says so."""
    write_leads(tmp_path / "raw")
    rows = [
        (
            f"D{one.lead}",
            one.lead,
            one.created,
            one.created + timedelta(minutes=1),
            f"Closed {one.word.title()}",
            one.closed,
        )
        for one in world()[1]
    ]
    header = ("deal_id", "lead_id", "created_at", "received_at", "stage", "closed_at")
    write_table(tmp_path / "raw/deals.csv", header, rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["sources"]["deal_outcomes"]["known_at"] == "as_it_occurred"
    ingest(tmp_path)
    assert count(tmp_path)["deal_created", "us"] == len(rows)
