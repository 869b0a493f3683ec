"""What ends and what opens the episodes of leads, read from a log on disk, or from a part of one in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.core.schema import MACHINE
from features.timeline.history import CONVERSION, LOSS, REOPEN, History
from pipeline.core.sql import ask_rows
from pipeline.settings.timeline import Episodes

LOG_COLUMNS = ("lead_id", "occurred_at", "known_at", "event_type", "actor", "source", "sequence")
"""What is read of the log."""
LEAD_COLUMNS = ["lead_id", "created_at", "known_at"]
"""What is read of the leads beside their events."""


def history_of(log: Path | pa.Table, leads: pa.Table, former: pa.Table, settings: Episodes) -> History:
    """Tell what ends or reopens an episode of some leads, by a log in which theirs is; ``former`` are their creations.

    All three may be of a part of the leads: the log then holds LOG_COLUMNS.
    """
    return History.of(
        leads.to_pandas(),
        read_ends(log, settings),
        settings.reopen_after,
        former.to_pandas(),
        reopen_after_conversion=pause_of_customers(settings),
    )


def pause_of_customers(settings: Episodes) -> timedelta:
    """Tell how long after a conversion an act must come to bring a customer back."""
    after = settings.after_conversion
    return after.reopen_after if after else timedelta(0)


def read_ends(log: Path | pa.Table, settings: Episodes, lead_id: str | None = None) -> pd.DataFrame:
    """Read what ends or reopens an episode, each with its code: of one lead, or of all."""
    codes = _codes(settings)
    columns = "lead_id, occurred_at, known_at, event_type, actor"
    events = read_events(log, columns, list(codes), lead_id)
    events["code"] = events["event_type"].map(codes).astype("int64")
    # Only an act of the lead itself opens a new episode.
    return events[(events["code"] < REOPEN) | (events["actor"] == "lead")]


def _codes(settings: Episodes) -> dict[str, int]:
    """Give the types of events that end or reopen an episode, each with its code."""
    after = settings.after_conversion
    codes = dict.fromkeys(settings.reopen_on, REOPEN | LOSS)
    for name in after.reopen_on if after else ():
        codes[name] = codes.get(name, REOPEN) | CONVERSION
    return codes | dict.fromkeys(settings.conversion, CONVERSION) | dict.fromkeys(settings.lost, LOSS)


def ending_types(settings: Episodes) -> list[str]:
    """Name the types of events that end or reopen an episode."""
    return list(_codes(settings))


def read_events(
    log: Path | pa.Table, columns: str, event_types: Sequence[str], lead_id: str | None = None
) -> pd.DataFrame:
    """Read some columns of the events of some types, of one lead or of all; what machines did is left out.

    They come in the dataset's order. ``log`` is a file, or a part of one in memory, with LOG_COLUMNS.
    """
    with ask_rows(log) as (connection, rows):
        query = (
            f"SELECT {columns} FROM {rows} WHERE list_contains(?, event_type) AND actor <> '{MACHINE}'"
            f"{'' if lead_id is None else ' AND lead_id = ?'} ORDER BY lead_id, occurred_at, source, sequence"
        )
        values = [list(event_types), *([] if lead_id is None else [lead_id])]
        table = connection.sql(query, params=values).to_arrow_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame
