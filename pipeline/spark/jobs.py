"""Jobs for Spark's tasks: each does some work on files and tells what came of it, in a file, too.

A job is called in a task: a process of its own, perhaps on another machine, which sees the same files under the same
paths. It may be called again where a first try was killed, so what it writes has a name that only this try knows.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import pyarrow as pa

from features.core import errors
from features.core.errors import InputError, LeadcastError
from pipeline.spark.failures import ask
from pipeline.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import Row

_SCHEMA = "job bigint, name string"
_REFUSED = "refused"


@dataclass(frozen=True)
class SeenFile:
    """A file as it is now, for another process to compare what it sees with."""

    path: Path
    size: int
    modified: int
    """Whole seconds, for not all file systems keep more."""

    @classmethod
    def look_at(cls, path: Path) -> Self:
        """Look at a file."""
        found = path.stat()
        return cls(path.absolute(), found.st_size, int(found.st_mtime))

    def require(self) -> None:
        """Raise InputError unless the file is still, and here, as it was."""
        _require_seen(self.path, "the project's folder, and the raw files,")
        if SeenFile.look_at(self.path) != self:
            raise InputError(
                f"{self.path} is another file for Spark's executors than it was for this process: it has changed while "
                "it was read, or they see an older one; run this again once it is at rest (docs/scaling.md)"
            )


@dataclass(frozen=True)
class OwnFile:
    """A file, or a folder, that the project has written, and that nobody changes meanwhile."""

    path: Path

    def require(self) -> None:
        """Raise InputError unless it is here, too."""
        _require_seen(self.path, "the project's folder")


def _require_seen(path: Path, what: str) -> None:
    if not path.exists():
        raise InputError(
            f"Spark's executors do not see {path}; {what} must lie on a file system that they share with this machine, "
            "under the same path (docs/scaling.md)"
        )


class Job(Protocol):
    """Some work, with all that it needs."""

    @property
    def reads(self) -> Sequence[SeenFile | OwnFile]:
        """The files that it reads."""
        ...

    def __call__(self) -> Mapping[str, Any]:
        """Do it, and tell what came of it, as JSON has it.

        Raises LeadcastError where something is wrong that a person can mend.
        """
        ...


def run_jobs(
    master: str | None, jobs: Sequence[Job], folder: Path, what: str, meanwhile: Callable[[], None] = lambda: None
) -> Iterator[dict[str, Any]]:
    """Have Spark do jobs, a task each, and yield in their order what each has told, once all are done.

    ``folder``: where that lies meanwhile, which executors see, too; it must not be there yet. ``meanwhile``: see
    ``ask``. Raises what the first job that failed has raised, and LeadcastError, which begins with ``what`` went wrong,
    where Spark fails.
    """
    if not jobs:
        return
    folder = folder.absolute()
    (folder / _REFUSED).mkdir(parents=True)
    session = open_session(master)
    task = _Task(folder, jobs)

    def work() -> list[Row]:
        numbers = session.range(0, len(jobs), 1, len(jobs))
        done: list[Row] = numbers.mapInArrow(task.__call__, _SCHEMA).collect()
        return done

    for _, name in sorted((row["job"], row["name"]) for row in ask(session, work, what, meanwhile)):
        told = json.loads((folder / name).read_text(encoding="utf-8"))
        if _REFUSED in told:
            kind: type[LeadcastError] = getattr(errors, told[_REFUSED])
            raise kind(told["message"])
        yield told


def do(job: Job) -> Mapping[str, Any]:
    """Do a job, once all that it reads is seen."""
    for file in job.reads:
        file.require()
    return job()


@dataclass(frozen=True)
class _Task:
    """Does jobs by their numbers, on the one core that it has, and tells which file holds what came of each."""

    folder: Path
    jobs: Sequence[Job]

    def __call__(self, numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pa.set_cpu_count(1)
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                OwnFile(self.folder).require()
                name = f"done-{number:06}-{uuid.uuid4().hex}"
                (self.folder / name).write_text(json.dumps(self._do(number)), encoding="utf-8")
                yield pa.RecordBatch.from_pydict({"job": [number], "name": [name]})

    def _do(self, number: int) -> Mapping[str, Any]:
        """Do a job; a refusal is told as well, for to raise it would only have Spark try again.

        Nothing is done after a job before it has been refused: that one will be told.
        """
        refused = self.folder / _REFUSED
        if any(int(earlier.name) < number for earlier in refused.iterdir()):
            return {_REFUSED: LeadcastError.__name__, "message": "an earlier job was refused"}
        job = self.jobs[number]
        try:
            return do(job)
        except LeadcastError as error:
            (refused / str(number)).touch()
            return {_REFUSED: type(error).__name__, "message": str(error)}
