"""The settings of ``validate``: how much Great Expectations looks at."""

from __future__ import annotations

from pydantic import (
    PositiveInt,
)

from pipeline.settings.types import Strict


class Validate(Strict):
    """Great Expectations over the interactions and the leads."""

    sample_rows: PositiveInt = 20_000
    """Rows that the row-level expectations look at."""
