"""The settings of a delimited file that say where its table begins and ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings.types import Strict


class Extent(Strict):
    """Where the table of a delimited file begins and ends; the lines above and below it are set aside, and counted."""

    header_line: Annotated[int, Field(ge=1)] | None = None
    """The line of a delimited file that names the columns, where titles or comments stand above it; the first one
    where it is not given."""
    footer_lines: Annotated[int, Field(ge=0)] = 0
    """How many lines at the end of a delimited file are no rows, as of totals or remarks; blank ones don't count."""
