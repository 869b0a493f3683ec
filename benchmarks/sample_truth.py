"""Whether the truth of the sample world is one: what it promises against what happens, over many worlds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.findings import Finding, Progress
from pipeline.sample.chain import Exit
from pipeline.sample.company import COMPANY, HORIZON_DAYS
from pipeline.sample.scenario import PLAIN, Scenario
from pipeline.sample.simulate import simulate_block
from pipeline.sample.tables import Block
from pipeline.sample.timeline import DAY, END, START
from pipeline.sample.truth import Oracle, Truth

WORLDS, LEADS = 1_000, 1_500
_TWO_SIDED = 1.96
SCENARIOS = {
    "": PLAIN,
    ", shifted": Scenario.read("2026-04-01", None),
    ", a day lost": Scenario.read(None, "web:2026-05-20"),
}


def of_sample_world(progress: Progress, scale: float) -> Iterator[Finding]:
    """Hold both probabilities to what happens: their sums differ by more than chance in one world of twenty."""
    for name, scenario in SCENARIOS.items():
        oracle = Oracle(COMPANY, scenario)
        kept: dict[str, list[bool]] = {"p_hidden": [], "p_observable": []}
        for seed in range(max(20, int(WORLDS * scale))):
            block = simulate_block(COMPANY, np.random.default_rng(seed), LEADS, scenario)
            truth = oracle.truth(block)
            truth = truth.take(truth.as_of + HORIZON_DAYS * DAY <= END)
            happened = converts(block, truth)
            for column, promised in (("p_hidden", truth.hidden), ("p_observable", truth.observable)):
                by_lead = np.bincount(truth.lead, happened - promised[:, 0])  # rows of a lead aren't independent
                kept[column].append(abs(by_lead.sum()) <= _TWO_SIDED * np.sqrt((by_lead**2).sum()))
        progress(f"the sample world{name}: {len(kept['p_hidden'])} worlds")
        for column, within in kept.items():
            what = f"{column} of the sample world within chance of what happens{name}"
            yield Finding.within(what, float(np.mean(within)), 0.93, 0.97)


def converts(block: Block, truth: Truth) -> NDArray[np.bool_]:
    """Whether the lead of each row converts within the horizon."""
    sold = block.segments.take(block.segments.exit == Exit.CONVERT)
    # A conversion in the horizon is the first one at or after the row: the row lies in an episode.
    order = np.lexsort((sold.end, sold.lead))
    span = 2 * (END - START)  # with moments since 1970 a line of 2,600 leads would be too long for its numbers
    line = sold.lead[order] * span + sold.end[order] - START
    looks = truth.lead * span + truth.as_of - START
    next_sale = np.append(line, np.iinfo(np.int64).max)[np.searchsorted(line, looks)]
    return np.asarray(next_sale < looks + HORIZON_DAYS * DAY)
