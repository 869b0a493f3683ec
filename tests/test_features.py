"""What each measure means, on every engine: a table of events in, hand-computed numbers out."""

from __future__ import annotations

import math
from datetime import timedelta

import pyarrow as pa
import pytest
from conftest import Engine
from engines import events_table, moment, on_kernel, on_reference, parse_log, snapshots_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import features.engine
from features.catalogue import Catalogue
from features.declarations import ACTORS, MEASURES, OTHER, Feature, Filter, Vocabulary
from features.engine import compute_matrix
from features.kernel import walk
from features.reference import Interaction

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
VOCABULARY = Vocabulary(event_types=("click", "form"), channels=("email",), ignored_types=("won",))

LOG = parse_log(
    """
    ann  2026-03-01 12:00  click  channel=email value=10
    ann  2026-03-01 12:00  click  channel=seo   value=2.5 quantity=3
    ann  2026-03-09 12:00  form   value=100
    ann  2026-03-09 18:00  click  channel=email known_at=2026-03-12T00:00
    ann  2026-03-10 11:00  rare
    ann  2026-03-10 11:30  call   actor=us
    ann  2026-03-10 11:45  won    actor=system
    ann  2026-03-10 12:00  click
    ann  2026-03-15 12:00  form
    bob  2026-03-10 11:00  click
    """
)
NOON = ("ann", moment("2026-03-10 12:00"))
LATER = ("ann", moment("2026-03-12 12:00"))


@pytest.mark.parametrize(
    ("feature", "snapshot", "expected"),
    [
        # 1 + 3 clicks of the first of March; that of the ninth is learned later, that of noon is not before noon
        (Feature("count", Filter(event_type="click")), NOON, 4),
        (Feature("count", Filter(event_type="click")), LATER, 6),
        (Feature("count", Filter(event_type="click"), 7 * DAY), NOON, 0),
        (Feature("count", Filter(event_type="click"), 7 * DAY), LATER, 2),
        # a window of nine days reaches back to noon of the first of March, its edge included
        (Feature("count", Filter(event_type="click"), 9 * DAY), NOON, 4),
        (Feature("count", Filter(event_type="click"), 9 * DAY - HOUR), NOON, 0),
        (Feature("count", Filter(channel="email")), NOON, 1),
        (Feature("count", Filter(channel=OTHER)), NOON, 3),
        (Feature("count", Filter(event_type=OTHER)), NOON, 1),
        (Feature("count", Filter(event_type="call", actors=("us",))), NOON, 1),
        (Feature("count"), NOON, 6),
        (Feature("count", Filter(actors=ACTORS)), NOON, 7),
        (Feature("count", Filter(event_type="won", actors=ACTORS)), NOON, 0),
        (Feature("sum"), NOON, 112.5),
        (Feature("sum", Filter(event_type="rare")), NOON, 0),
        (Feature("active_days"), NOON, 3),
        (Feature("active_days", window=DAY), NOON, 2),
        (Feature("active_days"), ("cyd", NOON[1]), 0),
        (Feature("days_since_first", Filter(event_type="click")), NOON, 9),
        (Feature("days_since_last", Filter(event_type="form")), NOON, 1),
        (Feature("days_since_last", Filter(event_type="click")), LATER, 2),
        (Feature("days_since_last", Filter(event_type="form")), ("bob", NOON[1]), math.nan),
        # one event a day old and, nine days old, four: 0.5 + 4 / 2^9
        (Feature("decayed_count", Filter(event_type="form"), half_life=DAY), NOON, 0.5),
        (Feature("decayed_count", Filter(event_type="click"), half_life=3 * DAY), NOON, 4 / 8),
        (Feature("decayed_count", Filter(event_type="click"), 2 * DAY, half_life=3 * DAY), NOON, 0),
        # ages are cut to whole hours: half past eleven is no hour ago
        (Feature("decayed_count", Filter(event_type="call", actors=("us",)), half_life=HOUR), NOON, 1),
        # beyond forty half-lives nothing is left
        (Feature("decayed_count", Filter(event_type="form"), half_life=HOUR), LATER, 0),
    ],
)
def test_a_feature_has_its_hand_computed_value(
    engine: Engine, feature: Feature, snapshot: tuple[str, int], expected: float
) -> None:
    assert engine(LOG, [snapshot], [feature], VOCABULARY) == [[pytest.approx(expected, nan_ok=True)]]


@pytest.mark.parametrize("measure", MEASURES)
def test_an_event_known_at_as_of_or_later_does_not_count(engine: Engine, measure: str) -> None:
    half_life = DAY if MEASURES[measure].has_half_life else None
    feature = Feature(measure, half_life=half_life)
    as_of = moment("2026-03-10 12:00")
    known = Interaction(as_of - 5, as_of - 1, "click", value=1.0)
    future = [
        Interaction(as_of - 4, as_of, "click", value=7.0, local_day=3),
        Interaction(as_of - 3, as_of + 1, "click", value=7.0, local_day=3),
        Interaction(as_of, as_of - 9, "click", value=7.0, local_day=3),
        Interaction(as_of + 1, as_of + 1, "click", value=7.0, local_day=3),
    ]
    with_future = engine({"ann": [known, *future]}, [("ann", as_of)], [feature], VOCABULARY)
    assert with_future == engine({"ann": [known]}, [("ann", as_of)], [feature], VOCABULARY)
    assert with_future != engine({}, [("ann", as_of)], [feature], VOCABULARY)


