"""What leads cost is what a count over days and events says, of what was known at the moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.schema import INTERACTION
from models.decision import capacity
from models.decision.capacity import Costs
from pipeline.core.project import Places
from pipeline.core.sql import connect
from pipeline.scoring.work import DAYS, measure_costs
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
AS_OF = datetime(2026, 6, 30, 10)  # a Tuesday
POLICY = DecisionPolicy.model_validate(
    {
        "time_zone": "Europe/Amsterdam",
        "facts": {
            "accepted": {"kind": "taken", "events": ["case", "accepted"], "ended_by": ["refused"], "lasts": "20d"},
            "opportunity": {"kind": "taken", "events": ["opportunity"], "ended_by": ["refused"]},
        },
        "work": {"contacts": ["call", "meeting"], "silence": "7d"},
    }
)
EPISODES = Episodes.model_validate({"conversion": ["won"], "lost": ["lost"]})


@dataclass(frozen=True)
class Act:
    """One event; times are UTC."""

    lead: str
    kind: str
    at: datetime
    known: datetime
    actor: str = "us"


def act(lead: str, kind: str, at: str, known: str | None = None, actor: str = "us") -> Act:
    return Act(lead, kind, datetime.fromisoformat(at), datetime.fromisoformat(known or at), actor)


def measured(root: Path, acts: Iterable[Act], as_of: datetime = AS_OF, policy: DecisionPolicy = POLICY) -> Costs:
    places = Places(root)
    places.interactions.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [
        {
            "lead_id": one.lead, "occurred_at": one.at, "known_at": one.known, "event_type": one.kind,
            "actor": one.actor, "quantity": 1, "source": "log", "sequence": number,
            "local_day": one.at.date(), "local_hour": 0,
        }
        for number, one in enumerate(sorted(acts, key=lambda one: (one.lead, one.at)))
    ]  # fmt: skip
    schema = pa.schema([(field.name, field.arrow) for field in INTERACTION])
    pq.write_table(pa.Table.from_pylist(rows, schema), places.interactions)
    with connect("1GB", root / "spill") as connection:
        return measure_costs(places, policy, EPISODES, connection, as_of)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "LEAST", 1)


MONDAY = [
    act("A", "accepted", "2026-06-15T08:00"),  # taken up on Monday the 15th, with two calls on that day
    act("A", "call", "2026-06-15T07:00"),
    act("A", "call", "2026-06-15T15:00"),
    act("A", "call", "2026-06-17T09:00"),
    act("A", "visit", "2026-06-18T09:00", actor="lead"),  # in work to the 25th: seven days later it is silent
    act("B", "call", "2026-06-16T09:00"),  # of whom nobody ever took
    act("C", "case", "2026-06-22T22:30"),  # in Amsterdam it is Tuesday the 23rd
    act("C", "refused", "2026-06-24T12:00"),
    act("C", "call", "2026-06-24T13:00"),
]


@pytest.mark.usefixtures("few")
def test_calls_are_divided_by_the_leads_and_the_days_that_they_were_made_to(tmp_path: Path) -> None:
    # A: 16 to 19, 22 to 25 June; C: 24 June, with the call that came after the refusal, on a day that began in work.
    assert measured(tmp_path, MONDAY) == Costs(new=1.0, in_work=2 / 9, new_leads=2, lead_days=9)
    more = [*MONDAY, act("C", "meeting", "2026-06-23T06:00")]
    assert measured(tmp_path, more) == Costs(new=1.5, in_work=2 / 9, new_leads=2, lead_days=9)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "late",
    [
        act("A", "call", "2026-06-17T11:00", known="2026-06-30T10:00"),  # known at the moment, not before it
        act("A", "call", "2026-06-30T09:00"),  # today is not over
        act("A", "call", "2026-07-01T09:00", known="2026-06-01T09:00"),  # planned
        act("A", "lost", "2026-06-16T11:00", known="2026-07-01T09:00"),
        act("C", "call", "2026-06-23T11:00", actor="machine"),
        act("A", "call", "2026-03-30T09:00"),  # more than 90 days ago
    ],
)
def test_what_was_not_known_or_is_not_of_these_days_counts_for_nothing(late: Act, tmp_path: Path) -> None:
    assert measured(tmp_path, [*MONDAY, late]) == measured(tmp_path, MONDAY)


def test_where_nothing_is_measured_a_lead_costs_a_call_a_day_and_that_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measured(tmp_path, MONDAY, policy=DecisionPolicy(facts=POLICY.facts)) == Costs(1.0, 1.0, 0, 0)
    assert measured(tmp_path, [act("A", "call", "2026-06-15T07:00")]) == Costs(1.0, 1.0, 0, 0)
    monkeypatch.setattr(capacity, "LEAST", 10)
    assert measured(tmp_path, MONDAY) == Costs(1.0, 1.0, 2, 9)


def naive(acts: Sequence[Act], as_of: datetime) -> Costs:
    """Go day by day, and look at each lead as whoever decides does."""
    known = [one for one in acts if one.known < as_of and one.at < as_of and one.actor != "machine"]
    today = as_of.replace(tzinfo=UTC).astimezone(AMSTERDAM).date()
    new = calls_of_new = days_in_work = calls_in_work = 0
    for day in (today - timedelta(days=back) for back in range(1, DAYS + 1)):
        begins, ends = _midnight(day), _midnight(day + timedelta(days=1))
        for lead in {one.lead for one in acts}:
            own = [one for one in known if one.lead == lead]
            of_day = [one for one in own if begins <= one.at < ends]
            calls = sum(one.kind in POLICY.work.contacts for one in of_day)
            if _works([one for one in own if one.at < begins], begins):
                days_in_work += day.weekday() < 5
                calls_in_work += calls
            elif any(one.kind in ("case", "accepted", "opportunity") for one in of_day):
                new += 1
                calls_of_new += calls
    return Costs.of(new, calls_of_new, days_in_work, calls_in_work)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM).astimezone(UTC).replace(tzinfo=None)


def _works(own: list[Act], moment: datetime) -> bool:
    def last(*kinds: str) -> datetime:
        return max((one.at for one in own if one.kind in kinds), default=datetime(1970, 1, 1))

    holds = False
    for fact in POLICY.facts.values():
        said, ended = last(*fact.events), last(*fact.ended_by, "won", "lost")
        ever = any(one.kind in fact.events for one in own)
        holds |= ever and ended <= said and (fact.lasts is None or said > moment - fact.lasts)
    stirred = last("call", "meeting", "case", "accepted", "opportunity")
    stirred = max([stirred, *(one.at for one in own if one.actor == "lead")])
    return holds and stirred > moment - POLICY.work.silence


KINDS = ("case", "accepted", "opportunity", "refused", "won", "lost", "call", "call", "meeting", "visit")
MOMENTS = st.integers(0, 130 * 24).map(lambda hours: datetime(2026, 2, 25, 0, 30) + timedelta(hours=hours))
ACTS = st.lists(
    st.builds(
        lambda lead, kind, at, late, actor: Act(lead, kind, at, at + timedelta(days=late), actor),
        st.sampled_from("AB"),
        st.sampled_from(
            ("case", "accepted", "opportunity", "refused", "won", "lost", "call", "call", "meeting", "visit")
        ),
        MOMENTS,
        st.sampled_from((0, 0, 0, 30)),
        st.sampled_from(("us", "lead", "machine")),
    ),
    max_size=14,
)


@settings(max_examples=40)
@given(acts=ACTS)
def test_what_is_measured_is_what_a_count_day_by_day_gives(
    acts: list[Act], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capacity, "LEAST", 1)
        assert measured(tmp_path_factory.mktemp("drawn"), acts) == naive(acts, AS_OF)
