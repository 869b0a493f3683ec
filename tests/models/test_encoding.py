"""A frame as the numbers that trees read: by name, whatever its order, index and types."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest

import models.core.encoding
from models.core.encoding import encode
from models.core.trees import ArtefactError


def test_the_frame_is_encoded_by_name_whatever_its_order_and_index() -> None:
    frame = pd.DataFrame(
        {
            "extra": ["x"] * 5,
            "source": ["web", None, "fax", "mail", "web"],
            "clicks": pd.array([3, None, 1, 0, 2], dtype="Int64"),
            "open": [True, False, True, True, False],
        },
        index=[7, 7, 0, 1, 7],
    )
    encoded = encode(frame, ["open", "source", "clicks"], {"source": ["mail", "web"]})
    nan = np.nan
    expected = [[1, 2, 3], [0, nan, nan], [1, 0, 1], [1, 1, 0], [0, 2, 2]]
    np.testing.assert_array_equal(encoded, np.array(expected, dtype=float))


@pytest.mark.parametrize("kind", ["str", "object", "category", "string[pyarrow]"])
def test_categories_are_read_from_every_type_that_holds_text(kind: str) -> None:
    frame = pd.DataFrame({"source": pd.Series(["b", None, "z", "a"], dtype=kind)})
    np.testing.assert_array_equal(encode(frame, ["source"], {"source": ["a", "b"]}).ravel(), [2, np.nan, 0, 1])


def test_a_category_that_is_wholly_missing_is_missing() -> None:
    assert np.isnan(encode(pd.DataFrame({"source": [None, None]}), ["source"], {"source": ["a"]})).all()


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(ArtefactError, match=r"reads 3 columns, of which the frame lacks 'clicks', 'source'"):
        encode(pd.DataFrame({"age": [1.0]}), ["clicks", "age", "source"], {"source": []})


def test_text_in_a_column_of_numbers_is_named() -> None:
    with pytest.raises(ArtefactError, match="'age' must hold numbers"):
        encode(pd.DataFrame({"age": ["old"]}), ["age"], {})


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(models.core.encoding) == (0, 2)
