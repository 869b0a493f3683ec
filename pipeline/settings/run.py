"""The settings of ``run``: how the work is done. No stage depends on them, for no output does."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.settings.types import Size, Strict

Master = Annotated[str, Field(pattern=r"^(local(\[(\*|[1-9]\d*)(,[1-9]\d*)?\])?|(spark|k8s|sc)://\S+|yarn)$")]
"""Where Spark is, as Spark itself writes it."""


class Run(Strict):
    """How the work is done, whatever it is: no output changes by it, so no stage runs anew."""

    memory_limit: Size = "1GB"
    """How much a stage may hold at once, beside the process itself. DuckDB spills to disk beyond it; a single lead or
    account may need more. On Spark, how much each task may hold: a lead that needs more is told."""
    threads: PositiveInt | None = None
    """How many cores may be at work at once; all of them where it is not given."""
    executor: Literal["local", "spark"] = "local"
    """Where raw files are read and the log is sorted, where snapshots are taken, and where the features of leads are
    computed, to learn from and to score: in this process (local), or by Spark (docs/scaling.md). All other work is done
    in this process."""
    master: Master | None = None
    """Where Spark is: local[*], spark://HOST:PORT, yarn, k8s://..., or sc://HOST:PORT of Spark Connect. Without it, the
    session that the process already has, the one that SPARK_REMOTE names, or local[*]."""

    @model_validator(mode="after")
    def _has_a_use_for_the_master(self) -> Self:
        if self.master is not None and self.executor != "spark":
            raise ValueError(f"master: {self.master} names a Spark that nothing asks; add executor: spark, or drop it")
        return self
