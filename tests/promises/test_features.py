"""What each measure means, on every engine: a table of events in, hand-computed numbers out."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declared import declarations
from engines import Engine, Value, events_table, interpret, moment, on_kernel, on_reference, parse_log, snapshots_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matrices import catalogue_of, write_matrix_of
from visits import EVE, LEADS, VISITS, VOCABULARY, example_of, hours, logs

from features.core.schema import ACTORS, MACHINE
from features.engines.compiled import compute_matrix
from features.engines.reference import Interaction
from features.language.catalogue import Catalogue
from features.language.feature import Feature, Scope
from features.language.filters import OTHER, Filter
from features.language.measures import MEASURES
from pipeline.settings.run import Run

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

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
BOB = ("bob", NOON[1])


OF_THE_LOG: list[tuple[Feature, tuple[str, int], Value]] = [
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
]


@pytest.mark.parametrize(("feature", "snapshot", "expected"), OF_THE_LOG)
def test_a_feature_has_its_hand_computed_value(
    engine: Engine, feature: Feature, snapshot: tuple[str, int], expected: Value
) -> None:
    assert _is_close(engine(LOG, [snapshot], [feature], VOCABULARY), expected)


# Eve, at noon of 10 March, created on 1 March: a click (27 February), then three events on 2 March, twenty and thirty
# minutes apart, then three clicks (two in one row) around midnight of 8 March, a Sunday.
OF_VISITS: list[tuple[Feature, Value]] = [
    (Feature("mean_value"), 13 / 3),  # 4, 8 and 1; a value that is not a number is missing
    (Feature("mean_value", Filter("rare")), math.nan),
    (Feature("max_value"), 8),
    (Feature("max_value", Filter("form"), DAY), math.nan),
    (Feature("days_to_first", Filter("form")), 1 + (9 + 1 / 3) / 24),
    (Feature("days_to_first"), -1 - 14 / 24),
    (Feature("days_to_first", Filter("call")), math.nan),
    # gaps in hours: 71, 1/3, 1/2, 133 1/6, 2
    (Feature("mean_gap"), 207 / 24 / 5),
    (Feature("max_gap"), (133 + 1 / 6) / 24),
    (Feature("max_gap", Filter("form")), math.nan),
    (Feature("mean_gap", window=9 * DAY), 136 / 24 / 4),
    # clicks: 71, 134 and 2 hours; their mean is 69, so (2^2 + 65^2 + 67^2) / 2 = 4,359 and its root is 66.0227
    (Feature("gap_deviation", Filter("click")), 66.022723 / 24),
    (Feature("gap_deviation", Filter("click"), 8 * DAY), math.nan),  # one gap deviates from nothing
    # three events (two in one row) in seven days, eight in fourteen... seven in all: (3 / 7) / (7 / 14)
    (Feature("momentum", window=7 * DAY, baseline=14 * DAY), 6 / 7),
    (Feature("momentum", window=DAY, baseline=4 * DAY), 0),
    (Feature("momentum", window=DAY, baseline=2 * DAY), math.nan),
    (Feature("share", Filter("click")), 5 / 7),
    (Feature("share", Filter(channel="email")), 2 / 7),
    (Feature("share", Filter("click", "email"), of="event_type"), 1 / 2),  # of the two that came by mail
    (Feature("share", Filter("click", "email"), of="channel"), 1 / 5),  # of the five clicks
    (Feature("share", Filter(hours=(22, 2))), 3 / 7),  # 23:00 (twice) and 01:00
    (Feature("share", Filter(weekdays=("mon",))), 3 / 7),
    (Feature("share", Filter(weekdays=("sat", "sun"), hours=(0, 12)), of="hours"), 1 / 3),
    (Feature("share", Filter("form"), DAY), math.nan),  # there was nothing at all
    (Feature("share", Filter("form"), 4 * DAY), 0),
    (Feature("count", Filter(hours=(9, 10))), 3),
    (Feature("count", Filter(content="demo")), 2),
    (Feature("count", Filter("click", content="demo")), 1),
    (Feature("count", Filter(content=OTHER)), 1),  # careers; what has no content is not about other things
    (Feature("days_since_last", Filter("form", content="demo")), 8 + (2 + 2 / 3) / 24),
    (Feature("share", Filter("click", content="demo"), of="content"), 1 / 5),
    (Feature("first_touch", of="content", position=2), "other"),
    (Feature("last_touch", of="content"), "demo"),
    (Feature("entropy", of="content"), math.log2(3) - 2 / 3),
    # five clicks, a form and a rare one of seven
    (Feature("entropy", of="event_type"), -(5 * math.log2(5 / 7) + 2 * math.log2(1 / 7)) / 7),
    (Feature("entropy", of="event_type", window=4 * DAY), 0),
    (Feature("entropy", of="channel"), -(2 * math.log2(2 / 5) + 3 * math.log2(3 / 5)) / 5),  # seo and tv are other
    (Feature("entropy", Filter("rare"), of="channel"), math.nan),
    # a silence of thirty minutes ends a session: 10:00 | 09:00, 09:20 | 09:50 | 23:00 | 01:00
    (Feature("sessions"), 5),
    (Feature("sessions", window=DAY), 0),
    (Feature("session_minutes"), 20 / 5),
    (Feature("session_minutes", window=DAY), math.nan),
    (Feature("session_events"), 7 / 5),
    (Feature("first_touch", of="channel"), "email"),
    (Feature("first_touch", of="channel", position=2), "other"),
    (Feature("first_touch", of="campaign"), "may"),
    (Feature("last_touch", of="campaign"), "other"),
    (Feature("last_touch", of="channel"), "other"),  # the last click has none, the one before came from tv
    (Feature("last_touch", of="channel", position=2), "email"),
    (Feature("last_touch", of="event_type"), "click"),
    (Feature("last_touch", of="event_type", position=3), "other"),
    (Feature("last_touch", of="event_type", position=7), math.nan),
    (Feature("last_touch", of="event_type", window=DAY), math.nan),
    (Feature("came_after", Filter("click"), than="form"), 1),
    (Feature("came_after", Filter("form"), than=OTHER), 0),  # the rare one came last
    (Feature("came_after", Filter("form"), than="call"), 1),
    (Feature("came_after", Filter("call"), than="form"), 0),
    (Feature("came_after", Filter("call"), than="won"), math.nan),
    # "rare" is no type of the vocabulary, so it is one of the others, and does not come after itself
    (Feature("came_after", Filter("rare"), than=OTHER), 0),
]


@pytest.mark.parametrize(
    ("feature", "expected"),
    OF_VISITS,
    ids=lambda value: value.slug if isinstance(value, Feature) else "",
)
def test_a_measure_of_visits_has_its_hand_computed_value(engine: Engine, feature: Feature, expected: Value) -> None:
    assert _is_close(engine(VISITS, [EVE], [feature], VOCABULARY), expected)


def _is_close(rows: list[list[Value]], expected: Value) -> bool:
    assert [len(row) for row in rows] == [1]
    value = rows[0][0]
    return value == expected if isinstance(expected, str) else value == pytest.approx(expected, rel=1e-6, nan_ok=True)


OF_ACCOUNTS: list[tuple[Feature, list[Value]]] = [
    # ann's others are bob, whose click of eleven o'clock is an hour old
    (Feature("count", scope="account"), [1, 6]),
    (Feature("days_since_last", scope="account"), [1 / 24, 1 / 24]),
    (Feature("count", Filter("click"), DAY, scope="account"), [1, 0]),
    (Feature("active_days", scope="account"), [1, 3]),
    (Feature("share", Filter("form"), scope="account"), [0, 1 / 6]),
    (Feature("last_touch", of="event_type", scope="account"), ["click", "other"]),
]


@pytest.mark.parametrize(
    ("feature", "expected"),
    OF_ACCOUNTS,
    ids=lambda value: value.slug if isinstance(value, Feature) else "",
)
def test_an_account_counts_what_its_other_leads_did(engine: Engine, feature: Feature, expected: list[Value]) -> None:
    rows = engine(LOG, [NOON, BOB], [feature], VOCABULARY)
    assert (
        [row[0] for row in rows] == pytest.approx(expected, rel=1e-6)
        if expected != ["click", "other"]
        else ([row[0] for row in rows] == expected)
    )


def test_every_executor_gives_the_hand_computed_values(executor: Run, tmp_path: Path) -> None:
    cases = [
        (VISITS, [(feature, EVE, expected) for feature, expected in OF_VISITS]),
        (LOG, OF_THE_LOG),
        (
            LOG,
            [
                (feature, at, value)
                for feature, both in OF_ACCOUNTS
                for at, value in zip([NOON, BOB], both, strict=True)
            ],
        ),
    ]
    for log, computed in cases:
        snapshots_ = sorted({at for _, at, _ in computed})
        catalogue = catalogue_of([feature for feature, _, _ in computed], VOCABULARY)
        matrix = pq.read_table(write_matrix_of(executor, tmp_path, log, snapshots_, catalogue))
        names = dict(zip(catalogue.features, catalogue.names, strict=True))
        assert matrix["lead_id"].to_pylist() == [lead for lead, _ in snapshots_]
        for feature, at, expected in computed:
            value = matrix[names[feature]][snapshots_.index(at)].as_py()
            assert _is_close([[math.nan if value is None else value]], expected), (feature, at)
    computed_ = {feature.measure for feature, _ in OF_VISITS} | {feature.measure for feature, _, _ in OF_THE_LOG}
    assert computed_ == set(MEASURES)


def test_a_lead_alone_in_its_account_has_no_others(engine: Engine) -> None:
    log = {"ann": LOG["ann"], "z": LOG["bob"]}
    assert engine(log, [NOON, ("z", NOON[1])], [Feature("count", scope="account")], VOCABULARY) == [[0], [0]]


def test_days_on_clocks_that_differ_are_told_apart(engine: Engine) -> None:
    days = [Interaction(moment(f"2026-03-0{day} 23:00"), 0, "click", local_day=local) for day, local in
            ((2, 9), (3, 9), (3, 8), (4, 9), (4, 10))]  # fmt: skip
    at = ("ann", moment("2026-03-10 00:00"))
    features = [Feature("active_days"), Feature("active_days", window=7 * DAY), Feature("active_days", window=6 * DAY)]
    assert engine({"ann": days}, [at], features, VOCABULARY) == [[3, 3, 2]]


@pytest.mark.parametrize("scope", ["lead", "account"])
@pytest.mark.parametrize("measure", MEASURES)
def test_an_event_known_at_as_of_or_later_does_not_count(engine: Engine, measure: str, scope: Scope) -> None:
    if scope == "account" and "created_at" in MEASURES[measure].reads:
        return  # of the lead alone
    feature = replace(example_of(measure), scope=scope)
    as_of = moment("2026-03-10 12:00")
    hour = 3_600_000_000

    def event(occurred_at: int, known_at: int, event_type: str = "click", channel: str = "email") -> Interaction:
        return Interaction(occurred_at, known_at, event_type, channel=channel, value=occurred_at / as_of, local_day=3)

    known = [
        event(as_of - 60 * hour, as_of - 50 * hour, "form"),
        event(as_of - 9 * hour, as_of - 9 * hour),
        event(as_of - 5 * hour, as_of - 1),
    ]
    late = [event(as_of - 200 * hour, as_of, "rare", "seo"), event(as_of - 5 * hour + hour // 6, as_of, "form", "seo")]
    late = [replace(later, local_day=4 + place, value=7.0) for place, later in enumerate(late)]
    future = [event(as_of, as_of - 9 * hour, "form", "seo"), event(as_of + 1, as_of + 1, "rare", "seo")]
    owner = "ann" if scope == "lead" else "bob"

    def at(events: list[Interaction]) -> list[list[Value]]:
        log = {"ann": [], owner: sorted(events, key=lambda one: one.occurred_at)}
        return engine(log, [("ann", as_of)], [feature], VOCABULARY)

    assert _same(at([*known, *late, *future]), at(known))
    assert not _same(at([*known, *(replace(later, known_at=as_of - 1) for later in late)]), at(known))


@pytest.mark.parametrize("scope", ["lead", "account"])
@pytest.mark.parametrize("measure", MEASURES)
def test_what_a_machine_did_counts_in_no_feature(engine: Engine, measure: str, scope: Scope) -> None:
    if scope == "account" and "created_at" in MEASURES[measure].reads:
        return  # of the lead alone
    example = example_of(measure)
    everybody = replace(example, scope=scope, filter=replace(example.filter, actors=ACTORS))
    by_machine = [replace(event, actor=MACHINE) for event in VISITS["eve"]]
    owner = "eve" if scope == "lead" else "bob"

    def at(events: list[Interaction]) -> list[list[Value]]:
        log = {"eve": [], owner: sorted(events, key=lambda one: one.occurred_at)}
        moments = [("eve", moment("2026-03-02 10:00")), EVE]
        return engine(log, moments, [everybody], VOCABULARY)

    others = [replace(event, occurred_at=event.occurred_at + 1, event_type="form") for event in VISITS["eve"][:3]]
    assert _same(at(by_machine), at([]))
    assert _same(at([*others, *by_machine]), at(others))
    assert not _same(at(VISITS["eve"]), at([]))


def test_a_repeated_snapshot_and_one_of_a_lead_without_events_stand_side_by_side(engine: Engine) -> None:
    snapshots = [NOON, LATER, ("bob", NOON[1]), ("zoe", NOON[1])]
    assert engine(LOG, snapshots, [Feature("count")], VOCABULARY) == [[6], [8], [1], [0]]


snapshots = st.lists(
    st.tuples(st.sampled_from(LEADS), st.tuples(hours, st.integers(-1, 1)).map(lambda t: t[0] * 3_600_000_000 + t[1])),
    max_size=8,
).map(sorted)


@given(logs, snapshots, st.lists(declarations(), min_size=1, max_size=8))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_the_kernel_equals_the_reference_on_drawn_logs_and_declarations(
    log: dict[str, list[Interaction]], at: list[tuple[str, int]], features_: list[Feature]
) -> None:
    expected = on_reference(log, at, features_, VOCABULARY)
    assert _same(on_kernel(log, at, features_, VOCABULARY), expected)
    with pytest.MonkeyPatch.context() as patch:
        interpret(patch)
        assert _same(on_kernel(log, at, features_, VOCABULARY), expected)


def _same(left: list[list[Value]], right: list[list[Value]]) -> bool:
    """Equal to the last bit of what the matrix holds, two missing values being equal."""
    return len(left) == len(right) and all(
        a == b or (a != a and b != b)  # noqa: PLR0124 - only what is missing differs from itself
        for rows in zip(left, right, strict=True)
        for a, b in zip(*rows, strict=True)
    )


def test_the_matrix_holds_context_attributes_and_events_in_the_catalogues_order() -> None:
    features_ = (Feature("count"), Feature("count", scope="account"), Feature("first_touch", of="channel"))
    catalogue = Catalogue(VOCABULARY, features_, (("country", "category"), ("size", "number")))
    snapshots_ = snapshots_table([NOON])
    snapshots_ = snapshots_.append_column("started_at", pa.array([moment("2026-03-08 12:00")], pa.timestamp("us")))
    for name, constant in {"episode": 2, "country": "nl", "size": 12.0}.items():
        snapshots_ = snapshots_.append_column(name, pa.array([constant]))
    of_accounts = np.array([[7]], dtype=np.float32)
    matrix = compute_matrix(events_table(LOG), snapshots_, catalogue, of_accounts)
    assert matrix.column_names == ["lead_id", "as_of", *catalogue.columns]
    assert catalogue.categories == ("lead__country", "first_touch__channel__all")
    assert matrix.drop_columns("as_of").to_pylist() == [
        {
            "lead_id": "ann",
            "lead_age_days": 9.5,
            "episode_age_days": 2.0,
            "earlier_episodes": 1.0,
            "lead__country": "nl",
            "lead__size": 12.0,
            "count__all": 6.0,
            "account__count__all": 7.0,
            "first_touch__channel__all": "email",
        }
    ]
