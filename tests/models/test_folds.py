"""Folds: no lead is in two, and those that convert are spread evenly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.core.slices import deal, thinned

ROWS = st.lists(st.tuples(st.sampled_from("abcdefghijklm"), st.booleans()), min_size=1, max_size=60)


@given(rows=ROWS, seed=st.integers(0, 2**32 - 1), folds=st.integers(2, 6))
def test_no_lead_is_in_two_folds_and_each_kind_is_dealt_in_turn(
    rows: list[tuple[str, bool]], seed: int, folds: int
) -> None:
    leads = np.array([lead for lead, _ in rows], dtype=object)
    labels = np.array([float(converts) for _, converts in rows])
    dealt = deal(labels, leads, seed=seed, folds=folds)
    assert dealt.fold.shape == labels.shape
    fold_of = dict(zip(leads.tolist(), dealt.fold.tolist(), strict=True))
    assert [fold_of[lead] for lead in leads] == dealt.fold.tolist()
    converting = {lead for lead, converts in rows if converts}
    assert (dealt.converting, dealt.others) == (len(converting), len(fold_of) - len(converting))
    for kind in (converting, fold_of.keys() - converting):
        sizes = [sum(fold_of[lead] == fold for lead in kind) for fold in range(folds)]
        assert sum(sizes) == len(kind)
        assert max(sizes) - min(sizes) <= 1


@given(rows=ROWS, seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_deals_the_same(rows: list[tuple[str, bool]], seed: int) -> None:
    leads = np.array([lead for lead, _ in rows], dtype=object)
    labels = np.array([float(converts) for _, converts in rows])
    one, other = (deal(labels, leads, seed=seed).fold for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_another_seed_deals_otherwise() -> None:
    labels, leads = np.tile([1.0, 0.0], 100), np.arange(200)
    assert (deal(labels, leads, seed=1).fold != deal(labels, leads, seed=2).fold).any()


def test_thinned_are_every_second_or_third_row_of_each_lead() -> None:
    leads = np.array([*"aaaaaa", *"bbb", *"aaa"])
    np.testing.assert_array_equal(thinned(leads, 12), np.ones(12, dtype=bool))
    for maximum, every in ((6, 2), (11, 2), (4, 3), (5, 3)):
        for lead in "ab":
            places = np.flatnonzero(thinned(leads, maximum)[leads == lead])
            assert set(np.diff(places)) <= {every}
            assert places[0] < every


@given(rows=ROWS, maximum=st.integers(1, 60))
def test_thinned_goes_by_the_lead_and_the_order_of_its_rows_alone(rows: list[tuple[str, bool]], maximum: int) -> None:
    leads = np.array([lead for lead, _ in rows], dtype=object)
    kept = thinned(leads, maximum)
    by_lead = np.argsort(leads, kind="stable")
    np.testing.assert_array_equal(thinned(leads[by_lead], maximum), kept[by_lead])


def test_leads_of_one_row_are_drawn_as_often_as_rows_are() -> None:
    leads = np.array([f"lead {number}" for number in range(40_000)])
    assert thinned(leads, 10_000).sum() == pytest.approx(10_000, rel=0.05)
