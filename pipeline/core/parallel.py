"""Work on all cores at once, results in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from threading import Event
from typing import Self, TypeVar, TypeVarTuple

from features.core.errors import SettingsError

Parts = TypeVarTuple("Parts")
Part = TypeVar("Part")
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


class Crew:
    """Threads at work side by side, until one of them fails, or the one that waits for them is stopped.

    As a context: whoever leaves it by an error calls off what has not begun, and what is at work ends where it next
    asks whether to `go_on`.
    """

    def __init__(self, workers: int) -> None:
        self.threads_each = max(cores() // workers, 1)
        """The threads that each may use for itself."""
        self._pool = ThreadPoolExecutor(workers)
        self._called_off = Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._called_off.set()
        self._pool.shutdown(cancel_futures=kind is not None)

    def submit(self, compute: Callable[[], Result]) -> Future[Result]:
        """Begin some work as soon as a thread is free."""
        return self._pool.submit(compute)

    def map(self, compute: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Compute parts in as many threads as there are, and yield their results in their order."""
        return self._pool.map(compute, parts)

    def go_on(self) -> None:
        """Raise CancelledError where the work has been called off."""
        if self._called_off.is_set():
            raise CancelledError


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
