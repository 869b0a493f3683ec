"""Folds: no lead is in two, and those that convert are spread evenly."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.core.slices import deal

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
