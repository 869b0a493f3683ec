"""A champion scores no log whose events are others than those it learned from, and any with new ones among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import StaleError
from features.language.filters import Vocabulary
from models.core.model import Model
from pipeline.log.known_types import leanest_shares, refuse_others

KNOWN = Vocabulary(event_types=("visit",), ignored_types=("won",)).known_types
END = datetime(2026, 6, 1)


def write_log(folder: Path, events: list[tuple[str, str, str, float]]) -> Path:
    """Write source, lead, type and how many days before END it became known, of each event; scans are machines'."""
    source, lead, kind, ago = zip(*events, strict=True)
    known = pa.array([END - timedelta(days=days) for days in ago], pa.timestamp("us"))
    path = folder / "log.parquet"
    actor = ["machine" if name == "scan" else "lead" for name in kind]
    columns = {"source": source, "lead_id": lead, "event_type": kind, "known_at": known, "actor": actor}
    pq.write_table(pa.table(columns), path)
    return path


def people(count: int, kinds: tuple[str, ...], ago: float, source: str = "web") -> list[tuple[str, str, str, float]]:
    return [(source, f"L{lead}", kind, ago) for lead in range(count) for kind in kinds]


def shares_of(folder: Path, events: list[tuple[str, str, str, float]]) -> dict[str, float]:
    with duckdb.connect() as connection:
        return leanest_shares(connection, write_log(folder, events), KNOWN)


def refusal_of(folder: Path, events: list[tuple[str, str, str, float]], leanest: dict[str, float]) -> str | None:
    with duckdb.connect() as connection:
        try:
            refuse_others(connection, write_log(folder, events), KNOWN, leanest, END + timedelta(hours=1))
        except StaleError as error:
            return str(error)
    return None


def test_the_leanest_four_weeks_are_those_that_are_counted_by_hand(tmp_path: Path) -> None:
    events = [
        *people(10, ("visit", "won"), 1),  # all known
        *people(10, ("visit", "won", "call"), 30),  # two of three
        *people(90, ("scan",), 30),  # what machines did is nothing that leads did
        *people(10, ("visit",), 60) * 50,  # what a lead repeats counts once
        *people(5, ("call",), 60),  # so here 10 of 15
        *people(9, ("call",), 90),  # of nine leads nothing is said
        *people(4, ("visit",), 1, "mail"),  # nor of these; so it is 4 of 5 of all
        *people(1, ("call",), 60, "mail"),
    ]
    assert shares_of(tmp_path, events) == {"web": pytest.approx(2 / 3), "mail": pytest.approx(4 / 5)}


def test_of_a_large_log_some_leads_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.log.known_types._EVENTS", 100)
    assert shares_of(tmp_path, people(1_000, ("visit", "call", "won"), 1)) == {"web": pytest.approx(2 / 3)}


@pytest.mark.parametrize(
    ("events", "leanest", "refused"),
    [
        (people(10, ("page a",), 1), {"web": 0.9}, True),
        (people(9, ("page a",), 1), {"web": 0.9}, False),  # so few may all do something new
        (people(100, ("page a",), 1), {"web": 0.05}, False),  # of such leads it is known of five alone
        (people(150, ("page a",), 1), {"web": 0.05}, True),
        (people(100, ("page a",), 1), {"web": 0.0}, False),
        (people(100, ("page a",), 1), {}, False),  # a model that has noted nothing
        (people(100, ("page a",), 1), {"former name": 0.9}, True),
        (people(10, ("visit",), 1) + people(100, ("page a",), 1), {"web": 0.9}, False),  # 10 of 110: a tenth is left
        (people(8, ("visit",), 1) + people(100, ("page a",), 1), {"web": 0.9}, True),
        (people(100, ("visit",), 1) + people(100, ("scroll",), 1) * 99, {"web": 1.0}, False),
        (people(100, ("page a",), 30) + people(10, ("visit",), 1), {"web": 1.0}, False),  # long ago
        (people(100, ("page a",), -2) + people(10, ("visit",), 1), {"web": 1.0}, False),  # not known yet
    ],
)
def test_a_log_is_refused_where_next_to_nothing_is_known_and_not_by_chance(
    tmp_path: Path, events: list[tuple[str, str, str, float]], leanest: dict[str, float], *, refused: bool
) -> None:
    assert (refusal_of(tmp_path, events, leanest) is not None) == refused


