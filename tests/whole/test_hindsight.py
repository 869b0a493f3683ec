"""Nothing that stands beside a snapshot comes from later.

With all removed from the raw files that was unknown, snapshots and their features are the same, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from raw_logs import LINKS, parameters_of, source_of

from features.language.catalogue import Catalogue
from features.timeline.snapshots import take_snapshots, take_snapshots_at
from pipeline.core.project import Project
from pipeline.features import grow_catalogue
from pipeline.ingest import stage as ingest
from pipeline.log.ends import read_events
from pipeline.log.history import read_history
from pipeline.matrix.local import stream_matrix
from pipeline.settings.features import Features
from pipeline.settings.parameters import Parameters
from pipeline.settings.timeline import Episodes, Snapshots

START, DAYS = datetime(2026, 1, 1), 60
DUPLICATES = ("L20", "L21", "L22")
"""Leads that turn out to be others. What they did counts as the others' from the link on, and no account's before."""
KNOWN = ["lead_id", "as_of", "created_at", "episode", "started_at", "trigger"]
"""What is known at a snapshot; its outcome is of the future."""


class Row(NamedTuple):
    """One line of a raw file, and since when it is known."""

    known: datetime
    cells: tuple[object, ...]


@dataclass(frozen=True)
class World:
    """Raw files, row by row, and the settings that read them."""

    log: list[Row]
    leads: list[Row] | None
    links: list[Row] | None

    def known_before(self, moment: datetime) -> World:
        """Forget all that was not known before ``moment``."""

        def known(rows: list[Row] | None) -> list[Row] | None:
            return None if rows is None else [row for row in rows if row.known < moment]

        return World(known(self.log) or [], known(self.leads), known(self.links))

    def write(self, folder: Path) -> None:
        """Write the files."""
        folder.mkdir(parents=True)
        for name, header, rows in (
            ("log.csv", "lead,at,seen,what,by,channel,campaign,page,worth,event", self.log),
            ("leads.csv", "lead,created,account,zone,country", self.leads),
            ("links.csv", "alias,lead,at", self.links),
        ):
            if rows is not None:
                lines = [",".join("" if cell is None else str(cell) for cell in row.cells) for row in rows]
                (folder / name).write_text("\n".join([header, *lines]) + "\n")

    def parameters(self) -> Parameters:
        """Give the settings."""
        columns = {
            "channel": "channel",
            "campaign": "campaign",
            "content": "page",
            "value": "worth",
            "event_id": "event",
        }
        source = source_of(
            columns=columns, known_at={"column": "seen"}, actor={"default": "lead", "us": ["call"], "system": ["won"]}
        )
        tables: dict[str, Any] = {}
        if self.leads is not None:
            names = {"lead_id": "lead", "created_at": "created", "account_id": "account", "time_zone": "zone"}
            tables["leads"] = {"path": "leads.csv", "columns": names, "attributes": {"country": "category"}}
        if self.links is not None:
            tables["identities"] = LINKS
        parameters = parameters_of({"log": source}, **tables)
        of_accounts = [{"measure": name, "scope": "account"} for name in ("count", "active_days", "days_since_first")]
        declared = [
            {"measure": "days_to_first", "event_type": "form"},
            *(of_accounts if self.leads is not None else []),
        ]
        sections = {
            "episodes": Episodes.model_validate(
                {"conversion": ["won"], "lost": ["lost"], "reopen_on": ["form"], "reopen_after": "2d"}
                | {"after_conversion": {"reopen_on": ["form", "visit"], "reopen_after": "4d"}}
            ),
            "snapshots": Snapshots.model_validate(
                {
                    "policies": [{"ages": ["1h", "1d", "5d"]}, {"event": "form"}, {"calendar": "daily"}],
                    "horizon": "5d",
                }
            ),
            "features": Features.model_validate({"windows": ["1d", "7d"], "minimum_leads": 2, "declared": declared}),
        }
        return parameters.model_copy(update=sections)


def draw(seed: int, *, leads: bool, links: bool, hostile: bool = False) -> World:
    """Draw a world in which much is learned late: events, links, and leads themselves."""
    random = np.random.default_rng(seed)
    people = [f"L{number:02}" for number in range(30)]
    cookies = [f"c{number:02}" for number in range(20)]

    def moment(latest: int = DAYS) -> datetime:
        return START + timedelta(hours=int(random.integers(0, 24 * latest)))

    def some(*options: object) -> object:
        return options[int(random.integers(len(options)))]

    log = []
    for number in range(900):
        who = str(random.choice(people + cookies if links else people))
        at = moment()
        late = random.random() < 0.4
        seen = at + timedelta(hours=int(random.integers(0, 480))) if late else at
        what = str(
            random.choice(["visit", "visit", "form", "call", "lost", "won"], p=[0.45, 0.2, 0.2, 0.1, 0.03, 0.02])
        )
        by = "lead"
        page = ("demo", "careers")[number % 2] if what == "visit" else None
        event = f"e{int(random.integers(number + 1))}"  # some have the id of another: the first that is known counts
        log.append(
            Row(seen, (who, at, seen, what, by, some("seo", "sea", None), some("x", "y"), page, some(3.5, None), event))
        )
    zones = ("Europe/Amsterdam", "America/New_York", None)
    table = []
    for who in people[:25]:
        created = moment(40)
        account = None if who in DUPLICATES else some("acme", "umbrella", None)
        table.append(Row(created, (who, created, account, some(*zones), some("nl", "be"))))
    links_drawn = []
    targets = people[:28]
    for cookie in cookies:
        at = moment(50)
        links_drawn.append(Row(at, (cookie, str(random.choice([*targets, *cookies])), at)))
        if hostile and random.random() < 0.4:
            again = moment(50)
            links_drawn.append(Row(again, (cookie, str(random.choice(targets)), again)))
    for who in DUPLICATES:
        at = moment(50)
        links_drawn.append(Row(at, (who, str(random.choice(people[:5])), at)))
    links_drawn = [row for row in links_drawn if row.cells[0] != row.cells[1]]
    return World(log, table if leads else None, links_drawn if links else None)


class Looks(NamedTuple):
    """What stands beside snapshots, and what they are given."""

    snapshots: pd.DataFrame
    open_leads: pd.DataFrame
    catalogue: Catalogue
    matrix: pa.Table


def ingested(world: World, folder: Path) -> Project[Parameters]:
    """Write files, and ingest them."""
    world.write(folder / "raw")
    project = Project(folder, world.parameters())
    ingest.run(project, lambda _: None)
    return project


def look(project: Project[Parameters], moment: datetime, like: Looks | None = None) -> Looks:
    """Look at all leads up to ``moment``, with the catalogue of ``like`` if it is given."""
    parameters, log, leads = project.parameters, project.interactions, project.leads
    history = read_history(project, parameters.episodes)
    triggers = read_events(log, "lead_id, known_at, event_type", ["form"])
    taken = take_snapshots(history, triggers, parameters.snapshots.policies, moment, None)
    catalogue = grow_catalogue(parameters, log, leads, moment)
    asked = taken if like is None else taken.merge(like.snapshots[["lead_id", "as_of"]])
    with duckdb.connect() as connection:
        connection.register("asked", asked[KNOWN])
        chosen = (like or Looks(taken, taken, catalogue, pa.table({}))).catalogue
        batches = list(stream_matrix(connection, "FROM asked", log, leads, chosen))
    return Looks(taken[KNOWN], take_snapshots_at(history, moment)[KNOWN], catalogue, pa.concat_tables(batches))


def merged(world: World) -> set[object]:
    """Name the ids that a link says are another lead's: what was a lead of its own before is none today."""
    return {row.cells[0] for row in world.links or []}


