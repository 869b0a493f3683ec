"""Who looks at the stretches: this process, or Spark. What they leave is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.core.parallel import in_order
from pipeline.settings.run import Run
from pipeline.settings.types import halve
from pipeline.snapshots.counts import LeadCounts
from pipeline.snapshots.looking import Left, LookAtStretch, Looking
from pipeline.snapshots.stretches import Size, size_stretches
from pipeline.spark.jobs import run_jobs

Seen = Callable[[int], None]
"""Is told how many stretches are done, again and again."""


def size_of(run: Run) -> Size:
    """Say how much of the log is taken at once; DuckDB has the other half of ``run.memory_limit``."""
    _, of_stretches = halve(run.memory_limit)
    return size_stretches(of_stretches, workers=1 if run.executor == "spark" else None)


def look_at_all(looking: Looking, run: Run, seen: Seen) -> list[Left]:
    """Have the executor that the settings name look at the stretches, and tell what each has left, in their order.

    Raises LeadcastError where Spark fails.
    """
    if run.executor == "spark":
        return list(_on_spark(looking, run.master, seen))
    left = []
    for one in in_order(looking.look, ((number,) for number in range(len(looking.stretches))), size_of(run).workers):
        left.append(one)
        seen(len(left))
    return left


def _on_spark(looking: Looking, master: str | None, seen: Seen) -> Iterator[Left]:
    def tell() -> None:
        seen(len({path.name.split("-")[1] for path in looking.target.glob("snapshots-*")}))

    what = "Spark could not take the snapshots, and nothing was written"
    jobs = [LookAtStretch(looking, number) for number in range(len(looking.stretches))]
    for told in run_jobs(master, jobs, looking.target / "spark", what, tell):
        yield Left(**told | {"counts": LeadCounts(**told["counts"])})
