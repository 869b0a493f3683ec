"""The settings of ``run``: how the work is done. No stage depends on them, for no output does."""

from __future__ import annotations

from pydantic import PositiveInt

from pipeline.settings.types import Size, Strict


class Run(Strict):
    """How the work is done, whatever it is: no output changes by it, so no stage runs anew."""

    memory_limit: Size = "1GB"
    """How much a stage may hold at once, beside the process itself. DuckDB spills to disk beyond it; a single lead or
    account may need more."""
    threads: PositiveInt | None = None
    """How many cores may be at work at once; all of them where it is not given."""
