"""Leads and what happened to them, written as tables that can be checked by eye, or drawn by chance."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
from hypothesis import strategies as st

from features.timeline.history import CONVERSION, LOSS, REOPEN

DAY = timedelta(days=1)
START = datetime(2026, 1, 1)
CODES = {
    "won": CONVERSION,
    "lost": LOSS,
    "form": REOPEN | LOSS,
    "request": REOPEN | CONVERSION,
    "renewal": REOPEN | LOSS | CONVERSION,
}
NO_EVENTS = pd.DataFrame({"lead_id": [], "known_at": pd.to_datetime([]), "event_type": []})


def leads(text: str) -> pd.DataFrame:
    rows = [line.split(maxsplit=1) for line in text.strip().splitlines()]
    frame = pd.DataFrame(rows, columns=["lead_id", "created_at"], index=range(100, 100 + len(rows)))
    return frame.assign(created_at=lambda table: pd.to_datetime(table["created_at"]).astype("datetime64[us]")).assign(
        known_at=lambda table: table["created_at"]
    )


def events(text: str) -> pd.DataFrame:
    """Read ``lead | occurred_at | type | known_at``; known as it occurred where the last is not given.

    A form may reopen after a loss, a request after a conversion, a renewal after both.
    """
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines() if line.strip()]
    frame = pd.DataFrame(
        {
            "lead_id": [row[0] for row in rows],
            "occurred_at": pd.to_datetime([row[1] for row in rows], format="ISO8601").astype("datetime64[us]"),
            "known_at": pd.to_datetime([row[3] if len(row) > 3 else row[1] for row in rows], format="ISO8601").astype(
                "datetime64[us]"
            ),
            "code": [CODES[row[2]] for row in rows],
        },
        index=[7] * len(rows),
    )
    return frame.sort_values(["lead_id", "occurred_at"], kind="stable")


def table(frame: pd.DataFrame, *columns: str) -> str:
    """Write columns as text, a line a row."""
    return "\n".join(
        " | ".join(
            "-" if pd.isna(value) else f"{value:%m-%d %H:%M}" if hasattr(value, "hour") else str(value) for value in row
        )
        for row in frame[list(columns)].itertuples(index=False)
    )


DRAWN_LEADS = leads("A 2026-01-01\nB 2026-01-03")


def draw_events(*kinds: str) -> st.SearchStrategy[pd.DataFrame]:
    """Draw what happened to the leads A and B in three weeks: by the day, and known some days later, or before."""
    one = st.tuples(st.sampled_from("AB"), st.integers(0, 20), st.sampled_from(kinds), st.integers(-2, 12))
    return st.lists(one, max_size=12).map(
        lambda drawn: events(
            "\n".join(
                f"{lead} | {START + day * DAY} | {kind} | {START + (day + late) * DAY}"
                for lead, day, kind, late in drawn
            )
        )
    )
