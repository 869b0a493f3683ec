"""Files mapped and the log sorted by Spark: tasks map a file each, then deal a stretch of rows out, sort, and write.

What one task leaves for another lies in files below the project's folder, so that this process, which puts the row
groups of the log together, and every executor read them alike; Spark shuffles nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import duckdb

from pipeline.core.sql import literal
from pipeline.partitions.joined import join_files
from pipeline.partitions.log_file import ROW_GROUP
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import Dealt
from pipeline.partitions.texts import NumberedTexts, TooManyTextsError
from pipeline.reading.quarantine import DUPLICATE, UNKNOWN_LEAD
from pipeline.settings.types import halve
from pipeline.sorting.dealing import Aside, SortedRows, most_at_once, set_aside
from pipeline.sorting.files import FileToMap, MappedCopy, SourceRows, cut
from pipeline.sorting.form import Form
from pipeline.sorting.jobs import (
    DealStretch,
    DealtOut,
    MapFile,
    SortedParts,
    SortParts,
    Stretch,
    WriteGroups,
    read_batches,
    write_numbers,
)
from pipeline.sorting.long_texts import Counted, cut_text, lines_to_count
from pipeline.sorting.travel import Travel
from pipeline.spark.jobs import SeenFile, run_jobs

STRETCH_ROWS = 1 << 21
"""Rows of a task: so many that it is worth its start, so few that hundreds of cores find work in a billion."""
_FAILED = "Spark could not {}, and nothing was written"


@dataclass(frozen=True)
class OnSpark:
    """Has Spark do it, each task within ``memory_limit``; see ``pipeline.sorting.executors.Executor``."""

    master: str | None
    memory_limit: str

    @property
    def most_at_once(self) -> int:
        """How many rows a task sorts at once."""
        return most_at_once(halve(self.memory_limit)[1], 1)

    def map_files(
        self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Sequence[FileToMap]]
    ) -> Iterator[Sequence[MappedCopy]]:
        """Map all files before the first table is told of; those of long texts are several tasks."""
        del connection  # every task has one of its own
        files = [_absolute(file) for file in chain(*tables)]
        pieces = self._pieces(files)
        jobs = [MapFile(piece, self.memory_limit, _seen(piece.opened.file.path)) for piece in pieces]
        copies: dict[Path, list[MappedCopy]] = {}
        if jobs:
            folder = files[0].target.parent.parent / "mapping"
            written = run_jobs(self.master, jobs, folder, _FAILED.format("map the files"))
            for piece, told in zip(pieces, written, strict=True):
                piece.target.with_name(told["name"]).rename(piece.target)
                copies.setdefault(piece.target.parent, []).append(piece.copy)
        yield from (copies[own[0].target.parent.absolute()] if own else [] for own in tables)

    def _pieces(self, files: Sequence[FileToMap]) -> list[FileToMap]:
        """Have the lines of long texts counted, and cut these."""
        counting = [lines_to_count(file, _seen(file.opened.file.path)) for file in files]
        jobs = list(chain(*counting))
        if not jobs:
            return list(files)
        folder = files[0].target.parent.parent / "counting"
        counts = run_jobs(self.master, jobs, folder, _FAILED.format("count the lines"))
        return [
            piece
            for file, own in zip(files, counting, strict=True)
            for piece in cut_text(file, [Counted(**told) for told in islice(counts, len(own))])
        ]

    @contextmanager
    def sort(
        self,
        connection: duckdb.DuckDBPyConnection,
        travel: Travel,
        form: Form,
        sources: Sequence[SourceRows],
        leads: str,
        asides: Sequence[Aside],
        folder: Path,
    ) -> Iterator[SortedRows]:
        """Deal all rows out; sort them, and write the row groups of the log, as it is asked for."""
        folder = folder.absolute()
        beside = _write_beside(connection, sources, folder)
        collected = self._deal(travel, sources, beside, folder)
        for aside, others in zip(asides, collected.set_aside, strict=True):
            for other in others:
                aside.add_all(other)

        def write(target: Path) -> None:
            known, strangers = self._sort(collected, folder)
            join_files(self._write_groups(known, form, collected.travel, beside[leads], folder), target)
            for one in chain(known, strangers):
                for repeats in read_batches(folder / one.repeats):
                    set_aside(asides, repeats, DUPLICATE)
            for one in strangers:
                for rows in read_batches(folder / one.rows):
                    set_aside(asides, rows, UNKNOWN_LEAD)

        yield SortedRows(
            [look if source.looked_at else None for source, look in zip(sources, collected.looks, strict=True)], write
        )

    def _deal(
        self, travel: Travel, sources: Sequence[SourceRows], beside: Mapping[str, Path], folder: Path
    ) -> _Collected:
        """Judge the rows of the sources and deal them out, each stretch of a file in a task."""
        jobs = []
        for source in sources:
            asked = [(one, beside[one.name]) for one in source.beside]
            read = _seen(*(path for _, path in asked))
            bare = replace(source, files=())
            for file in (file.absolute() for file in source.files):
                reads = [*_seen(file.path), *read]
                jobs += [
                    DealStretch(bare, file, rows, travel, asked, folder, self.memory_limit, reads)
                    for rows in cut(file, STRETCH_ROWS)
                ]
        collected = _Collected(travel, len(sources), folder)
        told = run_jobs(self.master, jobs, folder / "dealing", _FAILED.format("judge the rows"))
        for job, dealt in zip(jobs, told, strict=True):
            collected.add(job.source.number, DealtOut(**dealt))
        return collected

    def _sort(self, collected: _Collected, folder: Path) -> tuple[list[SortedParts], list[SortedParts]]:
        """Sort the parts of known leads, and of strangers."""
        whole_row = collected.travel.whole_row
        known = self._parts(collected, "known", whole_row, folder)
        strangers = self._parts(collected, "strangers", [*whole_row, "stranger"], folder)
        told = run_jobs(self.master, [*known, *strangers], folder / "sorting", _FAILED.format("sort the rows"))
        done = [SortedParts(**one) for one in told]
        return done[: len(known)], done[len(known) :]

    def _write_groups(
        self, known: Sequence[SortedParts], form: Form, travel: Travel, leads: Path, folder: Path
    ) -> list[Path]:
        """Write the row groups of the log into several files, and give these in their order."""
        rows = sum(one.size for one in known)
        step = max(STRETCH_ROWS // ROW_GROUP, 1) * ROW_GROUP
        jobs = []
        for first in range(0, max(rows, 1), step):
            stretches = list(_between(known, first, min(first + step, rows), folder))
            reads = _seen(leads, *(stretch.path for stretch in stretches))
            jobs.append(WriteGroups(stretches, form, travel, leads, folder, reads))
        told = run_jobs(self.master, jobs, folder / "writing", _FAILED.format("write the log"))
        return [folder / one["name"] for one in told]

    def _parts(self, collected: _Collected, name: str, whole_row: Sequence[str], folder: Path) -> list[SortParts]:
        """Make jobs of parts that follow one another and have about as many rows as a stretch."""
        by_parts = collected.travel.by_parts
        counts: dict[int, int] = {}
        holding: dict[int, list[Path]] = {}
        for index in collected.indices(name):
            for part, rows in Dealt.open(index).rows.items():
                counts[part] = counts.get(part, 0) + rows
                holding.setdefault(part, []).append(index)
        jobs = []
        for parts in _groups(counts):
            theirs = list(dict.fromkeys(index for part in parts if part in holding for index in holding[part]))
            renumbered = {index: collected.renumbered[index] for index in theirs if index in collected.renumbered}
            reads = _seen(*theirs)
            jobs.append(SortParts(parts, theirs, renumbered, whole_row, by_parts, self.most_at_once, folder, reads))
        return jobs


class _Collected:
    """What tasks have dealt out into a folder, with one numbering for the texts of all."""

    def __init__(self, travel: Travel, sources: int, folder: Path) -> None:
        self._texts = {name: NumberedTexts(name, texts.known) for name, texts in travel.texts.items()}
        self._folder = folder
        self._dealt: list[DealtOut] = []
        self.travel = replace(travel, texts=self._texts)
        self.renumbered: dict[Path, Path] = {}
        self.looks = [Look() for _ in range(sources)]
        self.set_aside: list[list[Path]] = [[] for _ in range(sources)]

    def add(self, source: int, dealt: DealtOut) -> None:
        """Take in what became of a stretch of a source's rows; raises TooManyTextsError."""
        if dealt.too_many:
            raise TooManyTextsError(dealt.too_many)
        self._dealt.append(dealt)
        if dealt.added:
            numbers = {name: self._texts[name].take_in(added) for name, added in dealt.added.items()}
            told = (self._folder / dealt.known).with_suffix(".numbers")
            write_numbers(numbers, told)
            self.renumbered |= {self._folder / dealt.known: told, self._folder / dealt.strangers: told}
        self.set_aside[source].append(self._folder / dealt.aside)
        if dealt.look:
            self.looks[source].take_in(Look.read(self._folder / dealt.look))

    def indices(self, name: str) -> list[Path]:
        """List the indices of what was dealt out: of ``known`` leads, or ``strangers``."""
        return [self._folder / getattr(dealt, name) for dealt in self._dealt]


