"""What people said last of leads, as it was known at a moment, and in their words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.decision.word import Said, Word
from pipeline.core.project import Places
from pipeline.core.sql import file_literal
from pipeline.log.people import in_words
from pipeline.scoring.in_words import days_of
from pipeline.settings.decision import DecisionPolicy


@dataclass(frozen=True)
class Spoken:
    """People's word on leads, in the order in which they were asked for."""

    word: Word
    texts: list[str | None]
    """What they said, as in 2026-03-05 SQL until 2026-04-01, by K2: budget approved; None where no word holds."""


def listen(
    places: Places,
    policy: DecisionPolicy,
    connection: duckdb.DuckDBPyConnection,
    as_of: datetime,
    ended: NDArray[np.datetime64],
) -> Spoken:
    """Tell what people said last of the leads in the relation ``asked`` (lead_id, place), known before ``as_of`` (UTC).

    ``ended``: when each of them last converted or was lost, as known then (UTC), missing where it never did.
    """
    found = connection.sql(
        'SELECT decided_at, tier, call_on, until, "by", reason FROM asked LEFT JOIN '
        f"(FROM read_parquet({file_literal(places.decisions)}) WHERE known_at < $as_of AND decided_at < $as_of "
        "QUALIFY row_number() OVER (PARTITION BY lead_id ORDER BY decided_at DESC, known_at DESC, sequence DESC) = 1) "
        "USING (lead_id) ORDER BY place",
        params={"as_of": as_of},
    ).to_arrow_table()
    moments = found["decided_at"].to_numpy().astype("datetime64[us]")
    tier = pc.fill_null(found["tier"], "").to_pandas().to_numpy("U12")
    said = Said(moments, tier, _days(found["call_on"]), _days(found["until"]))
    word = Word.of(policy.word, said, ended, np.datetime64(as_of, "us"), np.datetime64(policy.day_of(as_of), "D"))
    texts: list[str | None] = [None] * len(found)
    held = np.flatnonzero(word.holds)
    rows = found.take(pa.array(held)).to_pylist()
    for place, day, row in zip(held.tolist(), days_of(policy, moments[held]), rows, strict=True):
        texts[place] = f"{day} {in_words(row)}"
    return Spoken(word, texts)


def _days(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    days: NDArray[np.datetime64] = column.to_numpy().astype("datetime64[D]")
    return days
