"""One table on its way through ``ingest``: how it is read and mapped, where its rows are, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq

from features.timeline.rhythm import Arrivals
from pipeline.core.sql import LINE_BITS, Relation, fetch_row, file_literal
from pipeline.reading.mapped_table import MappedTable
from pipeline.reading.quarantine import SetAside, count_rows, say_rows
from pipeline.reading.readers import OpenFile, Required
from pipeline.reading.texts import Columns, is_text
from pipeline.settings.ingest import InteractionColumns, Leads, Owners, Rates, Source, Spend
from pipeline.settings.table import Table
from pipeline.sorting.files import FileToMap, Mapped, MappedCopy, RawParquet

_FEW = 16
"""More files would make the statements that read them too long."""


@dataclass
class SourceTable:
    """A table: planned from its settings, then opened, mapped, looked at, judged and counted."""

    connection: duckdb.DuckDBPyConnection
    scratch: Path
    name: str
    settings: Table
    map: Callable[[Columns, datetime], MappedTable]
    wanted: Sequence[str]
    """The raw columns that it needs."""
    times: dict[str, str] = field(default_factory=dict)
    """The raw columns that hold times, by the name in reasons."""
    required: Required = field(default_factory=dict)
    """The raw columns of each field without which no row can be used."""
    files: tuple[OpenFile, ...] = ()
    rows: int = 0
    usable: int = 0
    """How many of them rows mapping found usable, before any is found to be a duplicate or of an unknown lead."""
    first_occurred_at: datetime | None = None
    """Of the usable rows of a source, in UTC, as are the next two."""
    last_occurred_at: datetime | None = None
    last_known_at: datetime | None = None
    counted: Arrivals | None = None
    """Its usable rows by the minutes of their moment, once they have been counted."""
    set_aside: list[SetAside] = field(default_factory=list)
    """Its rows that were, by reason."""

    judging: str = ""
    """The SQL of ``judged``, of a source or of what was spent."""
    mapped_as: Sequence[MappedTable] = ()
    """By its files, what their rows become."""
    copied: Sequence[MappedCopy] = ()
    """Where those of its mapped rows lie that were copied."""
    repeats_by_parts: bool = False
    """Whether its rows that repeat others are found as the log is sorted, part by part."""

    def __post_init__(self) -> None:
        self.mapped = self._relation("mapped")
        """Its mapped rows: sequence, reason and the fields."""
        self.duplicates = self._relation("duplicate")
        """The sequences of rows that repeat others."""
        self.totals = self._relation("total")
        """The sequences of rows that are sums of others."""
        self.unsure = self._relation("unsure")
        """The sequences of rows that may be totals."""
        self.machines = self._relation("machine")
        """What machines did, where rules tell it: sequence, event_type, rule."""
        self.judged = self._relation("judged")
        """All its rows; the reason says whether each is used."""
        self.aside = self._relation("aside")
        """Of a source, the rows that are not used: sequence, reason."""

    def _relation(self, what: str) -> Relation:
        return Relation(self.connection, f"{what} {self.name}")

    @property
    def label(self) -> str:
        """Where its settings stand."""
        return label_of(self.name, self.settings)

    @property
    def numbers(self) -> dict[str, str]:
        """The raw columns that are read as numbers, by the name in reasons."""
        settings = self.settings
        if isinstance(settings, Leads):
            return {name: name for name, kind in settings.attributes.items() if kind == "number"}
        if isinstance(settings, Owners):
            return {"per_day": settings.columns.per_day} if settings.columns.per_day else {}
        if not isinstance(settings, Source | Spend | Rates):
            return {}
        columns = settings.columns
        own = {name: getattr(columns, name, None) for name in ("value", "quantity", "cost", "clicks", "rate")}
        counts = {name: name for name in getattr(columns, "counts", ())}
        return {field: name for field, name in own.items() if name} | counts

    @property
    def attributes(self) -> list[str]:
        """The attributes of a table of leads."""
        return list(self.settings.attributes) if isinstance(self.settings, Leads) else []

    @property
    def width(self) -> int:
        """The number of entries that one of its rows may become."""
        return self.settings.columns.width if isinstance(self.settings, Source) else 1

    @property
    def may_hold_totals(self) -> bool:
        """Whether some of its rows may be sums of others."""
        settings = self.settings
        return isinstance(settings, Spend) or (isinstance(settings, Source) and adds_up(settings.columns))

    @property
    def folder(self) -> Path:
        """Where its rows are copied to, file by file, as they are mapped."""
        return self.scratch / self.name

    @property
    def copies(self) -> str:
        """The relation of those of its mapped rows that were."""
        return f"read_parquet({file_literal(self.folder)[:-1]}/*.parquet')"

    def reads_again(self, opened: OpenFile) -> bool:
        """Whether a file is cheaper to read and map as often as its rows are needed than to copy once.

        So it is where Parquet holds times and numbers as such, and where no rules make the channel. A copy costs as
        much as five readings of such a file.
        """
        if not isinstance(self.settings, Source) or opened.file.format != "parquet" or self.width > 1:
            return False
        columns = self.settings.columns
        held = opened.columns
        typed = [name for name in (columns.value, columns.quantity, *self.times.values()) if name]
        plain = not any(is_text(held[name]) for name in typed)
        return plain and not columns.traffic() and self.settings.time_zone == "UTC" and len(self.files) <= _FEW

    def place(self, sequence: int) -> tuple[str, int]:
        """Give the file and the line of a row."""
        line = (sequence & ((1 << LINE_BITS) - 1)) // self.width
        return self.files[sequence >> LINE_BITS].file.name, line

    def mapped_files(self) -> list[Mapped]:
        """Tell where its mapped rows lie."""
        read_again = [
            RawParquet(opened, mapped, number)
            for number, (opened, mapped) in enumerate(zip(self.files, self.mapped_as, strict=True))
            if self.reads_again(opened)
        ]
        return [*read_again, *self.copied]

    def files_to_map(self, now: datetime) -> list[FileToMap]:
        """Settle what its rows become, and list the files that are to be mapped and copied.

        All are, but for those that are cheaper to read again than to copy.
        """
        mapped: list[MappedTable] = []
        for number, opened in enumerate(self.files):
            alike = number > 0 and opened.columns == self.files[number - 1].columns  # as a rule all files are
            mapped.append(mapped[-1] if alike else self.map(opened.columns, now))
        self.mapped_as = mapped
        self.folder.mkdir(parents=True)
        return [
            FileToMap(opened, mapped, number, self.settings.time_zone, self.folder / f"{number:06}.parquet")
            for number, (opened, mapped) in enumerate(zip(self.files, self.mapped_as, strict=True))
            if not self.reads_again(opened)
        ]

    def show_mapped(self, copied: Sequence[MappedCopy]) -> None:
        """Make the view of its mapped rows, once files are ``copied``, in any order: sequence holds it."""
        self.copied = copied
        parts = [file.query() for file in self.mapped_files() if isinstance(file, RawParquet)]
        if copied:
            parts.append(f"FROM {self.copies}")
        self.mapped.make_view(" UNION ALL ".join(f"({part})" for part in parts))

    @property
    def looked_at_later(self) -> bool:
        """Whether its rows are counted only as they go into the log, so that files need be read but once."""
        return self.repeats_by_parts and all(map(self.reads_again, self.files))

    def look(self) -> str:
        """Look once at all its rows: how many there are, how many mapping found usable and, of a source, of when.

        Says it.
        """
        self.rows, unusable, lines = count_rows(self.connection, str(self.mapped))
        self.usable = self.rows - unusable
        if isinstance(self.settings, Source):
            self.first_occurred_at, self.last_occurred_at, self.last_known_at = fetch_row(
                self.connection,
                f"SELECT min(occurred_at), max(occurred_at), max(known_at) FROM {self.mapped} WHERE reason IS NULL",
            )
        return say_rows(self.rows, unusable, lines)

    def expected_rows(self) -> int:
        """Count its usable rows; of one that is looked at later, all that its files say they have."""
        if self.looked_at_later:
            return sum(pq.read_metadata(opened.file.path).num_rows for opened in self.files)
        return self.usable

    def arrivals(self, moment: str) -> Arrivals:
        """Count its usable rows by the minutes of a moment; of one that is looked at later, of when they were known."""
        if self.counted is None:
            columns = self.connection.execute(
                f"SELECT epoch_us({moment}) // 60000000 AS minute, count(*) AS rows "
                f"FROM {self.mapped} WHERE reason IS NULL GROUP BY minute ORDER BY minute"
            ).fetchnumpy()
            self.counted = Arrivals(columns["minute"].astype(np.int64), columns["rows"].astype(np.int64))
        return self.counted


Tables = Mapping[str, SourceTable]


def label_of(name: str, settings: Table) -> str:
    """Say where the settings of a table stand."""
    part = {Source: "sources.", Table: "tables."}.get(type(settings), "")
    return f"ingest.{part}{name}"


def adds_up(columns: InteractionColumns) -> bool:
    """Tell whether rows hold what may be the sum of other rows."""
    return bool(columns.occurred_at and (columns.counts or columns.quantity))
