"""The page of the figures, ``docs/performance.md``: a table, a picture, the machine, and what holds us back."""

from __future__ import annotations

import math
import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.picture import draw
from benchmarks.results import Result, read

_EXPLANATION = Path(__file__).with_name("what_holds_it_back.md")
"""Written by hand, so that new figures leave it alone."""
_PACKAGES = ("duckdb", "lightgbm", "numba", "numpy", "pandas", "pyarrow")
_INTRODUCTION = """\
# Performance

Written by `make bench`, `SIZE=large`, `SIZE=bounds` and `SIZE=spark`, with `DOCS=yes`; the figures are
`reports/benchmarks.json`.

The standard task: a log of 12 event types over a year, skewed over the leads (lead = floor(n u²)), one event in ten
tied with another. Of each snapshot 84 columns: counts per type and in total, sums of value and distinct days in 1, 7,
30 and 90 days, recency and decayed count per type. Every program reads the same Parquet file and writes its matrix as
Parquet. The matrices are compared value by value, whole numbers exactly and others to a millionth, before any time
counts. Times are those of all cores together (where something is waited for, those of the clock), of processes of their
own, without their imports; what takes less than ten seconds is repeated, ours and theirs, and the shortest of up to
three counts.

The goals are about the fastest that known tools could be made, and of each task the fastest stands first. The **tuned**
programs compute the matrix from integer keys in NumPy, and by grouping twice in DuckDB; those **in two steps** group by
lead and event type, and by lead and day, and lay out what these groups hold: polars, and ClickHouse in process (chDB).
**pandas** is a careful groupby script, **DuckDB** one hand-written query of filtered aggregates: what one writes, with
no goal, for to be faster measures them more than us.
"""


def write_page(results: Path, docs: Path) -> None:
    """Write the page and its picture below ``docs``."""
    rows = _fastest_first(read(results))
    draw(rows, docs / "pictures" / "performance.png")
    (docs / "performance.md").write_text(_page(rows), encoding="utf-8")


def _fastest_first(rows: list[Result]) -> list[Result]:
    """Put the rows of one task together, where its first stands: the fastest peer first, those not measured last."""
    tasks = [row.name.rpartition(", against ")[0] or row.name for row in rows]
    order = sorted(range(len(rows)), key=lambda at: (tasks.index(tasks[at]), rows[at].peer_s or math.inf))
    return [rows[at] for at in order]


def _page(rows: list[Result]) -> str:
    table = ["| measure | ours | the peer's | ratio | goal | met |", "|---|---:|---:|---:|---:|---|"]
    table += [
        f"| {row.name} | {_seconds(row.ours_s)} | {_seconds(row.peer_s)} | {_ratio(row)} | {_goal(row)} | {_met(row)} |"
        for row in rows
    ]
    skipped = [f"- {row.name}: {row.peer}" for row in rows if row.ratio is None]
    parts = [
        _INTRODUCTION,
        "![ratios and goals](pictures/performance.png)\n",
        "\n".join(table) + "\n",
        *(["Not measured:\n\n" + "\n".join(skipped) + "\n"] if skipped else []),
        f"Measured on {_machine()}.\n",
        _EXPLANATION.read_text(encoding="utf-8"),
    ]
    return "\n".join(parts)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:g} s"


def _ratio(row: Result) -> str:
    if row.ratio is None:
        return ""
    return f"{row.ratio:g}" if row.peer_s is None else f"{row.ratio:g}x"


def _goal(row: Result) -> str:
    return "" if row.goal is None else f"{'at most' if row.less_is_better else 'at least'} {row.goal:g}"


def _met(row: Result) -> str:
    return {True: "yes", False: "**no**", None: ""}[row.met]


def _machine() -> str:
    """Say what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, {packages}"
    )
