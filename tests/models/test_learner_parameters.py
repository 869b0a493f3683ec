"""The parameters of the learner: which may be set, which are refused, and why."""

from __future__ import annotations

import pytest

from features.core.errors import SettingsError
from models.learning.parameters import DEFAULTS, checked_parameters


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("scale_pos_weight", "probabilities no longer mean what they say"),
        ("is_unbalance", "probabilities no longer mean what they say"),
        ("neg_bagging_fraction", "probabilities no longer mean what they say"),
        ("objective", "learned by the log loss"),
        ("num_threads", "the same for any number of threads"),
    ],
)
def test_parameters_that_break_probabilities_or_repetition_are_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is refused: .*{reason}"):
        checked_parameters({name: 2.0}, rows=1000)


def test_all_wrong_parameters_are_named_at_once_and_a_typo_with_its_neighbour() -> None:
    with pytest.raises(SettingsError) as caught:
        checked_parameters({"num_leafs": 3, "is_unbalance": True, "lambda_l2": 1.0}, rows=1000)
    assert "num_leafs is no parameter of the learner, did you mean 'num_leaves'?" in str(caught.value)
    assert "is_unbalance is refused" in str(caught.value)
    assert "lambda_l2" not in str(caught.value)


def test_leaves_are_smaller_where_rows_are_few_unless_told_otherwise() -> None:
    assert checked_parameters({}, rows=100_000) == DEFAULTS
    assert checked_parameters({}, rows=3000)["min_data_in_leaf"] == 30
    assert checked_parameters({}, rows=100)["min_data_in_leaf"] == 20
    assert checked_parameters({}, rows=1_000_000)["num_leaves"] == 31
    assert checked_parameters({"min_data_in_leaf": 44}, rows=100)["min_data_in_leaf"] == 44
