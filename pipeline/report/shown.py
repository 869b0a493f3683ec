"""What a table of the page consists of: cells written out in its language, with the small print of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A figure written out, and its interval; without one ``small`` is empty."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Shown:
    """A table to be shown: headings, and rows that begin with what they are of."""

    name: str
    heading: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    total: tuple[str, Sequence[Cell]] | None = None
    objective: Sequence[Cell] | None = None
    """What is aimed at, in the columns that have an objective; None where no column has one."""
    left_out: int = 0
    is_named_by_log: bool = False
    """Whether its rows are called as the log calls them, whatever the page's language."""
