"""Rows of the matrix, with their labels and leads: what is learned from and measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Slice:
    """The rows of one part of time: features, labels of 0 and 1 of shape (n,), the rows' leads of shape (n,)."""

    frame: pd.DataFrame
    labels: NDArray[np.float64]
    leads: NDArray[Any]

    def __post_init__(self) -> None:
        if not len(self.frame) == len(self.labels) == len(self.leads):
            raise ValueError(f"{len(self.frame)} rows, {len(self.labels)} labels, {len(self.leads)} leads")
        if not np.isin(self.labels, (0.0, 1.0)).all():
            raise ValueError("labels must be 0 or 1; rows whose outcome is not known yet don't belong here")

    @property
    def conversions(self) -> int:
        """Rows that convert."""
        return int(np.sum(self.labels))
