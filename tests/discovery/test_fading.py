"""What init makes of the end of a source: a lag of entry, holidays and a file that ends are told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from exports import BEGINNING, write_table

from pipeline.discovery.initialise import Options, initialise

LEADS, DAYS = 3000, 300
BEFORE = 60
"""Leads that came in before the log is read, so that outcomes come evenly from its first day on."""
END = BEGINNING + timedelta(days=DAYS)
Row = tuple[str, datetime, str]
SOURCE = "outcomes"


def all_rows(_: Row) -> bool:
    return True


def init(
    root: Path,
    *,
    lag: float = 0.0,
    outcomes: Callable[[Row], bool] = all_rows,
    web: Callable[[Row], bool] = all_rows,
    steps: bool = False,
) -> tuple[dict[str, dict[str, object]], str, str]:
    """Write a log whose outcomes are entered ``lag`` days late on average; gives what init states, tells and warns."""
    rng = np.random.default_rng(31)
    leads: list[tuple[str, datetime]] = []
    ends: list[Row] = []
    visits: list[Row] = []
    for number in range(LEADS):
        lead, created = f"L{number:05d}", BEGINNING + timedelta(days=float(rng.random()) * (DAYS + BEFORE) - BEFORE)
        leads.append((lead, created))
        closed = created + timedelta(days=float(rng.gamma(2, 8)))
        word = "won" if rng.random() < 0.2 else "lost"
        entered = closed + timedelta(days=float(rng.gamma(1.0, lag)) if lag else 0.0)
        if closed >= BEGINNING and entered < END:
            ends.append((lead, closed.replace(microsecond=0), word))
            if steps and word == "won":
                visits.append((lead, closed.replace(microsecond=0) - timedelta(minutes=7), "invoice_prepared"))
        for day in rng.random(6) * 40:
            at = created + timedelta(days=float(day))
            if BEGINNING <= at < END:
                visits.append((lead, at.replace(microsecond=0), ["page_view", "pricing"][int(rng.integers(2))]))
    write_table(root / "raw/leads.csv", ("lead_id", "created_at"), [row for row in leads if row[1] < END])
    write_table(root / f"raw/{SOURCE}.csv", ("lead_id", "at", "event"), sorted(filter(outcomes, ends)))
    write_table(root / "raw/web.csv", ("lead_id", "at", "event"), sorted(filter(web, visits)))
    said: list[str] = []
    found = initialise(root / "raw", Options(), None, said.append, root)
    sources: dict[str, dict[str, object]] = yaml.safe_load(found.settings)["ingest"]["sources"]
    warnings = [line for line in said if line.startswith(f"warning: {SOURCE}: ")]
    return sources, "\n".join(found.told), "\n".join(warnings)


def lacks(*days: int) -> Callable[[Row], bool]:
    """Leave out the days, counted back from the end of the log."""
    left_out = {(END - timedelta(days=day)).date() for day in days}
    return lambda row: row[1].date() not in left_out


def day(number: int) -> str:
    return f"{END - timedelta(days=number):%Y-%m-%d}"


def test_outcomes_that_fade_are_asked_about_and_never_taken_for_holidays(tmp_path: Path) -> None:
    sources, told, warned = init(tmp_path, lag=14)
    assert "closed_days" not in sources[SOURCE]
    assert "Taken for holidays" not in told
    assert f"note: {SOURCE}: the last " in told
    assert "outcomes: are they entered later? State known_at (a column, or a delay) or observed_until" in told
    assert "far fewer rows than usual" in warned


def test_outcomes_that_are_entered_at_once_do_not_fade(tmp_path: Path) -> None:
    sources, told, _ = init(tmp_path)
    assert "entered later?" not in told
    assert not {"closed_days", "observed_until"} & sources[SOURCE].keys()


def test_where_all_else_fades_alike_nothing_is_asked(tmp_path: Path) -> None:
    """An export of leads that stopped coming: what they do, and what they come to, becomes less."""

    def early(row: Row) -> bool:
        left = (END - row[1]) / timedelta(days=40)
        return hash_of(row) < min(1.0, left)

    def hash_of(row: Row) -> float:
        return float((row[1].minute * 60 + row[1].second) / 3600)

    _, told, _ = init(tmp_path, outcomes=early, web=early)
    assert "entered later?" not in told


@pytest.mark.parametrize(
    ("web", "outcomes", "closed"),
    [((10,), (), [10]), ((10, 9, 8), (), None), ((10, 9, 8), (10, 9, 8), [10, 9, 8])],
    ids=["a single day", "three days of one source", "three days of all sources"],
)
def test_holidays_are_single_days_or_those_of_other_sources(
    tmp_path: Path, web: Sequence[int], outcomes: Sequence[int], closed: list[int] | None
) -> None:
    sources, told, _ = init(tmp_path, outcomes=lacks(*outcomes), web=lacks(*web))
    assert sources["web"].get("closed_days") == (None if closed is None else list(map(day, closed)))
    assert ("Are rows lost, or still to come?" in told) == (closed is None)


def test_the_end_of_a_source_bounds_labels_or_looks_by_what_it_tells(tmp_path: Path) -> None:
    cut = END - timedelta(days=7)
    sources, told, _ = init(tmp_path / "outcomes", outcomes=lambda row: row[1] < cut)
    assert "observed_until" in sources[SOURCE]
    assert "observed_until says so; who converted is known up to then" in told
    assert "leads are looked at up to then" not in told
    _, told, _ = init(tmp_path / "web", web=lambda row: row[1] < cut)
    assert "observed_until says so; leads are looked at up to then" in told


def test_what_is_written_minutes_before_the_conversion_is_named(tmp_path: Path) -> None:
    _, told, _ = init(tmp_path, steps=True)
    (said,) = [line for line in told.splitlines() if "followed within an hour by the conversion" in line]
    assert "invoice_prepared (" in said
    assert "page_view" not in said
