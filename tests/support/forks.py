"""Processes that tests start and kill: copies of one that has loaded everything and begun nothing."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from pipeline.commands.app import STAGES, module_of

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pipeline.delivery.push", "pipeline.sinks.connect", *map(module_of, STAGES)])

LATE = ("great_expectations", "lightgbm", "matplotlib.pyplot", "mlflow.pyfunc", "mlflow.tracking")
"""What stages load when they come to need it, which takes longer than all else that they do on a small world."""

Run = Callable[..., int]
"""Runs a function on arguments in a process of its own; gives its exit code, or less a signal that killed it."""


@contextmanager
def copies_of_a_warm_process() -> Iterator[Run]:
    """Let functions run in copies of a process that has loaded what is late, too: for tests that start dozens."""
    ours, theirs = FORKS.Pipe()
    warm = FORKS.Process(target=_copy_and_wait, args=(theirs,))
    warm.start()

    def run(function: Callable[..., None], *arguments: object) -> int:
        ours.send((function, arguments))
        code: int = ours.recv()
        return code

    try:
        yield run
    finally:
        ours.send(None)
        warm.join()


def _copy_and_wait(asked: Connection) -> None:
    for name in LATE:
        importlib.import_module(name)
    while (work := asked.recv()) is not None:
        function, arguments = work
        process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
        process.start()
        process.join()
        asked.send(process.exitcode)
