"""Other horizons: no probability ever contradicts another, and each is learned from what was settled for it alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from features.timeline.labels import assign_labels
from models.core.additive import Additive, Term
from models.core.horizons import Direction, Step, chain, columns_of
from models.core.model import Model
from models.core.slices import Slice
from models.learning import horizons as learning
from models.learning.additive import Roles
from models.learning.backtest import Foretold
from models.learning.horizons import Horizons, Waits, foretell_others, learn_steps, require_settled
from models.learning.learner import Recipe, TrainingLog
from models.learning.origins import Origin
from pipeline.matrix.slices import read_waits

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1)
Floats = NDArray[np.float64]


def log_odds(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))


def constant(horizon: str, direction: Direction, share: float) -> Step:
    return Step(horizon, direction, Additive(log_odds(share), ()), {}, {"method": "none"})


def test_a_chain_of_steps_is_what_it_is_by_hand() -> None:
    steps = [constant("7d", "shorter", 0.5), constant("1d", "shorter", 0.1)]
    steps += [constant("60d", "longer", 0.25), constant("90d", "longer", 0.5)]
    said = chain(steps, pd.DataFrame(index=range(2)), np.array([0.2, 0.6]))
    expected = {"7d": [0.1, 0.3], "1d": [0.01, 0.03], "60d": [0.4, 0.7], "90d": [0.7, 0.85]}
    assert said.keys() == expected.keys()
    for horizon, probabilities in expected.items():
        np.testing.assert_allclose(said[horizon], probabilities, rtol=1e-12)
    assert columns_of(steps) == [
        "probability_1d", "probability_7d", "probability", "probability_60d", "probability_90d",
    ]  # fmt: skip


NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32))
ROWS = st.lists(st.tuples(NUMBERS, st.sampled_from([None, "web", "mail", "fax"])), min_size=1, max_size=20)
WEIGHTS = st.floats(-1e6, 1e6)
MEMBERS = st.builds(
    lambda intercept, weights: Additive(
        intercept,
        (
            Term("clicks", "capped", 100.0, weight=weights[0]),
            Term("clicks", "decay", 3.0, weight=weights[1]),
            Term("clicks", "missing", weight=weights[2]),
            Term("source", "level", 1.0, weight=weights[3]),
        ),
    ),
    WEIGHTS,
    st.tuples(WEIGHTS, WEIGHTS, WEIGHTS, WEIGHTS),
)
CALIBRATORS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"method": "none"}),
    st.builds(lambda slope, at: {"method": "platt", "slope": slope, "intercept": at}, st.floats(0.0, 1e3), WEIGHTS),
    st.just({"method": "isotonic", "slope": 1.0, "intercept": 0.0, "points": [-1.0, 1.0], "rates": [0.0, 1.0]}),
)
LEVELS = {"source": ["mail", "web"]}


@given(
    rows=ROWS, own=MEMBERS, calibrators=st.lists(CALIBRATORS, min_size=5, max_size=5), members=st.tuples(*[MEMBERS] * 4)
)
def test_no_horizon_contradicts_another_whatever_the_frame(
    rows: list[tuple[float | None, str | None]],
    own: Additive,
    calibrators: list[dict[str, Any]],
    members: tuple[Additive, ...],
) -> None:
    frame = pd.DataFrame(rows, columns=["clicks", "source"]).astype({"clicks": "float64", "source": "object"})
    towards: list[tuple[str, Direction]] = [
        ("7d", "shorter"), ("1d", "shorter"), ("60d", "longer"), ("90d", "longer"),
    ]  # fmt: skip
    steps = tuple(
        Step(*target, member, LEVELS, calibrator)
        for target, member, calibrator in zip(towards, members, calibrators[1:], strict=True)
    )
    manifest = {"columns": ["clicks", "source"], "categories": LEVELS}
    alone = Model((own.to_text(),), calibrators[0], manifest)
    model = replace(alone, steps=steps)
    np.testing.assert_array_equal(model.predict(frame), alone.predict(frame))
    said = {f"probability_{name}": of for name, of in model.other_horizons(frame).items()}
    said["probability"] = model.predict(frame)
    ordered = np.stack([said[name] for name in columns_of(steps)])
    assert (ordered > 0.0).all()
    assert (ordered < 1.0).all()
    assert (np.diff(ordered, axis=0) >= 0.0).all()


RATES = {"fast": 1 / 40, "medium": 1 / 120, "slow": 1 / 600}
"""How many convert in a day, of those who have not, whenever that is: waits are exponential."""
DELAY = timedelta(hours=6)
HORIZONS = Horizons(30 * DAY, [7 * DAY, 60 * DAY, 90 * DAY])
RECIPE = Recipe(
    ["group", "clicks"],
    ["group"],
    rung="auto",
    roles=Roles(channels=["group"], decayed=["clicks"], numbers=["clicks"]),
    seed=3,
    num_threads=1,
)


def draw(rows: int, *, seed: int, days: int = 300) -> tuple[Slice, Waits, Floats]:
    """Draw rows, when each converts, and its rate a day: of each lead two, at the same moment of its own."""
    generator = np.random.default_rng(seed)
    leads = np.repeat(np.arange(rows // 2), 2)
    group = generator.choice(np.array(list(RATES)), rows // 2)[leads]
    rate = np.array([RATES[name] for name in group])
    wait = (generator.exponential(1.0, rows // 2)[leads] / rate * 86_400e6).astype("timedelta64[us]")
    as_of = np.datetime64(BEGIN, "us") + generator.integers(0, days * 24, rows // 2)[leads] * np.timedelta64(1, "h")
    frame = pd.DataFrame({"group": group.astype(object), "clicks": generator.poisson(2.0, rows).astype(float)})
    labels = (wait < np.timedelta64(HORIZONS.own)).astype(float)
    return Slice(frame, labels, np.array([f"lead {lead}" for lead in leads])), Waits(as_of, wait, DELAY), rate


def exactly(rate: Floats, days: int) -> Floats:
    return np.asarray(-np.expm1(-rate * days))


@pytest.mark.parametrize("seed", range(3))
def test_of_leads_whose_hazard_is_known_each_horizon_is_right(seed: int) -> None:
    rows, waits, _ = draw(12_000, seed=seed)
    learned = learn_steps(rows, waits, HORIZONS, RECIPE, BEGIN + 390 * DAY)
    assert [account.horizon for _, account in learned] == ["7d", "60d", "90d"]
    assert {account.rung for _, account in learned} <= {"base_rates", "logistic"}
    later, waits, rate = draw(12_000, seed=100 + seed)
    said = chain([step for step, _ in learned], later.frame, exactly(rate, 30))
    for horizon, days in (("7d", 7), ("60d", 60), ("90d", 90)):
        truth, happened = exactly(rate, days), waits.within(days * DAY)
        for name in RATES:
            rows_of = (later.frame["group"] == name).to_numpy()
            # What a group of so many leads, and the learning from as many, leave to chance.
            error = np.sqrt(truth[rows_of].mean() * (1 - truth[rows_of].mean()) / (rows_of.sum() / 2))
            assert abs(said[horizon][rows_of].mean() - truth[rows_of].mean()) < 3.5 * error, (horizon, name)
            assert abs(said[horizon][rows_of].mean() - happened[rows_of].mean()) < 3.5 * np.sqrt(2) * error
            assert np.abs(said[horizon] - truth).max() < 0.12


def test_what_a_step_learns_from_is_counted_by_hand() -> None:
    rows, waits, _ = draw(4000, seed=1)
    moment = BEGIN + 300 * DAY
    accounts = {account.horizon: account for _, account in learn_steps(rows, waits, HORIZONS, RECIPE, moment)}
    days = waits.waits / np.timedelta64(1, "D")
    ago = (np.datetime64(moment, "us") - waits.as_of) / np.timedelta64(1, "D") - 0.25
    for horizon, known, converts in (
        ("7d", (ago >= 30) & (days < 30), days < 7),
        ("60d", (ago >= 60) & (days >= 30), days < 60),
        ("90d", (ago >= 90) & (days >= 60), days < 90),
    ):
        found = accounts[horizon]
        leads = len(set(rows.leads[known]))
        assert (found.rows, found.leads, found.conversions) == (known.sum(), leads, (known & converts).sum())


@pytest.fixture(scope="module")
def origin() -> Origin:
    return Origin(pd.Timestamp(BEGIN + 200 * DAY), pd.Timestamp(BEGIN + 230 * DAY))


def foretold_of(origin: Origin | None, rows: Slice, waits: Waits, own: Floats) -> Foretold:
    asked = np.ones(len(own), dtype=bool) if origin is None else origin.foretold(waits.as_of)
    log = TrainingLog("logistic", 0, "platt", 0.0, 0, 0, 0, 0.0)
    return Foretold(origin, log, rows.leads[asked], waits.as_of[asked], rows.labels[asked], own[asked], {})


def test_an_outcome_that_is_not_settled_changes_nothing_at_an_origin(origin: Origin) -> None:
    rows, waits, rate = draw(6000, seed=7)
    own = exactly(rate, 30)
    before = foretell_others([foretold_of(origin, rows, waits, own)], rows, waits, HORIZONS, RECIPE)
    # Up to when each row's future was known at the origin: what comes after that may be anything, or nothing.
    known = np.zeros(len(own), dtype="timedelta64[us]")
    for days in (30, 60, 90):
        known[waits.settled(days * DAY, origin.moment)] = np.timedelta64(days, "D")
    generator = np.random.default_rng(8)
    other = known + (generator.exponential(20.0, len(own)) * 86_400e6).astype("timedelta64[us]")
    other[generator.random(len(own)) < 0.3] = np.timedelta64("NaT")
    changed = np.where(waits.waits < known, waits.waits, other)
    for days in (30, 60, 90):
        moved = (changed < np.timedelta64(days, "D")) != waits.within(days * DAY)
        assert moved.sum() > 100
    after = foretell_others(
        [foretold_of(origin, rows, waits, own)], rows, replace(waits, waits=changed), HORIZONS, RECIPE
    )
    assert before[0].keys() == after[0].keys() == {"7d", "60d", "90d"}
    for horizon, said in before[0].items():
        np.testing.assert_array_equal(after[0][horizon], said, err_msg=horizon)


def test_an_outcome_that_is_settled_changes_what_is_foretold(origin: Origin) -> None:
    rows, waits, rate = draw(6000, seed=7)
    own = exactly(rate, 30)
    before = foretell_others([foretold_of(origin, rows, waits, own)], rows, waits, HORIZONS, RECIPE)
    waited = waits.waits.copy()
    settled = waits.settled(60 * DAY, origin.moment) & ~waits.within(30 * DAY)
    waited[settled & (rows.frame["group"] == "slow").to_numpy()] = np.timedelta64(40, "D")
    after = foretell_others(
        [foretold_of(origin, rows, waits, own)], rows, replace(waits, waits=waited), HORIZONS, RECIPE
    )
    np.testing.assert_array_equal(after[0]["7d"], before[0]["7d"])
    assert after[0]["60d"].mean() > before[0]["60d"].mean() + 0.1


def test_a_horizon_of_which_nothing_is_settled_at_an_origin_is_left_out_there() -> None:
    rows, waits, rate = draw(4000, seed=2)
    own = exactly(rate, 30)
    origins = [
        Origin(pd.Timestamp(BEGIN + days * DAY), pd.Timestamp(BEGIN + (days + 30) * DAY)) for days in (45, 75, 105)
    ]
    foretold = [foretold_of(one, rows, waits, own) for one in (*origins, None)]
    said = foretell_others(foretold, rows, waits, HORIZONS, RECIPE)
    assert [list(one) for one in said] == [["7d"], ["7d", "60d"], ["7d", "60d", "90d"], []]
    assert all(len(of) == len(one.labels) for one, other in zip(foretold, said, strict=True) for of in other.values())


def test_a_horizon_of_which_nothing_is_settled_today_is_an_error() -> None:
    _, waits, _ = draw(400, seed=2, days=60)
    require_settled(waits, Horizons(30 * DAY, [7 * DAY]), BEGIN + 65 * DAY)
    with pytest.raises(NotEnoughDataError, match=r"no snapshot tells of 90d.*2026-03-07.*leave 90d out"):
        require_settled(waits, HORIZONS, BEGIN + 65 * DAY)


def test_where_too_few_convert_all_have_the_share_that_is_drawn_to_an_even_pace() -> None:
    # 100 leads, of which 20 convert within 30 days, and 4 of the other 80 within 60.
    days = np.r_[np.full(20, 10.0), np.full(4, 45.0), np.full(76, 1000.0)]
    waits = Waits(np.full(100, np.datetime64(BEGIN, "us")), (days * 86_400e6).astype("timedelta64[us]"), timedelta(0))
    frame = pd.DataFrame({"group": ["a"] * 100, "clicks": np.arange(100.0)})
    rows = Slice(frame, (days < 30).astype(float), np.arange(100).astype(str))
    ((step, account),) = learn_steps(rows, waits, Horizons(30 * DAY, [60 * DAY]), RECIPE, BEGIN + 400 * DAY)
    assert (account.rung, account.calibration, account.rows, account.conversions) == (None, "none", 80, 4)
    # At an even pace 20.5 of 101 would follow; that is worth four leads.
    np.testing.assert_allclose(step.shares(frame), (4 + 4 * 20.5 / 101) / 84, rtol=1e-12)


@pytest.mark.parametrize(
    ("own", "before", "to", "share"), [(30, 30, 60, 0.2), (30, 60, 120, 0.36), (30, 30, 15, 0.527864)]
)
def test_an_even_pace_is_what_it_is_by_hand(own: int, before: int, to: int, share: float) -> None:
    # Of 80 % that are left after 30 days 64 % are left after 60: within 15 days 1 - sqrt(0.8) convert.
    found = learning._even(0.2, own * DAY, before * DAY, to * DAY)  # noqa: SLF001 - the prior alone
    assert found == pytest.approx(share, abs=1e-6)


def test_more_rows_than_are_needed_are_thinned_and_say_the_same_to_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, waits, rate = draw(12_000, seed=5)
    moment = BEGIN + 390 * DAY
    steps = [step for step, _ in learn_steps(rows, waits, HORIZONS, RECIPE, moment)]
    monkeypatch.setattr(learning, "MOST_ROWS", 4000)
    learned = learn_steps(rows, waits, HORIZONS, RECIPE, moment)
    assert [account.rows for _, account in learned][1] > 4000, "it tells of all rows"
    own = exactly(rate, 30)
    all_rows, fewer = (chain(some, rows.frame, own) for some in (steps, [step for step, _ in learned]))
    for horizon, said in all_rows.items():
        assert np.abs(said - fewer[horizon]).mean() < 0.02


def test_without_other_horizons_nothing_is_learned() -> None:
    rows, waits, _ = draw(400, seed=2)
    assert learn_steps(rows, waits, Horizons(30 * DAY, []), RECIPE, BEGIN + 400 * DAY) == []


MOMENTS = st.integers(0, 200 * 24).map(lambda hours: pd.Timestamp(BEGIN) + timedelta(hours=hours))
TAKEN = st.lists(st.tuples(MOMENTS, st.sampled_from(["converted", "lost", None]), MOMENTS), min_size=1, max_size=30)


@given(taken=TAKEN, hours=st.integers(1, 100 * 24))
def test_a_wait_gives_the_label_of_any_horizon(
    tmp_path_factory: pytest.TempPathFactory, taken: list[tuple[pd.Timestamp, str | None, pd.Timestamp]], hours: int
) -> None:
    snapshots = pd.DataFrame(taken, columns=["as_of", "outcome", "outcome_at"]).astype({"outcome": "str"})
    snapshots["outcome_at"] = snapshots["outcome_at"].where(snapshots["outcome"].notna())
    snapshots = snapshots.assign(lead_id=[f"lead {number}" for number in range(len(taken))])
    snapshots = snapshots.astype({"as_of": "datetime64[us]", "outcome_at": "datetime64[us]"})
    horizon, until = timedelta(hours=hours), BEGIN + 150 * DAY
    labelled = assign_labels(snapshots, timedelta(hours=1), DELAY, until)
    path = tmp_path_factory.getbasetemp() / "waits.parquet"
    pq.write_table(pa.Table.from_pandas(labelled, preserve_index=False), path)
    expected = assign_labels(snapshots, horizon, DELAY, until)
    expected = expected[labelled["label"].notna()]
    read = read_waits(path)
    waits = Waits(read["as_of"].to_numpy("datetime64[us]"), read["wait"].to_numpy("timedelta64[us]"), DELAY)
    assert waits.settled(horizon, until).tolist() == expected["label"].notna().tolist()
    settled = waits.settled(horizon, until)
    assert waits.within(horizon)[settled].tolist() == expected["label"].to_numpy()[settled].tolist()


def test_where_all_convert_within_a_far_longer_horizon_its_probability_stays_below_one() -> None:
    number = 40
    waits = np.where(np.arange(number) % 2 == 0, 1, 100).astype("timedelta64[D]").astype("timedelta64[us]")
    as_of = np.full(number, np.datetime64(BEGIN, "us"))
    labels = (waits < np.timedelta64(7 * DAY)).astype(float)
    rows = Slice(pd.DataFrame(index=range(number)), labels, np.arange(number) % 18)
    horizons = Horizons(7 * DAY, (3650 * DAY,))
    learned = learn_steps(rows, Waits(as_of, waits, DAY), horizons, Recipe(()), BEGIN + 4000 * DAY)
    (said,) = chain([step for step, _ in learned], rows.frame, np.full(number, 0.5)).values()
    assert ((said > 0.99) & (said < 1.0)).all()
    assert Additive.from_text(learned[0][0].member.to_text(), []) == learned[0][0].member


def test_who_names_the_models_own_horizon_asks_for_nothing_more() -> None:
    named, plain = Horizons(30 * DAY, [90 * DAY, 30 * DAY, 7 * DAY]), Horizons(30 * DAY, [7 * DAY, 90 * DAY])
    assert (named.others, named.all, named.names) == (plain.others, plain.all, plain.names)
    assert named.chains() == [("shorter", [7 * DAY]), ("longer", [90 * DAY])]
    assert not Horizons(30 * DAY, [30 * DAY]).others