def test_what_machines_do_neither_hides_that_all_else_is_unknown_nor_is_it_unknown_itself(tmp_path: Path) -> None:
    known_scans = [*KNOWN, "scan"]
    with duckdb.connect() as connection:
        log = write_log(tmp_path, [*people(40, ("swipe",), 1), *people(40, ("scan",), 1)])
        with pytest.raises(StaleError, match=r"Unknown are swipe \(40\); the model knows"):
            refuse_others(connection, log, known_scans, {"web": 1.0}, END)
    assert refusal_of(tmp_path, [*people(40, ("visit",), 1), *people(900, ("scan",), 1)], {"web": 1.0}) is None


def test_a_refusal_names_the_most_frequent_unknown_types_and_what_is_known(tmp_path: Path) -> None:
    events = [*people(20, tuple(f"page {page}" for page in range(10)), 1), *people(30, ("page 3",), 2)]
    events += people(9, ("L1", "L2"), 1)
    told = refusal_of(tmp_path, events, {"web": 0.97})
    assert told is not None
    assert "in the 28 days before 2026-06-01 01:00 0% of what its leads did" in told
    assert "never less than 97%. Unknown are page 3 (50), page 0 (20), page 1 (20), " in told
    assert "page 7 (20) and 2 more, 2 of fewer than 10 leads each; the model knows won, visit. " in told


@pytest.fixture(scope="module")
def champion(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give the small world with its champion."""
    folder = tmp_path_factory.mktemp("champion") / "project"
    return world.copy_to(folder, leave_out=("reports",), with_store=True)


@pytest.fixture
def reread(champion: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, object]], Path]:
    """Read the raw files again with other settings, and score the end of the log with the champion."""
    from pipeline.scoring import champion as scoring  # noqa: PLC0415 - heavy

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{champion.root}/mlflow.db")
    project = champion.copy_to(tmp_path / "project")

    def run(changes: dict[str, object]) -> Path:
        other = project.with_settings(changes)
        other.run("ingest")
        return scoring.run(other, other.told.append, "latest", backfill=False)

    return run


def test_a_model_notes_what_it_knows_of_each_source(champion: Project) -> None:
    known = Model.load(champion.root / "data/model").manifest["known_types"]
    assert set(known) == {"web", "email", "crm", "outcomes"}
    # A refund is too rare to be a type of its own.
    assert known["outcomes"] == pytest.approx(0.99, abs=0.005)
    assert known["web"] > 0.9
    # Our own sendings are no types that the model knows.
    assert known["email"] == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize(
    ("source", "column", "unknown"),
    [
        ("web", "channel", "seo ("),
        ("email", "campaign", "newsletter-"),
        ("outcomes", "lead_id", " of fewer than 10 "),
    ],
)
def test_another_column_as_the_type_of_events_is_refused(
    reread: Callable[[dict[str, object]], Path], tmp_path: Path, source: str, column: str, unknown: str
) -> None:
    with pytest.raises(StaleError) as error:
        reread({f"ingest.sources.{source}.columns.event_type": column})
    told = str(error.value)
    assert f"{source} has other events than the model learned from: in the 28 days before 2026-0" in told
    assert unknown in told.partition("Unknown are ")[2].partition("; ")[0]
    assert "the model knows lost, won, " in told
    assert not re.search(r"L\d{6}", told), "no lead is named"
    assert f"mapped as event_type under ingest.sources.{source} in params.yaml?" in told
    assert not list((tmp_path / "project/data").glob("scores/as_of=*"))


def test_a_new_type_of_one_event_in_ten_is_scored(reread: Callable[[dict[str, object]], Path], tmp_path: Path) -> None:
    path = next((tmp_path / "project").rglob("web.parquet"))
    log = pq.read_table(path)
    tenth = pa.array(np.arange(len(log)) % 10 == 0)
    place = log.column_names.index("event")
    pq.write_table(log.set_column(place, "event", pc.if_else(tenth, "fair_visited", log["event"])), path)
    assert (reread({}) / "recommendations.parquet").exists()
