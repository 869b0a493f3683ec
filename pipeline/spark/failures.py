"""What goes wrong on Spark, in one message: a task's own refusal as it would be told here, all else by its cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from features.core import errors
from features.core.errors import LeadcastError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Result = TypeVar("Result")

_REFUSAL = re.compile(r"^features\.core\.errors\.(\w+): (.+)$", re.MULTILINE)
_ABSENT = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'", re.MULTILINE)
_VERSIONS = re.compile(r"PYTHON_VERSION_MISMATCH|different (?:minor )?versions?.* than that in driver")
_MOST_LETTERS = 300
_LOOK_SECONDS = 2.0


def ask(
    session: SparkSession, work: Callable[[], Result], what: str, meanwhile: Callable[[], None] = lambda: None
) -> Result:
    """Have Spark do some work; its failures are one LeadcastError, see ``explained``.

    It goes on in a thread of its own: whoever is interrupted meanwhile finds the way to Spark free, and has all jobs of
    the session cancelled. ``meanwhile`` is called every other second until it is done.
    """
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            while wait([working], _LOOK_SECONDS).not_done:
                meanwhile()
            with explained(what):
                return working.result()
        except KeyboardInterrupt:
            session.interruptAll()
            raise


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn Spark's exceptions into one LeadcastError that begins with ``what`` went wrong, as in 'nothing was written'.

    What a task has refused is raised anew as what it was.
    """
    from py4j.protocol import Py4JError  # noqa: PLC0415 - who computes locally need not have it
    from pyspark.errors import PySparkException  # noqa: PLC0415 - likewise

    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise explain(str(error), what) from error


def explain(text: str, what: str) -> LeadcastError:
    r"""Find the error that the text of one of Spark's exceptions tells of.

    >>> trace = "Traceback ...\nfeatures.core.errors.InputError: a lead is too large: raise it\n SQLSTATE: 38000"
    >>> explain(trace, "")
    InputError('a lead is too large: raise it')
    """
    refusal = _REFUSAL.search(text)
    if refusal:
        kind: type[LeadcastError] = getattr(errors, refusal[1], LeadcastError)
        return kind(refusal[2])
    absent = _ABSENT.search(text)
    if absent:
        return LeadcastError(
            f"{what}: the Python of Spark's executors lacks {absent[1]!r}; give them an environment that has what the "
            "project needs (docs/scaling.md), and let PYSPARK_PYTHON name its Python"
        )
    if _VERSIONS.search(text):
        return LeadcastError(
            f"{what}: the executors have another Python than this process; let PYSPARK_PYTHON name one of the same "
            "version (docs/scaling.md)"
        )
    return LeadcastError(f"{what}: {_cause(text)}")


def _cause(text: str) -> str:
    """Give the line that says most: the last cause of Java's, the last of a Python trace, else the first."""
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "..."))
    ]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    raised = [line for line in lines if re.match(r"(?:\w+\.)*\w+(?:Error|Exception): ", line)]
    said = (causes[-1:] or raised[-1:] or lines[:1] or ["it gave no reason"])[0]
    return said[:_MOST_LETTERS]
