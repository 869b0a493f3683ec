"""What the last scores knew and tonight's log lacks: told where people may have put it right, else refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.core.errors import StaleError
from models.decision.facts import Fact
from pipeline.core.project import Project
from pipeline.log.forgotten import Forgotten, refuse_forgotten
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

LAST, TONIGHT = datetime(2026, 4, 1, 3), datetime(2026, 4, 2, 3)
POLICY = DecisionPolicy(
    time_zone="Europe/Paris",
    facts={
        "unsubscribed": Fact(kind="closes_channel", channel="mail", events=("unsubscribe",)),
        "asked": Fact(kind="raises", events=("request",)),
    },
)
EPISODES = Episodes(conversion=("won",), lost=("lost",))
Facts = Mapping[str, Sequence[str]]
CREATED = datetime(2026, 3, 1, 23)


@dataclass
class Settings:
    """What is asked for of the settings."""

    decision: DecisionPolicy = POLICY
    episodes: Episodes = EPISODES


class Night:
    """The last scores, and what tonight's log says."""

    def __init__(self, root: Path) -> None:
        self.places = Project(root, Settings())
        self.last = root / "data/scores/as_of=2026-04-01T03-00-00.000000/model=one/recommendations.parquet"
        self.last.parent.mkdir(parents=True)
        self.told: list[str] = []

    def holds(
        self,
        *events: tuple[str, str, str],
        consents: Sequence[tuple[str, str, str, str]] = (),
        leads: str = "",
        moved: Mapping[str, timedelta] = MappingProxyType({}),
    ) -> Night:
        """Write tonight's log: (lead, time, type), (lead, time, purpose, status), and a letter for each lead.

        ``moved`` says by how much a lead is created later than the last scores know.
        """
        logged = [(lead, datetime.fromisoformat(at), datetime.fromisoformat(at), kind) for lead, at, kind in events]
        agreed = [(*one[2:], one[0], *[datetime.fromisoformat(one[1])] * 2) for one in consents]
        for path, columns, rows in (
            (
                self.places.interactions,
                "lead_id VARCHAR, occurred_at TIMESTAMP, known_at TIMESTAMP, event_type VARCHAR",
                logged,
            ),
            (
                self.places.consents,
                "purpose VARCHAR, status VARCHAR, lead_id VARCHAR, changed_at TIMESTAMP, known_at TIMESTAMP",
                agreed,
            ),
            (
                self.places.leads,
                "lead_id VARCHAR, created_at TIMESTAMP",
                [(lead, CREATED + moved.get(lead, timedelta(0))) for lead in leads],
            ),
            (self.places.aliases, "alias_id VARCHAR, lead_id VARCHAR", [("Z", "A")]),
        ):
            with duckdb.connect() as connection:
                connection.execute(f"CREATE TABLE held ({columns})")
                for row in rows:
                    connection.execute(f"INSERT INTO held VALUES ({', '.join('?' for _ in row)})", list(row))
                connection.execute(f"COPY held TO '{path}' (FORMAT parquet)")
        return self

    def compare(self, before: Facts, now: Facts, *, is_corrected: bool = False) -> Forgotten:
        """Compare facts of the last scores with tonight's, by lead."""
        created = pa.array([CREATED] * len(before), pa.timestamp("us"))
        pq.write_table(recommended(before).append_column("created_at", created), self.last)
        return refuse_forgotten(
            self.places, (self.last, LAST), recommended(now), TONIGHT, self.told.append, is_corrected=is_corrected
        )


def recommended(facts: Facts) -> pa.Table:
    """Give recommendations; who converted or was lost, by the first fact, has no probability."""
    ended = [bool(told) and told[0][11:] in ("converted", "lost") for told in facts.values()]
    return pa.table(
        {
            "lead_id": pa.array(facts, pa.string()),
            "probability": pa.array([None if over else 0.1 for over in ended], pa.float64()),
            "facts": pa.array(facts.values(), pa.list_(pa.string())),
        }
    )


def nothing_of(leads: str) -> dict[str, Sequence[str]]:
    """Say that no fact holds of leads, each named by a letter."""
    return {lead: [] for lead in leads}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def test_a_withdrawal_that_the_table_lost_is_refused_and_one_that_was_lifted_is_not(night: Night) -> None:
    said = {
        "A": ["2026-03-05 mail withdrawn"],
        "B": ["2026-03-05 telephone refused"],
        "C": ["2026-03-06 objected to everything"],
        "D": ["2026-03-05 mail withdrawn"],
    }
    lifted = [("A", "2026-03-04 23:30", "mail", "withdrawn"), ("A", "2026-03-09", "mail", "given")]
    everything = [("B", "2026-03-05", "everything", "refused"), ("C", "2026-03-06", "everything", "objected")]
    now: Facts = {"A": [], "B": [], "C": ["2026-03-06 objected to everything"], "D": said["D"]}
    night.holds(consents=[*lifted, *everything], leads="ABCD")
    assert night.compare(said, now) == Forgotten(of_closed=4, of_open=4, of_created=4)
    assert not night.told
    # Of D nothing is held, but nothing is needed where the fact itself still stands; without it, it is forgotten.
    with pytest.raises(
        StaleError, match="1 of 4 leads that withdrew their consent .* 2026-04-01 03:00 UTC.*--corrected"
    ):
        night.compare(said, {**now, "D": []})
    assert night.compare(said, {**now, "D": []}, is_corrected=True).closed == 1
    assert night.told[0].endswith("nor that they agreed again")