def test_a_repeated_snapshot_and_one_of_a_lead_without_events_stand_side_by_side(engine: Engine) -> None:
    snapshots = [NOON, LATER, ("bob", NOON[1]), ("zoe", NOON[1])]
    assert engine(LOG, snapshots, [Feature("count")], VOCABULARY) == [[6], [8], [1], [0]]


LEADS = ("", "a", "b", "ünï", "z")
TYPES = ("click", "form", "won", "rare", "odd")
texts = st.one_of(st.none(), st.sampled_from(("email", "seo")))
hours = st.integers(-80, 80)


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    """Draw an event around time zero: ties, late and early knowledge, missing texts and values."""
    occurred_at = draw(hours) * 3_600_000_000 + draw(st.integers(-1, 1))
    return Interaction(
        occurred_at,
        occurred_at + draw(st.sampled_from((0, 0, 0, 1, -1, 3_600_000_000, 86_400_000_000))),
        draw(st.sampled_from(TYPES)),
        draw(st.sampled_from(ACTORS)),
        draw(texts),
        draw(texts),
        draw(st.one_of(st.none(), st.floats(-1e6, 1e6))),
        draw(st.integers(1, 3)),
        local_day=occurred_at // 86_400_000_000,
    )


logs = st.dictionaries(st.sampled_from(LEADS), st.lists(interactions(), max_size=12)).map(
    lambda log: {lead: sorted(events, key=lambda event: event.occurred_at) for lead, events in log.items()}
)
snapshots = st.lists(
    st.tuples(st.sampled_from(LEADS), st.tuples(hours, st.integers(-1, 1)).map(lambda t: t[0] * 3_600_000_000 + t[1])),
    max_size=8,
).map(sorted)


@st.composite
def declarations(draw: st.DrawFn) -> Feature:
    measure = MEASURES[draw(st.sampled_from(sorted(MEASURES)))]
    filter_ = Filter(
        draw(st.one_of(st.none(), st.just(OTHER), st.sampled_from(TYPES))),
        draw(st.one_of(st.none(), st.just(OTHER), st.sampled_from(("email", "seo")))),
        draw(texts),
        tuple(sorted(draw(st.sets(st.sampled_from(ACTORS), min_size=1)))),
    )
    length = st.integers(1, 100).map(lambda number: number * HOUR)
    return Feature(
        measure.name,
        filter_,
        draw(st.one_of(st.none(), length)) if measure.has_window else None,
        draw(length) if measure.has_half_life else None,
    )


@given(logs, snapshots, st.lists(declarations(), min_size=1, max_size=8))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_the_kernel_equals_the_reference_on_drawn_logs_and_declarations(
    log: dict[str, list[Interaction]], at: list[tuple[str, int]], features_: list[Feature]
) -> None:
    expected = on_reference(log, at, features_, VOCABULARY)
    assert _same(on_kernel(log, at, features_, VOCABULARY), expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.engine, "walk", walk.py_func)
        assert _same(on_kernel(log, at, features_, VOCABULARY), expected)


def _same(left: list[list[float]], right: list[list[float]]) -> bool:
    """Equal to the last bit, two missing values being equal."""
    flat = [value for row in (*left, *right) for value in row]
    half = len(flat) // 2
    return len(left) == len(right) and all(
        a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(flat[:half], flat[half:], strict=True)
    )


def test_the_matrix_holds_context_attributes_and_events_in_the_catalogues_order() -> None:
    catalogue = Catalogue(VOCABULARY, (Feature("count"),), (("country", "category"), ("size", "number")))
    times = {"created_at": "2026-03-01 00:00", "started_at": "2026-03-08 12:00"}
    snapshots_ = snapshots_table([NOON])
    for name, value in times.items():
        snapshots_ = snapshots_.append_column(name, pa.array([moment(value)], pa.timestamp("us")))
    for name, constant in {"episode": 2, "country": "nl", "size": 12.0}.items():
        snapshots_ = snapshots_.append_column(name, pa.array([constant]))
    matrix = compute_matrix(events_table(LOG), snapshots_, catalogue)
    assert matrix.column_names == ["lead_id", "as_of", *catalogue.columns]
    assert matrix.drop_columns("as_of").to_pylist() == [
        {
            "lead_id": "ann",
            "lead_age_days": 9.5,
            "episode_age_days": 2.0,
            "earlier_episodes": 1.0,
            "lead__country": "nl",
            "lead__size": 12.0,
            "count__all": 6.0,
        }
    ]
