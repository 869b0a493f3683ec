"""The procedure judged at its origins: by what was settled then, and by nothing that came to light after it."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from models.core.slices import Slice
from models.learning import learner
from models.learning.additive import Roles
from models.learning.backtest import Foretold, backtest
from models.learning.learner import Recipe, learn
from models.learning.one_order import in_one_order
from models.learning.origins import Origin, choose_origins

DAY = timedelta(days=1)
BEGIN, DAYS = datetime(2026, 1, 1), 170
REACH = 30 * DAY + timedelta(hours=6)
RECIPE = Recipe(COLUMNS, CATEGORICAL, QUICK, seed=1, num_threads=1)
Times = NDArray[np.datetime64]


@pytest.fixture(scope="module")
def log() -> tuple[Slice, Times]:
    """Draw rows of leads that are looked at at any time of half a year, in no order of time."""
    rows = draw_rows(4000, seed=3)[0]
    hours = np.random.default_rng(4).integers(0, DAYS * 24, len(rows.labels))
    return rows, np.datetime64(BEGIN, "us") + hours * np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def origins(log: tuple[Slice, Times]) -> list[Origin]:
    rows, as_of = log
    chosen = choose_origins(as_of, rows.labels, rows.leads, REACH, count=3, minimum=20)
    assert [origin.moment for origin in chosen] == [pd.Timestamp(2026, month, 1) for month in (4, 5, 6)]
    return chosen


@pytest.fixture(scope="module")
def foretold(log: tuple[Slice, Times], origins: list[Origin]) -> list[Foretold]:
    return backtest(*log, origins, REACH, RECIPE)


def altered(rows: Slice, unsettled: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Slice:
    """Alter all that is not settled: labels, leads, and the values of rows that are not asked for."""
    generator = np.random.default_rng(5)
    frame, other = rows.frame.reset_index(drop=True), unsettled & ~asked
    for column in ("clicks", "age", "noise", "constant", "never known"):
        frame.loc[other, column] = generator.normal(size=int(other.sum())).round()
    frame.loc[other, "source"] = "billboard"  # hundreds of rows: a level, were they learned from
    return Slice(
        frame,
        np.where(unsettled, 1.0 - rows.labels, rows.labels),
        np.where(unsettled, "one and the same", rows.leads),
        None if rows.soon is None else np.where(unsettled, 0.5 * (1.0 - rows.labels), rows.soon),
    )


@pytest.mark.parametrize("place", range(3))
def test_hindsight_changes_nothing(
    log: tuple[Slice, Times], origins: list[Origin], foretold: list[Foretold], place: int
) -> None:
    rows, as_of = log
    origin, before = origins[place], foretold[place]
    unsettled = as_of + np.timedelta64(REACH) > np.datetime64(origin.moment)
    asked = origin.foretold(as_of) & (np.arange(len(as_of)) % 2 == 0)
    assert asked.sum() > 100 < (unsettled & ~asked).sum()
    (after,) = backtest(altered(rows, unsettled, asked), as_of, [origin], REACH, RECIPE)
    kept = asked[origin.foretold(as_of)]
    assert after.log == before.log
    np.testing.assert_array_equal(after.probabilities[kept], before.probabilities[kept])
    assert (after.labels != before.labels).all()
    # All that is not settled and not asked for may as well be absent.
    rest = ~unsettled | asked
    (alone,) = backtest(rows.take(rest), as_of[rest], [origin], REACH, RECIPE)
    np.testing.assert_array_equal(alone.probabilities, before.probabilities[kept])


def test_hindsight_changes_no_choice_of_the_ladder_nor_what_any_rung_or_yardstick_says(
    log: tuple[Slice, Times], origins: list[Origin]
) -> None:
    rows, as_of = log
    roles = Roles(decayed=["clicks"], ages=["age"], channels=["source"], counts={"click": "clicks"}, last=["noise"])
    ladder = dataclasses.replace(RECIPE, rung="auto", roles=roles)
    before = backtest(rows, as_of, origins, REACH, ladder)[-1]
    unsettled = as_of + np.timedelta64(REACH) > np.datetime64(origins[-1].moment)
    asked = origins[-1].foretold(as_of) & (np.arange(len(as_of)) % 2 == 0)
    # Earlier origins have foretold rows that are not settled at the last one: what came of them chooses nothing there.
    assert (origins[-2].foretold(as_of) & unsettled).sum() > 100
    after = backtest(altered(rows, unsettled, asked), as_of, origins, REACH, ladder)[-1]
    kept = asked[origins[-1].foretold(as_of)]
    assert after.log == before.log
    assert {"base_rates", "logistic", "trees", "stack", "stack+shift", "points", "naive_bayes"} < before.said.keys()
    for name, said in before.said.items():
        np.testing.assert_array_equal(after.said[name][kept], said[kept], err_msg=name)


def test_how_soon_rows_convert_that_are_not_settled_changes_nothing(
    log: tuple[Slice, Times], origins: list[Origin], foretold: list[Foretold], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "SOON_FROM", 1)
    plain, as_of = log
    rows = dataclasses.replace(plain, soon=plain.labels * np.random.default_rng(6).random(len(as_of)))
    origin = origins[-1]
    unsettled = as_of + np.timedelta64(REACH) > np.datetime64(origin.moment)
    asked = origin.foretold(as_of) & (np.arange(len(as_of)) % 2 == 0)
    (before,) = backtest(rows, as_of, [origin], REACH, RECIPE)
    (after,) = backtest(altered(rows, unsettled, asked), as_of, [origin], REACH, RECIPE)
    kept = asked[origin.foretold(as_of)]
    np.testing.assert_array_equal(after.probabilities[kept], before.probabilities[kept])
    assert (before.probabilities != foretold[-1].probabilities).any(), "how soon is learned from"


def test_what_is_settled_does_change_what_is_foretold(
    log: tuple[Slice, Times], origins: list[Origin], foretold: list[Foretold]
) -> None:
    rows, as_of = log
    last = np.where(as_of + np.timedelta64(REACH) <= np.datetime64(origins[1].moment), as_of, as_of.min()).argmax()
    labels = rows.labels.copy()
    labels[last] = 1.0 - labels[last]
    after = backtest(dataclasses.replace(rows, labels=labels), as_of, origins, REACH, RECIPE)
    changed = [
        not np.array_equal(one.probabilities, other.probabilities) for one, other in zip(after, foretold, strict=True)
    ]
    assert changed == [False, True, True], "the label was settled between the first origin and the second"


def test_what_is_foretold_is_what_a_model_of_the_settled_rows_says(
    log: tuple[Slice, Times], origins: list[Origin], foretold: list[Foretold]
) -> None:
    rows, as_of = log
    looks: list[datetime] = as_of.tolist()
    for origin, one in zip(origins, foretold, strict=True):
        settled = np.array([number for number, look in enumerate(looks) if look + REACH <= origin.moment])
        later = np.array([number for number, look in enumerate(looks) if origin.moment <= look < origin.until])
        model, log_of_model = learn(rows.take(settled), RECIPE)
        assert one.origin == origin
        assert one.log == log_of_model
        assert one.leads.tolist() == rows.leads[later].tolist()
        assert one.as_of.tolist() == [looks[number] for number in later]
        np.testing.assert_array_equal(one.labels, rows.labels[later])
        np.testing.assert_array_equal(one.probabilities, model.predict(rows.frame.iloc[later]))
    assert sum(len(one.labels) for one in foretold) == sum(look >= datetime(2026, 4, 1) for look in looks)


def test_an_origin_says_the_same_alone_as_among_others(
    log: tuple[Slice, Times], origins: list[Origin], foretold: list[Foretold]
) -> None:
    (alone,) = backtest(*log, origins[2:], REACH, RECIPE)
    np.testing.assert_array_equal(alone.probabilities, foretold[2].probabilities)


def test_each_origin_is_told_as_it_is_done(log: tuple[Slice, Times], origins: list[Origin]) -> None:
    told: list[Foretold] = []
    done = backtest(*log, origins[:2], REACH, RECIPE, told.append)
    assert [one.origin for one in told] == origins[:2]
    assert all(one is other for one, other in zip(told, done, strict=True))


def test_without_an_origin_nothing_is_learned(log: tuple[Slice, Times]) -> None:
    assert backtest(*log, [], REACH, RECIPE) == []


def test_an_origin_at_which_too_little_is_settled_is_refused(log: tuple[Slice, Times]) -> None:
    early = Origin(pd.Timestamp(BEGIN + REACH), pd.Timestamp(2026, 4, 1))
    with pytest.raises(NotEnoughDataError, match="too few outcomes to learn from"):
        backtest(*log, [early], REACH, RECIPE)


def test_fitted_side_by_side_the_origins_say_the_same_bytes(log: tuple[Slice, Times], origins: list[Origin]) -> None:
    """As many rows and terms as BLAS would share among its threads, which changes the last bits of a sum."""
    (plain, as_of), generator = log, np.random.default_rng(6)
    fading = {f"fading {number}": generator.gamma(0.3, size=len(as_of)) for number in range(40)}
    rows = Slice(plain.frame.assign(**fading), plain.labels, plain.leads)
    roles = Roles(decayed=list(fading), ages=["age"])
    ladder = dataclasses.replace(RECIPE, columns=[*COLUMNS, *fading], rung="auto", roles=roles)
    alone = backtest(rows, as_of, origins, REACH, ladder)
    with in_one_order(), ThreadPoolExecutor(3) as pool:
        together = backtest(rows, as_of, origins, REACH, ladder, side_by_side=pool.map)
    for one, other in zip(alone, together, strict=True):
        assert one.log == other.log
        assert one.said.keys() == other.said.keys()
        for name, said in one.said.items():
            assert said.tobytes() == other.said[name].tobytes(), name
