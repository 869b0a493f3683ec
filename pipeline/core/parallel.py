"""Work on all cores at once, results in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from features.core.errors import SettingsError

Parts = TypeVarTuple("Parts")


Result = TypeVar("Result")


def in_order(compute: Callable[[*Parts], Result], parts: Iterable[tuple[*Parts]], workers: int) -> Iterator[Result]:
    """Compute parts side by side, at most one more than there are workers, and yield results in their order."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(compute, *part))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to(threads: int | None) -> None:
    """Let this process use no more cores than that, in whichever library; all that it may where none are given.

    Raises SettingsError where the system can't hold a process to some of its cores.
    """
    if threads is None or threads >= cores():
        return
    if not hasattr(os, "sched_setaffinity"):
        raise SettingsError("run.threads has no effect on this system, where a process can use any core; leave it out")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