def test_a_way_that_an_event_closed_is_looked_for_among_the_events(night: Night) -> None:
    said = {"A": ["2026-03-05 unsubscribed", "2026-03-04 asked"], "B": ["2026-03-05 unsubscribed"]}
    night.holds(("A", "2026-03-05 12:00", "unsubscribe"), ("B", "2026-03-05 12:00", "request"), leads="AB")
    with pytest.raises(StaleError, match="1 of 2 leads that withdrew"):
        night.compare(said, {"A": [], "B": []})


def test_who_was_over_and_is_open_again_came_back_or_its_end_is_gone(night: Night) -> None:
    over: dict[str, Sequence[str]] = {letter: ["2026-03-05 lost"] for letter in "ABCDEFG"}
    over |= {"H": ["2026-03-05 converted"]}
    now = {**over, **nothing_of("AB")}
    # A came back, its loss is still there; the win of B was read as of 3 May, and a loss is no win.
    others = [(letter, "2026-03-05 20:00", "lost") for letter in "ACDEFG"] + [("H", "2026-03-05 20:00", "won")]
    night.holds(*others, ("B", "2026-05-03 20:00", "lost"), leads="ABCDEFGH")
    assert night.compare(over, now) == Forgotten(ended=1, of_ended=8, of_created=8)
    assert "1 of 8 leads that had converted or were lost" in night.told[0]
    night.holds(("A", "2026-03-05 20:00", "lost"), *others[4:6], ("H", "2026-03-05 20:00", "lost"), leads="ABCDEFGH")
    with pytest.raises(StaleError, match="5 of 8 leads that had converted or were lost, .* are open again"):
        night.compare(over, now | nothing_of("CDEH"))


def test_leads_that_are_gone_are_told_and_many_are_refused_but_those_merged_are_not(night: Night) -> None:
    before: Facts = nothing_of("ABCDEFGHZ")
    night.holds(leads="ABCDEFG")
    assert night.compare(before, nothing_of("ABCDEFG")) == Forgotten(gone=1, of_open=9, of_created=6)
    assert "1 of 9 leads that were open" in night.told[0]
    night.holds(leads="ABC")
    with pytest.raises(StaleError, match="5 of 9 leads that were open"):
        night.compare(before, nothing_of("ABC"))


def test_where_there_are_no_scores_before_nothing_is_forgotten(night: Night) -> None:
    now = recommended({"A": []})
    found = refuse_forgotten(night.places, None, now, TONIGHT, print, is_corrected=False)
    assert found == Forgotten()


def test_leads_that_were_created_on_another_day_are_told_and_many_are_refused_but_those_merged_are_not(
    night: Night,
) -> None:
    before: Facts = nothing_of("ABCDEFGHZ")
    # Z was merged with A, which is as old as Z from now on; a day more or less is another zone.
    few = {"A": timedelta(days=-90), "B": timedelta(days=-3), "C": timedelta(days=4), "D": timedelta(hours=24)}
    found = night.holds(leads="ABCDEFGH", moved=few).compare(before, nothing_of("ABCDEFGH"))
    assert found == Forgotten(of_open=9, created=2, of_created=7, created_days=3.5)
    assert (
        "2 of 7 leads were created on another day than by the scores of 2026-04-01 03:00 UTC, 4 days" in night.told[0]
    )
    night.holds(leads="ABCDEFGH", moved=few | dict.fromkeys("EFG", timedelta(days=30)))
    with pytest.raises(StaleError, match="5 of 7 leads were created on another day .*, 30 days .*--corrected"):
        night.compare(before, nothing_of("ABCDEFGH"))


def test_ends_that_moved_to_another_day_are_told_and_many_are_refused(night: Night) -> None:
    over: dict[str, Sequence[str]] = {letter: ["2026-03-05 lost"] for letter in "ABCDEF"}
    now: dict[str, Sequence[str]] = {letter: ["2026-03-25 lost"] for letter in "ABCDEF"}
    held = [(letter, "2026-03-06 12:00", "lost") for letter in "BCDEF"]  # a day more or less is no other
    found = night.holds(("A", "2026-03-25 12:00", "lost"), *held, leads="ABCDEF").compare(over, now)
    assert found == Forgotten(of_ended=6, moved=1, of_created=6)
    assert "1 of 6 leads that had converted or were lost" in night.told[0]
    night.holds(*((letter, "2026-03-25 12:00", "lost") for letter in "ABCDEF"), leads="ABCDEF")
    with pytest.raises(StaleError, match="6 of 6 leads that had converted or were lost, .* another day"):
        night.compare(over, now)
