"""Texts of trees: without settings, and never handed to LightGBM where it could not read them or walk to an end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

from models.core.trees import ArtefactError, check_trees, without_settings
from models.learning.learner import Recipe, learn


@pytest.fixture(scope="module")
def text() -> str:
    model, _ = learn(draw_rows(2000, seed=1)[0], Recipe(COLUMNS, CATEGORICAL, QUICK, num_threads=1))
    return model.members[0]


def test_the_trees_file_holds_no_settings(text: str) -> None:
    assert text.startswith("tree\n")
    for word in ("parameters", "num_threads", "pandas_categorical"):
        assert word not in text


def test_a_text_without_settings_is_no_text_of_lightgbm() -> None:
    with pytest.raises(ArtefactError, match="no part 'parameters:'"):
        without_settings("tree\nend of trees\n")


@given(st.floats(0, 1, exclude_max=True))
def test_a_text_of_trees_that_is_cut_short_never_reaches_lightgbm(text: str, share: float) -> None:
    check_trees(text, len(COLUMNS))
    end = text.index("end of trees")
    with pytest.raises(ArtefactError, match="the text of the trees is broken"):
        check_trees(text[: int(share * end)], len(COLUMNS))


@pytest.mark.parametrize(
    ("pattern", "instead", "complaint"),
    [
        (r"left_child=\S+", "left_child=0", "leads nowhere"),  # a circle: LightGBM would walk it for ever
        (r"right_child=\S+", "right_child=-99", "leads nowhere"),
        (r"split_feature=\S+", "split_feature=99", "a feature that there is not"),
        (r"leaf_value=\S+", "leaf_value=nan", "no numbers"),
        (r"threshold=\S+ ", "threshold=", "lacks nodes"),
        (r"num_leaves=\d+", "num_leaves=3000000", "values"),
        (r"max_feature_idx=\d+", "max_feature_idx=2", "3 columns"),
    ],
)
def test_trees_that_lead_nowhere_are_refused(text: str, pattern: str, instead: str, complaint: str) -> None:
    changed = re.sub(pattern, instead, text, count=1)
    blocks = re.findall(r"Tree=\d+\n.*?(?=Tree=|end of trees)", changed, re.DOTALL)
    sizes = " ".join(str(len(block)) for block in blocks)
    with pytest.raises(ArtefactError, match=complaint):
        check_trees(re.sub("tree_sizes=.*", f"tree_sizes={sizes}", changed), len(COLUMNS))
