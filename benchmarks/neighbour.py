"""Training beside a busy neighbour: LightGBM's threads wait for each other, and spin unless they are told not to.

The learner tells them so (``OMP_WAIT_POLICY=passive``) before LightGBM is imported. Here it trains while every core is
taken by another process, against one thread, which waits for nobody.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd

_ROWS, _COLUMNS, _TREES = 20_000, 100, 50


def train(threads: int, policy: str = "") -> float:
    """Train with so many threads (0: all cores) beside a neighbour on each core; gives the seconds.

    ``policy``: how threads wait, where it is not what the learner says.
    """
    if policy:
        os.environ["OMP_WAIT_POLICY"] = policy
    from models.core.slices import Slice  # noqa: PLC0415 - the policy counts as it is imported
    from models.learning.learner import Recipe, learn  # noqa: PLC0415 - the policy counts as it is imported

    random = np.random.default_rng(7)
    values = random.normal(size=(_ROWS, _COLUMNS))
    labels = (random.random(_ROWS) < 1 / (1 + np.exp(3 - values[:, 0] - values[:, 1]))).astype(float)
    names = [f"column {number}" for number in range(_COLUMNS)]
    rows = Slice(pd.DataFrame(values, columns=names), labels, np.arange(_ROWS))
    recipe = Recipe(names, parameters={"num_iterations": _TREES}, num_threads=threads)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(len(os.sched_getaffinity(0)))]
    try:
        start = time.perf_counter()
        learn(rows, recipe)
        return time.perf_counter() - start
    finally:
        for neighbour in busy:
            neighbour.kill()
            neighbour.wait()
