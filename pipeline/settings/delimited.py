"""The settings of a delimited file or a workbook that say where its table lies."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings.types import Name, Strict


class Extent(Strict):
    """Where the table of a delimited file or a workbook lies; what is above and below it is set aside, and counted."""

    sheet: Name | None = None
    """The sheet of a workbook that holds the table; the first one that is not hidden where it is not given."""
    header_line: Annotated[int, Field(ge=1)] | None = None
    """The line of a delimited file, or the row of a sheet, that names the columns, where titles or comments stand above
    it; the first one where it is not given."""
    footer_lines: Annotated[int, Field(ge=0)] = 0
    """How many lines at the end of a delimited file or a sheet are no rows, as of totals or remarks; blank ones don't
    count."""
