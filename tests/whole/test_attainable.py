"""The share of the attainable, where the truth is known: worked out by hand, and refused where nothing is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.core.errors import InputError
from models.core.slices import Slice
from pipeline.evaluate.breakdown import share_of_attainable
from pipeline.evaluate.origins import Origins

LEADS = np.array(["A", "B", "C", "D", "E"])
AS_OF = np.array(["2026-03-02"] * 5, dtype="datetime64[us]")
LABELS = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
TRUTH = np.array([0.9, 0.1, 0.2, 0.8])
"""Of all but E: of these half convert."""


def foretold(probabilities: NDArray[np.float64]) -> Origins:
    rows = Slice(pd.DataFrame(index=range(5)), LABELS, LEADS)
    rates, none = np.full(5, 0.5), np.zeros(5, dtype=bool)
    return Origins(rows, rows, AS_OF, probabilities, rates, rates, {}, none, is_later=True)


def write_truth(folder: Path, as_of: str = "2026-03-02") -> Path:
    path = folder / "truth.parquet"
    moments = np.array([as_of] * 4, dtype="datetime64[us]")
    pd.DataFrame({"lead_id": LEADS[:4], "as_of": moments, "p_observable": TRUTH}).to_parquet(path, index=False)
    return path


@pytest.mark.parametrize(
    ("said", "share"),
    [
        (TRUTH, 1.0),
        (np.full(4, 0.5), 0.0),
        # Expected losses in bits: none 1; best (h(.1) + h(.2)) / 2 = .5955; ours, .75 and .25, .6528.
        (np.array([0.75, 0.25, 0.25, 0.75]), (1 - 0.6528) / (1 - 0.5955)),
    ],
    ids=["the truth", "the share that converts", "between them"],
)
def test_all_is_attained_by_the_truth_and_nothing_by_the_share_that_converts(
    tmp_path: Path, said: NDArray[np.float64], share: float
) -> None:
    # E has no truth: whatever is said of it plays no part.
    found = share_of_attainable(write_truth(tmp_path), foretold(np.append(said, 0.01)))
    assert found["rows"] == 4
    assert found["value"] == pytest.approx(share, abs=1e-3)


def test_a_truth_of_other_moments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="knows none of the leads and moments that were foretold"):
        share_of_attainable(write_truth(tmp_path, "2026-03-03"), foretold(np.full(5, 0.5)))


def test_what_is_no_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no table of lead_id, as_of, p_observable"):
        share_of_attainable(tmp_path / "nothing.parquet", foretold(np.full(5, 0.5)))
    pd.DataFrame({"lead_id": ["A"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="is no table of lead_id, as_of, p_observable"):
        share_of_attainable(tmp_path / "other.parquet", foretold(np.full(5, 0.5)))