def _groups(counts: Mapping[int, int]) -> Iterator[range]:
    """Give parts that follow one another."""
    first: int | None = None
    held = 0
    for part in sorted(counts):
        first = part if first is None else first
        held += counts[part]
        if held >= STRETCH_ROWS:
            yield range(first, part + 1)
            first, held = None, 0
    if first is not None:
        yield range(first, max(counts) + 1)


def _absolute(file: FileToMap) -> FileToMap:
    """Name its places for other processes."""
    raw = file.opened.file
    return file.of(replace(raw, path=raw.path.absolute()), file.target.absolute())


def _seen(*paths: Path) -> list[SeenFile]:
    return [SeenFile.look_at(path) for path in paths]


def _write_beside(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[SourceRows], folder: Path
) -> dict[str, Path]:
    """Write the relations that judging asks, once each; gives their files."""
    written: dict[str, Path] = {}
    for beside in chain(*(source.beside for source in sources)):
        if beside.name not in written:
            path = written[beside.name] = folder / f"beside-{len(written):03}.parquet"
            connection.execute(f"COPY ({beside.rows}) TO {literal(str(path))} (FORMAT parquet)")
    return written


def _between(parts: Sequence[SortedParts], start: int, stop: int, folder: Path) -> Iterator[Stretch]:
    """Find the rows of files that follow one another from one row of all on, and before another one."""
    passed = 0
    for one in parts:
        own = Stretch(folder / one.rows, max(start - passed, 0), min(stop - passed, one.size))
        if own.start < own.stop:
            yield own
        passed += one.size