KINDS = [
    pytest.param({"leads": True, "links": False}, id="a table of leads"),
    pytest.param({"leads": False, "links": False}, id="ids of the log alone"),
    pytest.param({"leads": True, "links": True}, id="a table of leads, and links"),
    pytest.param({"leads": False, "links": True}, id="links alone"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_what_was_unknown_at_a_moment_changes_nothing_that_stands_beside_its_snapshots(
    kind: dict[str, bool], seed: int, tmp_path: Path
) -> None:
    compare(draw(seed, **kind), tmp_path)


def compare(world: World, folder: Path) -> None:
    rows = 0
    whole = ingested(world, folder / "today")
    for day in (20, 45):
        moment = START + timedelta(days=day)
        today = look(whole, moment)
        then = look(ingested(world.known_before(moment), folder / f"then-{day}"), moment, like=today)
        for now, before in ((today.snapshots, then.snapshots), (today.open_leads, then.open_leads)):
            known = before[before["lead_id"].isin(now["lead_id"]) | ~before["lead_id"].isin(merged(world))]
            pd.testing.assert_frame_equal(now, known.reset_index(drop=True), check_exact=True)
        assert today.catalogue == then.catalogue
        pd.testing.assert_frame_equal(today.matrix.to_pandas(), then.matrix.to_pandas(), check_exact=True)
        rows += len(today.snapshots)
    assert rows > 100


@pytest.mark.parametrize("leads", [True, False], ids=["a table of leads", "links alone"])
@pytest.mark.parametrize("seed", range(2, 5))
def test_links_that_contradict_each_other_later_change_nothing_of_the_past(
    leads: bool, seed: int, tmp_path: Path
) -> None:
    compare(draw(seed, leads=leads, links=True, hostile=True), tmp_path)
